package cepler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// graph is a history in memory: for each commit its parents and its files.
type graph struct {
	parents map[string][]string
	files   map[string]map[string]string
	asked   map[string]int // calls of Changed, by commit and parent
	failing error
}

func newGraph() *graph {
	return &graph{parents: map[string][]string{}, files: map[string]map[string]string{}, asked: map[string]int{}}
}

// commit adds a commit; it returns its name.
func (g *graph) commit(files map[string]string, parents ...string) string {
	name := fmt.Sprintf("c%04d", len(g.parents))
	g.parents[name], g.files[name] = parents, files
	return name
}

func (g *graph) Parents(_ context.Context, commit string) ([]string, error) {
	return g.parents[commit], g.failing
}

func (g *graph) Message(_ context.Context, commit string) (string, error) {
	return "feat: " + commit + "\n\nbody", nil
}

func (g *graph) Changed(_ context.Context, commit, parent string, paths *cepler.PathSet) ([]string, error) {
	g.asked[commit+" "+parent]++
	var changed []string
	all := map[string]bool{}
	for p := range g.files[commit] {
		all[p] = true
	}
	for p := range g.files[parent] {
		all[p] = true
	}
	for p := range all {
		if paths.Has(p) && g.files[commit][p] != g.files[parent][p] {
			changed = append(changed, p)
		}
	}
	return changed, nil
}

// origin is what section 3 of the facts about cepler says, for one path.
func (g *graph) origin(start, path string) string {
	seen := map[string]bool{start: true}
	last := start
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		last = queue[0]
		alike := 0
		for _, parent := range g.parents[last] {
			if g.files[parent][path] != g.files[last][path] {
				continue
			}
			alike++
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
		if alike == 0 {
			return last
		}
	}
	return last
}

// randomGraph has commits that change few files, merges of up to three
// parents, files that come, go and come back, and several roots.
func randomGraph(rng *rand.Rand, commits, paths int) *graph {
	g := newGraph()
	var names []string
	for range commits {
		files := map[string]string{}
		var parents []string
		if len(names) > 0 && rng.IntN(40) > 0 {
			parents = append(parents, names[len(names)-1-rng.IntN(min(len(names), 4))])
			for rng.IntN(3) == 0 && len(parents) < 3 {
				other := names[max(0, len(names)-1-rng.IntN(12))]
				if other != parents[0] && other != parents[len(parents)-1] {
					parents = append(parents, other)
				}
			}
		}
		for _, parent := range parents {
			for _, p := range slices.Sorted(maps.Keys(g.files[parent])) { // in order: the same seed is the same graph
				if _, ok := files[p]; !ok || rng.IntN(2) == 0 {
					files[p] = g.files[parent][p]
				}
			}
		}
		for range rng.IntN(3) {
			files[fmt.Sprintf("d%d/f%d", rng.IntN(2), rng.IntN(paths))] = fmt.Sprint(rng.IntN(3))
		}
		if rng.IntN(10) == 0 {
			delete(files, fmt.Sprintf("d%d/f%d", rng.IntN(2), rng.IntN(paths)))
		}
		names = append(names, g.commit(files, parents...))
	}
	return g
}

func TestOriginsAreThoseOfTheModelOnRandomGraphs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		g := randomGraph(rng, 2+rng.IntN(60), 1+rng.IntN(12))
		start := fmt.Sprintf("c%04d", len(g.parents)-1)
		want := map[string]cepler.Origin{}
		var paths []string
		for _, p := range slices.Sorted(maps.Keys(g.files[start])) {
			paths = append(paths, p)
			commit := g.origin(start, p)
			want[p] = cepler.Origin{Commit: commit, Message: "feat: " + commit}
		}
		got, err := cepler.Origins(t.Context(), g, start, paths, nil)
		require.NoError(t, err)
		require.Equal(t, want, got, "seed %d", seed)
		asked := 0
		for _, n := range g.asked {
			asked += n
		}
		assert.LessOrEqual(t, asked, len(g.asked)*2, "seed %d: comparisons", seed)

		// whatever is recorded as seen from any commits changes no answer
		g.asked = map[string]int{}
		recorded := map[string]bool{}
		for _, name := range slices.Sorted(maps.Keys(g.parents)) {
			recorded[name] = rng.IntN(3) == 0
		}
		known := func(commit string) func(string) (cepler.Origin, bool) {
			if !recorded[commit] {
				return nil
			}
			return func(p string) (cepler.Origin, bool) {
				origin := g.origin(commit, p)
				return cepler.Origin{Commit: origin, Message: "feat: " + origin}, len(p)%2 == 0 || recorded[origin]
			}
		}
		got, err = cepler.Origins(t.Context(), g, start, paths, known)
		require.NoError(t, err)
		require.Equal(t, want, got, "seed %d with records", seed)
	}
}

func TestOriginsOfLinearHistoryCompareEachCommitOnce(t *testing.T) {
	t.Parallel()
	g := newGraph()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d/f%d", i)] = "1"
	}
	tip := g.commit(files)
	for i := range 300 {
		next := maps.Clone(g.files[tip])
		if i >= 100 && i < 150 {
			next[fmt.Sprintf("d/f%d", i-100)] = "2"
		}
		tip = g.commit(next, tip)
	}
	var paths []string
	for p := range files {
		paths = append(paths, p)
	}
	got, err := cepler.Origins(t.Context(), g, tip, paths, nil)
	require.NoError(t, err)
	assert.Equal(t, "c0101", got["d/f0"].Commit)
	assert.Equal(t, "c0150", got["d/f49"].Commit)
	assert.Len(t, g.asked, 200, "commits 300 to 101, and none below the oldest answer")
	for edge, n := range g.asked {
		assert.Equal(t, 1, n, edge)
	}
}

func TestOriginsStopWhereEverythingIsRecorded(t *testing.T) {
	t.Parallel()
	g := newGraph()
	tip := g.commit(map[string]string{"a": "1", "b": "1"})
	for range 20 {
		tip = g.commit(map[string]string{"a": "1", "b": "1"}, tip)
	}
	tip = g.commit(map[string]string{"a": "1", "b": "2"}, tip)
	recorded := cepler.Origin{Commit: "long ago", Message: "feat: a"}
	got, err := cepler.Origins(t.Context(), g, tip, []string{"a", "b"}, func(commit string) func(string) (cepler.Origin, bool) {
		if commit != "c0018" {
			return nil
		}
		return func(string) (cepler.Origin, bool) { return recorded, true }
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]cepler.Origin{"a": recorded, "b": {Commit: "c0021", Message: "feat: c0021"}}, got)
	assert.Len(t, g.asked, 3)
}

func TestOriginsOfNothingAskNothing(t *testing.T) {
	t.Parallel()
	g := newGraph()
	got, err := cepler.Origins(t.Context(), g, "c", nil, nil)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestOriginsPassOnWhatGoesWrong(t *testing.T) {
	t.Parallel()
	g := newGraph()
	tip := g.commit(map[string]string{"a": "1"})
	g.failing = errors.New("the remote is gone")
	_, err := cepler.Origins(t.Context(), g, tip, []string{"a"}, nil)
	require.ErrorIs(t, err, g.failing)
	assert.ErrorContains(t, err, "look up the parents of commit c0000")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = cepler.Origins(ctx, g, tip, []string{"a"}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestOriginsManyMergesStayCheap(t *testing.T) {
	t.Parallel()
	g := newGraph()
	base := map[string]string{}
	var paths []string
	for i := range 40 {
		p := fmt.Sprintf("d/f%d", i)
		base[p], paths = "0", append(paths, p)
	}
	tip := g.commit(base)
	for i := range 400 { // pull requests, each with two commits, of 20 files that change and 20 that don't
		files := maps.Clone(g.files[tip])
		first := g.commit(g.files[tip], tip)
		files[fmt.Sprintf("d/f%d", i%20)] = fmt.Sprint(i)
		second := g.commit(files, first)
		tip = g.commit(files, tip, second)
	}
	got, err := cepler.Origins(t.Context(), g, tip, paths, nil)
	require.NoError(t, err)
	for _, p := range paths {
		assert.Equal(t, g.origin(tip, p), got[p].Commit, p)
	}
	asked := 0
	for _, n := range g.asked {
		asked += n
	}
	assert.LessOrEqual(t, asked, 400*4+4, "one comparison for each edge")
}
