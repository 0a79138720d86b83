package release_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

func serve(tb testing.TB) (*gittest.Server, *gittest.Repository) {
	tb.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("code")
	require.NoError(tb, err)
	return server, repo
}

// clone is the folder that a get of a git resource has.
func clone(tb testing.TB, repo *gittest.Repository, args ...string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "repo")
	_, err := repo.Git(append(append([]string{"clone", "-q", "--branch=main"}, args...), "file://"+repo.Dir, dir)...)
	require.NoError(tb, err)
	return dir
}

func remote(tb testing.TB, uri string) *git.Remote {
	tb.Helper()
	r, err := git.Open(git.Access{URI: uri, Branch: "main"}, git.Options{})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

func open(tb testing.TB, dir string, o release.Options) *release.Code {
	tb.Helper()
	c, err := release.Open(tb.Context(), dir, dir, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// randomHistory has branches, merges, clocks that are wrong, and tags of several
// kinds.
func randomHistory(t *testing.T, repo *gittest.Repository, random *rand.Rand) {
	t.Helper()
	series := repo.Import()
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names := []string{"a/x", "a/y/z", "b/x", "top"}
	commits := []*gittest.Commit{series.Commit("main", "feat: first").At(clock).Write("top", "0")}
	tip := map[string]*gittest.Commit{"main": commits[0]}
	for i := range 60 {
		branch := []string{"main", "main", "side", "other"}[random.IntN(4)]
		clock = clock.Add(time.Duration(random.IntN(100)-20) * time.Second)
		c := series.Commit(branch, fmt.Sprintf("fix: %d", i)).At(clock)
		switch {
		case tip[branch] == nil:
			c.From(commits[random.IntN(len(commits))])
		case random.IntN(3) == 0:
			c.From(tip[branch]).Merge(commits[random.IntN(len(commits))])
		default:
			c.From(tip[branch])
		}
		if random.IntN(5) > 0 {
			c.Write(names[random.IntN(len(names))], fmt.Sprint(random.IntN(3)))
		}
		tip[branch], commits = c, append(commits, c)
	}
	for i := range 6 {
		message := []string{"", "annotated"}[random.IntN(2)]
		series.Tag(fmt.Sprintf("v%d.%d.0", random.IntN(3), i), message, commits[random.IntN(len(commits))])
		series.Tag(fmt.Sprintf("v5.%d.0-rc.1", i), message, commits[random.IntN(len(commits))])
	}
	require.NoError(t, series.Done())
}

// Base and commits are those that git itself names, from a clone as well as from
// a shallow one, for which the remote is asked.
func TestHistoryIsAsGitHasIt(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			_, repo := serve(t)
			randomHistory(t, repo, rand.New(rand.NewPCG(seed, 1)))
			base := newestFinal(t, repo)
			over := release.Options{Remote: remote(t, repo.URL())}
			for name, c := range map[string]*release.Code{
				"clone":         open(t, clone(t, repo), release.Options{}),
				"shallow clone": open(t, clone(t, repo, "--depth=2", "--no-tags"), over),
			} {
				got, err := c.Base(t.Context())
				require.NoError(t, err, name)
				if base == "" {
					require.Nil(t, got, name)
				} else {
					require.NotNil(t, got, name)
					require.Equal(t, base, got.Name, name)
				}
				requireSince(t, repo, c, got, name)
			}
			for _, path := range []string{"a/**", "a/y", "top"} {
				c := open(t, clone(t, repo), release.Options{Paths: []string{path}})
				requireSince(t, repo, c, nil, path, ":(glob)"+path)
			}
		})
	}
}

// newestFinal is the highest final version that git says main has.
func newestFinal(t *testing.T, repo *gittest.Repository) string {
	t.Helper()
	tags, err := repo.Git("tag", "--merged", "main", "--sort=-v:refname")
	require.NoError(t, err)
	for tag := range strings.FieldsSeq(tags) {
		if !strings.Contains(tag, "-rc") {
			return tag
		}
	}
	return ""
}

// requireSince compares sets: among commits of one second, git has its own order.
func requireSince(t *testing.T, repo *gittest.Repository, c *release.Code, base *release.Tag, name string, paths ...string) {
	t.Helper()
	commits, err := c.Since(t.Context(), base)
	require.NoError(t, err, name)
	got := make([]string, 0, len(commits))
	for _, commit := range commits {
		// of merges, git's way to simplify history has its own idea
		if len(paths) == 0 || !commit.Merge {
			got = append(got, commit.Hash)
		}
	}
	args := []string{"rev-list", "main"}
	if base != nil {
		args = append(args, "^"+base.Name)
	}
	if len(paths) > 0 {
		args = append(append(args, "--full-history", "--no-merges", "--"), paths...)
	}
	out, err := repo.Git(args...)
	require.NoError(t, err)
	want := strings.Fields(out)
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, name)
}

// A clone that can't tell says so, and how to fix it.
func TestTooShallow(t *testing.T) {
	_, repo := serve(t)
	for _, message := range []string{"feat: a", "feat: b", "fix: c"} {
		_, err := repo.Commit("main", message, map[string]string{"a": message})
		require.NoError(t, err)
	}
	require.NoError(t, repo.UpdateRef("refs/tags/1.0.0", "main~2"))
	_, elsewhere := serve(t)
	for name, o := range map[string]release.Options{
		"no remote":        {},
		"another remote":   {Remote: remote(t, elsewhere.URL())},
		"a missing remote": {Remote: nil},
	} {
		c := open(t, clone(t, repo, "--depth=2"), o)
		_, err := c.Decide(t.Context(), release.Request{Rules: version.Default()})
		require.ErrorIs(t, err, release.ErrShallow, name)
		assert.ErrorContains(t, err, "fetch_tags: true, and leave out depth")
	}
	deep := open(t, clone(t, repo, "--depth=2"), release.Options{Remote: remote(t, repo.URL())})
	d, err := deep.Decide(t.Context(), release.Request{Rules: version.Default()})
	require.NoError(t, err)
	assert.Equal(t, "1.1.0", d.Next.String())

	// deep enough for the answer is deep enough
	require.NoError(t, repo.UpdateRef("refs/tags/1.1.0", "main~1"))
	enough := open(t, clone(t, repo, "--depth=2"), release.Options{})
	d, err = enough.Decide(t.Context(), release.Request{Rules: version.Default()})
	require.NoError(t, err)
	assert.Equal(t, "1.1.1", d.Next.String())
}

// Candidates of other lines of history don't pull a release up, but their number
// is not given out twice.
func TestCandidatesOfOtherLines(t *testing.T) {
	_, repo := serve(t)
	series := repo.Import()
	first := series.Commit("main", "feat: all").Write("a", "1")
	next := series.Commit("next", "feat!: new").From(first).Write("a", "2")
	series.Commit("main", "fix: old").From(first).Write("b", "1")
	series.Tag("v1.0.0", "", first)
	series.Tag("v2.0.0-rc.3", "", next)
	series.Tag("v1.0.1-rc.1", "", next)
	series.Tag("not-a-version", "", next)
	series.Tag("v1.2", "", next)
	require.NoError(t, series.Done())
	c := open(t, clone(t, repo), release.Options{})
	d, err := c.Decide(t.Context(), release.Request{Rules: version.Default(), Pre: "rc"})
	require.NoError(t, err)
	assert.Equal(t, "1.0.1-rc.2", d.Next.String())
	known, err := version.Parse("1.0.1-rc.7")
	require.NoError(t, err)
	d, err = c.Decide(t.Context(), release.Request{Rules: version.Default(), Pre: "rc", Known: []version.Version{known}})
	require.NoError(t, err)
	assert.Equal(t, "1.0.1-rc.8", d.Next.String())
}

// Notes of a version tell what came since the final version below it, also when
// that version is out already.
func TestNotes(t *testing.T) {
	_, repo := serve(t)
	series := repo.Import()
	series.Tag("v1.0.0", "", series.Commit("main", "feat: all").Write("a", "1"))
	series.Tag("v1.1.0-rc.1", "", series.Commit("main", "feat: loans (#12)").Write("a", "2"))
	series.Tag("v1.1.0", "of note", series.Commit("main", "fix: interest").Write("a", "3"))
	require.NoError(t, series.Done())
	c := open(t, clone(t, repo), release.Options{})
	v, err := version.Parse("1.1.0")
	require.NoError(t, err)
	notes, err := c.Notes(t.Context(), release.Entry{
		Version: v, Date: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Rules: version.Default(),
		Links: version.GitHub("https://github.com/acme/code", "v"),
	})
	require.NoError(t, err)
	head := c.Head().String()
	loans, err := repo.RevParse("main^")
	require.NoError(t, err)
	assert.Equal(t, "## [1.1.0](https://github.com/acme/code/compare/v1.0.0...v1.1.0) - 2026-11-24\n\n"+
		"### Features\n\n- Loans ([#12](https://github.com/acme/code/pull/12)) (["+loans[:7]+"](https://github.com/acme/code/commit/"+loans+"))\n\n"+
		"### Bug Fixes\n\n- Interest (["+head[:7]+"](https://github.com/acme/code/commit/"+head+"))\n", string(notes))
}

func TestFolderThatIsNoClone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o600))
	_, err := release.Open(t.Context(), dir, dir, release.Options{})
	require.ErrorIs(t, err, git.ErrNoRepository)
	assert.ErrorContains(t, err, "git resource")
}

func TestPathsThatAreNone(t *testing.T) {
	require.NoError(t, release.CheckPaths([]string{"a", "a/**", "*.go", "a/{b,c}/?", "dir/"}))
	for _, p := range []string{"", "/a", "a/[", "{a"} {
		assert.ErrorContains(t, release.CheckPaths([]string{p}), "is not a pattern of paths", p)
	}
}

// A decision on an unmoved clone of the remote costs the refs and nothing else.
func TestWholeCloneAsksForNoObjects(t *testing.T) {
	server, repo := serve(t)
	_, err := repo.Commit("main", "feat: a", map[string]string{"a": "1"})
	require.NoError(t, err)
	require.NoError(t, repo.UpdateRef("refs/tags/1.0.0", "main"))
	_, err = repo.Commit("main", "feat: b", map[string]string{"a": "2"})
	require.NoError(t, err)
	dir := clone(t, repo)
	server.Reset()
	c := open(t, dir, release.Options{Remote: remote(t, repo.URL())})
	d, err := c.Decide(t.Context(), release.Request{Rules: version.Default()})
	require.NoError(t, err)
	assert.Equal(t, "1.1.0", d.Next.String())
	require.Len(t, server.Requests(), 1)
}

// A merge that only brings what its branches have is not counted for a path;
// their commits are, and so is what a merge adds.
func TestMergesAndPaths(t *testing.T) {
	_, repo := serve(t)
	series := repo.Import()
	first := series.Commit("main", "feat: all").Write("api/a", "1").Write("web/a", "1")
	side := series.Commit("side", "feat: web").From(first).Write("web/a", "2")
	series.Commit("main", "fix: api").From(first).Write("api/a", "2")
	series.Commit("main", "feat: merge").Merge(side).Write("web/a", "2")
	series.Commit("main", "feat: evil merge").Merge(side).Write("web/a", "3")
	series.Tag("v1.0.0", "", first)
	require.NoError(t, series.Done())
	for path, want := range map[string][]string{"web": {"feat: evil merge", "feat: web"}, "api": {"fix: api"}} {
		c := open(t, clone(t, repo), release.Options{Paths: []string{path}})
		base, err := c.Base(t.Context())
		require.NoError(t, err)
		commits, err := c.Since(t.Context(), base)
		require.NoError(t, err)
		got := make([]string, 0, len(commits))
		for _, commit := range commits {
			got = append(got, commit.Subject())
		}
		slices.Sort(got)
		assert.Equal(t, want, got, path)
	}
}

// Dates say nothing about what came before what. Here all are the same, as after an import, and what
// was fixed since the release was begun long before it: only the fix counts, and no old change again.
func TestEqualDatesCountNothingTwice(t *testing.T) {
	_, repo := serve(t)
	series := repo.Import()
	day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	old := series.Commit("main", "feat!: begin anew").At(day).Write("a", "0")
	for range 4 {
		old = series.Commit("main", "feat: more").At(day)
	}
	for range 70 {
		series.Commit("main", "chore: work").At(day)
	}
	series.Tag("v1.0.0", "", series.Commit("main", "chore: release").At(day).Write("a", "1"))
	fix := series.Commit("fix", "fix: interest").From(old).At(day).Write("b", "1")
	series.Commit("main", "Merge branch 'fix'").Merge(fix).At(day)
	require.NoError(t, series.Done())
	over := release.Options{Remote: remote(t, repo.URL())}
	for name, c := range map[string]*release.Code{
		"clone":         open(t, clone(t, repo), release.Options{}),
		"shallow clone": open(t, clone(t, repo, "--depth=2"), over),
	} {
		base, err := c.Base(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, "v1.0.0", base.Name, name)
		requireSince(t, repo, c, base, name)
		commits, err := c.Since(t.Context(), base)
		require.NoError(t, err, name)
		assert.Len(t, commits, 2, name)
		d, err := c.Decide(t.Context(), release.Request{Rules: version.Default()})
		require.NoError(t, err, name)
		assert.Equal(t, "1.0.1", d.Next.String(), name)
	}
}

// Commits that are about packages with public_api = false alone do not count for the version of the whole
// repository, as cocogitto has it; paths of the source go before packages.
func TestPrivatePackagesDoNotCount(t *testing.T) {
	for _, cog := range []string{
		"[monorepo.packages]\napi = { path = \"api\" }\ntool = { path = \"tool\", public_api = false, include = [\"tool.lock\"], ignore = [\"tool/shared/**\"] }\n",
		"[packages.api]\npath = \"api\"\n[packages.tool]\npath = \"./tool/\"\npublic_api = false\ninclude = [\"tool.lock\"]\nignore = [\"tool/shared/**\"]\n",
	} {
		_, repo := serve(t)
		series := repo.Import()
		first := series.Commit("main", "chore: first").Write("cog.toml", cog).Write("api/x", "1").Write("tool/x", "1").Write("tool.lock", "1")
		series.Tag("1.0.0", "", first)
		series.Commit("main", "feat: private").Write("tool/x", "2")
		series.Commit("main", "feat: its lock").Write("tool.lock", "2")
		series.Commit("main", "feat: private, and a file of nobody").Write("tool/x", "3").Write("README.md", "3")
		series.Commit("main", "feat: shared").Write("tool/shared/y", "1")
		series.Commit("main", "fix: both").Write("tool/x", "4").Write("api/x", "2")
		series.Commit("main", "fix: nobody's").Write("README.md", "4")
		require.NoError(t, series.Done())

		for name, want := range map[string]struct {
			paths    []string
			subjects []string
		}{
			"packages": {nil, []string{"fix: nobody's", "fix: both", "feat: shared"}},
			"paths":    {[]string{"tool/x"}, []string{"fix: both", "feat: private, and a file of nobody", "feat: private"}},
		} {
			c := open(t, clone(t, repo), release.Options{Paths: want.paths})
			_, err := c.Rules(t.Context(), "cog.toml", toml.Decode)
			require.NoError(t, err)
			base, err := c.Base(t.Context())
			require.NoError(t, err)
			commits, err := c.Since(t.Context(), base)
			require.NoError(t, err)
			var got []string
			for _, commit := range commits {
				got = append(got, commit.Subject())
			}
			assert.Equal(t, want.subjects, got, name)
		}
	}
}
