// Package history walks over the commits of a repository, whose missing parts are fetched as a walk reaches them.
package history

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Range says which commits [Log] gives.
type Range struct {
	// From are the commits at which the walk starts.
	From []object.Hash
	// Not are commits that are left out with everything before them. One that is not at hand is
	// looked for behind From, and fetched by itself only if it is not there.
	Not []object.Hash
	// FirstParent follows only the first parent of a merge: the line that a branch itself was on.
	// What is before Not is found over all parents nevertheless.
	FirstParent bool
	// Paths, if set, keeps only commits that touch a matching file. History is simplified as git
	// does by default: a merge that is like one of its parents is left out, and of its parents
	// only that one is followed.
	Paths *Paths
	// Prefetch names blobs that the caller is going to read at a commit. Missing ones are fetched
	// before the commit is given, together with those of the commits after it, in growing batches.
	Prefetch func(context.Context, *object.Commit) ([]object.Hash, error)
	// Expected is how many commits the caller will read, if that is known: their blobs are fetched in as few batches as there are steps
	// back in history.
	Expected int
	// Whole gives object.ErrShallow where the repository itself ends because it is shallow. Without it
	// history counts as beginning there.
	Whole bool
	// AtHand ends the walk where older commits would have to be fetched.
	AtHand bool
}

// Paths picks files, symbolic links and submodules by their path from the top.
type Paths struct {
	// Match reports whether a file counts, and Descend whether any file in a folder could. Both
	// must give the same answer each time.
	Match, Descend func(path string) bool
}

// OnlyPath picks one file.
func OnlyPath(name string) *Paths {
	return &Paths{
		Match:   func(p string) bool { return p == name },
		Descend: func(dir string) bool { return strings.HasPrefix(name, dir+"/") },
	}
}

// Repository is what the walks read.
type Repository interface {
	Commit(ctx context.Context, h object.Hash) (*object.Commit, error)
	// Parents are a commit's, made readable; none where history begins or the repository ends.
	Parents(ctx context.Context, h object.Hash) ([]object.Hash, error)
	Diff(ctx context.Context, before, after object.Hash, descend func(string) bool, visit func(path string, before, after *object.Entry) error) error
	// Has reports whether an object can be read without fetching.
	Has(h object.Hash) bool
	// Need fetches missing blobs.
	Need(ctx context.Context, blobs ...object.Hash) error
}

// Log walks back through history. It gives each commit that can be reached from r.From and not from
// r.Not once, whatever the dates of commits are.
//
// The order is that of git log: next comes, among the parents of the commits given so far and
// r.From, the commit with the latest committer date, or of several the one that was found first.
// So every commit comes after at least one of its children. It comes after all of them where no
// child is dated before its parent.
//
// History that is missing is fetched where the walk comes to its end. The walk ends with the first
// error, except object.ErrShallow: a caller who goes on gets the commits that are there.
func Log(ctx context.Context, p Repository, r Range) iter.Seq2[*object.Commit, error] {
	return func(yield func(*object.Commit, error) bool) {
		w := &walk{Repository: p, Range: r, seen: map[object.Hash]bool{}}
		fail := func(err error) bool {
			return yield(nil, fmt.Errorf("read history from %s: %w", shortList(r.From), err))
		}
		if err := w.start(ctx); err != nil {
			fail(err)
			return
		}
		for {
			c, err := w.next(ctx)
			switch {
			case err != nil:
				if !fail(err) || !errors.Is(err, object.ErrShallow) {
					return
				}
			case c == nil || !yield(c, nil):
				return
			}
		}
	}
}

// walk is one use of Log.
type walk struct {
	Repository
	Range
	limits *limits // nil: everything before From
	seen   map[object.Hash]bool
	queue  dateQueue
	due    *object.Commit   // was given or compared, but its parents are not in the queue yet
	ahead  []*object.Commit // prefetched, to be given
	batch  int              // commits in the next batch that is prefetched, at the least
}

const (
	// maxBatch bounds the commits whose blobs are prefetched in one request.
	maxBatch = 1024
	// knownBatch does where the end is known, so that nothing is fetched in vain.
	knownBatch = 4096
)

func (w *walk) start(ctx context.Context) error {
	if len(w.Not) > 0 {
		w.limits = newLimits(w.Repository, w.Range)
		if err := w.limits.find(ctx); err != nil {
			return err
		}
		w.batch = knownBatch
	} else {
		w.batch = 1
	}
	for _, h := range w.From {
		if err := w.push(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// push queues a commit, unless that was done before or the commit is left out.
func (w *walk) push(ctx context.Context, h object.Hash) error {
	if w.seen[h] || w.limits != nil && !w.limits.keeps(h) {
		return nil
	}
	c, err := w.commit(ctx, h)
	if err != nil {
		return err
	}
	if !w.seen[c.Hash] {
		w.seen[h], w.seen[c.Hash] = true, true
		w.queue.add(&node{commit: c, order: len(w.seen)})
	}
	return nil
}

func (w *walk) commit(ctx context.Context, h object.Hash) (*object.Commit, error) {
	if w.limits != nil {
		if n := w.limits.nodes[h]; n != nil {
			return n.commit, nil
		}
	}
	return w.Commit(ctx, h)
}

// next is the next commit to give; nil at the end.
func (w *walk) next(ctx context.Context) (*object.Commit, error) {
	if len(w.ahead) > 0 {
		c := w.ahead[0]
		w.ahead = w.ahead[1:]
		return c, nil
	}
	c, err := w.step(ctx, !w.AtHand)
	if err != nil || c == nil || w.Prefetch == nil {
		return c, err
	}
	return c, w.prefetch(ctx, c)
}

// prefetch makes the blobs of c readable. If any is missing, those of the commits that come next are
// fetched with it, as far as these are at hand.
func (w *walk) prefetch(ctx context.Context, c *object.Commit) error {
	missing, err := w.missing(ctx, c)
	if err != nil || len(missing) == 0 {
		return err
	}
	size := max(w.batch, min(w.Expected, knownBatch))
	for len(w.ahead) < size-1 {
		c, err := w.step(ctx, false)
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		more, err := w.missing(ctx, c)
		if err != nil {
			return err
		}
		missing, w.ahead = append(missing, more...), append(w.ahead, c)
	}
	w.Expected -= len(w.ahead) + 1
	w.batch = max(w.batch, min(2*w.batch, maxBatch))
	return w.Need(ctx, missing...)
}

func (w *walk) missing(ctx context.Context, c *object.Commit) ([]object.Hash, error) {
	blobs, err := w.Prefetch(ctx, c)
	return slices.DeleteFunc(blobs, func(h object.Hash) bool { return h.IsZero() || w.Has(h) }), err
}

// step goes on to the next commit that touches the paths; nil at the end. Without fetch it is also
// nil, for now, where older commits would have to be fetched.
func (w *walk) step(ctx context.Context, fetch bool) (*object.Commit, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if c := w.due; c != nil {
			if !fetch && !isReady(w.Repository, c) {
				return nil, nil //nolint:nilnil // documented
			}
			w.due = nil
			touches, err := w.follow(ctx, c)
			if err != nil {
				return nil, err
			}
			if touches {
				return c, nil
			}
		}
		if w.due = w.queue.take(); w.due == nil {
			return nil, nil //nolint:nilnil // documented
		}
		if w.Paths == nil {
			return w.due, nil // its parents are needed only to go on
		}
	}
}

// isReady reports whether the parents of a commit can be read without fetching.
func isReady(p Repository, c *object.Commit) bool {
	return !slices.ContainsFunc(c.Parents, func(h object.Hash) bool { return !p.Has(h) })
}

// follow queues the parents that matter and reports whether c touches the paths.
func (w *walk) follow(ctx context.Context, c *object.Commit) (touches bool, err error) {
	parents, err := w.parents(ctx, c)
	if err != nil {
		return false, err
	}
	if w.Paths != nil {
		if len(parents) == 0 {
			same, err := w.same(ctx, c.Tree, object.Hash{})
			return !same, err
		}
		for _, p := range parents {
			same, err := w.sameAs(ctx, c, p)
			if err != nil {
				return false, err
			}
			if same && w.counts(p) {
				return false, w.push(ctx, p)
			}
			touches = touches || !same
		}
	}
	for _, p := range parents {
		if err := w.push(ctx, p); err != nil {
			return false, err
		}
	}
	return touches, nil
}

// parents are those that the walk may go to.
func (w *walk) parents(ctx context.Context, c *object.Commit) ([]object.Hash, error) {
	if w.limits != nil {
		return w.limits.parents(c.Hash), nil
	}
	parents, err := parentsOf(ctx, w.Repository, c, w.Whole)
	if w.FirstParent && len(parents) > 1 {
		parents = parents[:1]
	}
	return parents, err
}

// parentsOf are a commit's parents; with whole, object.ErrShallow where not all of them are there.
func parentsOf(ctx context.Context, p Repository, c *object.Commit, whole bool) ([]object.Hash, error) {
	parents, err := p.Parents(ctx, c.Hash)
	if whole && (errors.Is(err, object.ErrNotFound) || err == nil && len(parents) < len(c.Parents)) {
		return nil, fmt.Errorf("%w at commit %s", object.ErrShallow, c.Hash)
	}
	return parents, err
}

// counts reports whether a merge that is like this parent is left out for its sake. As in git, a
// commit behind Not does not count, but one of Not itself does.
func (w *walk) counts(parent object.Hash) bool {
	return w.limits == nil || w.limits.keeps(parent) || w.limits.isNot(parent)
}

func (w *walk) sameAs(ctx context.Context, c *object.Commit, parent object.Hash) (bool, error) {
	p, err := w.commit(ctx, parent)
	if err != nil {
		return false, err
	}
	return w.same(ctx, c.Tree, p.Tree)
}

// errDiffers ends a comparison.
var errDiffers = errors.New("the trees differ")

// same compares two trees as far as paths match. A zero hash is an empty tree.
func (w *walk) same(ctx context.Context, a, b object.Hash) (bool, error) {
	err := w.Diff(ctx, a, b, w.Paths.Descend, func(p string, _, _ *object.Entry) error {
		if w.Paths.Match(p) {
			return errDiffers
		}
		return nil
	})
	if errors.Is(err, errDiffers) {
		return false, nil
	}
	return err == nil, err
}

// shortList is how a message names a few commits.
func shortList(all []object.Hash) string {
	names := make([]string, 0, len(all))
	for _, h := range all {
		names = append(names, h.String())
	}
	return strings.Join(names, ", ")
}

// dateQueue gives the commit with the latest date first, and of several with one date the one that
// was found first.
type dateQueue []*node

func (q *dateQueue) add(n *node) { heap.Push(q, n) }

// take is nil when the queue is empty.
func (q *dateQueue) take() *object.Commit {
	if len(*q) == 0 {
		return nil
	}
	n, _ := heap.Pop(q).(*node)
	return n.commit
}

// Len is part of heap.Interface, as are the other methods.
func (q dateQueue) Len() int { return len(q) }

// Less puts later dates first.
func (q dateQueue) Less(i, j int) bool {
	if a, b := q[i].date(), q[j].date(); a != b {
		return a > b
	}
	return q[i].order < q[j].order
}

// Swap exchanges two elements.
func (q dateQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds x, which is always a *node.
func (q *dateQueue) Push(x any) {
	if n, ok := x.(*node); ok {
		*q = append(*q, n)
	}
}

// Pop takes the last element.
func (q *dateQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
