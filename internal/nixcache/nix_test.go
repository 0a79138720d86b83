package nixcache_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
	standin "github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// realNix is the real program, or the end of the test.
func realNix(t *testing.T) *standin.Nix {
	t.Helper()
	nix, err := standin.OpenNix(t.TempDir())
	if errors.Is(err, standin.ErrNoNix) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return nix
}

// serve starts a cache that ends with the test.
func serve(t *testing.T, o standin.Options) *standin.Server {
	t.Helper()
	server, err := standin.New(o)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server
}

// cachix opens a server's cache as Cachix's.
func cachix(t *testing.T, server *standin.Server, change func(*nixcache.Options)) *nixcache.Cache {
	t.Helper()
	o := nixcache.Options{Name: server.Name(), APIURL: server.URL(), Logf: t.Logf}
	if change != nil {
		change(&o)
	}
	cache, err := nixcache.Open(o)
	require.NoError(t, err)
	return cache
}

// plain opens a server's cache as any other, with its key.
func plain(t *testing.T, server *standin.Server, change func(*nixcache.Options)) *nixcache.Cache {
	t.Helper()
	o := nixcache.Options{URL: server.URL(), PublicKeys: []string{server.PublicKey()}, Logf: t.Logf}
	if change != nil {
		change(&o)
	}
	cache, err := nixcache.Open(o)
	require.NoError(t, err)
	return cache
}

func parse(t *testing.T, texts ...string) []nixcache.Path {
	t.Helper()
	paths, err := nixcache.ParseLines(texts)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// The put's whole purpose: what nix copies while it waits is found, each path
// once, and it ends within an interval of the last.
func TestWaitForWhatNixCopies(t *testing.T) {
	nix := realNix(t)
	ctx := t.Context()
	server := serve(t, standin.Options{Dir: nix.Dir()})
	base, err := nix.Add(ctx, "base", "at the bottom")
	require.NoError(t, err)
	var paths []string
	for _, name := range []string{"one", "two", "three"} {
		p, err := nix.Add(ctx, name, name, base)
		require.NoError(t, err)
		paths = append(paths, p)
	}
	const interval = 100 * time.Millisecond
	waiting := paths
	cache := cachix(t, server, nil)
	report, err := cache.Wait(ctx, nixcache.Query{
		Paths: parse(t, paths...), Closure: true, Verify: nixcache.VerifyNar, Timeout: 30 * time.Minute, Interval: interval,
		Progress: func(format string, args ...any) {
			t.Logf(format, args...)
			if len(waiting) > 0 { // meanwhile, somewhere else
				assert.NoError(t, nix.Push(ctx, server.SecretKey(), waiting[0]))
				waiting = waiting[1:]
			}
		},
	})
	require.NoError(t, err)
	assert.Empty(t, report.Missing)
	assert.Len(t, report.Found, 4, "three paths and what they refer to")
	assert.Equal(t, len(paths)+1, report.Looks, "the look after the last path ends the wait")
	assert.Positive(t, report.NarSize())

	asked := map[string]int{}
	for _, r := range server.Requests() {
		if r.Method == http.MethodGet {
			asked[r.Path]++
		}
	}
	for _, p := range append(paths, base) {
		assert.Equal(t, 1, asked["/"+parse(t, p)[0].Hash()+".narinfo"], "%s was found, so it is never asked for again", p)
	}
}

// What nix writes is read as nix means it.
func TestNarinfoOfNix(t *testing.T) {
	nix := realNix(t)
	ctx := t.Context()
	server := serve(t, standin.Options{Dir: nix.Dir()})
	a, err := nix.Add(ctx, "a", "content")
	require.NoError(t, err)
	b, err := nix.Add(ctx, "b", "content", a)
	require.NoError(t, err)
	require.NoError(t, nix.Push(ctx, server.SecretKey(), b))

	for name, cache := range map[string]*nixcache.Cache{"plain": plain(t, server, nil), "cachix": cachix(t, server, nil)} {
		t.Run(name, func(t *testing.T) {
			n, err := cache.Narinfo(ctx, parse(t, b)[0])
			require.NoError(t, err)
			assert.Equal(t, parse(t, a), n.References)
			keys, err := cache.Keys(ctx)
			require.NoError(t, err)
			require.NoError(t, keys.Verify(n))
			require.NoError(t, cache.HasNar(ctx, n))
			n.NarSize++
			require.ErrorIs(t, keys.Verify(n), nixcache.ErrUntrusted)
		})
	}

	old, err := nix.Run(ctx, "path-info", "--json", "--recursive", b)
	require.NoError(t, err)
	list, err := nixcache.ParseList([]byte(old))
	require.NoError(t, err)
	assert.ElementsMatch(t, parse(t, a, b), list)
	dry, err := nix.Run(ctx, "build", "--dry-run", "--json", "--impure", "--expr",
		`derivation { name = "out"; system = builtins.currentSystem; builder = "/bin/sh"; outputs = [ "out" "dev" ]; }`)
	require.NoError(t, err)
	list, err = nixcache.ParseList([]byte(dry))
	require.NoError(t, err)
	assert.Len(t, list, 1, dry)
}
