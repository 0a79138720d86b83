package nixcache_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
	standin "github.com/taxiway-ci/taxiway/internal/standin/nixcache"
	base "github.com/taxiway-ci/taxiway/internal/standin/server"
)

// fixture is a small cache that nix wrote, with its key.
func fixture(t *testing.T) (server *standin.Server, key string) {
	t.Helper()
	text, err := os.ReadFile("testdata/cache/public-key")
	require.NoError(t, err)
	return serve(t, standin.Options{Dir: "testdata/cache"}), string(text)
}

const app = "/nix/store/1q6678c0ww0pzkr28braj76xdl01q9ya-app-0.1+x"

func TestFixturesOfNix(t *testing.T) {
	server, key := fixture(t)
	cache := plain(t, server, func(o *nixcache.Options) { o.PublicKeys = []string{key} })
	report, err := cache.Look(t.Context(), nixcache.Query{Paths: parse(t, app), Closure: true, Verify: nixcache.VerifyNar})
	require.NoError(t, err)
	assert.Len(t, report.Found, 3)
	assert.Equal(t, uint64(224+168+128), report.NarSize())
	n, err := cache.Narinfo(t.Context(), report.Found[0].Path)
	require.NoError(t, err)
	assert.Equal(t, []string{"fixture.example.org-1"}, n.SignedBy())

	other := plain(t, server, nil)
	_, err = other.Look(t.Context(), nixcache.Query{Paths: parse(t, app)})
	require.ErrorIs(t, err, nixcache.ErrUntrusted)
	assert.Contains(t, err.Error(), "signed by fixture.example.org-1, but one by cache.example.org-1 is required")
}

// A plain cache is asked for each path once, and for the missing ones again, on
// few connections at the same time.
func TestManyPathsOnAPlainCache(t *testing.T) {
	server := serve(t, standin.Options{})
	texts, missing := many(t, server, 3_000, 2_950)
	cache := plain(t, server, nil)
	report, err := cache.Wait(t.Context(), nixcache.Query{
		Paths: parse(t, texts...), Timeout: 10 * time.Minute, Interval: 10 * time.Millisecond,
		Progress: func(string, ...any) {
			if len(server.Requests()) > 3_000+3*len(missing) {
				put(t, server, missing...)
			}
		},
	})
	require.NoError(t, err)
	assert.Len(t, report.Found, 3_000)
	assert.LessOrEqual(t, len(server.Requests()), 3_000+len(missing)*report.Looks)
	assert.LessOrEqual(t, server.PeakRequests(), 50)
	assert.Greater(t, server.PeakRequests(), 1)
	assert.LessOrEqual(t, server.PeakConnections(), 2*50)
}

func TestClosure(t *testing.T) {
	server := serve(t, standin.Options{})
	put(t, server,
		standin.Item{Name: "top", References: []string{standin.PathOf("middle"), standin.PathOf("top")}},
		standin.Item{Name: "middle", References: []string{standin.PathOf("bottom"), standin.PathOf("top")}},
	)
	for name, cache := range map[string]*nixcache.Cache{"plain": plain(t, server, nil), "cachix": cachix(t, server, nil)} {
		t.Run(name, func(t *testing.T) {
			top := parse(t, standin.PathOf("top"))
			report, err := cache.Look(t.Context(), nixcache.Query{Paths: top})
			require.NoError(t, err)
			assert.Empty(t, report.Missing, "the path itself is there")

			report, err = cache.Look(t.Context(), nixcache.Query{Paths: top, Closure: true})
			require.NoError(t, err)
			require.Len(t, report.Missing, 1)
			assert.Equal(t, standin.PathOf("bottom"), report.Missing[0].Path.String())
			assert.Equal(t, standin.PathOf("middle"), report.Missing[0].For.String())
			assert.Contains(t, report.Table(), "needed by "+report.Missing[0].For.Base())

			put(t, server, standin.Item{Name: "bottom", References: []string{standin.PathOf("bottom"), standin.PathOf("top")}})
			defer server.Remove(standin.PathOf("bottom"), false)
			report, err = cache.Look(t.Context(), nixcache.Query{Paths: top, Closure: true})
			require.NoError(t, err)
			assert.Empty(t, report.Missing, "circles end")
			assert.Len(t, report.Found, 3)
		})
	}
}

func TestNarinfoWithoutNar(t *testing.T) {
	server := serve(t, standin.Options{})
	path := put(t, server, standin.Item{Name: "no-nar", NoNar: true})
	cache := cachix(t, server, nil)
	report, err := cache.Look(t.Context(), nixcache.Query{Paths: parse(t, path...)})
	require.NoError(t, err)
	assert.Empty(t, report.Missing)
	report, err = cache.Look(t.Context(), nixcache.Query{Paths: parse(t, path...), Verify: nixcache.VerifyNar})
	require.NoError(t, err)
	assert.Contains(t, report.Table(), "its narinfo is there, its NAR is not")

	// half of a NAR is none
	put(t, server, standin.Item{Name: "no-nar"})
	n, err := cache.Narinfo(t.Context(), parse(t, path...)[0])
	require.NoError(t, err)
	require.NoError(t, cache.HasNar(t.Context(), n))
	server.Set(n.URL, []byte("half"))
	require.ErrorIs(t, cache.HasNar(t.Context(), n), nixcache.ErrMissing)
}

// Many caches are a folder of a server, and their NARs are below it.
func TestACacheInAFolder(t *testing.T) {
	server := serve(t, standin.Options{})
	path := parse(t, put(t, server, standin.Item{Name: "here"})...)
	outer := httptest.NewServer(http.StripPrefix("/caches/team", server.Handler()))
	defer outer.Close()
	for _, folder := range []string{"/caches/team", "/caches/team/"} {
		cache := plain(t, server, func(o *nixcache.Options) { o.URL = outer.URL + folder })
		report, err := cache.Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifyNar})
		require.NoError(t, err)
		assert.Empty(t, report.Missing, report.Table())
	}
}

func TestAnswersThatAreWrongStopTheWait(t *testing.T) {
	server := serve(t, standin.Options{})
	good := put(t, server, standin.Item{Name: "good"})[0]
	other := put(t, server, standin.Item{Name: "other"})[0]
	narinfo := func(path string) string {
		cache := plain(t, server, nil)
		n, err := cache.Narinfo(t.Context(), parse(t, path)[0])
		require.NoError(t, err)
		require.NotEmpty(t, n.Signatures)
		return "StorePath: " + path + "\nURL: " + n.URL + "\nNarHash: " + n.NarHash + "\nNarSize: 64\nReferences: \nSig: " + n.Signatures[0].String() + "\n"
	}
	right, wrong := narinfo(good), narinfo(other)
	unsigned, _, _ := strings.Cut(right, "Sig:")
	for name, c := range map[string]struct {
		narinfo, want string
		kind          error
	}{
		"wrong signature":   {strings.Replace(right, "NarSize: 64", "NarSize: 65", 1), "was made for something else", nixcache.ErrUntrusted},
		"unknown key":       {strings.Replace(right, "Sig: cache.", "Sig: stranger.", 1), "signed by stranger.example.org-1, but one by cache.example.org-1 is required", nixcache.ErrUntrusted},
		"no signature":      {unsigned, "it has no signature", nixcache.ErrUntrusted},
		"another path":      {wrong, "the answer is about " + other, nixcache.ErrWrong},
		"another name":      {strings.Replace(right, "-good", "-better", 1), "the answer is about", nixcache.ErrWrong},
		"another store":     {strings.Replace(right, "/nix/store/", "/gnu/store/", 1), "a store path starts with /nix/store/", nixcache.ErrWrong},
		"garbage":           {"<html>", "line 1 of the narinfo has no colon", nixcache.ErrWrong},
		"empty":             {" ", "line 1", nixcache.ErrWrong},
		"a broken key line": {right + "Sig: x\n", "Sig in the narinfo", nixcache.ErrWrong},
		"a key twice":       {right + "NarSize: 64\n", `the narinfo has "NarSize" twice`, nixcache.ErrWrong},
		"a new key twice":   {right + "Size: 1\nSize: 1\n", `the narinfo has "Size" twice`, nixcache.ErrWrong},
		"a hash too large":  {strings.Replace(right, "NarHash: sha256:", "NarHash: sha256:z", 1), "NarHash in the narinfo: ", nixcache.ErrWrong},
		"bits too many":     {regexp.MustCompile(`NarHash: sha256:.`).ReplaceAllString(right, "NarHash: sha256:2"), "NarHash in the narinfo: ", nixcache.ErrWrong},
		"too much":          {strings.Repeat("x: y\n", 1<<20), "is larger than 4096 KiB", nixcache.ErrWrong},
	} {
		t.Run(name, func(t *testing.T) {
			server.Set(parse(t, good)[0].Hash()+".narinfo", []byte(c.narinfo))
			for _, cache := range []*nixcache.Cache{plain(t, server, nil), cachix(t, server, nil)} {
				_, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, good), Timeout: time.Hour})
				require.ErrorIs(t, err, c.kind)
				assert.Contains(t, err.Error(), c.want)
				assert.Less(t, len(err.Error()), 500)
			}
		})
	}
	server.Set("nix-cache-info", []byte("StoreDir: /home/ann/store\n"))
	_, err := plain(t, server, nil).Wait(t.Context(), nixcache.Query{Paths: parse(t, standin.PathOf("missing")), Timeout: time.Hour})
	require.ErrorIs(t, err, nixcache.ErrWrong)
	assert.Contains(t, err.Error(), `it is a cache for the store "/home/ann/store"`)
}

func TestRefusalsAreToldApart(t *testing.T) {
	missing := parse(t, standin.PathOf("missing"))
	query := nixcache.Query{Paths: missing, Timeout: time.Hour}

	private := serve(t, standin.Options{Token: "t0k3n"})
	for _, token := range []string{"", "wrong"} {
		set := func(o *nixcache.Options) { o.Token = token }
		for _, cache := range []*nixcache.Cache{plain(t, private, set), cachix(t, private, set)} {
			_, err := cache.Wait(t.Context(), query)
			require.ErrorIs(t, err, nixcache.ErrAuth)
			assert.Contains(t, err.Error(), "is auth_token right")
			assert.Contains(t, err.Error(), "this cache is private", "the server's words")
		}
	}
	set := func(o *nixcache.Options) { o.Token = "t0k3n" }
	for _, cache := range []*nixcache.Cache{plain(t, private, set), cachix(t, private, set)} {
		report, err := cache.Look(t.Context(), query)
		require.NoError(t, err)
		assert.Len(t, report.Missing, 1)
	}
	private.Inject(standin.Fault{Status: http.StatusForbidden})
	_, err := plain(t, private, set).Wait(t.Context(), query)
	require.ErrorIs(t, err, nixcache.ErrAuth)

	open := serve(t, standin.Options{})
	_, err = cachix(t, open, func(o *nixcache.Options) { o.Name = "cahce" }).Wait(t.Context(), query)
	require.ErrorIs(t, err, nixcache.ErrNoCache)
	assert.Contains(t, err.Error(), "there is no such cache: cahce")
	_, err = plain(t, open, func(o *nixcache.Options) { o.URL += "/elsewhere" }).Wait(t.Context(), query)
	require.ErrorIs(t, err, nixcache.ErrNoCache)
	assert.Contains(t, err.Error(), "is url right?")

	open.Inject(standin.Fault{Status: http.StatusTeapot, Body: "I take no narinfo"})
	_, err = plain(t, open, nil).Wait(t.Context(), query)
	require.ErrorContains(t, err, "HTTP 418")
	assert.Contains(t, err.Error(), "I take no narinfo")
}

func TestTLS(t *testing.T) {
	server := serve(t, standin.Options{TLS: true})
	path := parse(t, put(t, server, standin.Item{Name: "here"})...)
	_, err := plain(t, server, nil).Wait(t.Context(), nixcache.Query{Paths: path, Timeout: time.Hour})
	require.ErrorContains(t, err, "give the certificate of your authority as ca_cert")
	require.NotErrorIs(t, err, nixcache.ErrUnwell, "waiting does not help")
	for _, o := range []httpclient.TLS{{CACert: server.CA()}, {SkipVerification: true}} {
		report, err := plain(t, server, func(c *nixcache.Options) { c.TLS = o }).Look(t.Context(), nixcache.Query{Paths: path})
		require.NoError(t, err)
		assert.Empty(t, report.Missing)
	}
	_, err = nixcache.Open(nixcache.Options{URL: server.URL(), TLS: httpclient.TLS{CACert: "x"}})
	require.ErrorContains(t, err, "ca_cert:")

	// an https address on a server that speaks http
	open := serve(t, standin.Options{})
	_, err = plain(t, open, func(o *nixcache.Options) { o.URL = strings.Replace(o.URL, "http:", "https:", 1) }).Wait(t.Context(), nixcache.Query{Paths: path, Timeout: time.Hour})
	require.ErrorContains(t, err, "HTTP response to HTTPS client")
}

// The NARs of Cachix are somewhere else, where its token has no business.
func TestTheTokenStaysAtHome(t *testing.T) {
	elsewhere := serve(t, standin.Options{})
	server := serve(t, standin.Options{Token: "t0k3n", NarsAt: elsewhere.URL()})
	path := parse(t, put(t, server, standin.Item{Name: "here"})...)
	put(t, elsewhere, standin.Item{Name: "here"})
	set := func(o *nixcache.Options) { o.Token = "t0k3n" }
	for _, cache := range []*nixcache.Cache{plain(t, server, set), cachix(t, server, set)} {
		server.Reset()
		elsewhere.Reset()
		report, err := cache.Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifyNar})
		require.NoError(t, err)
		assert.Empty(t, report.Missing)
		for _, r := range server.Requests() {
			kind := "Basic " // as Nix sends what netrc says
			if strings.HasPrefix(r.Path, "/api/") {
				kind = "Bearer "
			}
			assert.True(t, strings.HasPrefix(r.Header.Get("Authorization"), kind), r.Path)
		}
		require.Len(t, elsewhere.Requests(), 1)
		assert.Empty(t, elsewhere.Requests()[0].Header.Get("Authorization"))
	}

	// a store of files that refuses to say what it lacks is not a refusal of the token
	elsewhere.Inject(standin.Fault{Status: http.StatusForbidden, Times: 1})
	report, err := plain(t, server, set).Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifyNar})
	require.NoError(t, err)
	assert.Contains(t, report.Table(), "its NAR is not")

	// a signed address is a secret too
	elsewhere.Inject(standin.Fault{Status: http.StatusBadRequest})
	_, err = plain(t, server, set).Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifyNar})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cr3t")

	server.Heal()
	server.Inject(standin.Fault{Status: http.StatusFound, Header: http.Header{"Location": {"/round"}}})
	_, err = plain(t, server, set).Look(t.Context(), nixcache.Query{Paths: path})
	require.ErrorContains(t, err, "redirects more than 5 times")
	_, err = cachix(t, server, set).Look(t.Context(), nixcache.Query{Paths: path})
	require.ErrorContains(t, err, "redirects more than 5 times")
}

func TestBrokenConnections(t *testing.T) {
	server := serve(t, standin.Options{})
	path := parse(t, put(t, server, standin.Item{Name: "here"})...)
	server.Inject(standin.Fault{Change: base.Cut(18), Times: 1})
	report, err := plain(t, server, nil).Look(t.Context(), nixcache.Query{Paths: path})
	require.NoError(t, err)
	assert.Empty(t, report.Missing, "half an answer is asked for again")

	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	cache, err := nixcache.Open(nixcache.Options{URL: address, Logf: t.Logf})
	require.NoError(t, err)
	_, err = cache.Look(t.Context(), nixcache.Query{Paths: path})
	require.ErrorIs(t, err, nixcache.ErrUnwell)
	assert.Contains(t, err.Error(), "connection refused")
}

func TestACachixWithoutBulkLookUp(t *testing.T) {
	server := serve(t, standin.Options{NoBulk: true})
	path := put(t, server, standin.Item{Name: "here"})
	report, err := cachix(t, server, nil).Look(t.Context(), nixcache.Query{Paths: parse(t, append(path, standin.PathOf("missing"))...), Verify: nixcache.VerifyListed})
	require.NoError(t, err)
	assert.Len(t, report.Found, 1)
	assert.Len(t, report.Missing, 1)
}

func TestPins(t *testing.T) {
	server := serve(t, standin.Options{Token: "t0k3n"})
	cache := cachix(t, server, func(o *nixcache.Options) { o.Token = "t0k3n" })
	a := parse(t, standin.PathOf("a"))[0]
	for keep, w := range map[string]nixcache.PinSpec{
		"":                                 {Name: "plain", Path: a},
		`{"contents":3,"tag":"Days"}`:      {Name: "days", Path: a, KeepDays: 3},
		`{"contents":2,"tag":"Revisions"}`: {Name: "revisions", Path: a, KeepRevisions: 2},
	} {
		require.NoError(t, cache.Pin(t.Context(), w))
		path, got := server.PinnedPath(w.Name)
		assert.Equal(t, a.String(), path)
		assert.Equal(t, keep, strings.TrimPrefix(got, "null"))
	}
	require.NoError(t, cache.Pin(t.Context(), nixcache.PinSpec{Name: "days", Path: parse(t, standin.PathOf("b"))[0]}))
	pins, err := cache.Pins(t.Context())
	require.NoError(t, err)
	require.Len(t, pins, 3)
	assert.Equal(t, "days", pins[0].Name)
	assert.Equal(t, 2, pins[0].Revision)
	assert.False(t, pins[0].Created.IsZero())

	server.Pin("broken", "/nowhere")
	_, err = cache.Pins(t.Context())
	require.ErrorIs(t, err, nixcache.ErrWrong)
	_, err = plain(t, server, nil).Pins(t.Context())
	require.ErrorIs(t, err, nixcache.ErrUnsupported)
	require.ErrorIs(t, plain(t, server, nil).Pin(t.Context(), nixcache.PinSpec{Name: "x", Path: a}), nixcache.ErrUnsupported)
}

func TestOpenNamesTheOptionThatIsWrong(t *testing.T) {
	for want, o := range map[string]nixcache.Options{
		"cache or url: one of them is required":                       {},
		"cache and url: give one of them":                             {Name: "a", URL: "https://a.example"},
		`cache: "https://a.example.org" is not a valid name`:          {Name: "https://a.example.org"},
		`cache: write the name alone, a`:                              {Name: "https://a.cachix.org"},
		`url: write the address of the cache, without nix-cache-info`: {URL: "https://a.example.org/nix-cache-info"},
		`url: "cache.example.org" is not the address of a web server`: {URL: "cache.example.org"},
		"url: remove user and password":                               {URL: "https://ann:secret@cache.example.org"},
		`api_url: "ftp://x" is not the address of a web server`:       {Name: "a", APIURL: "ftp://x"},
		`public_keys: "cache.example.org" is not a public key`:        {Name: "a", PublicKeys: []string{"cache.example.org"}},
		`public_keys: "a" is not a public key`:                        {Name: "a", PublicKeys: []string{"a:secret"}},
	} {
		_, err := nixcache.Open(o)
		require.Error(t, err)
		assert.True(t, strings.HasPrefix(err.Error(), want), "%s: %v", want, err)
		assert.NotContains(t, err.Error(), "secret")
	}
	cache, err := nixcache.Open(nixcache.Options{Name: "galoymoney"})
	require.NoError(t, err)
	assert.Equal(t, "galoymoney", cache.Name())
	assert.True(t, cache.IsCachix())
	assert.Zero(t, cache.Requests())
}

func TestSignaturesNeedKeys(t *testing.T) {
	server := serve(t, standin.Options{})
	path := parse(t, put(t, server, standin.Item{Name: "here"})...)
	noKeys := plain(t, server, func(o *nixcache.Options) { o.PublicKeys = nil })
	_, err := noKeys.Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifySignatures})
	require.ErrorContains(t, err, "give public_keys")
	_, err = noKeys.Look(t.Context(), nixcache.Query{Paths: path})
	require.NoError(t, err)
	strange := serve(t, standin.Options{})
	wrongKeys := plain(t, server, func(o *nixcache.Options) { o.PublicKeys = []string{strange.PublicKey()} })
	_, err = wrongKeys.Look(t.Context(), nixcache.Query{Paths: path})
	require.ErrorIs(t, err, nixcache.ErrUntrusted)
	assert.Contains(t, err.Error(), "with another key of that name")
	_, err = wrongKeys.Look(t.Context(), nixcache.Query{Paths: path, Verify: nixcache.VerifyNarinfo})
	require.NoError(t, err)
}

func TestRead(t *testing.T) {
	server, key := fixture(t)
	cache := plain(t, server, func(o *nixcache.Options) { o.PublicKeys = []string{key} })
	found, missing, err := cache.Read(t.Context(), []string{hash("gone"), parse(t, app)[0].Hash()})
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, app, found[0].Path.String())
	assert.Equal(t, []string{hash("gone")}, missing)
	_, _, err = cache.Read(t.Context(), []string{"../../etc/passwd"})
	require.Error(t, err)
}
