package git

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// gitHub is as much of GitHub's API as an app needs.
type gitHub struct {
	*httptest.Server
	key    *rsa.PrivateKey
	tokens atomic.Int32
	expire time.Duration
	status int
	grants string // of the installation, members of a JSON object
}

func newGitHub(t *testing.T) *gitHub {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	g := &gitHub{key: key, expire: time.Hour}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *gitHub) serve(w http.ResponseWriter, r *http.Request) {
	if err := g.verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"message": %q}`, err.Error())
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /repos/team/deployments/installation":
		fmt.Fprintf(w, `{"id": 4711, "permissions": {%s}}`, cmp.Or(g.grants, `"contents": "write"`))
	case "POST /app/installations/4711/access_tokens":
		if g.status != 0 {
			w.WriteHeader(g.status)
			fmt.Fprint(w, `{"message": "installation is suspended"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token": "ghs_token%d", "expires_at": %q}`, g.tokens.Add(1), time.Now().Add(g.expire).Format(time.RFC3339))
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "Not Found"}`)
	}
}

func (g *gitHub) verify(jwt string) error {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var c struct {
		Iss      string
		Iat, Exp int64
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return err
	}
	if now := time.Now().Unix(); c.Iss != "123" || c.Iat > now || c.Exp < now || c.Exp-c.Iat > 600 {
		return fmt.Errorf("claims %s", claims)
	}
	return nil
}

func (g *gitHub) access(uri string) Access {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(g.key)})
	return Access{URI: uri, Branch: "main", AppID: "123", AppPrivateKey: string(key), AppAPIURL: g.URL}
}

func TestAppReadsAndWrites(t *testing.T) {
	server := serve(t, gittest.Options{Username: "x-access-token", Password: "ghs_token1"})
	repo := served(t, server)
	withLog(t, repo)
	hub := newGitHub(t)
	r := open(t, hub.access(repo.URL()))
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "by an app"))
	require.NoError(t, err)
	assert.Equal(t, "start\nby an app\n", logged(t, repo))
	assert.EqualValues(t, 1, hub.tokens.Load(), "one token is enough")
}

func TestAppTokenIsExchangedBeforeItEnds(t *testing.T) {
	server := serve(t, gittest.Options{Username: "x-access-token", Password: "ghs_token1"})
	repo := served(t, server)
	withLog(t, repo)
	hub := newGitHub(t)
	hub.expire = time.Minute
	r := open(t, hub.access(repo.URL()))
	_, err := r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	server.AddPassword("x-access-token", "ghs_token2") // in place of the first
	_, err = r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	assert.EqualValues(t, 2, hub.tokens.Load())
}

func TestFreshTokenMayBeUnknownForAMoment(t *testing.T) {
	server := serve(t, gittest.Options{Username: "x-access-token", Password: "ghs_token1"})
	repo := served(t, server)
	withLog(t, repo)
	server.Inject(gittest.Fault{Status: http.StatusNotFound, Times: 2})
	_, err := open(t, newGitHub(t).access(repo.URL())).Refs(t.Context(), mainRef)
	require.NoError(t, err)
}

func TestAppErrors(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	hub := newGitHub(t)
	a := hub.access(repo.URL())

	other := a
	other.URI = strings.Replace(a.URI, "deployments", "elsewhere", 1)
	_, err := open(t, other).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, ErrNoRepository)
	assert.Contains(t, err.Error(), "the app is not installed for team/elsewhere")

	wrong := a
	wrong.AppID = "124"
	_, err = open(t, wrong).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrAuth)
	assert.Contains(t, err.Error(), "check app_id and app_private_key")

	hub.status = http.StatusForbidden
	_, err = open(t, a).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrForbidden)
	assert.Contains(t, err.Error(), "installation is suspended")

	hub.grants = `"administration": "write"`
	_, err = open(t, a).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrForbidden)
	assert.Contains(t, err.Error(), "it needs contents: write, workflows: write; add that in the app's settings")
}
