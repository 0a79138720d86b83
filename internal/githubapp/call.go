package githubapp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

const (
	jwtLife    = 9 * time.Minute // GitHub allows ten
	jwtSkew    = time.Minute     // between clocks
	maxBody    = 1 << 20         // bytes
	patience   = 2 * time.Minute // with one request
	apiVersion = "2022-11-28"
)

// ErrNotInstalled says that the app may not see the repository at all.
var ErrNotInstalled = errors.New("the app is not installed")

// ErrNotGranted says that the installation has none of the permissions that a token is for. GitHub would give
// a token with all of the others.
var ErrNotGranted = errors.New("the app's installation has none of the permissions for this")

// StatusError is an answer of the API other than success.
type StatusError struct {
	Status     int           // of HTTP
	Text       string        // the server's words; may be empty
	RetryAfter time.Duration // the server's wish; 0 for none
	// LimitReset is when GitHub's limit of requests ends that this answer is
	// about; zero for any other answer.
	LimitReset time.Time
}

// Error has the status and the server's words.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("HTTP %d %s", e.Status, http.StatusText(e.Status))
	if advice := e.advice(); advice != "" {
		text += ": " + advice
	}
	if e.Text != "" {
		text += "; the server says: " + e.Text
	}
	return text
}

// advice says what to do, or is empty.
func (e *StatusError) advice() string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "check app_id and app_private_key, and the clock of this machine"
	case http.StatusForbidden:
		return "may the app do this, and is its installation suspended?"
	case http.StatusNotFound:
		return "check app_installation_id, and that the app was not removed"
	}
	return ""
}

// LimitReset is when GitHub answers again, when the limit of requests is why it
// did not.
func LimitReset(response *http.Response) time.Time {
	seconds, err := strconv.ParseInt(response.Header.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil || response.Header.Get("X-Ratelimit-Remaining") != "0" {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func (a *App) call(ctx context.Context, method string, u *url.URL, body, into any) error {
	statement, err := a.jwt()
	if err != nil {
		return err
	}
	secret.Register(ctx, statement)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, httpclient.SlowError{})
	defer cancel()
	r, err := NewRequest(ctx, method, u, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+statement)
	r.Header.Set("User-Agent", a.config.UserAgent)
	response, err := a.config.Client.Do(r)
	if err != nil {
		return httpclient.WhenSlow(ctx, httpclient.Explain(err))
	}
	defer func() { _ = response.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return httpclient.WhenSlow(ctx, err)
	}
	if response.StatusCode/100 != 2 {
		return newStatusError(response, answer)
	}
	if err := httpclient.NotAPage(response); err != nil {
		return err
	}
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(into); err != nil {
		return fmt.Errorf("the answer is not JSON as GitHub's API gives it: %w", err)
	}
	return nil
}

// NewRequest is a request to GitHub's API; body is sent as JSON unless it is nil.
func NewRequest(ctx context.Context, method string, u *url.URL, body any) (*http.Request, error) {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), &sent)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-Github-Api-Version", apiVersion)
	return r, nil
}

func newStatusError(response *http.Response, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // a page for people has none
	return &StatusError{
		Status: response.StatusCode, Text: said.Message, RetryAfter: httpclient.RetryAfter(response),
		LimitReset: LimitReset(response),
	}
}

// jwt is the statement "I am this app, now", see RFC 7519.
func (a *App) jwt() (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iat": a.now().Add(-jwtSkew).Unix(), "exp": a.now().Add(jwtLife).Unix(), "iss": a.config.ID,
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
