package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// graph is a history in memory, of which a part is at hand; the rest must be fetched.
type graph struct {
	commits map[object.Hash]*object.Commit
	here    map[object.Hash]bool
	ends    map[object.Hash]bool // where the repository itself is shallow
	step    int                  // generations that a fetch brings
	fetches int
}

func (g *graph) Has(h object.Hash) bool { return g.here[h] }

func (g *graph) Commit(_ context.Context, h object.Hash) (*object.Commit, error) {
	if g.commits[h] == nil {
		return nil, fmt.Errorf("commit %s: %w", h, object.ErrNotFound)
	}
	if !g.here[h] {
		g.fetch(h)
	}
	return g.commits[h], nil
}

func (g *graph) Parents(_ context.Context, h object.Hash) ([]object.Hash, error) {
	if g.ends[h] {
		return nil, nil
	}
	if !isReady(g, g.commits[h]) {
		g.fetch(h)
	}
	return g.commits[h].Parents, nil
}

func (g *graph) fetch(h object.Hash) {
	g.fetches++
	at := []object.Hash{h}
	for range g.step + 1 {
		var next []object.Hash
		for _, h := range at {
			g.here[h] = true
			if !g.ends[h] {
				next = append(next, g.commits[h].Parents...)
			}
		}
		at = next
	}
}

func (g *graph) Need(context.Context, ...object.Hash) error { return errors.New("there are no blobs") }

func (g *graph) Diff(context.Context, object.Hash, object.Hash, func(string) bool, func(string, *object.Entry, *object.Entry) error) error {
	return errors.New("there are no trees")
}

// behind are all commits that can be reached.
func (g *graph) behind(from []object.Hash, first bool) map[object.Hash]bool {
	found := map[object.Hash]bool{}
	for todo := slices.Clone(from); len(todo) > 0; todo = todo[1:] {
		if !found[todo[0]] {
			found[todo[0]] = true
			todo = append(todo, g.followed(todo[0], first)...)
		}
	}
	return found
}

func (g *graph) followed(h object.Hash, first bool) []object.Hash {
	parents := g.commits[h].Parents
	switch {
	case g.ends[h]:
		return nil
	case first && len(parents) > 1:
		return parents[:1]
	}
	return parents
}

// named is the commit with that number.
func named(n int) object.Hash {
	var h object.Hash
	binary.BigEndian.PutUint32(h[:], uint32(n+1))
	return h
}

// clocks are the ways in which commits are dated.
func clocks() map[string]func(random *rand.Rand, n int) int64 {
	const start, minute = 1_700_000_000, 60
	return map[string]func(*rand.Rand, int) int64{
		"right":     func(_ *rand.Rand, n int) int64 { return start + int64(n)*minute },
		"equal":     func(*rand.Rand, int) int64 { return start },
		"few":       func(random *rand.Rand, n int) int64 { return start + int64(n/7+random.IntN(2))*minute },
		"lying":     func(random *rand.Rand, _ int) int64 { return start + random.Int64N(1000)*minute },
		"backwards": func(_ *rand.Rand, n int) int64 { return start - int64(n)*minute },
		"none":      func(random *rand.Rand, n int) int64 { return int64(random.IntN(2)*n) * minute },
	}
}

// randomGraph has up to 50 commits: merges of up to four parents, criss-cross ones, several roots.
func randomGraph(random *rand.Rand, clock func(*rand.Rand, int) int64) *graph {
	g := &graph{commits: map[object.Hash]*object.Commit{}, here: map[object.Hash]bool{}, ends: map[object.Hash]bool{}, step: 1 + random.IntN(3)}
	merges := 1 + random.IntN(6)
	for n := range 1 + random.IntN(50) {
		c := &object.Commit{Hash: named(n), Committer: object.Signature{When: time.Unix(clock(random, n), 0)}}
		parents := 1
		if random.IntN(10) < merges {
			parents = 2 + random.IntN(3)
		}
		if random.IntN(15) == 0 {
			parents = 0
		}
		for range min(parents, n) {
			p := named(n - 1 - random.IntN(min(n, 6)))
			if random.IntN(8) == 0 {
				p = named(random.IntN(n))
			}
			if !slices.Contains(c.Parents, p) {
				c.Parents = append(c.Parents, p)
			}
		}
		g.commits[c.Hash] = c
	}
	return g
}

// cut leaves only a part at hand, which has the given commits and what is a few generations behind
// them. With ends, the repository itself is shallow there.
func (g *graph) cut(tips []object.Hash, generations int, ends bool) {
	step := g.step
	g.step = generations
	for _, h := range tips {
		g.fetch(h)
	}
	g.step, g.fetches = step, 0
	for h := range g.here {
		if ends && !isReady(g, g.commits[h]) {
			g.ends[h] = true
		}
	}
}

func pick(random *rand.Rand, n, most int) []object.Hash {
	var all []object.Hash
	for range most {
		all = append(all, named(max(random.IntN(n), random.IntN(n))))
	}
	return all
}

func TestLogIsReachabilityOnRandomGraphs(t *testing.T) {
	t.Parallel()
	cases, kept, left, fetched, shallow := 0, 0, 0, 0, 0
	for name, clock := range clocks() {
		for seed := range uint64(700) {
			random := rand.New(rand.NewPCG(seed, 3))
			g := randomGraph(random, clock)
			r := Range{
				From: pick(random, len(g.commits), 1+random.IntN(2)), Not: pick(random, len(g.commits), random.IntN(4)),
				FirstParent: random.IntN(3) == 0,
			}
			how := random.IntN(3)
			g.cut(slices.Concat(r.From, r.Not[:len(r.Not)/2]), random.IntN(12), how == 2)
			if how == 0 {
				g.cut(r.From, len(g.commits), false) // everything is at hand
			}
			if how == 2 {
				shallow++
				r.Not = slices.DeleteFunc(r.Not, func(h object.Hash) bool { return !g.here[h] }) // it is not in the repository
			}
			got := given(t, Log(t.Context(), g, r))

			out := g.behind(r.Not, false)
			want := g.behind(r.From, r.FirstParent)
			for h := range out {
				if want[h] {
					left++
				}
				delete(want, h)
			}
			require.Len(t, got, len(want), "clock %s, seed %d: each commit once", name, seed)
			for _, h := range got {
				require.True(t, want[h], "clock %s, seed %d: %s", name, seed, h)
			}
			require.Equal(t, inOrder(g, r, want), got, "clock %s, seed %d: the order", name, seed)
			cases, kept, fetched = cases+1, kept+len(want), fetched+g.fetches
		}
	}
	assert.Equal(t, 700*len(clocks()), cases)
	assert.Greater(t, kept, 20*cases/10)
	assert.Greater(t, left, 20*cases/10)
	assert.Greater(t, fetched, cases/4)
	assert.Greater(t, shallow, cases/4)
}

// given are the commits of a walk.
func given(t *testing.T, log iter.Seq2[*object.Commit, error]) []object.Hash {
	t.Helper()
	var got []object.Hash
	for c, err := range log {
		require.NoError(t, err)
		got = append(got, c.Hash)
	}
	return got
}

// inOrder sorts commits as Log says that it does.
func inOrder(g *graph, r Range, want map[object.Hash]bool) []object.Hash {
	var got, next []object.Hash
	found := map[object.Hash]bool{}
	find := func(all []object.Hash) {
		for _, h := range all {
			if want[h] && !found[h] {
				found[h], next = true, append(next, h)
			}
		}
	}
	for find(r.From); len(next) > 0; {
		latest := 0
		for i, h := range next {
			if g.commits[h].Committer.When.After(g.commits[next[latest]].Committer.When) {
				latest = i
			}
		}
		h := next[latest]
		got, next = append(got, h), slices.Delete(next, latest, latest+1)
		find(g.followed(h, r.FirstParent))
	}
	return got
}

// With right dates or wrong ones, nothing is fetched when what is at hand is enough to know.
func TestLogFetchesNothingThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	for name, clock := range clocks() {
		random := rand.New(rand.NewPCG(1, 4))
		g := &graph{commits: map[object.Hash]*object.Commit{}, here: map[object.Hash]bool{}, step: 1}
		for n := range 300 { // every tenth is a merge of two commits on the one nine before
			c := &object.Commit{Hash: named(n), Committer: object.Signature{When: time.Unix(clock(random, n), 0)}}
			if n > 0 {
				c.Parents = []object.Hash{named(n - 1)}
			}
			if n%10 == 0 && n > 0 {
				side := &object.Commit{Hash: named(1000 + n), Parents: []object.Hash{named(n - 9)}, Committer: c.Committer}
				g.commits[side.Hash] = side
				c.Parents = append(c.Parents, side.Hash)
			}
			g.commits[c.Hash] = c
		}
		from, base := named(299), named(285)
		g.cut([]object.Hash{from}, 24, false) // up to commit 275; what is kept was built on 281
		got := given(t, Log(t.Context(), g, Range{From: []object.Hash{from}, Not: []object.Hash{base}}))
		assert.Len(t, got, 14+1, name)
		assert.Zero(t, g.fetches, name)

		g.here = map[object.Hash]bool{}
		g.cut([]object.Hash{from}, 10, false)
		got = given(t, Log(t.Context(), g, Range{From: []object.Hash{from}, Not: []object.Hash{base}}))
		assert.Len(t, got, 14+1, name)
		assert.LessOrEqual(t, g.fetches, 12, "%s: a fetch a generation, down to 281", name)
		assert.False(t, g.here[named(277)], "%s: and not further", name)
	}
}

// A shallow repository that can't answer says so, and one that can answers.
func TestLogOfTheWhole(t *testing.T) {
	t.Parallel()
	clock := clocks()["right"]
	answered, refused := 0, 0
	for seed := range uint64(600) {
		random := rand.New(rand.NewPCG(seed, 5))
		g := randomGraph(random, clock)
		r := Range{From: pick(random, len(g.commits), 1), Not: pick(random, len(g.commits), 1), Whole: true}
		whole := g.behind(r.From, false)
		for h := range g.behind(r.Not, false) {
			delete(whole, h)
		}
		g.cut(slices.Concat(r.From, r.Not), 1+random.IntN(8), true)
		var got []object.Hash
		var failed error
		for c, err := range Log(t.Context(), g, r) {
			if failed = err; err == nil {
				got = append(got, c.Hash)
			}
		}
		if failed != nil {
			require.ErrorIs(t, failed, object.ErrShallow)
			refused++
			continue
		}
		require.Len(t, got, len(whole), "seed %d", seed)
		for _, h := range got {
			require.True(t, whole[h], "seed %d", seed)
		}
		answered++
	}
	assert.Greater(t, answered, 150)
	assert.Greater(t, refused, 150)
}

// Without Not, the commits that are there come, and the end is told where it is met.
func TestLogGoesOnAfterTheEndOfAShallowRepository(t *testing.T) {
	t.Parallel()
	g := randomGraph(rand.New(rand.NewPCG(9, 6)), clocks()["right"])
	tip := named(len(g.commits) - 1)
	g.cut([]object.Hash{tip}, 2, true)
	want := len(g.behind([]object.Hash{tip}, false))
	require.NotEmpty(t, g.ends)
	for _, whole := range []bool{false, true} {
		got, cuts := 0, 0
		for c, err := range Log(t.Context(), g, Range{From: []object.Hash{tip}, Whole: whole}) {
			if errors.Is(err, object.ErrShallow) {
				cuts++
				continue
			}
			require.NoError(t, err)
			require.NotNil(t, c)
			got++
		}
		assert.Equal(t, want, got)
		assert.Equal(t, map[bool]int{true: len(g.ends)}[whole], cuts)
	}
}
