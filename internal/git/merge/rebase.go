package merge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/history"
	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/threeway"
)

// Rebase replays the commits of head that onto lacks on top of onto, as git rebase does: merges are
// left out, and so are changes that onto already has. The new commits exist in this store only; they
// keep author, committer and dates, so the same two commits always give the same result. It returns
// the last one. What can't be replayed is a *ConflictError. Renames are not followed, see [Tree].
func Rebase(ctx context.Context, r Repository, onto, head object.Hash) (*object.Commit, error) {
	at, err := store{r}.rebase(ctx, onto, head)
	if err != nil {
		return nil, fmt.Errorf("rebase %.7s onto %.7s: %w", head, onto, err)
	}
	return at, nil
}

func (s store) rebase(ctx context.Context, onto, head object.Hash) (*object.Commit, error) {
	at, err := s.Commit(ctx, onto)
	if err != nil {
		return nil, err
	}
	todo, err := s.toReplay(ctx, onto, head)
	if err != nil {
		return nil, err
	}
	for _, c := range todo {
		if at, err = s.replay(ctx, at, c); err != nil {
			subject, _, _ := strings.Cut(c.Message, "\n")
			return nil, fmt.Errorf("replay %.7s %q: %w", c.Hash, subject, err)
		}
	}
	return at, nil
}

// replay makes the change of a commit once more, on top of another one.
func (s store) replay(ctx context.Context, at, c *object.Commit) (*object.Commit, error) {
	if len(c.Parents) == 1 && c.Parents[0] == at.Hash {
		return c, nil
	}
	before, err := s.treeBefore(ctx, c)
	if err != nil {
		return nil, err
	}
	tree, err := s.mergeTrees(ctx, before, at.Tree, c.Tree, 0)
	if err != nil {
		return nil, err
	}
	if tree == at.Tree && c.Tree != before {
		return at, nil // the change is there already
	}
	return s.keep(&object.Commit{Tree: tree, Parents: []object.Hash{at.Hash}, Author: c.Author, Committer: c.Committer, Message: c.Message}), nil
}

// treeBefore is the tree of a commit's first parent, or the zero hash.
func (s store) treeBefore(ctx context.Context, c *object.Commit) (object.Hash, error) {
	parents, err := s.Parents(ctx, c.Hash)
	if err != nil || len(parents) == 0 {
		return object.Hash{}, err
	}
	parent, err := s.Commit(ctx, parents[0])
	if err != nil {
		return object.Hash{}, err
	}
	return parent.Tree, nil
}

// toReplay lists the commits of head that onto lacks, without merges and without those whose change
// onto has, in the order in which they are replayed.
func (s store) toReplay(ctx context.Context, onto, head object.Hash) ([]*object.Commit, error) {
	all, err := s.between(ctx, onto, head)
	if err != nil {
		return nil, err
	}
	isMerge := func(c *object.Commit) bool { return len(c.Parents) > 1 }
	todo := slices.DeleteFunc(parentsFirst(all), isMerge)
	if len(todo) == 0 {
		return nil, nil
	}
	there, err := s.between(ctx, head, onto)
	if err != nil {
		return nil, err
	}
	there = slices.DeleteFunc(there, isMerge)
	if len(there) == 0 {
		return todo, nil
	}
	return s.withoutApplied(ctx, todo, there)
}

func (s store) between(ctx context.Context, not, from object.Hash) ([]*object.Commit, error) {
	var all []*object.Commit
	for c, err := range history.Log(ctx, s, history.Range{From: []object.Hash{from}, Not: []object.Hash{not}}) {
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// parentsFirst sorts commits as git log --topo-order --reverse does: a line of history stays together,
// and of a merge the first parent's line comes first.
func parentsFirst(all []*object.Commit) []*object.Commit {
	byHash, children := map[object.Hash]*object.Commit{}, map[object.Hash]int{}
	for _, c := range all {
		byHash[c.Hash] = c
		for _, p := range c.Parents {
			children[p]++
		}
	}
	var stack, sorted []*object.Commit
	for _, c := range slices.Backward(all) {
		if children[c.Hash] == 0 {
			stack = append(stack, c)
		}
	}
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		sorted = append(sorted, c)
		for _, h := range c.Parents {
			children[h]--
			if p := byHash[h]; p != nil && children[h] == 0 {
				stack = append(stack, p)
			}
		}
	}
	slices.Reverse(sorted)
	return sorted
}

// touched is a path that a commit changes.
type touched struct {
	path          string
	before, after object.Entry
}

// withoutApplied leaves out the commits whose change one of the others makes too.
func (s store) withoutApplied(ctx context.Context, todo, there []*object.Commit) ([]*object.Commit, error) {
	byPaths := map[string][][]touched{}
	for _, c := range there {
		change, err := s.change(ctx, c)
		if err != nil {
			return nil, err
		}
		byPaths[pathsOf(change)] = append(byPaths[pathsOf(change)], change)
	}
	var left []*object.Commit
	for _, c := range todo {
		change, err := s.change(ctx, c)
		if err != nil {
			return nil, err
		}
		applied := false
		if len(change) > 0 {
			for _, other := range byPaths[pathsOf(change)] {
				same, err := s.sameChange(ctx, change, other)
				if err != nil {
					return nil, err
				}
				applied = applied || same
			}
		}
		if !applied {
			left = append(left, c)
		}
	}
	return left, nil
}

func (s store) change(ctx context.Context, c *object.Commit) ([]touched, error) {
	before, err := s.treeBefore(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []touched
	err = s.Diff(ctx, before, c.Tree, func(string) bool { return true }, func(path string, before, after *object.Entry) error {
		t := touched{path: path}
		if before != nil {
			t.before = *before
		}
		if after != nil {
			t.after = *after
		}
		all = append(all, t)
		return nil
	})
	return all, err
}

func pathsOf(change []touched) string {
	names := make([]string, len(change))
	for i, t := range change {
		names[i] = t.path
	}
	return strings.Join(names, "\x00")
}

// sameChange reports whether two changes of the same paths have the same patch, wherever in the files
// it applies.
func (s store) sameChange(ctx context.Context, a, b []touched) (bool, error) {
	for i := range a {
		x, y := a[i], b[i]
		if x.before == y.before && x.after == y.after {
			continue
		}
		if x.before.Mode != y.before.Mode || x.after.Mode != y.after.Mode || x.before.Mode == filemode.Submodule || x.after.Mode == filemode.Submodule {
			return false, nil
		}
		var texts [4][]byte
		for j, h := range []object.Hash{x.before.Hash, x.after.Hash, y.before.Hash, y.after.Hash} {
			content, err := s.mergeable(ctx, h)
			if err != nil || content == nil {
				return false, err
			}
			texts[j] = content
		}
		if threeway.IsBinary(texts[0]) || threeway.IsBinary(texts[1]) || !threeway.SamePatch(texts[0], texts[1], texts[2], texts[3]) {
			return false, nil
		}
	}
	return true, nil
}
