// Package githubapp is a GitHub App as a credential: it signs a statement with
// the app's key and exchanges it for a token of its installation, which ends
// after an hour. Tokens are in memory only. git and the API take the same token,
// so both clients use this package.
//
// See https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
package githubapp

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/secret"
)

const (
	tokenMargin = 5 * time.Minute  // before its end, a token is exchanged
	freshFor    = 10 * time.Second // until all of GitHub's servers know a token
)

// Config says which app it is, and for which repository.
type Config struct {
	// ID and PrivateKey are the app's; the key is RSA in PEM form.
	ID, PrivateKey string
	// Installation is the number of the installation; it is looked up when empty.
	Installation string
	// Owner and Repository name one repository of the installation.
	Owner, Repository string
	// Permissions are those that a token is used with, each with its level, read or write. A token has
	// no others, and is for the one repository.
	Permissions map[string]string
	// API is the address of the API, see [API].
	API *url.URL
	// Client makes the requests, and may be nil when the app is only checked. It
	// should follow no redirects.
	Client *http.Client
	// UserAgent is how requests introduce themselves.
	UserAgent string
}

// App hands out tokens. It is safe for concurrent use.
type App struct {
	config Config
	key    *rsa.PrivateKey
	now    func() time.Time

	mu      sync.Mutex
	granted map[string]string // to the installation; nil until it was looked up
	token   answered
}

type answered struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
	made    time.Time
}

// New checks the keys, without using the network. Its errors begin with the key
// of the source that is wrong.
func New(c Config) (*App, error) {
	key, err := parseKey(c.PrivateKey)
	if err != nil {
		return nil, err
	}
	if strings.Trim(c.Installation, "0123456789") != "" {
		return nil, errors.New("app_installation_id: it is not a number")
	}
	return &App{config: c, key: key, now: time.Now}, nil
}

// API is the address of the API that belongs to a server: https://api.github.com
// for github.com, https://api.SUBDOMAIN.ghe.com for SUBDOMAIN.ghe.com, which is GitHub Enterprise Cloud with data
// residency, and /api/v3 on an own server. host may have a port.
func API(scheme, host string) *url.URL {
	if lower := strings.ToLower(host); lower == "github.com" || strings.HasSuffix(lower, ".ghe.com") {
		return &url.URL{Scheme: "https", Host: "api." + lower}
	}
	return &url.URL{Scheme: scheme, Host: host, Path: "/api/v3"}
}

// ParseAPI reads an API address that somebody wrote. The address of GitHub's pages is an error that says which one the API has:
// only own servers have it below their own name. The error begins with no key.
func ParseAPI(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("is not a web address; write https://HOST/api/v3 for a GitHub Enterprise server, https://api.SUBDOMAIN.ghe.com for GHE.com, or omit it for github.com")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	pages := strings.TrimPrefix(strings.ToLower(u.Host), "api.")
	if api := API(u.Scheme, pages); api.Path == "" && (api.Host != strings.ToLower(u.Host) || u.Path != "") {
		return nil, fmt.Errorf("the API of %s is at %s; write that", pages, api)
	}
	return u, nil
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(secret.Unindent(text)))
	if block == nil {
		return nil, errors.New("app_private_key: " + secret.NoKey(text, "it is not a key in PEM form; it must have the lines -----BEGIN RSA PRIVATE KEY----- and -----END RSA PRIVATE KEY-----, each on its own line"))
	}
	if block.Type == "OPENSSH PRIVATE KEY" || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("app_private_key: it is a %s; give the private key that GitHub made for the App, which begins with -----BEGIN RSA PRIVATE KEY-----", block.Type)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("app_private_key: it is broken or encrypted: it is of the type %s", block.Type)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("app_private_key: it is not an RSA key, as all keys of GitHub Apps are")
	}
	return key, nil
}

// Token gives a token that is valid for some minutes more. fresh says that it is
// so young that not all of GitHub's servers may know it: an answer of 401 or 404
// then means nothing yet. Errors are [ErrNotInstalled], [ErrNotGranted],
// [*StatusError], or those of the connection.
func (a *App) Token(ctx context.Context) (token string, fresh bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().Add(tokenMargin).After(a.token.Expires) {
		if err := a.exchange(ctx); err != nil {
			return "", false, fmt.Errorf("get a token for app %s: %w", a.config.ID, err)
		}
	}
	return a.token.Token, a.now().Sub(a.token.made) < freshFor, nil
}

// Granted are the permissions that the installation has, each with its level, read, write or admin.
func (a *App) Granted(ctx context.Context) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.lookUp(ctx)
	return maps.Clone(a.granted), err
}

// Forget gives up a token that a server refused, so that the next one is new.
func (a *App) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = answered{}
}

func (a *App) exchange(ctx context.Context) error {
	if err := a.lookUp(ctx); err != nil {
		return err
	}
	var token answered
	usable := a.usable()
	if len(usable) == 0 && len(a.config.Permissions) > 0 {
		var wanted []string
		for _, name := range slices.Sorted(maps.Keys(a.config.Permissions)) {
			wanted = append(wanted, name+": "+a.config.Permissions[name])
		}
		return fmt.Errorf("%w: it needs %s; add that in the app's settings, under Permissions & events, and accept it for the installation",
			ErrNotGranted, strings.Join(wanted, ", "))
	}
	q := question{Repositories: []string{a.config.Repository}, Permissions: usable}
	if err := a.call(ctx, http.MethodPost, a.installation().JoinPath("access_tokens"), q, &token); err != nil {
		return fmt.Errorf("exchange its key: %w", err)
	}
	secret.Register(ctx, token.Token)
	if !regexp.MustCompile(`^[[:graph:]]+$`).MatchString(token.Token) {
		return errors.New("exchange its key: the answer has no token of one word: is the address that of GitHub's API?")
	}
	token.made = a.now()
	a.token = token
	return nil
}

// question asks for a token that is worth as little as possible, see
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
type question struct {
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions,omitempty"` // without any, the token has all of the installation
}

// usable are those of the permissions that the installation has, since GitHub gives no token for others.
// A permission that is missing shows in what needs it; [App.exchange] fails when all are.
func (a *App) usable() map[string]string {
	out := map[string]string{}
	for name, level := range a.config.Permissions {
		switch a.granted[name] {
		case "":
		case "read":
			out[name] = "read"
		default:
			out[name] = level
		}
	}
	return out
}

func (a *App) installation() *url.URL {
	return a.config.API.JoinPath("app", "installations", a.config.Installation)
}

// lookUp finds the installation and its permissions, once.
func (a *App) lookUp(ctx context.Context) error {
	if a.granted != nil {
		return nil
	}
	c := a.config
	at := c.API.JoinPath("repos", c.Owner, c.Repository, "installation")
	if c.Installation != "" {
		at = a.installation()
	}
	var found struct {
		ID          json.Number       `json:"id"`
		Permissions map[string]string `json:"permissions"`
	}
	err := a.call(ctx, http.MethodGet, at, nil, &found)
	var status *StatusError
	if c.Installation == "" && errors.As(err, &status) && status.Status == http.StatusNotFound {
		return fmt.Errorf("%w for %s/%s, or there is no such repository", ErrNotInstalled, c.Owner, c.Repository)
	}
	if err != nil {
		return fmt.Errorf("look up its installation for %s/%s: %w", c.Owner, c.Repository, err)
	}
	if c.Installation == "" {
		a.config.Installation = found.ID.String()
	}
	a.granted = map[string]string{}
	maps.Copy(a.granted, found.Permissions)
	return nil
}
