package forge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

const agent = "taxiway/1"

// Access are the keys of a source that say which repository of which forge it is
// and how to get in. They are the same in every resource.
type Access struct {
	// Repository is owner/name.
	Repository string `json:"repository" concourse:"required"`
	// APIURL is https://api.github.com when it is empty; that of a GitHub
	// Enterprise server ends in /api/v3, that of GHE.com is https://api.SUBDOMAIN.ghe.com.
	APIURL string `json:"api_url,omitempty"`

	// AccessToken is a personal or other access token.
	AccessToken string `json:"access_token,omitempty"`

	// AppID and AppPrivateKey are those of a GitHub App. Its installation is
	// looked up when AppInstallationID is empty.
	AppID             string `json:"app_id,omitempty"`
	AppPrivateKey     string `json:"app_private_key,omitempty"`
	AppInstallationID string `json:"app_installation_id,omitempty"`

	// CACert is trusted in addition to the usual authorities; PEM.
	CACert              string `json:"ca_cert,omitempty"`
	SkipSSLVerification bool   `json:"skip_ssl_verification,omitempty"`
}

// Validate names the first key that is wrong, without using the network.
func (a Access) Validate() error {
	if _, _, err := a.ownerAndName(); err != nil {
		return err
	}
	api, err := a.api()
	if err != nil {
		return err
	}
	if _, err := a.httpClient(); err != nil {
		return err
	}
	return a.validateLogin(api)
}

func (a Access) validateLogin(api *url.URL) error {
	app := a.AppID != "" || a.AppPrivateKey != "" || a.AppInstallationID != ""
	switch {
	case a.AccessToken != "" && app:
		return errors.New("access_token: there is also a GitHub App: remove access_token or the app's keys")
	case strings.ContainsAny(a.AccessToken, " \t\r\n"):
		return errors.New("access_token: contains a blank or a line break: give the token alone")
	case a.AccessToken == "" && !app:
		return errors.New("access_token: is required, or app_id and app_private_key of a GitHub App")
	case !app:
		return nil
	case a.AppID == "":
		return errors.New("app_id: is required with the other keys of a GitHub App")
	case a.AppPrivateKey == "":
		return errors.New("app_private_key: is required with app_id")
	}
	_, err := a.app(api, nil, nil)
	return err
}

func (a Access) ownerAndName() (owner, name string, err error) {
	valid := regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)
	owner, name, _ = strings.Cut(a.Repository, "/")
	if !valid.MatchString(a.Repository) || strings.Trim(owner, ".") == "" || strings.Trim(name, ".") == "" {
		return "", "", fmt.Errorf("repository: %q is not of the form owner/name, the repository's path on GitHub without the host", a.Repository)
	}
	if strings.HasSuffix(name, ".git") { // which GitHub gives to no repository
		return "", "", fmt.Errorf("repository: write %s, without .git", strings.TrimSuffix(a.Repository, ".git"))
	}
	return owner, name, nil
}

func (a Access) api() (*url.URL, error) {
	if a.APIURL == "" {
		return githubapp.API("https", "github.com"), nil
	}
	u, err := githubapp.ParseAPI(a.APIURL)
	if err != nil {
		return nil, fmt.Errorf("api_url: %w", err)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("api_url: remove user, password, query and fragment; set access_token for credentials")
	}
	return u, nil
}

// uploads is where GitHub takes the assets of releases.
func uploads(api *url.URL) *url.URL {
	if api.Host == "api.github.com" {
		return &url.URL{Scheme: api.Scheme, Host: "uploads.github.com"}
	}
	if tenant, ok := tenantOf(api); ok {
		return &url.URL{Scheme: api.Scheme, Host: "uploads." + tenant}
	}
	if root, ok := strings.CutSuffix(api.Path, "/v3"); ok {
		return &url.URL{Scheme: api.Scheme, Host: api.Host, Path: root + "/uploads"}
	}
	return api
}

// tenantOf gives SUBDOMAIN.ghe.com for an API at api.SUBDOMAIN.ghe.com, GitHub Enterprise Cloud with data
// residency.
func tenantOf(api *url.URL) (host string, ok bool) {
	host, ok = strings.CutPrefix(strings.ToLower(api.Host), "api.")
	return host, ok && strings.HasSuffix(host, ".ghe.com")
}

// graphQL is the address of the other API, which alone knows some things.
func graphQL(api *url.URL) *url.URL {
	root, _ := strings.CutSuffix(api.Path, "/v3")
	return (&url.URL{Scheme: api.Scheme, Host: api.Host, Path: root}).JoinPath("graphql")
}

func (a Access) httpClient() (*http.Client, error) {
	return httpclient.New(httpclient.TLS{CACert: a.CACert, SkipVerification: a.SkipSSLVerification})
}

// reach is where the API is, and what speaks to it.
func (a Access) reach() (*url.URL, *http.Client, error) {
	api, err := a.api()
	if err != nil {
		return nil, nil, err
	}
	client, err := a.httpClient()
	return api, client, err
}

// app is the GitHub App, whose tokens have these permissions.
func (a Access) app(api *url.URL, client *http.Client, permissions map[string]string) (*githubapp.App, error) {
	owner, name, err := a.ownerAndName()
	if err != nil {
		return nil, err
	}
	return githubapp.New(githubapp.Config{
		ID: a.AppID, PrivateKey: a.AppPrivateKey, Installation: a.AppInstallationID,
		Owner: owner, Repository: name, API: api, Client: client, UserAgent: agent,
		Permissions: permissions,
	})
}

// appPermissions are those that an app's tokens are used with: contents for releases and auto-merge.
func appPermissions() map[string]string {
	return map[string]string{"contents": "write", "pull_requests": "write", "statuses": "write"}
}

// Secrets are all values that nobody may see.
func (a Access) Secrets() []string {
	return slices.DeleteFunc([]string{a.AccessToken, a.AppPrivateKey}, func(s string) bool { return s == "" })
}

// Options are about this process, not about the repository.
type Options struct {
	// Logf gets warnings and word of retries and waits; nil drops them.
	Logf func(format string, args ...any)
}

// Open prepares the way to the forge. It uses no network yet.
func (a Access) Open(o Options) (*Forge, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	f, err := a.open(o)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a.Repository, err)
	}
	return f, nil
}

func (a Access) open(o Options) (*Forge, error) {
	api, client, err := a.reach()
	if err != nil {
		return nil, err
	}
	f := &Forge{access: a, options: o, api: api, perPage: largestPage, sleep: retry.Sleep}
	f.owner, f.name, err = a.ownerAndName()
	if err != nil {
		return nil, err
	}
	f.login = &login{token: a.AccessToken, hosts: []string{origin(api), origin(uploads(api))}}
	if a.AppID != "" {
		if f.login.app, err = a.app(api, client, appPermissions()); err != nil {
			return nil, err
		}
	}
	if httpclient.Exposed(api.Scheme, api.Hostname()) {
		f.logf("warning: the credentials for %s can be read on the way, because api_url is not https", api.Host)
	}
	if a.SkipSSLVerification && api.Scheme == "https" {
		f.logf("warning: skip_ssl_verification is set: the identity of %s is not verified", api.Host)
	}
	f.http = &http.Client{Transport: &transport{below: httpclient.LimitBodies(client.Transport, maxAnswer), login: f.login}, CheckRedirect: followFew}
	return f, nil
}
