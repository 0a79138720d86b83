package forge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
)

const maxRedirects = 5

// login is a token from the source, or an app that gets its tokens.
type login struct {
	token string
	app   *githubapp.App
	hosts []string // origins that may see the token
	// proven says that GitHub accepted the present token of the app.
	proven atomic.Bool
}

// transport adds the token to each request that goes to the forge, also after a
// redirect, and to no other.
type transport struct {
	below http.RoundTripper
	login *login
}

// RoundTrip makes one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Header.Del("Authorization")
	if slices.Contains(t.login.hosts, origin(r.URL)) {
		token := t.login.token
		if t.login.app != nil {
			var fresh bool
			var err error
			if token, fresh, err = t.login.app.Token(r.Context()); err != nil {
				return nil, &loginError{err}
			}
			if !fresh {
				t.login.proven.Store(true)
			}
		}
		sent.Header.Set("Authorization", "Bearer "+token)
	}
	return t.below.RoundTrip(sent)
}

// again says that a refused token was given up and another one is available.
func (l *login) again() bool {
	if l.app == nil || !l.proven.Swap(false) {
		return false
	}
	l.app.Forget()
	return true
}

// loginError is what went wrong before the request itself.
type loginError struct{ error }

// Unwrap gives the cause.
func (e *loginError) Unwrap() error { return e.error }

func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// followFew lets requests that only read follow redirects; GitHub redirects
// those of a renamed repository.
func followFew(r *http.Request, before []*http.Request) error {
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("the server redirects more than %d times", maxRedirects)
	case before[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("the server redirects from https to http")
	case r.Method != before[0].Method:
		return http.ErrUseLastResponse
	}
	return nil
}
