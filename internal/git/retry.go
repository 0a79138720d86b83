package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

const (
	firstWait     = 250 * time.Millisecond
	longestWait   = 10 * time.Second
	retryTries    = 5
	retryFor      = 2 * time.Minute
	longestWished = time.Minute // of a server's Retry-After
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
		if !isTransient(err) || ctx.Err() != nil {
			return out, backoff.Permanent(err)
		}
		r.logf("%s of %s: %v: trying again", what, r.URL(), err)
		if seconds, ok := wishedWait(err); ok {
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

func orCause(err error, ctx context.Context) error { //nolint:revive // err is the subject, ctx the stand-in
	if err == nil {
		return context.Cause(ctx)
	}
	return err
}

// isTransient tells the faults of networks and servers that pass from all
// others.
func isTransient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || isFinal(err) {
		return false
	}
	if errors.Is(err, errFreshToken) {
		return true
	}
	var status *statusError
	if errors.As(err, &status) {
		return status.transient()
	}
	return errors.Is(err, errBadPack) || errors.Is(err, errStalled) || httpclient.Passes(err)
}

// isFinal are answers that stay the same however often one asks.
func isFinal(err error) bool {
	if errors.Is(err, errFreshToken) {
		return false
	}
	if errors.Is(err, errBadPack) {
		return false // it may have been damaged on its way
	}
	for _, final := range []error{ErrAuth, ErrForbidden, ErrNoRepository, ErrHostKey, ErrNotFound, ErrDamaged} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func wishedWait(err error) (seconds int, ok bool) {
	var status *statusError
	if !errors.As(err, &status) || status.retryAfter <= 0 {
		return 0, false
	}
	return int(min(status.retryAfter, longestWished).Seconds()), true
}

// statusError is an HTTP answer other than success.
type statusError struct {
	status     int
	text       string // of the body, for people
	retryAfter time.Duration
	kind       error // a sentinel, or nil
	advice     string
}

// Error has the status, the meaning, what to do, and the server's words.
func (e *statusError) Error() string {
	text := fmt.Sprintf("HTTP %d %s", e.status, http.StatusText(e.status))
	if e.kind != nil {
		text += ": " + e.kind.Error()
	}
	if e.advice != "" {
		text += ": " + e.advice
	}
	if e.text != "" {
		text += "; the server says: " + e.text
	}
	return text
}

// Unwrap gives the decision that follows.
func (e *statusError) Unwrap() error { return e.kind }

func (e *statusError) transient() bool {
	return e.status >= 500 && e.status != http.StatusNotImplemented || e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout
}

// errStalled ends a connection on which nothing moves.
var errStalled = errors.New("nothing was received for too long")

// errFreshToken is a refusal of a token so young that not all servers may know
// it yet.
var errFreshToken = errors.New("the server may not know the new token yet")

// stallLimit is how long a server may be silent.
const stallLimit = 2 * time.Minute
