package git

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// servePartial is a server with a repository and a store in memory that knows the tip
// of its main branch.
func servePartial(t *testing.T, fill func(*gittest.Repository)) (*gittest.Server, *gittest.Repository, *Store, *Commit) {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	r, err := server.Create("owner/a")
	require.NoError(t, err)
	fill(r)
	remote, err := Open(Access{URI: r.URL(), Branch: "main"}, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, remote.Close()) })
	s, err := remote.Store("")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	const main = "refs/heads/main"
	refs, err := remote.Refs(t.Context(), main)
	require.NoError(t, err)
	require.NoError(t, s.Advance(t.Context(), main, refs[main]))
	tip, err := s.Commit(t.Context(), refs[main])
	require.NoError(t, err)
	return server, r, s, tip
}

func fetches(server *gittest.Server) int {
	n := 0
	for _, q := range server.Requests() {
		if q.Wants > 0 {
			n++
		}
	}
	return n
}

func TestDeliveryFetchesTheBlobsAtOnce(t *testing.T) {
	server, r, s, tip := servePartial(t, func(r *gittest.Repository) {
		i := r.Import()
		c := i.Commit("main", "one").Link("l", "many/a").Exec("run", "x").Write(".gitignore", "*.o\n")
		for n := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyz", "") {
			c.Write("many/"+n, n).Write("deep/"+n+"/"+n+"/f", n).Write("left/out/"+n, "unwanted "+n)
		}
		require.NoError(t, i.Done())
	})
	server.Reset()
	dir := t.TempDir()
	var files []File
	for _, f := range filesOf(t, s, tip.Tree) {
		if !strings.HasPrefix(f.Path, "left/") {
			files = append(files, f)
		}
	}
	require.NoError(t, s.Checkout(t.Context(), dir, files))
	assert.Equal(t, 1, fetches(server), "one request for all blobs and none for trees")
	require.NoError(t, s.WriteGitDir(t.Context(), dir, GitDir{Head: tip.Hash, Branch: "main", URL: s.URL(), Files: files}))
	assert.Equal(t, 1, fetches(server), "the .git needs nothing more")

	want := archived(t, r, "main")
	for p := range want {
		if strings.HasPrefix(p, "left/") {
			delete(want, p)
		}
	}
	assert.Equal(t, want, onDisk(t, dir))
	client := gittest.Open(dir)
	server.Reset()
	out, err := client.Git("status", "--porcelain")
	require.NoError(t, err)
	assert.Empty(t, out)
	require.NoError(t, client.Fsck())
	assert.Empty(t, server.Requests(), "git asks the remote for nothing")
}

func TestBuildOnAPartialCopy(t *testing.T) {
	_, r, s, tip := servePartial(t, func(r *gittest.Repository) {
		_, err := r.Commit("main", "one", map[string]string{"a/b/c": "1", "d/e": "2", "version": "1.0.0\n"})
		require.NoError(t, err)
	})
	b, err := s.Build(t.Context(), change(tip.Hash, map[string]Edit{"version": write("1.0.1\n"), "a/b/c": {Delete: true}}))
	require.NoError(t, err)
	files, err := r.Files(install(t, r, b))
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 d/e", "100644 version"}, files)
	require.NoError(t, r.Fsck())
}

func TestHistoryOfAPartialCopy(t *testing.T) {
	server, r, s, tip := servePartial(t, func(r *gittest.Repository) {
		_, err := r.WriteBig(gittest.Big{
			Commits: 400, Files: 100, ModuleFiles: 10, RelevantEvery: 50, Quiet: 10, Merges: 0.4, StateShare: 0.3, Others: 2, Seed: 3,
		})
		require.NoError(t, err)
	})
	server.Reset()
	spec := pathspec{
		[]string{"modules/bank", "cepler.yml"},
		func(p string) bool { return p == "cepler.yml" || strings.HasPrefix(p, "modules/bank/") },
		func(p string) bool { return p == "modules" || strings.HasPrefix(p+"/", "modules/bank/") },
	}
	want, err := r.Log("%H", append([]string{"main", "--"}, spec.args...)...)
	require.NoError(t, err)
	require.Greater(t, len(want), 3)
	assert.Equal(t, want, historyOf(t, s, tip.Hash, spec))
	assert.LessOrEqual(t, fetches(server), 4, "1, 100, 1000, all")
}

// The small files of a small tree come with what says which of them are needed.
func TestNeedWithTheSmallFilesOfASmallTree(t *testing.T) {
	many := map[string]string{"config": "many\n"}
	for i := range manyFiles {
		many[fmt.Sprintf("dir/%d", i)] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		files map[string]string
		set   []string // configuration of the server
		here  []string // after one need of the config
	}{
		"few":              {map[string]string{"config": "few\n", "dir/small": "1\n", "large": strings.Repeat("x", 1<<20)}, nil, []string{"config", "dir/small"}},
		"many":             {many, nil, []string{"config"}},
		"no such filter":   {map[string]string{"config": "few\n", "small": "1\n"}, []string{"uploadpackfilter.blob:limit.allow", "false"}, []string{"config"}},
		"no filter at all": {map[string]string{"config": "few\n", "large": strings.Repeat("x", 1<<20)}, []string{"uploadpack.allowFilter", "false"}, []string{"config", "large"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, _, s, tip := servePartial(t, func(r *gittest.Repository) {
				if c.set != nil {
					_, err := r.Git("config", c.set[0], c.set[1])
					require.NoError(t, err)
				}
				_, err := r.Commit("main", "one", c.files)
				require.NoError(t, err)
			})
			server.Reset()
			at := func(path string) Hash {
				e, err := s.Lookup(t.Context(), tip.Tree, path)
				require.NoError(t, err)
				return e.Hash
			}
			require.NoError(t, s.NeedWith(t.Context(), tip.Tree, at("config")))
			var here []string
			for path := range c.files {
				if s.Has(at(path)) {
					here = append(here, path)
				}
			}
			assert.ElementsMatch(t, c.here, here)
			assert.LessOrEqual(t, fetches(server), 2)
		})
	}
}

// Several refs are fetched together, and a commit that is gone is in nobody's way.
func TestSeveralRefsWithOneRequest(t *testing.T) {
	server, repo, s, _ := servePartial(t, withMain(t))
	tips := map[string]Hash{}
	for _, name := range []string{"gates", "side"} {
		tip, err := repo.Commit(name, "one", map[string]string{name: "1\n"})
		require.NoError(t, err)
		tips["refs/heads/"+name] = plumbing.NewHash(tip)
	}
	server.Reset()
	require.NoError(t, s.AdvanceAll(t.Context(), tips, Hash{}))
	assert.Equal(t, 1, fetches(server))

	tip, err := repo.Commit("side", "two", map[string]string{"side": "2\n"})
	require.NoError(t, err)
	tips["refs/heads/side"] = plumbing.NewHash(tip)
	require.NoError(t, s.AdvanceAll(t.Context(), tips, plumbing.NewHash(strings.Repeat("12", 20))))
	assert.True(t, s.Has(plumbing.NewHash(tip)))
}
