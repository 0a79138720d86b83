package cepler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// History is what Origins must know about commits.
type History interface {
	// Parents are the commit's parents, in order.
	Parents(ctx context.Context, commit string) ([]string, error)
	// Message is the commit's message.
	Message(ctx context.Context, commit string) (string, error)
	// Changed are those of paths that commit has otherwise than parent: with
	// another content or mode, or only one of them has it at all. It must not
	// keep paths, which shrinks from call to call.
	Changed(ctx context.Context, commit, parent string, paths *PathSet) ([]string, error)
}

// Origin is the commit that a file was last changed by.
type Origin struct {
	Commit string
	// Message is the commit's Summary.
	Message string
}

// Known is what is recorded about the origins as seen from a commit: an answer
// by path. It is nil for a commit that nothing is recorded about.
type Known func(commit string) func(path string) (Origin, bool)

// Origins finds for each path the commit that it came with, as seen from
// start, which has them all. It looks breadth first at the parents that have
// the file alike; the answer is the first commit that no parent agrees with.
// Behind merges that is the nearest such commit, not the latest.
//
// All paths are looked for in one pass: history without merges costs one call
// of Changed for each commit, up to the oldest answer. known, which may be nil,
// ends the search for a path where its answer is recorded already.
func Origins(ctx context.Context, h History, start string, paths []string, known Known) (map[string]Origin, error) {
	s := &search{
		history:  h,
		known:    known,
		open:     NewPathSet(paths...),
		found:    make(map[string]Origin, len(paths)),
		messages: map[string]string{},
		edges:    map[edge][]string{},
	}
	if s.open.len() > 0 {
		s.trails = []*trail{{queue: []string{start}, paths: maps.Clone(s.open.paths)}}
	}
	for len(s.trails) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.step(ctx, s.next()); err != nil {
			return nil, err
		}
		s.settle()
	}
	return s.found, nil
}

// search is Origins at work.
type search struct {
	history History
	known   Known
	// open are the paths without an answer.
	open     *PathSet
	found    map[string]Origin
	messages map[string]string // summaries, by commit
	// trails share out the open paths.
	trails []*trail
	// edges are the answers of Changed that may be asked for again.
	edges map[edge][]string
}

type edge struct{ commit, parent string }

// trail is the search for paths that have the same commits ahead and behind.
type trail struct {
	// queue are the commits to look at, in that order.
	queue []string
	// seen are the commits that were in the queue, as far as one of queue may
	// lead back to them.
	seen  map[string]bool
	paths map[string]bool
}

// alone reports whether everything that is left to see lies behind one commit.
func (t *trail) alone() bool { return len(t.queue) == 1 }

// next is the trail to follow. One that is alone waits for those that are not:
// they may lead to the same commit, and then go on as one.
func (s *search) next() *trail {
	for _, t := range s.trails {
		if !t.alone() {
			return t
		}
	}
	return s.trails[0]
}

// step looks at the first commit of a trail.
func (s *search) step(ctx context.Context, t *trail) error {
	commit := t.queue[0]
	t.queue = t.queue[1:]
	if len(t.queue) == 0 {
		// Each commit that was seen leads to the queue by parents, so none can
		// be reached from what is now the only way on.
		t.seen = nil
		s.recall(t, commit)
		if len(t.paths) == 0 {
			return nil
		}
	}
	parents, err := s.history.Parents(ctx, commit)
	if err != nil {
		return fmt.Errorf("look up the parents of commit %.7s: %w", commit, err)
	}
	agree, err := s.agreement(ctx, t, commit, parents)
	if err != nil {
		return err
	}
	return s.share(ctx, t, commit, parents, agree)
}

// recall takes the answers that are recorded as seen from commit.
func (s *search) recall(t *trail, commit string) {
	if s.known == nil {
		return
	}
	answer := s.known(commit)
	if answer == nil {
		return
	}
	for path := range t.paths {
		if origin, ok := answer(path); ok {
			s.answer(t, path, origin)
		}
	}
}

// agreement lists, for the paths that some parent has otherwise, the parents
// that have it alike: a byte 1 in the parent's place.
func (s *search) agreement(ctx context.Context, t *trail, commit string, parents []string) (map[string]string, error) {
	agree := map[string]string{}
	everyone := strings.Repeat("\x01", len(parents))
	for i, parent := range parents {
		changed, err := s.changed(ctx, edge{commit, parent})
		if err != nil {
			return nil, err
		}
		for _, path := range changed {
			if !t.paths[path] {
				continue
			}
			who, ok := agree[path]
			if !ok {
				who = everyone
			}
			agree[path] = who[:i] + "\x00" + who[i+1:]
		}
	}
	return agree, nil
}

// share sends each path on to the parents that agree with commit, or answers
// it where none does. Paths with the same such parents stay together.
func (s *search) share(ctx context.Context, t *trail, commit string, parents []string, agree map[string]string) error {
	none := strings.Repeat("\x00", len(parents))
	if len(parents) == 0 {
		for path := range t.paths {
			agree[path] = none
		}
	}
	parted := map[string]*trail{}
	for _, path := range slices.Sorted(maps.Keys(agree)) {
		who := agree[path]
		if who == none {
			if err := s.conclude(ctx, t, path, commit); err != nil {
				return err
			}
			continue
		}
		other := parted[who]
		if other == nil {
			other = &trail{queue: slices.Clone(t.queue), seen: maps.Clone(t.seen), paths: map[string]bool{}}
			other.push(parents, who)
			parted[who] = other
			s.trails = append(s.trails, other)
		}
		other.paths[path] = true
		delete(t.paths, path)
	}
	if len(t.paths) > 0 {
		t.push(parents, "")
	}
	return nil
}

// push queues those parents that agree; "" is all of them.
func (t *trail) push(parents []string, who string) {
	for i, parent := range parents {
		if who != "" && who[i] == 0 || t.seen[parent] {
			continue
		}
		if t.seen == nil {
			t.seen = map[string]bool{}
		}
		t.seen[parent] = true
		t.queue = append(t.queue, parent)
	}
}

// conclude answers a path with a commit.
func (s *search) conclude(ctx context.Context, t *trail, path, commit string) error {
	summary, ok := s.messages[commit]
	if !ok {
		message, err := s.history.Message(ctx, commit)
		if err != nil {
			return fmt.Errorf("read the message of commit %.7s: %w", commit, err)
		}
		summary = Summary(message)
		s.messages[commit] = summary
	}
	s.answer(t, path, Origin{Commit: commit, Message: summary})
	return nil
}

func (s *search) answer(t *trail, path string, origin Origin) {
	s.found[path] = origin
	delete(t.paths, path)
	s.open.remove(path)
}

// changed asks the history. Where trails part or run beside each other, the
// answer is kept.
func (s *search) changed(ctx context.Context, e edge) ([]string, error) {
	if changed, ok := s.edges[e]; ok {
		return changed, nil
	}
	changed, err := s.history.Changed(ctx, e.commit, e.parent, s.open)
	if err != nil {
		return nil, fmt.Errorf("compare commit %.7s with its parent %.7s: %w", e.commit, e.parent, err)
	}
	if len(s.trails) > 1 || len(s.trails[0].queue) > 0 {
		s.edges[e] = changed
	}
	return changed, nil
}

// settle drops trails that are done, and joins those that are alone with the
// same commit ahead.
func (s *search) settle() {
	ahead := map[string]*trail{}
	s.trails = slices.DeleteFunc(s.trails, func(t *trail) bool {
		if len(t.paths) == 0 {
			return true
		}
		if !t.alone() {
			return false
		}
		if other := ahead[t.queue[0]]; other != nil {
			maps.Copy(other.paths, t.paths)
			return true
		}
		ahead[t.queue[0]] = t
		return false
	})
	if len(s.edges) > 0 && len(s.trails) == 1 && s.trails[0].alone() {
		clear(s.edges)
	}
}

// PathSet is a set of paths that knows the folders they are in.
type PathSet struct {
	paths   map[string]bool
	folders map[string]int // how many paths are below each
}

// NewPathSet is the set of the given paths.
func NewPathSet(paths ...string) *PathSet {
	s := &PathSet{paths: make(map[string]bool, len(paths)), folders: map[string]int{}}
	for _, p := range paths {
		if !s.paths[p] {
			s.paths[p] = true
			s.count(p, 1)
		}
	}
	return s
}

// Has reports whether path is in the set.
func (s *PathSet) Has(path string) bool { return s.paths[path] }

// Descend reports whether a path of the set is below the folder dir; "" is the
// root.
func (s *PathSet) Descend(dir string) bool { return s.folders[dir] > 0 }

// len is the number of paths.
func (s *PathSet) len() int { return len(s.paths) }

func (s *PathSet) remove(path string) {
	if s.paths[path] {
		delete(s.paths, path)
		s.count(path, -1)
	}
}

// count notes n paths more, or less, in the folders that path is in.
func (s *PathSet) count(path string, n int) {
	s.folders[""] += n
	for i := range len(path) {
		if path[i] == '/' {
			s.folders[path[:i]] += n
		}
	}
}
