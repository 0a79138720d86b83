package git

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taxiway-ci/taxiway/internal/git/transport"
)

const (
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
	retryTries  = 5
	retryFor    = 2 * time.Minute
)

// retry does an operation again when it failed for a reason that time may
// remove: a broken connection, an overloaded server. It gives up after a few
// times.
func retry[T any](ctx context.Context, r *Remote, what string, operation func() (T, error)) (T, error) {
	var last error
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = firstWait, longestWait
	out, err := backoff.Retry(ctx, func() (T, error) {
		out, err := operation()
		if err == nil {
			return out, nil
		}
		last = err
		if !passes(err) || ctx.Err() != nil {
			return out, backoff.Permanent(err)
		}
		r.logf("%s of %s: %v: trying again", what, r.URL(), err)
		if seconds, ok := transport.RetryAfter(err); ok {
			return out, errors.Join(err, backoff.RetryAfter(seconds))
		}
		return out, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(retryTries), backoff.WithMaxElapsedTime(retryFor))
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("%w (last: %w)", context.Cause(ctx), orCause(last, ctx))
	}
	return out, last
}

// passes reports whether the same may go well the next time. A pack may have been
// damaged on its way.
func passes(err error) bool {
	return transport.IsTransient(err) || errors.Is(err, ErrDamaged) && !transport.IsFinal(err)
}

func orCause(err error, ctx context.Context) error { //nolint:revive // err is the subject, ctx the stand-in
	if err == nil {
		return context.Cause(ctx)
	}
	return err
}
