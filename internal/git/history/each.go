package history

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Touch is a commit, and those of the paths that it touches.
type Touch struct {
	*object.Commit
	Paths []string
}

// Each is [Log] with [OnlyPath] for each of many paths, in one walk: what it gives of one path are the commits that Log gives, in
// the same order but for commits of one date. A commit that touches several paths comes once or, where dates of commits lie, more
// than once, each time for other paths.
func Each(ctx context.Context, p Repository, from object.Hash, paths []string) iter.Seq2[Touch, error] {
	return func(yield func(Touch, error) bool) {
		w := newEachWalk(p, paths)
		err := w.push(ctx, from, w.all())
		for err == nil {
			var t Touch
			if t, err = w.next(ctx); err == nil && (t.Commit == nil || !yield(t, nil)) {
				return
			}
		}
		yield(Touch{}, fmt.Errorf("read history from %s: %w", from, err))
	}
}

// bits are numbers of paths.
type bits []uint64

const wordBits = 64

func (b bits) has(n int) bool { return b[n/wordBits]>>(n%wordBits)&1 == 1 }

func (b bits) set(n int) { b[n/wordBits] |= 1 << (n % wordBits) }

func (b bits) isEmpty() bool {
	for _, word := range b {
		if word != 0 {
			return false
		}
	}
	return true
}

// without are those of b that other does not have.
func (b bits) without(other bits) bits {
	out := make(bits, len(b))
	for i := range b {
		out[i] = b[i] &^ other[i]
	}
	return out
}

func (b bits) add(other bits) {
	for i := range b {
		b[i] |= other[i]
	}
}

// eachWalk is one use of Each. Each commit in the queue is looked at for some paths: those that no merge
// led elsewhere.
type eachWalk struct {
	Repository
	paths   []string
	numbers map[string]int
	folders map[string]bool
	queue   dateQueue
	order   int
	due     map[object.Hash]bits // of commits in the queue: the paths that they are looked at for
	seen    map[object.Hash]bits // the same of all commits
}

func newEachWalk(p Repository, paths []string) *eachWalk {
	w := &eachWalk{Repository: p, paths: paths, numbers: map[string]int{}, folders: map[string]bool{}, due: map[object.Hash]bits{}, seen: map[object.Hash]bits{}}
	for n, name := range paths {
		w.numbers[name] = n
		for i := range name {
			if name[i] == '/' {
				w.folders[name[:i]] = true
			}
		}
	}
	return w
}

func (w *eachWalk) empty() bits { return make(bits, (len(w.paths)+wordBits-1)/wordBits) }

func (w *eachWalk) all() bits {
	b := w.empty()
	for n := range w.paths {
		b.set(n)
	}
	return b
}

// push queues a commit for those of the paths that it was not queued for before.
func (w *eachWalk) push(ctx context.Context, h object.Hash, paths bits) error {
	c, err := w.Commit(ctx, h)
	if err != nil {
		return err
	}
	seen := w.seen[c.Hash]
	if seen == nil {
		seen = w.empty()
		w.seen[c.Hash] = seen
	}
	fresh := paths.without(seen)
	if fresh.isEmpty() {
		return nil
	}
	seen.add(fresh)
	if due := w.due[c.Hash]; due != nil {
		due.add(fresh)
		return nil
	}
	w.due[c.Hash] = fresh
	w.order++
	w.queue.add(&node{commit: c, order: w.order})
	return nil
}

// next is the next commit that touches any path; an empty Touch at the end.
func (w *eachWalk) next(ctx context.Context) (Touch, error) {
	for {
		if ctx.Err() != nil {
			return Touch{}, context.Cause(ctx)
		}
		c := w.queue.take()
		if c == nil {
			return Touch{}, nil
		}
		paths := w.due[c.Hash]
		delete(w.due, c.Hash)
		touched, err := w.follow(ctx, c, paths)
		if err != nil {
			return Touch{}, err
		}
		if !touched.isEmpty() {
			return w.touch(c, touched), nil
		}
	}
}

func (w *eachWalk) touch(c *object.Commit, touched bits) Touch {
	t := Touch{Commit: c}
	for n, name := range w.paths {
		if touched.has(n) {
			t.Paths = append(t.Paths, name)
		}
	}
	return t
}

// follow queues the parents that matter, and returns the paths that c touches: those in which it is like none of its
// parents.
func (w *eachWalk) follow(ctx context.Context, c *object.Commit, paths bits) (bits, error) {
	parents, err := w.Parents(ctx, c.Hash)
	if err != nil {
		return nil, err
	}
	if len(parents) == 0 {
		return w.changed(ctx, c.Tree, object.Hash{}, paths)
	}
	rest := paths
	for _, h := range parents {
		parent, err := w.Commit(ctx, h)
		if err != nil {
			return nil, err
		}
		differ, err := w.changed(ctx, c.Tree, parent.Tree, rest)
		if err != nil {
			return nil, err
		}
		if err := w.push(ctx, h, rest.without(differ)); err != nil {
			return nil, err
		}
		rest = differ
	}
	if rest.isEmpty() {
		return rest, nil
	}
	for _, h := range parents {
		if err := w.push(ctx, h, rest); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// changed are those of the paths in which two trees differ.
func (w *eachWalk) changed(ctx context.Context, a, b object.Hash, paths bits) (bits, error) {
	out := w.empty()
	err := w.Diff(ctx, b, a, func(dir string) bool { return w.folders[dir] }, func(p string, _, _ *object.Entry) error {
		if n, ok := w.numbers[p]; ok && paths.has(n) {
			out.set(n)
		}
		return nil
	})
	return out, err
}

// Newest finds for each path the newest commit that touches it, as git log does, in one walk. A path that no commit touches
// is left out.
func Newest(ctx context.Context, p Repository, from object.Hash, paths []string) (map[string]*object.Commit, error) {
	found := make(map[string]*object.Commit, len(paths))
	for t, err := range Each(ctx, p, from, paths) {
		if err != nil {
			return nil, fmt.Errorf("find who changed %s: %w", strings.Join(paths, ", "), err)
		}
		for _, p := range t.Paths {
			if found[p] == nil {
				found[p] = t.Commit
			}
		}
		if len(found) == len(paths) {
			break
		}
	}
	return found, nil
}
