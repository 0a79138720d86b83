package git

import (
	"math/rand/v2"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One walk for many paths gives what a walk for each of them gives, also where history was merged and dates lie.
func TestLogEachIsALogOfEachPath(t *testing.T) {
	t.Parallel()
	paths := []string{"f0", "f1", "f2", "d/f1", "d/f2", "d/e/f2", "d/e/f3", "other/f4", "nothing", "d"}
	merged := 0
	for seed := range uint64(6) {
		r := bare(t)
		randomHistory(t, r, rand.New(rand.NewPCG(seed, 8)))
		s := openStore(t, r)
		tip := resolve(t, r, "refs/tags/tip")
		got := map[string][]string{}
		for touch, err := range s.LogEach(t.Context(), tip, paths) {
			require.NoError(t, err)
			if len(touch.Parents) > 1 {
				merged++
			}
			for _, p := range touch.Paths {
				got[p] = append(got[p], touch.Hash.String())
			}
		}
		newest, err := s.Newest(t.Context(), tip, paths)
		require.NoError(t, err)
		for _, p := range paths {
			want := hashesOf(t, s.Log(t.Context(), Range{From: []Hash{tip}, Paths: OnlyPath(p)}))
			require.ElementsMatch(t, want, got[p], "seed %d: %s", seed, p)
			require.Equal(t, datesOf(t, s, want), datesOf(t, s, got[p]), "seed %d: %s: the order, but for equal dates", seed, p)
			if len(want) == 0 {
				assert.Nil(t, newest[p])
				continue
			}
			assert.Equal(t, got[p][0], newest[p].Hash.String(), "seed %d: %s", seed, p)
		}
	}
	assert.Positive(t, merged, "merges that are like none of their parents")
}

func datesOf(t *testing.T, s *Store, hashes []string) []int64 {
	t.Helper()
	var dates []int64
	for _, h := range hashes {
		c, err := s.Commit(t.Context(), plumbing.NewHash(h))
		require.NoError(t, err)
		dates = append(dates, c.Committer.When.Unix())
	}
	return dates
}

func TestLogEachStopsAndFails(t *testing.T) {
	t.Parallel()
	r := bare(t)
	i := r.Import()
	for _, p := range []string{"a", "b", "a"} {
		i.Commit("main", p).Write(p, p+"1").Write("other", p)
	}
	require.NoError(t, i.Done())
	s := openStore(t, r)
	tip := resolve(t, r, "main")
	seen := 0
	for range s.LogEach(t.Context(), tip, []string{"a", "b"}) {
		seen++
		break
	}
	assert.Equal(t, 1, seen)
	newest, err := s.Newest(t.Context(), tip, []string{"absent"})
	require.NoError(t, err)
	assert.Empty(t, newest)
	_, err = s.Newest(t.Context(), Hash{1}, []string{"a"})
	require.ErrorIs(t, err, ErrNotFound)
}
