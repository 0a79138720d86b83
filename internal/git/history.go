package git

import (
	"container/heap"
	"context"
	"fmt"
	"path"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// History visits the commits that touch matching paths, from start backwards in
// time, until visit says that it has enough: the commits and the order of
// "git log START -- PATHS" with git's default simplification. A merge that is
// like one of its parents, as far as matching paths go, is left out and only
// that parent is followed.
//
// Match is asked about files (and symbolic links and submodules), descend about
// folders: whether anything below could match. Both get paths from the top, and
// have to give the same answer each time.
func (s *Store) History(ctx context.Context, start Hash, match, descend func(string) bool, visit func(*Commit) (more bool, err error)) error {
	w := &historyWalk{store: s, match: match, descend: descend, seen: map[Hash]bool{}}
	if err := w.push(ctx, start); err != nil {
		return fmt.Errorf("read the history of %s: %w", start, err)
	}
	for w.queue.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		c := w.pop()
		touches, err := w.follow(ctx, c)
		if err != nil {
			return fmt.Errorf("read the history of %s at %s: %w", start, c.Hash, err)
		}
		if !touches {
			continue
		}
		if more, err := visit(c); err != nil || !more {
			return err
		}
	}
	return nil
}

type historyWalk struct {
	store          *Store
	match, descend func(string) bool
	seen           map[Hash]bool
	queue          dateQueue
	pushed         int
}

func (w *historyWalk) push(ctx context.Context, h Hash) error {
	if w.seen[h] {
		return nil
	}
	w.seen[h] = true
	c, err := w.store.Commit(ctx, h)
	if err != nil {
		return err
	}
	w.pushed++
	heap.Push(&w.queue, queued{commit: c, when: c.Committer.When.Unix(), order: w.pushed})
	return nil
}

func (w *historyWalk) pop() *Commit {
	q, _ := heap.Pop(&w.queue).(queued)
	return q.commit
}

// follow queues the parents that matter and reports whether c touches a
// matching path.
func (w *historyWalk) follow(ctx context.Context, c *Commit) (bool, error) {
	parents, err := w.store.Parents(ctx, c.Hash)
	if err != nil {
		return false, err
	}
	if len(parents) == 0 {
		same, err := w.same(ctx, c.Tree, Hash{}, "")
		return !same, err
	}
	for _, p := range parents {
		parent, err := w.store.Commit(ctx, p)
		if err != nil {
			return false, err
		}
		same, err := w.same(ctx, c.Tree, parent.Tree, "")
		if err != nil {
			return false, err
		}
		if same {
			return false, w.push(ctx, p)
		}
	}
	for _, p := range parents {
		if err := w.push(ctx, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// same compares two trees as far as paths match. A zero hash is an empty tree.
func (w *historyWalk) same(ctx context.Context, a, b Hash, dir string) (bool, error) {
	if a == b {
		return true, nil
	}
	before, err := w.entries(ctx, a)
	if err != nil {
		return false, err
	}
	after, err := w.entries(ctx, b)
	if err != nil {
		return false, err
	}
	for len(before) > 0 || len(after) > 0 {
		var x, y Entry
		switch c := compareHeads(before, after); {
		case c == 0:
			x, y, before, after = before[0], after[0], before[1:], after[1:]
		case c < 0:
			x, before = before[0], before[1:]
		default:
			y, after = after[0], after[1:]
		}
		if same, err := w.sameEntry(ctx, x, y, dir); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (w *historyWalk) entries(ctx context.Context, h Hash) ([]Entry, error) {
	if h.IsZero() {
		return nil, nil
	}
	return w.store.Tree(ctx, h)
}

// compareHeads says which list has the entry that comes first. A file and a
// folder of one name are two entries.
func compareHeads(a, b []Entry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return object.CompareEntries(a[0], b[0])
}

// sameEntry compares two entries of one name, of which one may be missing.
func (w *historyWalk) sameEntry(ctx context.Context, x, y Entry, dir string) (bool, error) {
	if x.Hash == y.Hash && x.Mode == y.Mode {
		return true, nil
	}
	name := x.Name
	if name == "" {
		name = y.Name
	}
	p := path.Join(dir, name)
	if x.Mode != filemode.Dir && y.Mode != filemode.Dir {
		return !w.match(p), nil
	}
	if !w.descend(p) {
		return true, nil
	}
	return w.same(ctx, x.Hash, y.Hash, p)
}

// dateQueue gives the youngest commit first, and of several with one date the
// one that was queued first.
type dateQueue []queued

type queued struct {
	commit *Commit
	when   int64
	order  int
}

// Len is part of heap.Interface, as are the other methods.
func (q dateQueue) Len() int { return len(q) }

// Less puts younger commits first.
func (q dateQueue) Less(i, j int) bool {
	if q[i].when != q[j].when {
		return q[i].when > q[j].when
	}
	return q[i].order < q[j].order
}

// Swap exchanges two elements.
func (q dateQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds x, which is always a queued.
func (q *dateQueue) Push(x any) {
	if item, ok := x.(queued); ok {
		*q = append(*q, item)
	}
}

// Pop takes the last element.
func (q *dateQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
