package nixcache

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Sentinels, one for each decision.
var (
	// ErrMissing is a path, or a part of one, that the cache does not have yet.
	ErrMissing = errors.New("not in the cache")
	// ErrAuth is a token that is missing, wrong, or not allowed to do this.
	ErrAuth = errors.New("the cache refuses access: is auth_token right, and may it read this cache?")
	// ErrNoCache is an address or name without a cache.
	ErrNoCache = errors.New("there is no such cache")
	// ErrUntrusted is a narinfo whose signatures don't hold.
	ErrUntrusted = errors.New("the signature does not hold")
	// ErrWrong is an answer that contradicts the question: a narinfo of another
	// path, another store's folder, garbage.
	ErrWrong = errors.New("the cache's answer is wrong")
	// ErrUnwell is a cache that did not answer properly this time: broken
	// connections, time-outs, HTTP 429 and 5xx. Later it may.
	ErrUnwell = errors.New("the cache does not answer properly")
	// ErrUnsupported is something that only Cachix can do.
	ErrUnsupported = errors.New("only a Cachix cache can do that")
)

// statusError is an HTTP answer that is not a success.
type statusError struct {
	at     *url.URL
	status int
	text   string        // the server's words
	after  time.Duration // Retry-After, or 0
	kind   error         // one of the sentinels, or nil
}

// Error names the address, the status, what it means, and the server's words.
func (e *statusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s answers HTTP %d %s", shown(e.at), e.status, http.StatusText(e.status))
	if e.kind != nil {
		fmt.Fprintf(&b, ": %v", e.kind)
	}
	if e.text != "" {
		fmt.Fprintf(&b, "; the server says: %s", e.text)
	}
	return b.String()
}

// Unwrap gives the decision that follows.
func (e *statusError) Unwrap() error { return e.kind }

// kindOf is what a status means for any question.
func kindOf(status int) error {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrAuth
	case status == http.StatusNotFound, status == http.StatusGone:
		return ErrMissing
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status >= 500 && status != http.StatusNotImplemented:
		return ErrUnwell
	}
	return nil
}
