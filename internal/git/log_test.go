package git

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// pathspec is a pathspec of git with the functions that mean the same.
type pathspec struct {
	args           []string
	match, descend func(string) bool
}

func pathspecs() []pathspec {
	below := func(dir string) func(string) bool {
		return func(p string) bool { return strings.HasPrefix(p, dir+"/") }
	}
	is := func(want ...string) func(string) bool {
		return func(p string) bool { return slices.Contains(want, p) }
	}
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	return []pathspec{
		{[]string{"f0"}, is("f0"), none},
		{[]string{"d/f1"}, is("d/f1"), is("d")},
		{[]string{"d"}, below("d"), func(p string) bool { return p == "d" || below("d")(p) }},
		{[]string{":(glob)**/f2"}, func(p string) bool { return p == "f2" || strings.HasSuffix(p, "/f2") }, all},
		{[]string{"f1", "d/e"}, func(p string) bool { return p == "f1" || p == "d/e" || below("d/e")(p) }, is("d", "d/e")},
		{[]string{"."}, all, all},
		{[]string{"nothing"}, is("nothing"), none},
	}
}

// randomHistory makes a repository with merges of every kind: with the content
// of either parent, of both or of none, and with dates that are equal or go
// backwards.
func randomHistory(t *testing.T, r *gittest.Repository, random *rand.Rand) {
	t.Helper()
	type node struct {
		commit *gittest.Commit
		files  map[string]string
	}
	paths := []string{"f0", "f1", "f2", "d/f1", "d/f2", "d/e/f2", "d/e/f3", "other/f4"}
	start := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	i := r.Import()
	var nodes []node
	for n := range 30 {
		c := i.Commit("main", fmt.Sprint("commit ", n)).Orphan().At(start.Add(time.Duration(n/2*10-random.IntN(15)) * time.Minute))
		files := map[string]string{}
		parents := 1
		if random.IntN(3) == 0 {
			parents = 2 + random.IntN(2)
		}
		if n == 0 || random.IntN(15) == 0 {
			parents = 0
		}
		for _, at := range random.Perm(len(nodes))[:min(parents, len(nodes))] {
			p := nodes[max(at, len(nodes)-6+random.IntN(6))] // mostly recent ones
			c.Merge(p.commit)
			if len(files) == 0 || random.IntN(2) == 0 {
				maps.Copy(files, p.files)
			}
		}
		for range random.IntN(3) {
			p := paths[random.IntN(len(paths))]
			if random.IntN(4) == 0 {
				delete(files, p)
			} else {
				files[p] = fmt.Sprint(random.IntN(4)) // reverts are frequent
			}
		}
		c.Clear().Files(files)
		nodes = append(nodes, node{c, files})
	}
	i.Tag("tip", "", nodes[len(nodes)-1].commit)
	require.NoError(t, i.Done())
}

func TestLogIsWhatGitLogGives(t *testing.T) {
	compared, listed := 0, 0
	for seed := range uint64(12) {
		r := bare(t)
		randomHistory(t, r, rand.New(rand.NewPCG(seed, 1)))
		s := openStore(t, r)
		for _, spec := range pathspecs() {
			want, err := r.Log("%H", append([]string{"refs/tags/tip", "--"}, spec.args...)...)
			require.NoError(t, err)
			got := historyOf(t, s, resolve(t, r, "refs/tags/tip"), spec)
			require.Equal(t, want, got, "seed %d, paths %v", seed, spec.args)
			compared++
			listed += len(want)
		}
	}
	assert.Equal(t, 12*len(pathspecs()), compared)
	assert.Greater(t, listed, 200, "the histories hold something")
}

func historyOf(t *testing.T, s *Store, start Hash, spec pathspec) []string {
	t.Helper()
	return hashesOf(t, s.Log(t.Context(), Range{From: []Hash{start}, Paths: &Paths{Match: spec.match, Descend: spec.descend}}))
}

func hashesOf(t *testing.T, log iter.Seq2[*Commit, error]) []string {
	t.Helper()
	var got []string
	for c, err := range log {
		require.NoError(t, err)
		got = append(got, c.Hash.String())
	}
	return got
}

func TestLogStops(t *testing.T) {
	r := bare(t)
	for _, n := range []string{"1", "2", "3"} {
		_, err := r.Commit("main", "commit "+n, map[string]string{"f": n})
		require.NoError(t, err)
	}
	s, tip := openStore(t, r), resolve(t, r, "main")

	t.Run("when there is enough", func(t *testing.T) {
		var got []string
		for c, err := range s.Log(t.Context(), Range{From: []Hash{tip}, Paths: OnlyPath("f")}) {
			require.NoError(t, err)
			if got = append(got, c.Message); len(got) == 2 {
				break
			}
		}
		assert.Equal(t, []string{"commit 3", "commit 2"}, got)
	})
	t.Run("with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range s.Log(ctx, Range{From: []Hash{tip}}) {
			cancel()
			last = err
		}
		assert.ErrorIs(t, last, context.Canceled)
	})
	t.Run("at a commit that is not there", func(t *testing.T) {
		for _, r := range []Range{{From: []Hash{{1}}}, {From: []Hash{tip}, Not: []Hash{{1}}}} {
			var last error
			for _, err := range s.Log(t.Context(), r) {
				last = err
			}
			require.ErrorIs(t, last, ErrNotFound)
			assert.ErrorContains(t, last, "0100000000000000000000000000000000000000")
		}
	})
}

// revList is what git lists for a range.
func revList(t *testing.T, repo *gittest.Repository, args ...string) []string {
	t.Helper()
	out, err := repo.Git(append([]string{"rev-list"}, args...)...)
	require.NoError(t, err)
	if out == "" {
		return nil
	}
	return strings.Fields(out)
}

func TestLogIsWhatGitRevListGives(t *testing.T) {
	const seeds, ranges = 6, 4
	compared, listed := 0, 0
	for seed := range uint64(seeds) {
		repo := bare(t)
		random := rand.New(rand.NewPCG(seed, 2))
		tangled(t, repo, 60, seed)
		s := openStore(t, repo)
		all := revList(t, repo, "--all")
		for range ranges {
			from, not := all[random.IntN(len(all)/3)], all[random.IntN(len(all))]
			r := Range{From: []Hash{resolve(t, repo, from)}, Not: []Hash{resolve(t, repo, not)}}
			line := r
			line.FirstParent = true
			require.Equal(t, revList(t, repo, from, "^"+not), hashesOf(t, s.Log(t.Context(), r)))
			require.Equal(t, revList(t, repo, "--first-parent", from, "^"+not), hashesOf(t, s.Log(t.Context(), line)))
			for _, spec := range pathspecs() {
				r.Paths, line.Paths = &Paths{Match: spec.match, Descend: spec.descend}, &Paths{Match: spec.match, Descend: spec.descend}
				want := revList(t, repo, append([]string{from, "^" + not, "--"}, spec.args...)...)
				require.Equal(t, want, hashesOf(t, s.Log(t.Context(), r)), "seed %d, git rev-list %s ^%s %v", seed, from, not, spec.args)
				// git itself leaves a merge out when only its other parents are in the range
				require.Equal(t, touching(t, repo, spec, from, "^"+not), hashesOf(t, s.Log(t.Context(), line)), "seed %d, line %s ^%s %v", seed, from, not, spec.args)
				compared++
				listed += len(want)
			}
		}
	}
	assert.Equal(t, seeds*ranges*len(pathspecs()), compared)
	assert.Greater(t, listed, 500, "the ranges hold something")
}

// touching are the commits of a line of first parents that change a matching file.
func touching(t *testing.T, repo *gittest.Repository, spec pathspec, args ...string) []string {
	t.Helper()
	lines, err := repo.Log("commit %H", append([]string{"--first-parent", "-m", "--no-renames", "--name-only"}, args...)...)
	require.NoError(t, err)
	var found []string
	commit := ""
	for _, line := range lines {
		if h, ok := strings.CutPrefix(line, "commit "); ok {
			commit = h
		} else if line != "" && spec.match(line) && !slices.Contains(found, commit) {
			found = append(found, commit)
		}
	}
	return found
}
