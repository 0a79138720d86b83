package git

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	tokenMargin = 5 * time.Minute  // before its end, a token is exchanged
	freshFor    = 10 * time.Second // until all of GitHub's servers know a token
	jwtLife     = 9 * time.Minute  // GitHub allows ten
	jwtSkew     = time.Minute      // between clocks
	maxAPIBody  = 1 << 20          // bytes
)

// app is a GitHub App as a credential: it signs a statement with its key and
// exchanges it for a token of its installation, which ends after an hour. The
// token is in memory only.
type app struct {
	id, installation string
	owner, name      string
	key              *rsa.PrivateKey
	api              *url.URL
	client           *http.Client
	now              func() time.Time

	mu    sync.Mutex
	token appToken
	tried bool // the present token was refused
}

type appToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
	made    time.Time
}

func newApp(a Access, e *endpoint, client *http.Client) (*app, error) {
	key, err := parseAppKey(a.AppPrivateKey)
	if err != nil {
		return nil, err
	}
	owner, name, err := e.ownerAndName()
	if err != nil {
		return nil, fmt.Errorf("uri: %w", err)
	}
	api, err := appAPI(a.AppAPIURL, e)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(a.AppInstallationID, "/?#") {
		return nil, errors.New("app_installation_id: it is not a number")
	}
	return &app{
		id: a.AppID, installation: a.AppInstallationID, owner: owner, name: name,
		key: key, api: api, client: client, now: time.Now,
	}, nil
}

// appAPI is https://api.github.com, or on an own server /api/v3.
func appAPI(given string, e *endpoint) (*url.URL, error) {
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			return nil, errors.New("app_api_url: it is no web address")
		}
		return u, nil
	}
	if e.host == "github.com" {
		return &url.URL{Scheme: "https", Host: "api.github.com"}, nil
	}
	return &url.URL{Scheme: e.scheme, Host: e.address(), Path: "/api/v3"}, nil
}

func parseAppKey(text string) (*rsa.PrivateKey, error) {
	var clean strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		clean.WriteString(strings.TrimSpace(line) + "\n")
	}
	block, _ := pem.Decode([]byte(clean.String()))
	if block == nil {
		return nil, errors.New("app_private_key: it is no key in PEM form; it has to have the lines -----BEGIN RSA PRIVATE KEY----- and -----END RSA PRIVATE KEY-----, each on a line of its own")
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

func (a *app) login(ctx context.Context) (name, password string, fresh bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().Add(tokenMargin).After(a.token.Expires) {
		if err := a.exchange(ctx); err != nil {
			return "", "", false, fmt.Errorf("get a token for app %s: %w", a.id, err)
		}
	}
	return "x-access-token", a.token.Token, a.now().Sub(a.token.made) < freshFor, nil
}

// refused gives up a token that has become invalid, once.
func (a *app) refused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tried {
		return false
	}
	a.tried, a.token = true, appToken{}
	return true
}

func (a *app) exchange(ctx context.Context) error {
	if a.installation == "" {
		var found struct {
			ID json.Number `json:"id"`
		}
		err := a.call(ctx, http.MethodGet, a.api.JoinPath("repos", a.owner, a.name, "installation"), &found)
		var status *statusError
		if errors.As(err, &status) && status.status == http.StatusNotFound {
			return fmt.Errorf("%w: the app is not installed for %s/%s, or there is no such repository", ErrNoRepository, a.owner, a.name)
		}
		if err != nil {
			return fmt.Errorf("look up its installation for %s/%s: %w", a.owner, a.name, err)
		}
		a.installation = found.ID.String()
	}
	var token appToken
	if err := a.call(ctx, http.MethodPost, a.api.JoinPath("app", "installations", a.installation, "access_tokens"), &token); err != nil {
		return fmt.Errorf("exchange its key: %w", err)
	}
	if token.Token == "" {
		return errors.New("exchange its key: the answer has no token")
	}
	token.made = a.now()
	a.token = token
	return nil
}

func (a *app) call(ctx context.Context, method string, u *url.URL, into any) error {
	statement, err := a.jwt()
	if err != nil {
		return err
	}
	ctx, w := watch(ctx, stallLimit)
	defer w.stop()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+statement)
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("User-Agent", agent)
	response, err := a.client.Do(r)
	if err != nil {
		return plainURLError(w.cause(err))
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAPIBody))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return apiError(response, body)
	}
	return json.NewDecoder(bytes.NewReader(body)).Decode(into)
}

func apiError(response *http.Response, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // a page for people has none
	e := &statusError{status: response.StatusCode, text: said.Message, retryAfter: retryAfter(response)}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		e.kind, e.advice = ErrAuth, "check app_id and app_private_key, and the clock of this machine"
	case http.StatusForbidden:
		e.kind, e.advice = ErrForbidden, "may the app do this, and is its installation suspended?"
	}
	return e
}

// jwt is the statement "I am this app, now", see RFC 7519.
func (a *app) jwt() (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iat": a.now().Add(-jwtSkew).Unix(), "exp": a.now().Add(jwtLife).Unix(), "iss": a.id,
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign with app_private_key: %w", err)
	}
	return text + "." + encode(signature), nil
}
