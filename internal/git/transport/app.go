package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/githubapp"
)

// app is a GitHub App as a login.
type app struct{ *githubapp.App }

func newApp(a Access, e *Address, client *http.Client) (*app, error) {
	owner, name, err := e.ownerAndName()
	if err != nil {
		return nil, fmt.Errorf("uri: %w", err)
	}
	api, err := appAPI(a.AppAPIURL, e)
	if err != nil {
		return nil, err
	}
	made, err := githubapp.New(githubapp.Config{
		ID: a.AppID, PrivateKey: a.AppPrivateKey, Installation: a.AppInstallationID,
		Owner: owner, Repository: name, API: api, Client: client, UserAgent: wire.Agent,
		// GitHub refuses pushes with files in .github/workflows without the second one
		Permissions: map[string]string{"contents": "write", "workflows": "write"},
	})
	if err != nil {
		return nil, err
	}
	return &app{made}, nil
}

func appAPI(given string, e *Address) (*url.URL, error) {
	if given == "" {
		return githubapp.API(e.Scheme, e.hostPort()), nil
	}
	u, err := githubapp.ParseAPI(given)
	if err != nil {
		return nil, fmt.Errorf("app_api_url: %w", err)
	}
	return u, nil
}

func (a *app) login(ctx context.Context) (name, password string, fresh bool, err error) {
	token, fresh, err := a.Token(ctx)
	if err != nil {
		return "", "", false, explainApp(err)
	}
	return "x-access-token", token, fresh, nil
}

// appError is an error of the app together with the decision that follows, of
// those that this package knows.
type appError struct {
	error
	known *statusError
}

// Unwrap gives both.
func (f *appError) Unwrap() []error { return []error{f.error, f.known} }

func explainApp(err error) error {
	if errors.Is(err, githubapp.ErrNotInstalled) {
		return fmt.Errorf("%w: %w", object.ErrNoRepository, err)
	}
	if errors.Is(err, githubapp.ErrNotGranted) {
		return fmt.Errorf("%w: %w", object.ErrForbidden, err)
	}
	var s *githubapp.StatusError
	if !errors.As(err, &s) {
		return err
	}
	known := &statusError{status: s.Status, retryAfter: s.RetryAfter}
	switch s.Status {
	case http.StatusUnauthorized:
		known.kind = object.ErrAuth
	case http.StatusForbidden:
		known.kind = object.ErrForbidden
	}
	return &appError{err, known}
}

// refused gives up a token that has become invalid. The next one is fresh, so
// that this does not go on forever.
func (a *app) refused() bool {
	a.Forget()
	return true
}
