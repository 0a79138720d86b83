package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

const (
	limitWait    = time.Minute      // where a secondary limit does not say how long: GitHub's advice
	freshTries   = 7                // about 16 seconds, for a new token to be known everywhere
	requestLimit = 2 * time.Minute  // for one request, uploads excepted
	uploadLimit  = 30 * time.Minute // for one upload
	largestPage  = 100              // GitHub's largest page
)

// Forge is one repository at GitHub. It is safe for concurrent use.
type Forge struct {
	access      Access
	options     Options
	api         *url.URL
	owner, name string
	login       *login
	http        *http.Client
	perPage     int
	sleep       func(ctx context.Context, d time.Duration) error
}

// Disconnect ends idle connections. The forge can be used again.
func (f *Forge) Disconnect() { f.http.CloseIdleConnections() }

// Repository is owner/name.
func (f *Forge) Repository() string { return f.access.Repository }

// WebURL is the repository's page for people.
func (f *Forge) WebURL() string {
	if f.api.Host == "api.github.com" {
		return "https://github.com/" + f.access.Repository
	}
	if tenant, ok := tenantOf(f.api); ok {
		return "https://" + tenant + "/" + f.access.Repository
	}
	return (&url.URL{Scheme: f.api.Scheme, Host: f.api.Host}).JoinPath(f.owner, f.name).String()
}

func (f *Forge) logf(format string, args ...any) {
	if f.options.Logf != nil {
		f.options.Logf(format, args...)
	}
}

// call makes a request, again and again while it fails for a passing reason, and
// explains what is left. what is a phrase such as "read pull request 7".
func (f *Forge) call(ctx context.Context, what string, request func(ctx context.Context) error) error {
	return f.callWithin(ctx, requestLimit, what, request)
}

// callWithin is call with another limit for each request.
func (f *Forge) callWithin(ctx context.Context, limit time.Duration, what string, request func(ctx context.Context) error) error {
	if err := f.try(ctx, limit, what, request); err != nil {
		return fmt.Errorf("%s of %s: %w", what, f.access.Repository, err)
	}
	return nil
}

func (f *Forge) try(ctx context.Context, limit time.Duration, what string, request func(ctx context.Context) error) error {
	var answer error // as the libraries give it
	probed, limited := false, 0
	loop := retry.Loop{
		What: what + " of " + f.access.Repository, Logf: f.logf, Pause: f.sleep,
		Again: func(error) (time.Duration, bool) {
			if limit := limitOf(answer); limit != nil {
				limited++
				return limit.wait(limited), true
			}
			return answerOf(answer).retryAfter, isTransient(answer) || baseMoved(answer)
		},
	}
	_, err := retry.Do(ctx, loop, func() (struct{}, error) {
		answer = f.once(ctx, limit, request)
		if isUnknownToken(answer) && !probed && f.login.app != nil {
			if probed = true; f.newToken(ctx, answer) {
				answer = f.once(ctx, limit, request)
			}
		}
		if answer == nil {
			return struct{}{}, nil
		}
		return struct{}{}, explain(answer)
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (f *Forge) once(ctx context.Context, limit time.Duration, request func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, httpclient.SlowError{})
	defer cancel()
	err := request(ctx)
	if err == nil {
		f.login.proven.Store(true)
	}
	return httpclient.WhenSlow(ctx, err)
}

// isUnknownToken are answers that a server gives which does not know a token:
// too old or too new. A 404 may also be the truth.
func isUnknownToken(err error) bool {
	status := statusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusNotFound
}

// newToken reports whether the app's token caused an answer and another request
// may succeed. It replaces a token that has expired, and waits until the server
// knows a new one.
func (f *Forge) newToken(ctx context.Context, err error) (again bool) {
	switch {
	case f.login.proven.Load() && statusOf(err) == http.StatusNotFound:
		return false
	case f.login.proven.Load():
		return f.login.again()
	}
	loop := retry.Loop{
		What: fmt.Sprintf("use of the new token of app %s at %s", f.access.AppID, f.api.Host), Logf: f.logf, Pause: f.sleep, Tries: freshTries,
		Again: func(err error) (time.Duration, bool) { return 0, isUnknownToken(err) },
	}
	_, err = retry.Do(ctx, loop, func() (struct{}, error) {
		return struct{}{}, f.once(ctx, requestLimit, func(ctx context.Context) error {
			_, err := f.send(ctx, http.MethodGet, "", nil, nil, nil)
			return err
		})
	})
	return err == nil
}

// wait is how long GitHub takes no requests, at the nth refusal in a row.
func (r *rateLimit) wait(n int) time.Duration {
	if r.Until.IsZero() {
		return limitWait << (n - 1)
	}
	return max(time.Second, time.Until(r.Until)+time.Second)
}

// baseMoved reports whether a merge met another one.
func baseMoved(err error) bool {
	return statusOf(err) == http.StatusMethodNotAllowed && strings.Contains(err.Error(), "Base branch was modified")
}

func isTransient(err error) bool {
	if status := statusOf(err); status != 0 {
		return status >= 500 && status != http.StatusNotImplemented || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	}
	return retry.Passes(err)
}
