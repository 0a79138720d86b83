package git_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// pairs is how many random pairs of branches are merged and rebased: a hundred in the storms.
func pairs() uint64 {
	if os.Getenv("TAXIWAY_STORMS") != "" {
		return 100
	}
	return 15
}

// tangle is a repository with the branches base and head, which come from the same commit.
type tangle struct {
	repo    *gittest.Repository
	random  *rand.Rand
	files   map[string]map[string]string // by branch
	pending *gittest.Import
}

func newTangle(t *testing.T, server *gittest.Server, seed uint64) *tangle {
	t.Helper()
	repo, err := server.Create(fmt.Sprintf("team/pair-%d", seed))
	require.NoError(t, err)
	g := &tangle{repo: repo, random: rand.New(rand.NewPCG(seed, 14)), files: map[string]map[string]string{}}
	start := map[string]string{}
	for i := range files {
		start[name(i)] = g.text(1 + g.random.IntN(60))
	}
	g.files["base"], g.files["head"] = start, maps.Clone(start)
	g.pending = repo.Import()
	first := g.pending.Commit("base", "start").Files(start)
	g.pending.Commit("head", "work").From(first).Write("d0/head", "1\n")
	g.files["head"]["d0/head"] = "1\n"
	return g
}

const files = 9

func name(i int) string { return fmt.Sprintf("d%d/f%d", i%3, i) }

// flush writes the commits that are waiting.
func (g *tangle) flush(t *testing.T) {
	t.Helper()
	if g.pending != nil {
		require.NoError(t, g.pending.Done())
		g.pending = nil
	}
}

// text has lines of which some are frequent, as in programs.
func (g *tangle) text(lines int) string {
	var b strings.Builder
	for range lines {
		b.WriteString(g.line())
	}
	return b.String()
}

func (g *tangle) line() string {
	if g.random.IntN(3) > 0 {
		return []string{"}\n", "\n", "\treturn\n", "end\n", "{\n"}[g.random.IntN(5)]
	}
	return fmt.Sprintf("line %d\n", g.random.IntN(50))
}

// edited is a file with some lines changed.
func (g *tangle) edited(content string) string {
	lines := strings.SplitAfter(content, "\n")
	for range 1 + g.random.IntN(2) {
		at := g.random.IntN(len(lines))
		switch g.random.IntN(4) {
		case 0:
			lines[at] = g.line()
		case 1:
			lines[at] += g.text(1 + g.random.IntN(3))
		case 2:
			end := min(len(lines), at+1+g.random.IntN(3))
			lines = append(lines[:at:at], append([]string{""}, lines[end:]...)...)
		default:
			lines[at] = strings.TrimSuffix(lines[at], "\n") + "x\n"
		}
	}
	return strings.Join(lines, "")
}

// work commits random changes to a branch. The other branch sometimes gets the same one.
func (g *tangle) work(branch, other string) {
	if g.pending == nil {
		g.pending = g.repo.Continue(branch)
	}
	changes, same := map[string]string{}, map[string]string{}
	c := g.pending.Commit(branch, fmt.Sprintf("work %d", g.random.IntN(1000)))
	both := g.random.IntN(4) == 0
	for range 1 + g.random.IntN(2) {
		name := name(g.random.IntN(files + 2))
		content, there := g.files[branch][name]
		switch {
		case there && g.random.IntN(20) == 0:
			c.Delete(name)
			delete(g.files[branch], name)
			continue
		case there && g.random.IntN(19) == 0:
			c.Exec(name, content)
			continue
		case there:
			content = g.edited(content)
		default:
			content = g.text(5)
		}
		if before, ok := g.files[branch][name]; both && ok && g.files[other][name] == before {
			same[name], g.files[other][name] = content, content
		}
		changes[name], g.files[branch][name] = content, content
	}
	c.Files(changes)
	if len(same) > 0 {
		g.pending.Commit(other, "the same").Files(same)
	}
}

// cross merges a branch into the other one, if git can.
func (g *tangle) cross(t *testing.T, into, from string) {
	t.Helper()
	g.flush(t)
	out, err := g.repo.Git("-c", "merge.renames=false", "merge-tree", "--write-tree", into, from)
	if err != nil {
		return
	}
	tips, err := g.repo.Git("rev-parse", into, from)
	require.NoError(t, err)
	merge, err := g.repo.CommitTree(strings.TrimSpace(out), "merge", strings.Fields(tips)...)
	require.NoError(t, err)
	require.NoError(t, g.repo.UpdateRef("refs/heads/"+into, merge))
	archive, err := g.repo.Git("archive", "--format=tar", into)
	require.NoError(t, err)
	g.files[into] = map[string]string{}
	for r := tar.NewReader(strings.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		if h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(r)
			require.NoError(t, err)
			g.files[into][h.Name] = string(content)
		}
	}
}

// grow adds commits to both branches. Every fourth pair is merged on the way: once, or both ways at
// once, which leaves two merge bases.
func (g *tangle) grow(t *testing.T, seed uint64) {
	t.Helper()
	steps := 2 + g.random.IntN(5)
	for step := range steps {
		if g.random.IntN(2) == 0 {
			g.work("base", "head")
		} else {
			g.work("head", "base")
		}
		switch {
		case step != steps/2:
		case seed%8 == 2:
			g.cross(t, "head", "base")
		case seed%4 == 0:
			g.flush(t)
			require.NoError(t, g.repo.UpdateRef("refs/heads/before", "base"))
			g.cross(t, "base", "head")
			g.cross(t, "head", "before")
		}
	}
	g.flush(t)
}

func (g *tangle) tips(t *testing.T) (base, head git.Hash) {
	t.Helper()
	b, err := g.repo.RevParse("base")
	require.NoError(t, err)
	h, err := g.repo.RevParse("head")
	require.NoError(t, err)
	return plumbing.NewHash(b), plumbing.NewHash(h)
}

// gitRebase is what git makes of a rebase, "" for a conflict.
func (g *tangle) gitRebase(t *testing.T, dir string) (tree string) {
	t.Helper()
	_, err := g.repo.Git("worktree", "add", "--quiet", "--detach", dir, "head")
	require.NoError(t, err)
	defer func() {
		_, err := g.repo.Git("worktree", "remove", "--force", dir)
		require.NoError(t, err)
	}()
	work := gittest.Open(dir)
	if _, err := work.Git("-c", "merge.renames=false", "rebase", "--quiet", "base"); err != nil {
		return ""
	}
	tree, err = work.RevParse("HEAD^{tree}")
	require.NoError(t, err)
	return tree
}

// TestMergesAndRebasesAreThoseOfGit compares trees and refusals with the git program's.
func TestMergesAndRebasesAreThoseOfGit(t *testing.T) {
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	count := map[string]int{}
	for seed := range pairs() {
		g := newTangle(t, server, seed)
		g.grow(t, seed)
		base, head := g.tips(t)
		remote, err := git.Open(git.Access{URI: g.repo.URL(), Branch: "main"}, git.Options{})
		require.NoError(t, err)
		store, err := remote.Store("")
		require.NoError(t, err)

		want, gitErr := g.repo.Git("-c", "merge.renames=false", "merge-tree", "--write-tree", "base", "head")
		got, err := store.MergeTree(t.Context(), base, head)
		var conflict *git.ConflictError
		switch {
		case gitErr != nil:
			count["merge conflict"]++
			assert.ErrorAs(t, err, &conflict, "seed %d: git has a conflict: %s", seed, want)
		case assert.NoError(t, err, "seed %d: git has no conflict", seed):
			count["merge"]++
			assert.Equal(t, strings.TrimSpace(want), got.String(), "seed %d", seed)
		}

		if seed%3 == 0 || os.Getenv("TAXIWAY_STORMS") != "" {
			wantTree := g.gitRebase(t, filepath.Join(t.TempDir(), "tree"))
			got, err := store.Rebase(t.Context(), base, head)
			switch {
			case wantTree == "":
				count["rebase conflict"]++
				assert.ErrorAs(t, err, &conflict, "seed %d: git has a conflict", seed)
			case assert.NoError(t, err, "seed %d: git has no conflict", seed):
				count["rebase"]++
				assert.Equal(t, wantTree, got.Tree.String(), "seed %d", seed)
			}
		}
		require.NoError(t, store.Close())
		require.NoError(t, remote.Close())
	}
	t.Log(count)
	for _, kind := range []string{"merge", "merge conflict", "rebase", "rebase conflict"} {
		assert.NotZero(t, count[kind], kind)
	}
}
