package nixcache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// canned answers every request with one text, without a network.
type canned string

// RoundTrip makes no request.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c))), Request: r}, nil
}

// Whatever a Cachix answers, pins have valid paths and the addresses of files stay on the web, or there is an error.
func FuzzCachixAnswers(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, text string) {
		cache, err := nixcache.Open(nixcache.Options{Name: "acme", Client: &http.Client{Transport: canned(text)}})
		require.NoError(t, err)
		pins, err := cache.Pins(t.Context())
		if err == nil {
			for _, p := range pins {
				assert.False(t, p.Path.IsZero())
			}
		}
		if _, err := cache.Keys(t.Context()); err != nil {
			assert.NotContains(t, err.Error(), "fault")
		}
		path, err := nixcache.ParsePath("/nix/store/00000000000000000000000000000000-x")
		require.NoError(t, err)
		_, _, err = cache.Read(t.Context(), []string{path.Hash()})
		if err != nil {
			assert.NotContains(t, err.Error(), "fault in this program")
		}
	})
}
