package git

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

func TestUnchangedCheckIsOneRequest(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	madeHistory(t, repo, 3)
	r := open(t, Access{URI: repo.URL()})
	_, err := r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	requests := server.Requests()
	require.Len(t, requests, 1)
	assert.Equal(t, "ls-refs", requests[0].Command)
	assert.Less(t, requests[0].Out, int64(200))
}

func TestRefsAreMatchedExactly(t *testing.T) {
	server := serve(t, gittest.Options{SSH: false})
	repo := served(t, server)
	madeHistory(t, repo, 1)
	require.NoError(t, repo.UpdateRef("refs/heads/feature/main", "main"))
	require.NoError(t, repo.UpdateRef("refs/heads/main2", "main"))
	_, err := repo.Git("tag", "-a", "-m", "one", "v1", "main")
	require.NoError(t, err)
	head, err := repo.RevParse("main")
	require.NoError(t, err)
	old := serve(t, gittest.Options{NoV2: true, Dir: server.Dir()})
	for _, uri := range []string{repo.URL(), old.URL("team/deployments"), repo.Dir} {
		r := open(t, Access{URI: uri})
		refs, err := r.Refs(t.Context(), mainRef, "refs/heads/mai", "refs/heads/none", "refs/tags/v1")
		require.NoError(t, err)
		require.Len(t, refs, 3, "%v", refs)
		assert.Equal(t, head, refs[mainRef].String())
		assert.Equal(t, head, refs["refs/tags/v1^{}"].String())
		assert.NotEqual(t, head, refs["refs/tags/v1"].String())
		s := openIn(t, r, "")
		require.NoError(t, s.Advance(t.Context(), "refs/tags/v1", refs["refs/tags/v1"]))
		c, err := s.Commit(t.Context(), refs["refs/tags/v1"])
		require.NoError(t, err, "a tag leads to its commit")
		assert.Equal(t, head, c.Hash.String())
	}
}

func TestEmptyAndMissingRepositories(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	for _, uri := range []string{repo.URL(), repo.Dir} {
		refs, err := open(t, Access{URI: uri}).Refs(t.Context(), mainRef)
		require.NoError(t, err)
		assert.Empty(t, refs)
	}
	_, err := open(t, Access{URI: server.URL("team/none")}).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, ErrNoRepository)
	_, err = Open(Access{URI: t.TempDir(), Branch: "main"}, Options{})
	require.ErrorIs(t, err, ErrNoRepository)
}

func TestCredentialsOverHTTP(t *testing.T) {
	server := serve(t, gittest.Options{Username: "ana", Password: "correct horse"})
	repo := served(t, server)
	withLog(t, repo)
	_, err := open(t, Access{URI: repo.URL(), Username: "ana", Password: "correct horse"}).Refs(t.Context(), mainRef)
	require.NoError(t, err)
	inside := strings.Replace(repo.URL(), "http://", "http://ana:correct%20horse@", 1)
	r := open(t, Access{URI: inside})
	_, err = r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	assert.Equal(t, repo.URL(), r.URL(), "without the password")

	server.Reset()
	_, err = open(t, Access{URI: repo.URL(), Username: "ana", Password: "battery staple"}).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrAuth)
	assert.Contains(t, err.Error(), repo.URL())
	assert.NotContains(t, err.Error(), "battery")
	assert.Len(t, server.Requests(), 1, "it does not get better by asking again")

	_, err = open(t, Access{URI: repo.URL()}).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrAuth)
	assert.Contains(t, err.Error(), "set username and password")
}

func TestRefusalsOfAServer(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	for _, c := range []struct {
		fault    gittest.Fault
		want     error
		requests int
	}{
		{gittest.Fault{Status: http.StatusForbidden}, object.ErrForbidden, 1},
		{gittest.Fault{Status: http.StatusNotFound}, ErrNoRepository, 2}, // the greeting may be redirected
		{gittest.Fault{Status: http.StatusUnauthorized}, object.ErrAuth, 1},
	} {
		server.Heal()
		server.Inject(c.fault)
		server.Reset()
		_, err := open(t, Access{URI: repo.URL()}).Refs(t.Context(), mainRef)
		require.ErrorIs(t, err, c.want)
		assert.Len(t, server.Requests(), c.requests)
	}
	server.Heal()
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Status: http.StatusForbidden})
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "no"))
	require.ErrorIs(t, err, object.ErrForbidden)
}

func TestFaultsThatPass(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	madeHistory(t, repo, 30)
	for name, fault := range map[string]gittest.Fault{
		"overloaded":     {Status: http.StatusServiceUnavailable, Times: 2},
		"too many":       {Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Times: 2},
		"broken":         {Method: "POST", Skip: 1, Change: gittest.CutPack(100), Times: 1},
		"error of fetch": {Method: "POST", Skip: 1, Status: http.StatusBadGateway, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			server.Heal()
			server.Inject(fault)
			readAll(t, openIn(t, open(t, Access{URI: repo.URL()}), ""), 31)
		})
	}
	t.Run("does not pass", func(t *testing.T) {
		server.Heal()
		server.Inject(gittest.Fault{Status: http.StatusServiceUnavailable})
		server.Reset()
		_, err := open(t, Access{URI: repo.URL()}).Refs(t.Context(), mainRef)
		require.ErrorContains(t, err, "HTTP 503")
		assert.LessOrEqual(t, len(server.Requests()), 2*retry.Tries)
	})
}

// A damaged pack is an error, and nothing of it stays: the next fetch is whole.
func TestDamagedPackIsNotKept(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	madeHistory(t, repo, 30)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, t.TempDir())
	server.Inject(gittest.Fault{Method: "POST", Skip: 1, Change: gittest.CorruptPack(), Times: 1})
	refs, err := r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	require.ErrorContains(t, s.Advance(t.Context(), mainRef, refs[mainRef]), "the pack is damaged")
	readAll(t, s, 31)
}

func TestHungServerEndsWithTheContext(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	server.Inject(gittest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := open(t, Access{URI: repo.URL()}).Refs(ctx, mainRef)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestServersThatOfferLittle(t *testing.T) {
	for name, c := range map[string]struct {
		options gittest.Options
		filter  bool
	}{
		"old protocol":                   {gittest.Options{NoV2: true}, true},
		"no filter":                      {gittest.Options{}, false},
		"old and no filter":              {gittest.Options{NoV2: true}, false},
		"no wants by hash":               {gittest.Options{RefuseWants: true}, true},
		"no wants by hash and no filter": {gittest.Options{RefuseWants: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, c.options)
			repo := served(t, server)
			madeHistory(t, repo, 130)
			if !c.filter {
				require.NoError(t, repo.RefuseFilter())
			}
			readAll(t, openIn(t, open(t, Access{URI: repo.URL()}), ""), 131)

			// One old commit by its name, and nothing else.
			s := openIn(t, open(t, Access{URI: repo.URL()}), "")
			old := resolve(t, repo, "main~120")
			commit, err := s.Commit(t.Context(), old)
			require.NoError(t, err)
			e, err := s.Lookup(t.Context(), commit.Tree, "top")
			require.NoError(t, err)
			content, err := s.Blob(t.Context(), e.Hash)
			require.NoError(t, err)
			assert.Equal(t, "t", string(content))
			_, err = s.Commit(t.Context(), Hash{1, 2, 3})
			require.ErrorIs(t, err, ErrNotFound)
		})
	}
}

// GitLab answers an address without .git like this: it redirects the greeting, and knows nothing else there.
func TestAServerThatRedirectsTheGreetingAlone(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, server.BaseURL()+"/team/deployments.git/info/refs?"+r.URL.RawQuery, http.StatusMovedPermanently)
	}))
	defer front.Close()
	for _, refs := range []bool{true, false} { // whichever comes first
		r := open(t, Access{URI: front.URL + "/team/deployments"})
		if refs {
			all, err := r.Refs(t.Context(), mainRef)
			require.NoError(t, err)
			assert.NotEmpty(t, all)
		}
		_, err := openIn(t, r, "").Commit(t.Context(), resolve(t, repo, "main"))
		require.NoError(t, err)
	}
}

// A server that knows no filter does not take the request that most servers take. That is no fault of the network.
func TestAServerWithoutFilterIsNoFault(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	require.NoError(t, repo.RefuseFilter())
	var logged []string
	r, err := Open(Access{URI: repo.URL(), Branch: "main"}, Options{Logf: func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	_, err = openIn(t, r, "").Commit(t.Context(), resolve(t, repo, "main"))
	require.NoError(t, err)
	assert.Empty(t, logged)
}

func TestTLS(t *testing.T) {
	server := serve(t, gittest.Options{TLS: true})
	repo := served(t, server)
	withLog(t, repo)
	_, err := open(t, Access{URI: repo.URL()}).Refs(t.Context(), mainRef)
	require.ErrorContains(t, err, "ca_cert")
	_, err = open(t, Access{URI: repo.URL(), CACert: server.CA()}).Refs(t.Context(), mainRef)
	require.NoError(t, err)
	_, err = open(t, Access{URI: repo.URL(), SkipSSLVerification: true}).Refs(t.Context(), mainRef)
	require.NoError(t, err)
	require.ErrorContains(t, Access{URI: repo.URL(), Branch: "main", CACert: "nonsense"}.Validate(), "ca_cert")
}

// Credentials are not sent to the address that a uri is redirected to. The error says which one to write.
func TestARedirectThatLosesTheCredentialsIsNamed(t *testing.T) {
	server := serve(t, gittest.Options{TLS: true, Username: "ana", Password: "correct horse"})
	repo := served(t, server)
	withLog(t, repo)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, server.BaseURL()+r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	defer front.Close()
	a := Access{URI: front.URL + "/team/deployments.git", CACert: server.CA(), Username: "ana", Password: "correct horse"}
	_, err := open(t, a).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrAuth)
	require.ErrorContains(t, err, "write the address with "+server.BaseURL()+" as the uri")
	a.Username, a.Password = "", ""
	_, err = open(t, a).Refs(t.Context(), mainRef)
	require.ErrorContains(t, err, "set username and password")
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, server.BaseURL()+r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	defer front.Close()
	r := open(t, Access{URI: front.URL + "/team/deployments.git", Username: "ana", Password: "correct horse"})
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "elsewhere"))
	require.NoError(t, err)
	for _, q := range server.Requests() {
		assert.Empty(t, q.Header.Get("Authorization"), "%s %s", q.Method, q.Path)
	}
	assert.NotEmpty(t, server.Requests())
}

// TestProxy runs itself again, as the standard library reads the environment
// once.
func TestProxy(t *testing.T) {
	const uri = "http://git.example.com/team/deployments.git"
	if os.Getenv("TAXIWAY_TEST_PROXY") != "" {
		refs, err := open(t, Access{URI: uri}).Refs(t.Context(), mainRef)
		require.NoError(t, err)
		assert.Len(t, refs, 1)
		return
	}
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	var asked []string
	to, err := url.Parse(server.BaseURL())
	require.NoError(t, err)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		r.URL.Host, r.RequestURI = to.Host, ""
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	}))
	defer proxy.Close()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "TAXIWAY_TEST_PROXY=1", "http_proxy="+proxy.URL, "HTTP_PROXY="+proxy.URL)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotEmpty(t, asked)
	assert.Equal(t, uri+"/git-upload-pack", asked[0])
}
