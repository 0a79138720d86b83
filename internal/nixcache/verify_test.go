package nixcache_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
	standin "github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// narinfoOf is the text that a server has for a path.
func narinfoOf(t *testing.T, server *standin.Server, p nixcache.Path) string {
	t.Helper()
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+p.Hash()+".narinfo", http.NoBody))
	require.Equal(t, http.StatusOK, answer.Code)
	return answer.Body.String()
}

// Among many paths, that whose signature is wrong is named, wherever it is.
func TestAWrongSignatureAmongManyIsNamed(t *testing.T) {
	for _, at := range []int{0, 63, 64, 149} {
		server := serve(t, standin.Options{})
		texts, _ := many(t, server, 150, 150)
		paths := parse(t, texts...)
		wrong, other := narinfoOf(t, server, paths[at]), narinfoOf(t, server, paths[77])
		before, _, _ := strings.Cut(wrong, "Sig: ")
		_, signature, _ := strings.Cut(other, "Sig: ")
		server.Set(paths[at].Hash()+".narinfo", []byte(before+"Sig: "+signature))
		want := texts[at] + ": " + nixcache.ErrUntrusted.Error() + ": the one by cache.example.org-1 was made for something else, or with another key of that name"

		cache := plain(t, server, nil)
		_, err := cache.Look(t.Context(), nixcache.Query{Paths: paths})
		require.ErrorIs(t, err, nixcache.ErrUntrusted)
		assert.Equal(t, want, err.Error())
		_, err = cache.Look(t.Context(), nixcache.Query{Paths: paths, Verify: nixcache.VerifyNar})
		require.EqualError(t, err, want)
		var hashes []string
		for _, p := range paths {
			hashes = append(hashes, p.Hash())
		}
		_, _, err = cache.Read(t.Context(), hashes)
		require.EqualError(t, err, want)

		report, err := cache.Look(t.Context(), nixcache.Query{Paths: paths, Verify: nixcache.VerifyNarinfo})
		require.NoError(t, err)
		assert.Len(t, report.Found, 150)

		// a second, good signature is enough
		server.Set(paths[at].Hash()+".narinfo", []byte(wrong+"Sig: "+signature))
		report, err = cache.Look(t.Context(), nixcache.Query{Paths: paths})
		require.NoError(t, err)
		assert.Len(t, report.Found, 150)
		server.Set(paths[at].Hash()+".narinfo", []byte(before+"Sig: "+signature+wrong[len(before):]))
		report, err = cache.Look(t.Context(), nixcache.Query{Paths: paths})
		require.NoError(t, err)
		assert.Len(t, report.Found, 150)
	}
}

// A fault of the cache does not lose what came before it and waits to be verified.
func TestWhatWaitsToBeVerifiedIsNotAskedForAgain(t *testing.T) {
	inTime(t, func(s scene) {
		t, server := s.t, s.server
		texts, _ := many(t, server, 40, 40) // less than a batch
		paths := parse(t, texts...)
		last := paths[39].Hash() + ".narinfo"
		server.Inject(standin.Fault{Path: last, Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"120"}}, Times: 20})
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = s.direct.client() })
		report, err := cache.Wait(t.Context(), nixcache.Query{Paths: paths, Timeout: 24 * time.Hour})
		require.NoError(t, err)
		assert.Greater(t, report.Looks, 1)
		asked := map[string]int{}
		for _, r := range server.Requests() {
			if r.Status == http.StatusOK {
				asked[r.Path]++
			}
		}
		assert.Len(t, asked, 40)
		for path, n := range asked {
			assert.Equal(t, 1, n, path)
		}
	})
}

// One connection carries all requests where the cache speaks HTTP/2: as many at a time as servers allow.
func TestOneConnectionOfHTTP2(t *testing.T) {
	server := serve(t, standin.Options{TLS: true})
	texts, _ := many(t, server, 400, 400)
	server.Inject(standin.Fault{Delay: 20 * time.Millisecond})
	cache := plain(t, server, func(o *nixcache.Options) { o.TLS = httpclient.TLS{CACert: server.CA()} })
	report, err := cache.Look(t.Context(), nixcache.Query{Paths: parse(t, texts...)})
	require.NoError(t, err)
	assert.Len(t, report.Found, 400)
	assert.Equal(t, 1, server.PeakConnections())
	assert.Greater(t, server.PeakRequests(), 50)
	assert.LessOrEqual(t, server.PeakRequests(), 100)
}
