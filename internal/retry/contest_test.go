package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/retry"
)

var errMoved = errors.New("the branch has moved")

func contest(p func(context.Context, time.Duration) error) retry.Loop {
	return retry.Loop{
		What: "change main of https://example.com/a", Pause: p,
		Again: func(err error) (time.Duration, bool) { return 0, errors.Is(err, errMoved) },
	}
}

// branch is a server with one branch. Two requests are served at a time; each
// takes a while on its way and a while on the server, in the time of a bubble.
type branch struct {
	slots    chan struct{}
	mu       sync.Mutex
	tip      int
	requests int
}

func (b *branch) request(t *testing.T, serve func()) {
	t.Helper()
	assert.NoError(t, retry.Sleep(t.Context(), 50*time.Millisecond))
	b.slots <- struct{}{}
	defer func() { <-b.slots }()
	assert.NoError(t, retry.Sleep(t.Context(), 20*time.Millisecond))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	serve()
}

// put is one put and how it went.
type put struct {
	overtaken int
	took      time.Duration
}

// put reads the tip, fetches it, and pushes on top of it, as often as needed. A
// refusal tells the present tip, and the next attempt starts from there unless it
// paused.
func (b *branch) put(t *testing.T) put {
	t.Helper()
	start, first, tip := time.Now(), -1, -1
	refs := func() { tip = b.tip }
	_, err := retry.Win(t.Context(), contest(nil), func(paused bool) (int, error) {
		if paused || tip < 0 {
			b.request(t, refs)
		}
		if first < 0 {
			first = tip
		}
		b.request(t, func() {}) // the objects
		old := tip
		b.request(t, refs) // the greeting before a push
		if tip != old {
			return 0, errMoved
		}
		won := false
		b.request(t, func() {
			if won = b.tip == old; won {
				b.tip++
			}
			tip = b.tip
		})
		if !won {
			return 0, errMoved
		}
		return tip, nil
	})
	assert.NoError(t, err)
	return put{overtaken: tip - 1 - first, took: time.Since(start)}
}

// race lets writers put in a loop, all at once.
func race(t *testing.T, writers, putsEach int) (all []put, requests int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &branch{slots: make(chan struct{}, 2)}
		done := make(chan put)
		for range writers {
			go func() {
				for range putsEach {
					done <- b.put(t)
				}
			}()
		}
		for range writers * putsEach {
			all = append(all, <-done)
		}
		assert.Equal(t, len(all), b.tip, "each put is on the branch once")
		requests = b.requests
	})
	return all, requests
}

func TestNoWriterStarves(t *testing.T) {
	puts, _ := race(t, 3, 50)
	took := make([]time.Duration, 0, len(puts))
	for _, p := range puts {
		assert.LessOrEqual(t, p.overtaken, 10)
		took = append(took, p.took)
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	assert.LessOrEqual(t, worst, 10*median)
	t.Logf("median %v, worst %v", median, worst)
}

func TestFiftyWritersShareTheServer(t *testing.T) {
	puts, requests := race(t, 50, 1)
	require.Len(t, puts, 50)
	assert.Less(t, requests, 50*50, "an attempt without any pause takes about 77 requests a put")
	t.Logf("%d requests", requests)
}

func TestWinPausesOnceAndThenNoMore(t *testing.T) {
	var p pauses
	var told []string
	l := contest(p.wait)
	l.Logf = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	var paused []bool
	got, err := retry.Win(t.Context(), l, func(after bool) (int, error) {
		if paused = append(paused, after); len(paused) < 12 {
			return 0, errMoved
		}
		return 7, nil
	})
	require.NoError(t, err)
	assert.Equal(t, 7, got)
	assert.Len(t, p, 1)
	assert.Equal(t, append([]bool{false, true}, make([]bool, 10)...), paused)
	assert.Equal(t, []string{
		"change main of https://example.com/a: someone else pushed first, trying again (1)",
		"change main of https://example.com/a: someone else pushed first, trying again (11)",
	}, told)
}

func TestWinEnds(t *testing.T) {
	var p pauses
	l := contest(p.wait)
	final := errors.New("protected branch")
	_, err := retry.Win(t.Context(), l, func(bool) (int, error) { return 0, final })
	assert.Equal(t, final, err)

	l.Tries = 30
	_, err = retry.Win(t.Context(), l, func(bool) (int, error) { return 0, errMoved })
	require.ErrorIs(t, err, errMoved)
	require.EqualError(t, err, "change main of https://example.com/a: someone else pushed each time, gave up after 30 tries: the branch has moved")
	assert.Len(t, p, 3, "with very many writers it pauses again")

	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the build was aborted")
	_, err = retry.Win(ctx, l, func(bool) (int, error) { cancel(stopped); return 0, errMoved })
	require.ErrorIs(t, err, stopped)
}
