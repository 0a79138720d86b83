package semvergit_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
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
)

// Keys that can't work are named as what they are, without showing them.
func TestSSHKeys(t *testing.T) {
	const passphrase = "correct horse battery"
	w := newWorldOverSSH(t)
	w.is("1.2.3\n")
	locked, err := gittest.NewKey("ed25519", passphrase)
	require.NoError(t, err)
	require.NoError(t, w.server.Authorise(locked.Authorised))
	stranger, err := gittest.NewKey("ecdsa", "")
	require.NoError(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no key")})

	for name, c := range map[string]struct {
		source keys
		want   string // "" is success
	}{
		"encrypted, with its passphrase":   {keys{"private_key": locked.Private, "private_key_passphrase": passphrase}, ""},
		"encrypted, without a passphrase":  {keys{"private_key": locked.Private}, "private_key_passphrase"},
		"encrypted, with a wrong one":      {keys{"private_key": locked.Private, "private_key_passphrase": "battery staple"}, "passphrase"},
		"not encrypted, with a passphrase": {keys{"private_key_passphrase": passphrase}, "is not encrypted; remove the passphrase"},
		"a public key":                     {keys{"private_key": stranger.Authorised}, "private_key"},
		"a certificate":                    {keys{"private_key": string(certificate)}, "private_key"},
		"a key that nobody knows":          {keys{"private_key": stranger.Private}, "credentials were refused"},
		"an unknown host":                  {keys{"known_hosts": nil}, "known_hosts"},
		"another host's key":               {keys{"known_hosts": hostWith(w, stranger)}, "host key"},
		"an unchecked host":                {keys{"known_hosts": nil, "insecure_ignore_host_key": true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			other := w.with(c.source)
			s := other.tryCheck(nil)
			if c.want == "" {
				assert.Zero(t, s.status, s.stderr)
				return
			}
			assert.Equal(t, 1, s.status)
			assert.Empty(t, s.stdout)
			assert.Contains(t, s.stderr, c.want)
			assert.Contains(t, other.refused(keys{"bump": "patch"}), c.want)
			for _, secret := range []string{passphrase, "battery staple", strings.Split(locked.Private, "\n")[1]} {
				assert.NotContains(t, s.stderr, secret)
			}
		})
	}
	s := w.with(keys{"known_hosts": nil}).tryCheck(nil)
	assert.Contains(t, s.stderr, "SHA256:", "the fingerprint helps to pin the host")
}

func hostWith(w *world, k gittest.Key) string {
	host, port, _ := strings.Cut(w.server.SSHAddress(), ":")
	return fmt.Sprintf("[%s]:%s %s\n", host, port, k.Authorised)
}

// An app's token that is about to end is exchanged in the middle of a put.
func TestAppTokenIsRefreshed(t *testing.T) {
	w := newWorld(t)
	var err error
	w.repo, err = w.server.Create("team/code")
	require.NoError(t, err)
	w.is("1.2.3\n")
	w.server.AddPassword("x-access-token", "ghs_token1")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	var tokens atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // the installation
			fmt.Fprint(rw, `{"id": 1, "permissions": {"contents": "write"}}`)
			return
		}
		token := fmt.Sprintf("ghs_token%d", tokens.Add(1))
		w.server.AddPassword("x-access-token", token) // in place of the last one
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, `{"token": %q, "expires_at": %q}`, token, time.Now().Add(time.Minute).Format(time.RFC3339))
	}))
	t.Cleanup(api.Close)
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	app := w.with(keys{
		"uri": w.repo.URL(), "app_id": 123, "app_private_key": string(pemKey),
		"app_installation_id": "1", "app_api_url": api.URL,
	})
	s := app.put(keys{"bump": "patch"})
	assert.Equal(t, "1.2.4", s.version.Number)
	assert.Greater(t, tokens.Load(), int32(1), "the first token ended within the put")
	assert.NotContains(t, s.stdout+s.stderr, "ghs_token")
}

// TLS options hold for every verb.
func TestTLSInEveryVerb(t *testing.T) {
	server, repo := serve(t, gittest.Options{TLS: true, Username: "robot", Password: "s3cr3t-p4ssw0rd"})
	t.Setenv("TMPDIR", t.TempDir())
	w := &world{tb: t, server: server, repo: repo, dir: t.TempDir(), source: keys{
		"uri": repo.URL(), "branch": "version", "file": "version", "username": "robot", "password": "s3cr3t-p4ssw0rd",
	}}
	w.is("1.2.3\n")
	assert.Contains(t, w.tryCheck(nil).stderr, "certificate")
	assert.Contains(t, w.refused(keys{"bump": "patch"}), "certificate")
	for _, trust := range []keys{{"ca_cert": server.CA()}, {"skip_ssl_verification": true}} {
		trusting := w.with(trust)
		v := trusting.put(keys{"bump": "patch"}).version
		assert.Contains(t, trusting.check(nil), v)
		assert.Equal(t, v.Number, trusting.get(v, nil)["version"])
	}
}

// Servers that offer little, and a repository on this machine, serve as well.
func TestServersThatOfferLittle(t *testing.T) {
	for name, make := range map[string]func(*testing.T) *world{
		"no protocol version 2": func(t *testing.T) *world {
			t.Helper()
			server, repo := serve(t, gittest.Options{NoV2: true})
			t.Setenv("TMPDIR", t.TempDir())
			return &world{tb: t, server: server, repo: repo, dir: t.TempDir(), source: keys{"uri": repo.URL(), "branch": "version", "file": "version"}}
		},
		"no filters": func(t *testing.T) *world {
			t.Helper()
			w := newWorld(t)
			require.NoError(t, w.repo.RefuseFilter())
			return w
		},
		"a path": func(t *testing.T) *world {
			t.Helper()
			w := newWorld(t)
			return w.with(keys{"uri": w.repo.Dir})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := make(t)
			assert.Equal(t, "0.0.0", w.check(nil)[0].Number)
			first := w.put(keys{"bump": "minor"}).version
			w.tag("0.1.0", w.code("feat: all there was"))
			head := w.code("fix: a")
			s := w.conventionally(keys{"tag": true}, "--depth=1", "--no-tags")
			assert.Equal(t, "0.1.1", s.version.Number)
			at, err := w.repo.RevParse("0.1.1")
			require.NoError(t, err)
			assert.Equal(t, head, at)
			versions := w.check(first)
			assert.Equal(t, first, versions[0])
			assert.Equal(t, s.version, versions[1])
			assert.Contains(t, w.get(s.version, nil)["release-notes.md"], "- A")

			w.clone("repo")
			_, err = gittest.Open(w.dir+"/repo").Git("commit", "-q", "--allow-empty", "-m", "feat: only here")
			require.NoError(t, err)
			assert.Contains(t, w.refused(release(keys{"tag": true})), "is not in")
			require.NoError(t, w.repo.Fsck())
		})
	}
}
