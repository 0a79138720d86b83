package git

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// tangled is a repository with branches and merges, at random.
func tangled(tb testing.TB, r *gittest.Repository, commits int, seed uint64) {
	tb.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	i := r.Import()
	all := []*gittest.Commit{i.Commit("main", "start").Write("f0", "0").Write("d/x", "x")}
	for n := range commits {
		branch := "main"
		var from *gittest.Commit
		if random.IntN(3) == 0 {
			from = all[max(0, len(all)-1-random.IntN(8))]
			branch = fmt.Sprintf("side%d", n)
		}
		c := i.Commit(branch, fmt.Sprintf("commit %d", n)).Write(fmt.Sprintf("d/f%d", n%7), fmt.Sprint(n)).At(time.Unix(1700000000+int64(n)*60, 0))
		if from != nil {
			c.From(from)
		} else if side := all[max(0, len(all)-1-random.IntN(5))]; random.IntN(3) == 0 {
			c.Merge(side)
		}
		all = append(all, c)
	}
	require.NoError(tb, i.Done())
}

// walked are all commits that can be reached.
func walked(tb testing.TB, s *Store, from Hash) []string {
	tb.Helper()
	seen := map[Hash]bool{from: true}
	var found []string
	for queue := []Hash{from}; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0].String())
		parents, err := s.Parents(tb.Context(), queue[0])
		require.NoError(tb, err)
		c, err := s.Commit(tb.Context(), queue[0])
		require.NoError(tb, err)
		require.NoError(tb, s.Walk(tb.Context(), c.Tree, func(string) bool { return true }, func(string, Entry) error { return nil }))
		for _, p := range parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestAllHistoryComesWithMerges(t *testing.T) {
	server := serve(t, gittest.Options{})
	old := serve(t, gittest.Options{NoV2: true, Dir: server.Dir()})
	repo := served(t, server)
	tangled(t, repo, 400, 7)
	want, err := repo.Log("%H", "main")
	require.NoError(t, err)
	slices.Sort(want)
	for _, uri := range []string{repo.URL(), old.URL("team/deployments"), repo.Dir} {
		r := open(t, Access{URI: uri})
		s := openIn(t, r, "")
		assert.Equal(t, want, walked(t, s, tipOf(t, r, s)))
	}
	assert.LessOrEqual(t, len(server.Requests()), 6, "refs, greeting, and as few steps as possible")
}

func TestWarmStoreFetchesLittle(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	tangled(t, repo, 150, 3)
	dir := t.TempDir()
	for n := range 5 {
		_, err := repo.Commit("main", "more", map[string]string{"d/x": fmt.Sprint(n)})
		require.NoError(t, err)
		r := open(t, Access{URI: repo.URL()})
		s, err := r.Store(dir)
		require.NoError(t, err)
		server.Reset()
		tip := tipOf(t, r, s)
		requests := server.Requests()
		require.Len(t, requests, 2, "refs, objects")
		assert.Equal(t, n > 0, requests[1].Haves > 0)
		if n > 1 {
			assert.Less(t, requests[1].Out, int64(3000))
		}
		server.Reset()
		require.NoError(t, s.Advance(t.Context(), mainRef, tip))
		assert.Empty(t, server.Requests(), "nothing is fetched twice")
		if n == 4 {
			want, err := repo.Log("%H", "main")
			require.NoError(t, err)
			slices.Sort(want)
			assert.Equal(t, want, walked(t, s, tip))
		}
		require.NoError(t, s.Close())
	}
}

func TestBranchThatWasForced(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	tangled(t, repo, 500, 5)
	dir := t.TempDir()
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, dir)
	before := tipOf(t, r, s)
	wantBefore, err := repo.Log("%H", "main")
	require.NoError(t, err)
	slices.Sort(wantBefore)
	i := repo.Import()
	i.Commit("main", "other").Orphan().Write("d/x", "other")
	require.NoError(t, i.Done())
	tip := tipOf(t, r, s)
	assert.Equal(t, wantBefore, walked(t, s, before), "what was is still available")
	want, err := repo.Log("%H", "main")
	require.NoError(t, err)
	slices.Sort(want)
	assert.Equal(t, want, walked(t, s, tip))
	on, err := s.IsAncestor(t.Context(), before, tip)
	require.NoError(t, err)
	assert.False(t, on)
}

func TestIsAncestor(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	tangled(t, repo, 1300, 11)
	all, err := repo.Log("%H", "--all")
	require.NoError(t, err)
	behind, err := repo.Log("%H", "main")
	require.NoError(t, err)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	tip := tipOf(t, r, s)
	server.Reset()
	checked := 0
	for n := 0; n < len(all); n += 50 {
		checked++
		h := resolve(t, repo, all[n])
		on, err := s.IsAncestor(t.Context(), h, tip)
		require.NoError(t, err)
		assert.Equal(t, slices.Contains(behind, all[n]), on, all[n])
	}
	assert.Greater(t, checked, 20)
	assert.LessOrEqual(t, len(server.Requests()), 3)
	on, err := s.IsAncestor(t.Context(), Hash{1}, tip)
	require.NoError(t, err)
	assert.False(t, on)
}

func TestDamagedFolder(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	tangled(t, repo, 50, 2)
	read := func(dir string) error {
		r := open(t, Access{URI: repo.URL()})
		s, err := r.Store(dir)
		if err != nil {
			return err
		}
		defer s.Close()
		refs, err := r.Refs(t.Context(), mainRef)
		require.NoError(t, err)
		if err := s.Advance(t.Context(), mainRef, refs[mainRef]); err != nil {
			return err
		}
		c, err := s.Commit(t.Context(), refs[mainRef])
		if err != nil {
			return err
		}
		return s.Walk(t.Context(), c.Tree, func(string) bool { return true }, func(string, Entry) error { return nil })
	}
	for _, name := range []string{"000001.pack", "000001.idx", "state"} {
		for how, damage := range map[string]func([]byte) []byte{
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
			"emptied": func([]byte) []byte { return nil },
			"zeroed":  func(b []byte) []byte { clear(b[len(b)/8:]); return b },
			"other": func([]byte) []byte {
				return []byte("something else entirely, and not too short for a pack or an index")
			},
		} {
			dir := t.TempDir()
			require.NoError(t, read(dir))
			file := filepath.Join(dir, name)
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file+".x", damage(content), 0o600))
			require.NoError(t, os.Rename(file+".x", file))
			require.ErrorIs(t, read(dir), ErrDamaged, "%s %s", name, how)
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, read(dir))
		}
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"new-123", "000009.pack", "000009.idx", "new-state"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("not ours"), 0o600))
	s, err := pack.OpenStore(dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "other", entries[0].Name())
}

func TestLookupAndDiff(t *testing.T) {
	repo := bare(t)
	_, err := repo.Commit("main", "one", map[string]string{"a": "1", "d/b": "1", "d/c": "1", "e/f/g": "1", "n": "1"})
	require.NoError(t, err)
	_, err = repo.Commit("main", "two", map[string]string{"a": "2", "d/b": "2", "h/i": "2", "n.x": "1"})
	require.NoError(t, err)
	_, err = repo.Delete("main", "three", "d/c", "n")
	require.NoError(t, err)
	_, err = repo.Commit("main", "four", map[string]string{"n/file": "now a folder"})
	require.NoError(t, err)
	s := openStore(t, repo)
	first, err := s.Commit(t.Context(), resolve(t, repo, "main~3"))
	require.NoError(t, err)
	last, err := s.Commit(t.Context(), resolve(t, repo, "main"))
	require.NoError(t, err)

	for _, p := range []string{"", "x", "a/b", "d/x", "d/b/c", "e/f/g/h"} {
		_, err := s.Lookup(t.Context(), first.Tree, p)
		require.ErrorIs(t, err, fs.ErrNotExist, p)
	}
	e, err := s.Lookup(t.Context(), first.Tree, "e/f/g")
	require.NoError(t, err)
	assert.Equal(t, "g", e.Name)

	differences := func(a, b Hash, descend func(string) bool) []string {
		var found []string
		require.NoError(t, s.Diff(t.Context(), a, b, descend, func(p string, before, after *Entry) error {
			found = append(found, fmt.Sprintf("%s %t %t", p, before != nil, after != nil))
			return nil
		}))
		return found
	}
	everywhere := func(string) bool { return true }
	assert.ElementsMatch(t, []string{"a true true", "d/b true true", "d/c true false", "h/i false true", "n true false", "n.x false true", "n/file false true"}, differences(first.Tree, last.Tree, everywhere))
	assert.ElementsMatch(t, []string{"a true true", "n true false", "n.x false true"}, differences(first.Tree, last.Tree, func(string) bool { return false }))
	assert.Len(t, differences(Hash{}, first.Tree, everywhere), 5)
	assert.Empty(t, differences(last.Tree, last.Tree, everywhere))
	names, err := repo.Git("diff", "--name-only", "--no-renames", "main~3", "main")
	require.NoError(t, err)
	assert.Len(t, strings.Fields(names), 7)
}

func TestLocalRepositories(t *testing.T) {
	repo := bare(t)
	withLog(t, repo)
	work := filepath.Join(t.TempDir(), "work")
	_, err := repo.Git("clone", "--quiet", repo.Dir, work)
	require.NoError(t, err)
	clone := gittest.Open(work)
	_, err = clone.Git("worktree", "add", "--quiet", "-b", "other", filepath.Join(work, "..", "linked"))
	require.NoError(t, err)
	_, err = clone.Git("pack-refs", "--all")
	require.NoError(t, err)
	tip := resolve(t, repo, "main")
	for _, dir := range []string{repo.Dir, work, filepath.Join(work, "..", "linked"), filepath.Join(work, ".git")} {
		s, err := OpenClone(dir)
		require.NoError(t, err, dir)
		head, err := s.Ref("HEAD")
		require.NoError(t, err, dir)
		assert.Equal(t, tip, head)
		_, err = s.Commit(t.Context(), head)
		require.NoError(t, err)
		_, err = s.Commit(t.Context(), Hash{1})
		require.ErrorIs(t, err, ErrNotFound)
		_, err = s.Ref("refs/heads/none")
		require.ErrorIs(t, err, ErrNoBranch)
		refs, err := s.Refs()
		require.NoError(t, err)
		assert.Equal(t, tip, refs[mainRef])
		require.NoError(t, s.Close())
	}
	r := open(t, Access{URI: work})
	s := openIn(t, r, "")
	_, err = s.UpdateRef(t.Context(), mainRef, appending(s, "no"))
	require.ErrorContains(t, err, "checked out")
}

func TestLocalStoreSeesWhatOthersDo(t *testing.T) {
	repo := bare(t)
	withLog(t, repo)
	r := open(t, Access{URI: repo.Dir})
	s := openIn(t, r, "")
	tipOf(t, r, s)
	_, err := repo.Commit("main", "later", map[string]string{"x": "y"})
	require.NoError(t, err)
	_, err = repo.Git("gc", "--quiet", "--prune=now")
	require.NoError(t, err)
	_, err = s.Commit(t.Context(), tipOf(t, r, s))
	require.NoError(t, err)
}

func TestRepositoryThatIsShallowItself(t *testing.T) {
	server := serve(t, gittest.Options{})
	old := serve(t, gittest.Options{NoV2: true, Dir: server.Dir()})
	repo := served(t, server)
	madeHistory(t, repo, 10)
	shallow := filepath.Join(filepath.Dir(repo.Dir), "shallow.git")
	_, err := repo.Git("clone", "--quiet", "--bare", "--depth", "4", "file://"+repo.Dir, shallow)
	require.NoError(t, err)
	for _, uri := range []string{server.URL("team/shallow"), old.URL("team/shallow"), shallow} {
		r := open(t, Access{URI: uri})
		s := openIn(t, r, "")
		tip := tipOf(t, r, s)
		assert.Len(t, walked(t, s, tip), 4, "its end is taken for the beginning")
		server.Reset()
		assert.Len(t, walked(t, s, tip), 4)
		assert.Empty(t, server.Requests(), "once is enough")
	}
}
