package forge

import (
	"context"
	"errors"
	"net/http"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
)

// ReadToken returns a token of the GitHub App that may read the contents of the one repository and nothing else. It ends after an
// hour, or with [Access.Revoke].
func (a Access) ReadToken(ctx context.Context) (string, error) {
	if err := a.Validate(); err != nil {
		return "", err
	}
	if a.AppID == "" {
		return "", errors.New("app_id: is required: only a GitHub App has tokens that end by themselves")
	}
	api, client, err := a.reach()
	if err != nil {
		return "", err
	}
	app, err := a.app(api, client, map[string]string{"contents": "read"})
	if err != nil {
		return "", err
	}
	token, _, err := app.Token(ctx)
	return token, err
}

// Revoke ends a token of a GitHub App. [ErrAuth] says that it has ended already.
func (a Access) Revoke(ctx context.Context, token string) error {
	api, client, err := a.reach()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, api.JoinPath("installation", "token").String(), http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("User-Agent", agent)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it is empty
	if answer.StatusCode != http.StatusNoContent {
		return explain(&githubapp.StatusError{Status: answer.StatusCode})
	}
	return nil
}
