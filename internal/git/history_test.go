package git

import (
	"context"
	"fmt"
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

func TestHistoryIsWhatGitLogGives(t *testing.T) {
	compared, listed := 0, 0
	for seed := range uint64(25) {
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
	assert.Equal(t, 25*len(pathspecs()), compared)
	assert.Greater(t, listed, 400, "the histories hold something")
}

func historyOf(t *testing.T, s *Store, start Hash, spec pathspec) []string {
	t.Helper()
	var got []string
	err := s.History(t.Context(), start, spec.match, spec.descend, func(c *Commit) (bool, error) {
		got = append(got, c.Hash.String())
		return true, nil
	})
	require.NoError(t, err)
	return got
}

func TestHistoryStops(t *testing.T) {
	r := bare(t)
	for _, n := range []string{"1", "2", "3"} {
		_, err := r.Commit("main", "commit "+n, map[string]string{"f": n})
		require.NoError(t, err)
	}
	s, tip := openStore(t, r), resolve(t, r, "main")
	all := func(string) bool { return true }

	t.Run("when there is enough", func(t *testing.T) {
		var got []string
		err := s.History(t.Context(), tip, all, all, func(c *Commit) (bool, error) {
			got = append(got, c.Message)
			return len(got) < 2, nil
		})
		require.NoError(t, err)
		assert.Equal(t, []string{"commit 3", "commit 2"}, got)
	})
	t.Run("when visit fails", func(t *testing.T) {
		err := s.History(t.Context(), tip, all, all, func(*Commit) (bool, error) { return true, assert.AnError })
		assert.ErrorIs(t, err, assert.AnError)
	})
	t.Run("with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.History(ctx, tip, all, all, func(*Commit) (bool, error) {
			cancel()
			return true, nil
		})
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("at a commit that is not there", func(t *testing.T) {
		err := s.History(t.Context(), Hash{1}, all, all, func(*Commit) (bool, error) { return true, nil })
		assert.ErrorContains(t, err, "0100000000000000000000000000000000000000")
	})
}
