package release

import (
	"container/heap"
	"context"
	"errors"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// errCut says that a walk came to the end of a shallow clone.
var errCut = errors.New("history is cut off")

// parents are those of a commit; errCut where a shallow repository ends.
func parents(ctx context.Context, s *git.Store, c *git.Commit) ([]git.Hash, error) {
	have, err := s.Parents(ctx, c.Hash)
	switch {
	case errors.Is(err, git.ErrNotFound):
		return nil, errCut
	case err != nil:
		return nil, err
	case len(have) == 0 && len(c.Parents) > 0:
		return nil, errCut
	}
	return have, nil
}

// reachable gives the first of the wanted commits that comes before head or is
// it. The clone's history is read once, newest first, for all of them.
func reachable(ctx context.Context, s *git.Store, head git.Hash, wanted []git.Hash) (found git.Hash, ok bool, err error) {
	best := len(wanted)
	w := &walk{store: s, nodes: map[git.Hash]*node{}}
	if err := w.add(ctx, head, false); err != nil {
		return found, false, err
	}
	for w.queue.Len() > 0 && best > 0 {
		if ctx.Err() != nil {
			return found, false, context.Cause(ctx)
		}
		n := w.pop()
		if i := slices.Index(wanted[:best], n.commit.Hash); i >= 0 {
			best = i
		}
		if _, err := w.expand(ctx, n); err != nil {
			return found, false, err
		}
	}
	if best > 0 && w.cut {
		return found, false, errCut // a higher one may be behind the cut
	}
	if best == len(wanted) {
		return found, false, nil
	}
	return wanted[best], true, nil
}

// slop is how many commits of the other side are looked at after the last one of
// this side: clocks of committers differ.
const slop = 50

// between gives the commits that come before head, or are it, and neither before
// base nor are base, newest first. A zero base excludes nothing.
func between(ctx context.Context, s *git.Store, base, head git.Hash) ([]*git.Commit, error) {
	w := &walk{store: s, nodes: map[git.Hash]*node{}}
	if err := w.add(ctx, head, false); err != nil {
		return nil, err
	}
	if !base.IsZero() {
		if err := w.add(ctx, base, true); err != nil {
			return nil, err
		}
	}
	var order []*node
	for spare := slop; w.queue.Len() > 0 && spare > 0; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n := w.pop()
		if n.excluded && w.fresh == 0 {
			spare--
		}
		if !n.excluded {
			order, spare = append(order, n), slop
		}
		cut, err := w.expand(ctx, n)
		if err != nil {
			return nil, err
		}
		if cut && !n.excluded {
			return nil, errCut
		}
	}
	var commits []*git.Commit
	for _, n := range order {
		if !n.excluded {
			commits = append(commits, n.commit)
		}
	}
	return commits, nil
}

// walk goes back in time from several commits at once.
type walk struct {
	store *git.Store
	nodes map[git.Hash]*node
	queue nodeQueue
	fresh int  // nodes in the queue that are not excluded
	cut   bool // a shallow repository ended somewhere
}

type node struct {
	commit   *git.Commit
	order    int // of arrival
	excluded bool
	queued   bool
	parents  []git.Hash // once it was expanded
}

func (w *walk) add(ctx context.Context, h git.Hash, excluded bool) error {
	if n := w.nodes[h]; n != nil {
		if excluded {
			w.exclude(n)
		}
		return nil
	}
	c, err := w.store.Commit(ctx, h)
	if err != nil {
		return err
	}
	n := &node{commit: c, order: len(w.nodes), excluded: excluded, queued: true}
	w.nodes[h], w.nodes[c.Hash] = n, n
	if !excluded {
		w.fresh++
	}
	heap.Push(&w.queue, n)
	return nil
}

// exclude marks a commit and all that is known to come before it.
func (w *walk) exclude(n *node) {
	for todo := []*node{n}; len(todo) > 0; {
		n, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if n.excluded {
			continue
		}
		n.excluded = true
		if n.queued {
			w.fresh--
		}
		for _, p := range n.parents {
			if known := w.nodes[p]; known != nil {
				todo = append(todo, known)
			}
		}
	}
}

func (w *walk) pop() *node {
	n, _ := heap.Pop(&w.queue).(*node)
	n.queued = false
	if !n.excluded {
		w.fresh--
	}
	return n
}

// expand queues the parents and reports whether there are some that the
// repository has not got.
func (w *walk) expand(ctx context.Context, n *node) (cut bool, err error) {
	all, err := parents(ctx, w.store, n.commit)
	if errors.Is(err, errCut) {
		w.cut = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	n.parents = all
	for _, p := range all {
		if err := w.add(ctx, p, n.excluded); err != nil {
			return false, err
		}
	}
	return false, nil
}

// nodeQueue gives the youngest commit first.
type nodeQueue []*node

// Len is part of heap.Interface, as are the other methods.
func (q nodeQueue) Len() int { return len(q) }

// Less puts younger commits first, and of several with one date the one that
// came first.
func (q nodeQueue) Less(i, j int) bool {
	a, b := q[i].commit.Committer.When.Unix(), q[j].commit.Committer.When.Unix()
	if a != b {
		return a > b
	}
	return q[i].order < q[j].order
}

// Swap exchanges two elements.
func (q nodeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds x, which is always a *node.
func (q *nodeQueue) Push(x any) {
	if n, ok := x.(*node); ok {
		*q = append(*q, n)
	}
}

// Pop takes the last element.
func (q *nodeQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
