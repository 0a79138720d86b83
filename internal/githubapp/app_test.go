package githubapp

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

func newKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(tb, err)
	return key
}

func pkcs1(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestKeys(t *testing.T) {
	key := newKey(t)
	_, edward, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"PKCS1": pkcs1(key), "PKCS8": pkcs8(t, key), "indented": "\n  " + strings.ReplaceAll(pkcs1(key), "\n", "\r\n  "),
	} {
		_, err := New(Config{ID: "1", PrivateKey: text})
		require.NoError(t, err, name)
	}
	for text, want := range map[string]string{
		"":               "app_private_key: it is not a key in PEM form",
		"hello":          "app_private_key: it is not a key in PEM form",
		pkcs8(t, edward): "app_private_key: it is not an RSA key",
		strings.ReplaceAll(pkcs1(key), "RSA", "EC"):                                              "",
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n": "app_private_key: it is broken or encrypted: it is of the type ENCRYPTED PRIVATE KEY",
	} {
		_, err := New(Config{ID: "1", PrivateKey: text})
		if want == "" {
			require.NoError(t, err, "the type is not looked at")
			continue
		}
		require.ErrorContains(t, err, want)
	}
	for _, installation := range []string{"../1", "..", "my-org", "1 "} {
		_, err = New(Config{ID: "1", PrivateKey: pkcs1(key), Installation: installation})
		require.ErrorContains(t, err, "app_installation_id: it is not a number")
	}
}

func TestAPIOfAServer(t *testing.T) {
	assert.Equal(t, "https://api.github.com", API("https", "github.com").String())
	assert.Equal(t, "https://api.team.ghe.com", API("https", "team.ghe.com").String())
	assert.Equal(t, "https://api.team.ghe.com", API("https", "Team.GHE.com").String())
	assert.Equal(t, "https://ghe.example:8443/api/v3", API("https", "ghe.example:8443").String())
}

func TestAPIAddressesThatPeopleWrite(t *testing.T) {
	for given, want := range map[string]string{
		"https://api.github.com":           "https://api.github.com",
		"https://api.acme.ghe.com/":        "https://api.acme.ghe.com",
		"https://ghe.example:8443/api/v3/": "https://ghe.example:8443/api/v3",
		"https://api.example.com/github":   "https://api.example.com/github",
		"http://127.0.0.1:80/api/v3":       "http://127.0.0.1:80/api/v3",
	} {
		u, err := ParseAPI(given)
		require.NoError(t, err, given)
		assert.Equal(t, want, u.String())
	}
	for given, want := range map[string]string{
		"https://github.com":              "the API of github.com is at https://api.github.com; write that",
		"https://acme.ghe.com":            "the API of acme.ghe.com is at https://api.acme.ghe.com; write that",
		"https://acme.ghe.com/api/v3":     "the API of acme.ghe.com is at https://api.acme.ghe.com; write that",
		"https://api.acme.ghe.com/api/v3": "the API of acme.ghe.com is at https://api.acme.ghe.com; write that",
		"acme.ghe.com":                    "is not a web address; write https://HOST/api/v3 for a GitHub Enterprise server, https://api.SUBDOMAIN.ghe.com for GHE.com, or omit it for github.com",
	} {
		_, err := ParseAPI(given)
		require.EqualError(t, err, want)
	}
}

// hub answers what an app asks.
type hub struct {
	*httptest.Server
	credentials []string // of each call
	calls       []string
	asked       []string // the bodies for tokens
	grants      string   // of the installation, JSON
	status      int
	method      string // that the status is for
	header      http.Header
	body        string
	life        time.Duration
	now         time.Time
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{life: time.Hour, now: time.Now(), method: http.MethodPost}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.calls = append(h.calls, r.Method+" "+r.URL.Path)
		h.credentials = append(h.credentials, r.Header.Get("Authorization"))
		maps.Copy(w.Header(), h.header)
		switch {
		case h.status != 0 && r.Method == h.method:
			w.WriteHeader(h.status)
			fmt.Fprint(w, h.body)
		case r.Method == http.MethodGet:
			fmt.Fprintf(w, `{"id": 12345678901, "permissions": %s}`, cmp.Or(h.grants, `{"contents": "write"}`))
		default:
			body, _ := io.ReadAll(r.Body)
			h.asked = append(h.asked, strings.TrimSpace(string(body)))
			_ = json.NewEncoder(w).Encode(map[string]any{"token": fmt.Sprint("t", len(h.calls)), "expires_at": h.now.Add(h.life)})
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hub) app(t *testing.T, installation string) *App {
	t.Helper()
	client, err := httpclient.New(httpclient.TLS{})
	require.NoError(t, err)
	api, err := url.Parse(h.URL)
	require.NoError(t, err)
	a, err := New(Config{
		ID: "1", PrivateKey: pkcs1(newKey(t)), Installation: installation, Owner: "team", Repository: "code", API: api, Client: client,
		Permissions: map[string]string{"contents": "write", "workflows": "write"},
	})
	require.NoError(t, err)
	a.now = func() time.Time { return h.now }
	return a
}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	h := newHub(t)
	a := h.app(t, "")
	token, fresh, err := a.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "t2", token)
	assert.True(t, fresh)
	h.now = h.now.Add(54 * time.Minute)
	token, fresh, err = a.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "t2", token)
	assert.False(t, fresh)
	h.now = h.now.Add(2 * time.Minute)
	token, _, err = a.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "t3", token)
	assert.Equal(t, []string{
		"GET /repos/team/code/installation", "POST /app/installations/12345678901/access_tokens", "POST /app/installations/12345678901/access_tokens",
	}, h.calls, "the installation is looked up once")
}

func TestForgottenTokenIsReplaced(t *testing.T) {
	h := newHub(t)
	a := h.app(t, "7")
	for _, want := range []string{"t2", "t3"} {
		token, _, err := a.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, token)
		a.Forget()
	}
}

func TestAnswersOtherThanATokenAreExplained(t *testing.T) {
	reset := time.Now().Add(time.Hour).Truncate(time.Second)
	for want, set := range map[string]func(*hub){
		"HTTP 401 Unauthorized: check app_id and app_private_key, and the clock of this machine; the server says: bad": func(h *hub) {
			h.status, h.body = 401, `{"message":"bad"}`
		},
		"HTTP 404 Not Found: check app_installation_id": func(h *hub) { h.status, h.body = 404, "<html>" },
		"HTTP 403 Forbidden": func(h *hub) {
			h.status, h.header = 403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {fmt.Sprint(reset.Unix())}, "Retry-After": {"4"}}
		},
		"the answer is not JSON":     func(h *hub) { h.status, h.body = 200, "token" },
		"it answers a web page":      func(h *hub) { h.status, h.body = 200, "<html>" },
		"the answer has no token":    func(h *hub) { h.status, h.body = 200, "{}" },
		"HTTP 502 Bad Gateway":       func(h *hub) { h.status = 502 },
		"HTTP 301 Moved Permanently": func(h *hub) { h.status, h.header = 301, http.Header{"Location": {"https://elsewhere.example"}} },
	} {
		h := newHub(t)
		set(h)
		_, _, err := h.app(t, "7").Token(t.Context())
		require.ErrorContains(t, err, "get a token for app 1: exchange its key: ")
		require.ErrorContains(t, err, want)
		var status *StatusError
		if h.status == 403 && assert.ErrorAs(t, err, &status) {
			assert.True(t, status.LimitReset.Equal(reset))
			assert.Equal(t, 4*time.Second, status.RetryAfter)
		}
	}
}

func TestAppThatIsNotInstalled(t *testing.T) {
	h := newHub(t)
	h.method, h.status, h.body = http.MethodGet, 404, `{"message":"Not Found"}`
	_, _, err := h.app(t, "").Token(t.Context())
	require.ErrorIs(t, err, ErrNotInstalled)
	assert.Equal(t, "get a token for app 1: the app is not installed for team/code, or there is no such repository", err.Error())
}

// A token is for the one repository, and has the permissions that are used and that the installation has.
func TestTokenHasTheScopeThatIsUsed(t *testing.T) {
	for grants, want := range map[string]string{
		`{"contents": "write", "metadata": "read", "administration": "write"}`: `{"repositories":["code"],"permissions":{"contents":"write"}}`,
		`{"contents": "read", "workflows": "write"}`:                           `{"repositories":["code"],"permissions":{"contents":"read","workflows":"write"}}`,
	} {
		for _, installation := range []string{"", "7"} {
			h := newHub(t)
			h.grants = grants
			_, _, err := h.app(t, installation).Token(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{want}, h.asked)
		}
	}
}

// A request that names no permission gets a token with all of them from GitHub, so no such request is sent.
func TestInstallationWithoutAnyOfThePermissions(t *testing.T) {
	for _, grants := range []string{`{"administration": "write"}`, `{}`} {
		h := newHub(t)
		h.grants = grants
		_, _, err := h.app(t, "7").Token(t.Context())
		require.ErrorIs(t, err, ErrNotGranted)
		require.EqualError(t, err, "get a token for app 1: the app's installation has none of the permissions for this: it needs contents: write, workflows: write; "+
			"add that in the app's settings, under Permissions & events, and accept it for the installation")
		assert.Empty(t, h.asked)
	}
}

func TestInstallationThatIsNotThere(t *testing.T) {
	h := newHub(t)
	h.method, h.status = http.MethodGet, 404
	_, _, err := h.app(t, "7").Token(t.Context())
	require.ErrorContains(t, err, "look up its installation for team/code: HTTP 404 Not Found: check app_installation_id")
}
