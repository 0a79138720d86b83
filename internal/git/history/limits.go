package history

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// limits finds the commits that can be reached from Range.From and not from Range.Not.
//
// Both sides are walked at once, later dates first. When only the side that is left out goes on, it
// could still lead to a commit that is kept, if dates are equal or wrong. So that side is followed
// until its ends are known to come before everything that is kept: history has no circles, so what
// comes before a commit does not lead to it. This is exact, it asks nothing of dates, and in an
// ordinary history it ends at the oldest commit on which anything that is kept was built.
type limits struct {
	past  Repository
	r     Range
	nodes map[object.Hash]*node // also by the hash of a tag that was given
	unmet map[object.Hash]bool  // of Not, neither at hand nor found yet
	queue dateQueue             // not followed yet, with their parents at hand
	edge  []*node               // not followed yet; their parents must be fetched
	cut   []*node               // left out, and their parents are not in the repository
	open  int                   // kept commits in queue and edge
	wait  int                   // commits to follow before the ends are looked at again
	runs  int                   // searches so far, see comesBefore
}

// node is a commit in a walk.
type node struct {
	commit   *object.Commit
	order    int
	out      bool // left out
	waiting  bool // in queue or edge
	parents  []*node
	children []*node
	run      int // the last search that came by
}

// date is the committer's, in seconds; 0 where the commit has none that can be read.
func (n *node) date() int64 { return max(0, n.commit.Committer.When.Unix()) }

func newLimits(p Repository, r Range) *limits {
	return &limits{past: p, r: r, nodes: map[object.Hash]*node{}, unmet: map[object.Hash]bool{}}
}

// keeps reports whether a commit is in the range.
func (l *limits) keeps(h object.Hash) bool {
	n := l.nodes[h]
	return n != nil && !n.out
}

// isNot reports whether a commit is one of Not itself.
func (l *limits) isNot(h object.Hash) bool {
	return slices.ContainsFunc(l.r.Not, func(not object.Hash) bool { return l.nodes[not] == l.nodes[h] })
}

// parents are those that were followed, kept or not.
func (l *limits) parents(h object.Hash) []object.Hash {
	n := l.nodes[h]
	all := make([]object.Hash, 0, len(n.parents))
	for _, p := range n.parents {
		all = append(all, p.commit.Hash)
	}
	return all
}

func (l *limits) find(ctx context.Context) error {
	for _, h := range l.r.Not {
		l.unmet[h] = true
		if !l.past.Has(h) {
			continue
		}
		if _, err := l.add(ctx, h, true); err != nil {
			return err
		}
	}
	for _, h := range l.r.From {
		if _, err := l.add(ctx, h, false); err != nil {
			return err
		}
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		more, err := l.step(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// step follows one commit. It fetches only when nothing else can be done.
func (l *limits) step(ctx context.Context) (more bool, err error) {
	switch {
	case l.open == 0 && len(l.unmet) > 0:
		return true, l.addUnmet(ctx)
	case l.open == 0 && l.closed():
		return false, nil
	case len(l.queue) > 0:
		n := l.nodes[l.queue.take().Hash]
		return true, l.follow(ctx, n)
	case len(l.edge) > 0:
		return true, l.followEdge(ctx)
	}
	return false, object.ErrShallow // left out, and cut off before it was closed
}

// followEdge follows the latest of the commits whose parents must be fetched.
func (l *limits) followEdge(ctx context.Context) error {
	edge := l.edge
	l.edge = nil
	n := slices.MaxFunc(edge, func(a, b *node) int { return cmp.Compare(a.date(), b.date()) })
	if err := l.follow(ctx, n); err != nil {
		return err
	}
	for _, e := range edge {
		if e != n {
			l.enqueue(e) // its parents may have come as well
		}
	}
	return nil
}

// addUnmet adds the commits of Not that are not behind From.
func (l *limits) addUnmet(ctx context.Context) error {
	for _, h := range l.r.Not {
		if l.unmet[h] {
			if _, err := l.add(ctx, h, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// add makes a commit known and gives it.
func (l *limits) add(ctx context.Context, h object.Hash, out bool) (*node, error) {
	if l.unmet[h] {
		delete(l.unmet, h)
		out = true
	}
	n := l.nodes[h]
	if n == nil {
		c, err := l.past.Commit(ctx, h)
		if err != nil {
			return nil, err
		}
		if n = l.nodes[c.Hash]; n == nil {
			n = &node{commit: c, order: len(l.nodes)}
			l.nodes[c.Hash] = n
			l.open++
			l.enqueue(n)
		}
		l.nodes[h] = n
	}
	if out {
		l.leaveOut(n)
	}
	return n, nil
}

func (l *limits) enqueue(n *node) {
	n.waiting = true
	if isReady(l.past, n.commit) {
		l.queue.add(n)
	} else {
		l.edge = append(l.edge, n)
	}
}

// leaveOut marks a commit and all that is known to come before it.
func (l *limits) leaveOut(n *node) {
	for todo := []*node{n}; len(todo) > 0; {
		n, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if n.out {
			continue
		}
		n.out = true
		if n.waiting {
			l.open--
		} else if l.r.FirstParent && len(n.commit.Parents) > len(n.parents) {
			l.enqueue(n) // for its other parents
		}
		todo = append(todo, n.parents...)
	}
}

// follow makes the parents of a commit known.
func (l *limits) follow(ctx context.Context, n *node) error {
	n.waiting = false
	if !n.out {
		l.open--
	}
	parents, err := parentsOf(ctx, l.past, n.commit, l.r.Whole)
	if errors.Is(err, object.ErrShallow) && n.out {
		l.cut = append(l.cut, n)
		return nil
	}
	if err != nil {
		return err
	}
	if l.r.FirstParent && !n.out && len(parents) > 1 {
		parents = parents[:1]
	}
	for _, h := range parents[min(len(n.parents), len(parents)):] {
		p, err := l.add(ctx, h, n.out)
		if err != nil {
			return err
		}
		n.parents = append(n.parents, p)
		p.children = append(p.children, n)
	}
	return nil
}

// closed reports whether nothing that is left out can lead to a commit that is kept: each end of the
// part that is left out comes before all commits with which the kept part begins. While there is more
// to follow at no cost, it is worked out only now and then.
func (l *limits) closed() bool {
	l.wait--
	if l.wait > 0 && len(l.queue) > 0 {
		return false
	}
	l.wait = len(l.nodes) / 4 //nolint:mnd // at most four times the work of following
	ends := slices.Concat([]*node(l.queue), l.edge, l.cut)
	if len(ends) == 0 {
		return true
	}
	first := map[*node]bool{}
	for _, n := range l.nodes {
		if !n.out && !slices.ContainsFunc(n.parents, func(p *node) bool { return !p.out }) {
			first[n] = true
		}
	}
	return !slices.ContainsFunc(ends, func(end *node) bool { return !l.comesBefore(end, first) })
}

// comesBefore reports whether a commit that is left out is known to come before all of the others.
func (l *limits) comesBefore(end *node, others map[*node]bool) bool {
	l.runs++
	found := 0
	for todo := []*node{end}; len(todo) > 0 && found < len(others); {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, child := range n.children {
			if child.run == l.runs {
				continue
			}
			child.run = l.runs
			if others[child] {
				found++
			}
			if child.out {
				todo = append(todo, child)
			}
		}
	}
	return found == len(others)
}
