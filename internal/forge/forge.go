package forge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

const (
	firstWait    = 250 * time.Millisecond
	tries        = 5
	longestWait  = 2 * time.Minute  // for a rate limit, in one operation
	limitWait    = time.Minute      // where a secondary limit does not say how long
	freshWait    = 15 * time.Second // for a new token to be known everywhere
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
	client      *github.Client
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
	waited, probed := time.Duration(0), false
	for try := 1; ; try++ {
		err := f.once(ctx, limit, request)
		if err == nil || ctx.Err() != nil {
			return orCause(ctx, err)
		}
		if isUnknownToken(err) && !probed && f.login.app != nil {
			probed = true
			if again, err := f.newToken(ctx, err); err != nil {
				return explain(err)
			} else if again {
				continue
			}
		}
		wait, passing := passes(err, try)
		if !passing || try >= tries || waited+wait > longestWait {
			return explain(err)
		}
		waited += wait
		f.logf("%s of %s: %v: trying again in %s", what, f.access.Repository, explain(err), wait.Round(100*time.Millisecond))
		if err := f.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (f *Forge) once(ctx context.Context, limit time.Duration, request func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, slowError{})
	defer cancel()
	err := request(ctx)
	if err == nil {
		f.login.proven.Store(true)
	} else if slow := (slowError{}); errors.Is(context.Cause(ctx), slow) {
		return slow
	}
	return err
}

// slowError is a request that took too long; the next one may do better.
type slowError struct{}

// Error says so.
func (slowError) Error() string { return "no complete answer came in time" }

func orCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// isUnknownToken are answers that a server gives which does not know a token:
// too old or too new. A 404 may also be the truth.
func isUnknownToken(err error) bool {
	status := statusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusNotFound
}

// newToken finds out whether the app's token was at fault for an answer, and
// reports whether to ask again: it gets another one for a token that has ended,
// and waits for a new one to be known everywhere.
func (f *Forge) newToken(ctx context.Context, err error) (again bool, _ error) {
	switch {
	case f.login.proven.Load() && statusOf(err) == http.StatusNotFound:
		return false, nil
	case f.login.proven.Load():
		return f.login.again(), nil
	}
	wait := firstWait
	for waited := time.Duration(0); waited < freshWait; waited += wait {
		err := f.once(ctx, requestLimit, func(ctx context.Context) error {
			_, _, err := f.client.Repositories.Get(ctx, f.owner, f.name)
			return err
		})
		if err == nil {
			return true, nil
		}
		if !isUnknownToken(err) {
			return false, nil
		}
		f.logf("%s does not know the new token of app %s yet: waiting", f.api.Host, f.access.AppID)
		if err := f.sleep(ctx, wait); err != nil {
			return false, err
		}
		wait *= 2
	}
	return false, err
}

// passes says how long to wait until a fault may be gone.
func passes(err error, try int) (wait time.Duration, passing bool) {
	if limit := limitOf(err); limit != nil {
		if limit.Until.IsZero() {
			return limitWait << (try - 1), true
		}
		return max(time.Second, time.Until(limit.Until)+time.Second), true
	}
	if !isTransient(err) && !baseMoved(err) {
		return 0, false
	}
	if a, ok := answerOf(err); ok && a.wished > 0 {
		return a.wished, true
	}
	wait = firstWait << (try - 1)
	return wait + time.Duration(rand.Int64N(int64(wait))), true
}

// baseMoved reports whether a merge met another one.
func baseMoved(err error) bool {
	return statusOf(err) == http.StatusMethodNotAllowed && strings.Contains(err.Error(), "Base branch was modified")
}

func isTransient(err error) bool {
	if status := statusOf(err); status != 0 {
		return status >= 500 && status != http.StatusNotImplemented || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	}
	return errors.Is(err, slowError{}) || httpclient.Passes(err)
}
