package cepler_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// globTable is testdata/globs.txt.
func globTable(t *testing.T) (paths []string, want map[string][]string, refused []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/globs.txt")
	require.NoError(t, err)
	want = map[string][]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		fields := strings.Split(line, "\t")
		switch fields[0] {
		case "path":
			paths = append(paths, fields[1])
		case "glob":
			want[fields[1]] = append([]string{}, fields[2:]...)
		case "refused":
			refused = append(refused, fields[1])
		}
	}
	require.Len(t, paths, 32)
	require.Len(t, want, 120)
	require.Len(t, refused, 13)
	return paths, want, refused
}

func TestGlobsMatchWhatCeplerMatches(t *testing.T) {
	t.Parallel()
	paths, want, refused := globTable(t)
	for pattern, matches := range want {
		g, err := cepler.ParseGlob(pattern)
		require.NoError(t, err)
		assert.Equal(t, pattern, g.String())
		got := []string{}
		for _, p := range paths {
			if g.Match(p) {
				got = append(got, p)
			}
		}
		assert.ElementsMatch(t, matches, got, pattern)
	}
	for _, pattern := range refused {
		_, err := cepler.ParseGlob(pattern)
		assert.ErrorContains(t, err, "pattern \""+pattern+"\": ")
	}
}

func TestGlobsRefuseSetsWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"[", "[]", "[!]", "[!", "[a", "a[b", "[]a", "x/[!]a"} {
		_, err := cepler.ParseGlob(pattern)
		assert.ErrorContains(t, err, "a set that begins with [ has no end", pattern)
	}
}

func TestGlobsDoNotMatchWhatAStateFileCanNotName(t *testing.T) {
	t.Parallel()
	globs, err := cepler.ParseGlobs("**", "*", "d/*", "[!a]")
	require.NoError(t, err)
	assert.True(t, globs.Match("d/é"))
	assert.False(t, globs.Match("d/\xff"))
	assert.False(t, globs.Match("\xff"))
	assert.False(t, globs.Descend("\xff"))
}

func TestGlobsDescendOnlyWhereSomethingCanMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern  string
		yes, not []string
	}{
		{"a.yml", []string{""}, []string{"a.yml", "b"}},
		{"modules/*/main.tf", []string{"", "modules", "modules/x"}, []string{"gcp", "modules/x/y", "modules/.x", "module"}},
		{"d/**", []string{"", "d", "d/e", "d/e/f"}, []string{"e", "d/.e", "d/e/.f", ".d"}},
		{"**/x", []string{"", "a", "a/b"}, []string{".a", "a/.b"}},
		{"**/.e/*", []string{"", "a", ".e", "a/.e"}, []string{".f", "a/.f", "a/.e/.e"}},
		{"d//x", []string{"", "d"}, []string{"d/x"}},
		{"", []string{""}, []string{"a"}},
	} {
		globs, err := cepler.ParseGlobs(c.pattern)
		require.NoError(t, err)
		for _, dir := range c.yes {
			assert.True(t, globs.Descend(dir), "%s: %q", c.pattern, dir)
		}
		for _, dir := range c.not {
			assert.False(t, globs.Descend(dir), "%s: %q", c.pattern, dir)
		}
	}
	assert.False(t, cepler.Globs(nil).Descend(""))
}

// slowMatch is the dialect spelt out by recursion, for one pattern that is cut
// into parts: deep is `**`, and every other part may be any of its names.
func slowMatch(parts [][]string, path []string) bool {
	if len(parts) == 0 {
		return len(path) == 0
	}
	if parts[0] == nil { // **
		if len(parts) > 1 && slowMatch(parts[1:], path) {
			return true
		}
		if len(path) == 0 || strings.HasPrefix(path[0], ".") {
			return false
		}
		return len(parts) == 1 && len(path) == 1 || slowMatch(parts, path[1:])
	}
	for _, name := range parts[0] {
		if len(path) > 0 && path[0] == name && slowMatch(parts[1:], path[1:]) {
			return true
		}
	}
	return false
}

func TestRandomGlobsMatchTheModelAndNeverPruneAMatch(t *testing.T) {
	t.Parallel()
	names := []string{"a", ".a", "ab", "x.d", ".d", "b"}
	parts := map[string][]string{
		"**": nil, "*": {"a", "ab", "x.d", "b"}, "?": {"a", "b"}, "*.d": {"x.d", ".d"}, ".*": {".a", ".d"}, "a*": {"a", "ab"},
		"[ab]": {"a", "b"}, "[!a]": {"b"}, "*b": {"ab", "b"}, "a": {"a"}, ".a": {".a"}, "[.]d": {}, "x": {},
	}
	matches := 0
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var pattern []string
		var model [][]string
		for range 1 + rng.IntN(5) {
			all := []string{"**", "*", "?", "*.d", ".*", "a*", "[ab]", "[!a]", "*b", "a", ".a", "[.]d", "x", "**"}
			p := all[rng.IntN(len(all))]
			pattern, model = append(pattern, p), append(model, parts[p])
		}
		text := strings.Join(pattern, "/")
		g, err := cepler.ParseGlob(text)
		require.NoError(t, err)
		for range 40 {
			var path []string
			for range 1 + rng.IntN(5) {
				path = append(path, names[rng.IntN(len(names))])
			}
			file := strings.Join(path, "/")
			want := slowMatch(model, path)
			require.Equal(t, want, g.Match(file), "%s on %s", text, file)
			if !want {
				continue
			}
			matches++
			for i := range path {
				require.True(t, g.Descend(strings.Join(path[:i], "/")), "%s in %s, which has %s", text, strings.Join(path[:i], "/"), file)
			}
		}
	}
	assert.Greater(t, matches, 1000)
}

// FuzzGlob checks that nothing panics, that a pattern without wildcards is a
// path, and that no folder of a match is pruned.
func FuzzGlob(f *testing.F) {
	f.Add("**/*.yml", "d/e/x.yml")
	f.Add("d/**/.hid", "d/.hid")
	f.Add("[!]]", "]")
	f.Add("**/*.d/**/b", "x.d/a/.d/b")
	f.Add("a[b-", "a")
	f.Add("\xff*", "\xff")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		g, err := cepler.ParseGlob(pattern)
		if err != nil {
			return
		}
		if g.Match(path) {
			for i := range path {
				if path[i] == '/' {
					assert.True(t, g.Descend(path[:i]))
				}
			}
			return
		}
		isFile := path != "" && !strings.HasSuffix(path, "/") && utf8.ValidString(path)
		assert.False(t, pattern == path && isFile && !strings.ContainsAny(pattern, "*?["))
	})
}

func TestStarsDoNotBlowUp(t *testing.T) {
	t.Parallel()
	g, err := cepler.ParseGlob(strings.Repeat("*a", 30) + "b")
	require.NoError(t, err)
	assert.False(t, g.Match(strings.Repeat("a", 20_000)))
	g, err = cepler.ParseGlob(strings.Repeat("**/a/", 60) + "b")
	require.NoError(t, err)
	assert.False(t, g.Match(strings.Repeat("a/", 2000)+"a"))
}

func BenchmarkMatch(b *testing.B) {
	globs, err := cepler.ParseGlobs("modules/lana-bank/**", "gcp/galoy-staging/*.tf", "**/*.yml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		globs.Match("gcp/galoy-staging/lana/main.tf")
	}
}
