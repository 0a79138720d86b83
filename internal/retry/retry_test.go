package retry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/retry"
)

var errPassing = errors.New("the server is overloaded")

// pauses records the waits of a loop instead of waiting.
type pauses []time.Duration

func (p *pauses) wait(ctx context.Context, d time.Duration) error {
	*p = append(*p, d)
	return context.Cause(ctx)
}

func (p *pauses) loop() retry.Loop {
	return retry.Loop{
		What: "fetch of https://example.com/a", Pause: p.wait,
		Again: func(err error) (time.Duration, bool) { return 0, errors.Is(err, errPassing) },
	}
}

func TestDoRepeatsUntilSuccess(t *testing.T) {
	var p pauses
	var lines []string
	l := p.loop()
	l.Logf = func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	calls := 0
	got, err := retry.Do(t.Context(), l, func() (int, error) {
		calls++
		if calls < 3 {
			return 0, errPassing
		}
		return 7, nil
	})
	require.NoError(t, err)
	assert.Equal(t, 7, got)
	assert.Equal(t, 3, calls)
	require.Len(t, lines, 2)
	assert.Regexp(t, `^fetch of https://example\.com/a: the server is overloaded: trying again in \d+ms$`, lines[0])
	for i, d := range p {
		about := retry.FirstPause << i
		assert.GreaterOrEqual(t, d, about/2)
		assert.LessOrEqual(t, d, about*3/2+1)
	}
}

func TestDoGivesUp(t *testing.T) {
	final := errors.New("bad key")
	for name, c := range map[string]struct {
		err   error
		wait  time.Duration
		calls int
	}{
		"after all tries":                      {errPassing, 0, retry.Tries},
		"at an error that stays":               {final, 0, 1},
		"at a wait that is too long":           {errPassing, retry.LongestWait + 1, 1},
		"when the waits together are too long": {errPassing, retry.LongestWait/2 - 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var p pauses
			l := p.loop()
			l.Again = func(err error) (time.Duration, bool) { return c.wait, errors.Is(err, errPassing) }
			calls := 0
			_, err := retry.Do(t.Context(), l, func() (int, error) { calls++; return 0, c.err })
			assert.Equal(t, c.err, err)
			assert.Equal(t, c.calls, calls)
			assert.Len(t, p, c.calls-1)
		})
	}
}

func TestDoTakesTheWaitOfTheServer(t *testing.T) {
	var p pauses
	l := p.loop()
	l.Again = func(error) (time.Duration, bool) { return 7 * time.Second, true }
	_, err := retry.Do(t.Context(), l, func() (int, error) { return 0, errPassing })
	require.ErrorIs(t, err, errPassing)
	assert.Equal(t, pauses{7 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second}, p)
}

// A server that takes its time to say nothing is asked less often, the more time it takes.
func TestDoIsNotHeldUp(t *testing.T) {
	for takes, calls := range map[time.Duration]int{time.Second: retry.Tries, 30 * time.Second: retry.Tries, 2 * time.Minute: 2, 5 * time.Minute: 1} {
		for _, failure := range []error{&net.DNSError{Err: "no answer", IsTimeout: true}, errPassing} {
			synctest.Test(t, func(t *testing.T) {
				l := retry.Loop{What: "fetch", Again: func(error) (time.Duration, bool) { return 0, true }}
				n := 0
				_, err := retry.Do(t.Context(), l, func() (int, error) {
					n++
					return 0, errors.Join(failure, retry.Sleep(t.Context(), takes))
				})
				require.ErrorIs(t, err, failure)
				if errors.Is(failure, errPassing) { // a large answer may take long, and be cut
					calls = retry.Tries
				}
				assert.Equal(t, calls, n, "%s: %v", takes, failure)
			})
		}
	}
}

func TestDoStopsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("the build was aborted")
		ctx, cancel := context.WithCancelCause(t.Context())
		l := retry.Loop{What: "fetch", Again: func(error) (time.Duration, bool) { return time.Minute, true }}
		time.AfterFunc(time.Second, func() { cancel(stopped) })
		_, err := retry.Do(ctx, l, func() (int, error) { return 0, errPassing })
		require.ErrorIs(t, err, stopped)
		require.ErrorIs(t, err, errPassing)
		assert.EqualError(t, err, "the build was aborted (last: the server is overloaded)")
		calls := 0
		_, err = retry.Do(ctx, l, func() (int, error) { calls++; return 0, context.Cause(ctx) })
		assert.Equal(t, stopped, err)
		assert.Equal(t, 1, calls)
	})
}

func TestSleep(t *testing.T) {
	require.NoError(t, retry.Sleep(t.Context(), time.Nanosecond))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the build was stopped")
	cancel(why)
	require.ErrorIs(t, retry.Sleep(ctx, time.Hour), why)
}
