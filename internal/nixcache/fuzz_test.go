package nixcache_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	peer "github.com/nix-community/go-nix/pkg/narinfo"
	"github.com/nix-community/go-nix/pkg/nixhash"
	"github.com/nix-community/go-nix/pkg/storepath"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// seeded fails when a fuzz target has no committed seeds.
func seeded(f *testing.F) {
	f.Helper()
	seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", f.Name(), "*"))
	require.NoError(f, err)
	require.NotEmpty(f, seeds, "no seeds of %s", f.Name())
}

func FuzzParsePath(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := nixcache.ParsePath(text)
		if err != nil {
			assert.True(t, p.IsZero())
			return
		}
		assert.Equal(t, text, p.String())
		assert.Equal(t, nixcache.StoreDir+"/"+p.Hash()+"-"+p.Name(), text)
		require.NoError(t, nixcache.CheckHash(p.Hash()))
		// what we take, go-nix takes; it is less strict about names
		other, err := storepath.FromAbsolutePath(text)
		require.NoError(t, err)
		assert.Equal(t, text, other.Absolute())
	})
}

// Whatever go-nix's parser takes for a complete narinfo, ours reads the same way.
func FuzzParseNarinfo(f *testing.F) {
	seeded(f)
	files, err := filepath.Glob("testdata/cache/*.narinfo")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := nixcache.ParseNarinfo(text)
		if err != nil {
			return
		}
		assert.NotEmpty(t, n.Fingerprint())
		again, err := nixcache.ParseNarinfo(written(n))
		require.NoError(t, err)
		assert.Equal(t, n, again, "what is written is read again")

		theirs, err := peer.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		assert.Equal(t, theirs.StorePath, n.Path.String())
		assert.Equal(t, theirs.URL, n.URL)
		assert.Equal(t, theirs.NarSize, n.NarSize)
		assert.Equal(t, theirs.NarHash.Format(nixhash.NixBase32, true), n.NarHash)
		assert.Equal(t, theirs.Signatures, n.Signatures)
		if !slices.Contains(theirs.References, "") { // of two blanks
			assert.Equal(t, theirs.Fingerprint(), n.Fingerprint())
		}
	})
}

func written(n nixcache.Narinfo) string {
	var b strings.Builder
	line := func(key, value string) { b.WriteString(key + ": " + value + "\n") }
	line("StorePath", n.Path.String())
	line("URL", n.URL)
	line("Compression", n.Compression)
	if n.FileHash != "" {
		line("FileHash", n.FileHash)
	}
	line("FileSize", size(n.FileSize))
	line("NarHash", n.NarHash)
	line("NarSize", size(n.NarSize))
	var references []string
	for _, r := range n.References {
		references = append(references, r.Base())
	}
	line("References", strings.Join(references, " "))
	line("Deriver", n.Deriver)
	line("CA", n.CA)
	for _, s := range n.Signatures {
		line("Sig", s.String())
	}
	return b.String()
}

func FuzzParseList(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		paths, err := nixcache.ParseList(data)
		seen := map[nixcache.Path]bool{}
		var texts []string
		for _, p := range paths {
			assert.False(t, p.IsZero() || seen[p] || p.IsDerivation(), "%q", p)
			seen[p] = true
			texts = append(texts, p.String())
		}
		if err != nil {
			assert.Less(t, len(err.Error()), 10_000)
			return
		}
		again, err := nixcache.ParseLines(texts)
		require.NoError(t, err)
		assert.Equal(t, paths, again)
	})
}

func FuzzKeys(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := nixcache.ParseKeys([]string{text})
		if err != nil {
			return
		}
		require.Len(t, keys, 1)
		assert.NotEmpty(t, keys.Names()[0])
		require.Error(t, keys.Verify(nixcache.Narinfo{}))
	})
}

func size(n uint64) string { return strconv.FormatUint(n, 10) }
