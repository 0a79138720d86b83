// Package retry repeats an operation that failed for a reason that may pass. It
// holds the constants of every such loop in this module.
package retry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// Tries is how often an operation runs before its error counts. With the
	// pauses below, five tries span about four seconds: longer than the restart
	// of a load balancer, shorter than a person waits.
	Tries = 5
	// FirstPause comes before the second try. Each later pause is about twice as
	// long as the one before it.
	FirstPause = 250 * time.Millisecond
	// longestPause bounds the pauses that this package chooses itself.
	longestPause = 10 * time.Second
	// LongestWait bounds the sum of all pauses of an operation, including those
	// that a server asks for. A longer wait fails at once with the server's answer.
	LongestWait = 2 * time.Minute
	// longestHold bounds the time of tries that end with a timeout: no other one
	// begins after it. A server that takes two minutes to say nothing is asked
	// twice, and one that takes five minutes to say almost nothing once.
	longestHold = 3 * time.Minute
	// growth is the ratio of two pauses in a row.
	growth = 2
	// spread is the random part of a pause, on either side of it. It keeps
	// clients that failed together from returning together.
	spread = 0.5
)

// Loop describes what is repeated.
type Loop struct {
	// What names the operation and its address in log lines, for example
	// "fetch of https://example.com/a".
	What string
	// Logf gets a line before each pause; nil drops it.
	Logf func(format string, args ...any)
	// Tries is how often the operation runs at most; 0 is [Tries].
	Tries int
	// Again reports whether a failure may pass. A positive wait replaces the
	// pause that this package would choose.
	Again func(err error) (wait time.Duration, again bool)
	// Pause waits between two tries; nil is [Sleep].
	Pause func(ctx context.Context, d time.Duration) error
}

// Do runs an operation until it succeeds, fails for good, or has failed as often as
// the loop allows; the last error is returned as it is. When the context ends, the error
// wraps the context's cause and the last failure.
func Do[T any](ctx context.Context, l Loop, operation func() (T, error)) (T, error) {
	pauses := backoff.ExponentialBackOff{
		InitialInterval: FirstPause, MaxInterval: longestPause, Multiplier: growth, RandomizationFactor: spread,
	}
	waited, held := time.Duration(0), time.Duration(0)
	for try := 1; ; try++ {
		start := time.Now()
		out, err := operation()
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return out, ended(ctx, err)
		}
		if TimedOut(err) {
			held += time.Since(start)
		}
		wait, again := l.Again(err)
		if wait <= 0 {
			wait = pauses.NextBackOff()
		}
		if !again || try == cmp.Or(l.Tries, Tries) || waited+wait > LongestWait || held >= longestHold {
			return out, err
		}
		waited += wait
		l.logf("%s: %v: trying again in %s", l.What, err, shown(wait))
		if l.pause(ctx, wait) != nil {
			return out, ended(ctx, err)
		}
	}
}

// ended is the error of a loop whose context ended.
func ended(ctx context.Context, last error) error {
	cause := context.Cause(ctx)
	if errors.Is(last, cause) {
		return last
	}
	return fmt.Errorf("%w (last: %w)", cause, last)
}

func (l Loop) logf(format string, args ...any) {
	if l.Logf != nil {
		l.Logf(format, args...)
	}
}

func (l Loop) pause(ctx context.Context, d time.Duration) error {
	if l.Pause != nil {
		return l.Pause(ctx, d)
	}
	return Sleep(ctx, d)
}

// Sleep waits, unless the context ends first; its cause is the error then.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shown rounds a pause up to tenths of a second.
func shown(d time.Duration) time.Duration {
	const unit = 100 * time.Millisecond
	return (d + unit - 1) / unit * unit
}
