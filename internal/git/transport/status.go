package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// IsTransient tells the faults of networks and servers that pass from all
// others. Timeouts of net and net/http are also context.DeadlineExceeded.
func IsTransient(err error) bool {
	if errors.Is(err, context.Canceled) || IsFinal(err) {
		return false
	}
	if errors.Is(err, errFreshToken) {
		return true
	}
	var status *statusError
	if errors.As(err, &status) {
		return status.transient()
	}
	return retry.Passes(err)
}

// IsFinal are answers that stay the same however often one asks.
func IsFinal(err error) bool {
	if errors.Is(err, errFreshToken) {
		return false
	}
	for _, final := range []error{object.ErrAuth, object.ErrForbidden, object.ErrNoRepository, object.ErrHostKey, object.ErrNotFound, object.ErrDamaged, object.ErrLimit} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// RetryAfter is the Retry-After of the server that an error comes from; 0 when
// there is none.
func RetryAfter(err error) time.Duration {
	if status := (*statusError)(nil); errors.As(err, &status) {
		return status.retryAfter
	}
	return 0
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

// slowError ends a connection on which nothing moves, or too little. It is a timeout, after which little is tried again.
type slowError struct {
	after time.Duration
	rate  int // bytes a second that the server did not reach; 0 when it was silent
}

// Error says how slow the server was, and what to do.
func (e *slowError) Error() string {
	what := "nothing"
	if e.rate > 0 {
		what = fmt.Sprintf("less than %d KiB a second", e.rate>>10)
	}
	return fmt.Sprintf("the server sent %s for %s: check the server, and the network on the way to it", what, e.after)
}

// Timeout makes it a net.Error that may be over at the next try.
func (e *slowError) Timeout() bool { return true }

// Temporary is part of net.Error.
func (e *slowError) Temporary() bool { return true }

// errFreshToken is a refusal of a token so young that not all servers may know
// it yet.
var errFreshToken = errors.New("the server may not know the new token yet")
