package transport

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

func TestEndpoints(t *testing.T) {
	for _, c := range []struct{ uri, shown, web string }{
		{"https://github.com/o/r.git", "https://github.com/o/r.git", "https://github.com/o/r"},
		{"https://ana:pass@git.example.com:8443/o/r", "https://git.example.com:8443/o/r", ""},
		{"https://git.example.com/o/r/", "https://git.example.com/o/r/", "https://git.example.com/o/r"},
		{"git@github.com:o/r.git", "ssh://git@github.com/o/r.git", "https://github.com/o/r"},
		{"ssh://git@gitlab.com:22/g/s/r.git", "ssh://git@gitlab.com:22/g/s/r.git", "https://gitlab.com/g/s/r"},
		{"ssh://git@[::1]:2222/o/r", "ssh://git@[::1]:2222/o/r", ""},
		{"git@[::1]:a/b", "ssh://git@[::1]/a/b", ""},
		{"[::1]:/a/b", "ssh://[::1]/a/b", ""},
		{"[git@host:2222]:a/b", "ssh://git@host:2222/a/b", ""},
		{"git@[host:2222]:a/b", "ssh://git@host:2222/a/b", ""},
		{"[host]:a/b", "ssh://host/a/b", ""},
		{"git://example.com/r", "git://example.com/r", ""},
		{"HTTP://example.com/r", "http://example.com/r", ""},
		{"/srv/git/r.git", "/srv/git/r.git", ""},
		{"file:///srv/git/r.git", "/srv/git/r.git", ""},
		{"./r:1", "./r:1", ""},
	} {
		e, err := ParseAddress(c.uri)
		require.NoError(t, err, c.uri)
		assert.Equal(t, c.shown, e.String(), c.uri)
		assert.Equal(t, c.web, e.Web(), c.uri)
	}
	for _, uri := range []string{
		"ftp://example.com/r", "https:///r", "https://example.com", "https://example.com/", "https://example.com/r?x=1", "https://example.com/r#main",
		"https://exa mple.com/r", "ssh://-oProxyCommand=x/r", "git@-x:r", "https://example.com/r\n", " https://example.com/r", "git@host:", "[git@host:x]:r", "[::1:r", "git@[::1]", "[a@b@c]:r", "a@[b@c]:r", "[]:r", "[-x]:r", "[::1]:",
		"a@b@c:r",
	} {
		_, err := ParseAddress(uri)
		require.Error(t, err, uri)
	}
	_, err := ParseAddress("https://ana:se%cret@example.com/r")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "cret")
}

func TestWarnings(t *testing.T) {
	for want, a := range map[string]Access{
		"private_key is not used: it is for ssh addresses, but uri is https://example.com/o/r": {URI: "https://example.com/o/r", PrivateKey: "x"},
		"private_key is not used: it is for ssh addresses, but uri is /srv/r.git":              {URI: "/srv/r.git", PrivateKey: "x"},
		"the credentials for example.com can be read on the way, because uri is not https":     {URI: "http://u:p@example.com/o/r"},
		"": {URI: "http://127.0.0.1:8080/o/r", Password: "x"},
	} {
		assert.Equal(t, want, strings.Join(a.Warnings(), "; "))
	}
	assert.Empty(t, Access{URI: "git@example.com:o/r", PrivateKey: "x"}.Warnings())
	assert.Len(t, Access{URI: "http://example.com/o/r", PrivateKey: "x", AppPrivateKey: "y"}.Warnings(), 2)
}

func TestValidateNamesTheKey(t *testing.T) {
	good := Access{URI: "https://example.com/o/r.git", Branch: "main"}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*Access){
		"uri: it names a host but":                        func(a *Access) { a.URI = "https://example.com" },
		"branch: \"a b\"":                                 func(a *Access) { a.Branch = "a b" },
		"branch: is empty":                                func(a *Access) { a.Branch = "" },
		"branch: write the short name":                    func(a *Access) { a.Branch = "refs/heads/main" },
		"private_key: it is not a key":                    func(a *Access) { a.URI, a.PrivateKey = "git@h:o/r", "x" },
		"private_key_passphrase: private_key is required": func(a *Access) { a.PrivateKeyPassphrase = "x" },
		"known_hosts: line 2":                             func(a *Access) { a.KnownHosts = "# fine\nnonsense" },
		"known_hosts: it has no key":                      func(a *Access) { a.KnownHosts = "# nothing" },
		"password: is required beside username":           func(a *Access) { a.Username = "x" },
		"password: is for https":                          func(a *Access) { a.URI, a.Password = "git@h:o/r", "x" },
		"password: is also part of uri":                   func(a *Access) { a.URI, a.Password = "https://u:p@h/o/r", "x" },
		"app_id: is required":                             func(a *Access) { a.AppPrivateKey = "x" },
		"app_private_key: is required":                    func(a *Access) { a.AppID = "1" },
		"app_private_key: it is not a key":                func(a *Access) { a.AppID, a.AppPrivateKey = "1", "x" },
		"app_id: there is also":                           func(a *Access) { a.AppID, a.AppPrivateKey, a.Password = "1", "x", "y" },
		"ca_cert: it has no":                              func(a *Access) { a.CACert = "x" },
		"git_user: \"me\"":                                func(a *Access) { a.GitUser = "me" },
	} {
		a := good
		change(&a)
		require.ErrorContains(t, a.Validate(), want)
	}
}

func TestCommitter(t *testing.T) {
	now := time.Now()
	assert.Equal(t, object.Signature{Name: "A Bot", Email: "bot@example.com", When: now}, Access{GitUser: "A Bot <bot@example.com>"}.Committer(now))
	assert.Equal(t, object.Signature{Name: "Taxiway", Email: "bot@taxiway.invalid", When: now}, Access{}.Committer(now))
}

func TestSecretsAreComplete(t *testing.T) {
	a := Access{URI: "https://u:hidden@example.com/o/r", PrivateKey: "k", PrivateKeyPassphrase: "pp", Password: "pw", AppPrivateKey: "ak"}
	assert.ElementsMatch(t, []string{"k", "pp", "pw", "ak", "hidden", a.URI}, a.Secrets())
	assert.Contains(t, Access{URI: "https://ghp_0123456789abcdef@github.com/o/r"}.Secrets(), "ghp_0123456789abcdef")
	assert.Empty(t, Access{URI: "https://git@github.com/o/r"}.Secrets())
}

func FuzzEndpoint(f *testing.F) {
	for _, uri := range []string{"https://u:p@h/o/r.git", "git@h:o/r", "ssh://h:1/r", "/srv/r", "file:///r", "a:b", "://", "http://[::1]:8/x"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		e, err := ParseAddress(uri)
		if err != nil {
			return
		}
		if e.pass != "" && len(e.pass) > 8 && strings.Contains(e.String(), e.pass) && !strings.Contains(e.host+e.Path+e.user, e.pass) {
			t.Fatalf("the password of %q is shown", uri)
		}
		if strings.HasPrefix(e.host, "-") || strings.HasPrefix(e.user, "-") {
			t.Fatalf("%q would be an option of a program", uri)
		}
		_ = e.Web()
	})
}

func TestPublicAddress(t *testing.T) {
	for uri, want := range map[string]string{
		"git@github.com:acme/bank.git":                 "https://github.com/acme/bank",
		"https://x:secret@github.com/acme/bank":        "https://github.com/acme/bank",
		"http://x:secret@127.0.0.1:8080/acme/bank.git": "http://127.0.0.1:8080/acme/bank",
		"/srv/bank.git": "/srv/bank",
		"a\nb":          "",
	} {
		got := PublicAddress(uri)
		assert.Equal(t, want, got, uri)
		assert.NotContains(t, got, "secret")
	}
}
