package cepler

import (
	"context"
)

// History is what Origins has to know about commits.
type History interface {
	// Parents are the commit's parents, in order.
	Parents(ctx context.Context, commit string) ([]string, error)
	// Message is the commit's message.
	Message(ctx context.Context, commit string) (string, error)
	// Changed are those of paths that commit has otherwise than parent: with
	// another content or mode, or only one of them has it at all.
	Changed(ctx context.Context, commit, parent string, paths *PathSet) ([]string, error)
}

// Origin is the commit that a file was last changed by.
type Origin struct {
	Commit string
	// Message is the commit's Summary.
	Message string
}

// Known is what is recorded already about the origins as seen from a commit;
// nil for a commit that nothing is recorded about.
type Known func(commit string) func(path string) (Origin, bool)

// PathSet is a set of paths that knows the folders they are in.
type PathSet struct {
	paths   map[string]bool
	folders map[string]int
}

// NewPathSet is the set of the given paths.
func NewPathSet(paths ...string) *PathSet {
	s := &PathSet{paths: make(map[string]bool, len(paths)), folders: map[string]int{}}
	for _, p := range paths {
		if s.paths[p] {
			continue
		}
		s.paths[p] = true
		for i := range len(p) {
			if p[i] == '/' {
				s.folders[p[:i]]++
			}
		}
	}
	return s
}

// Has reports whether path is in the set.
func (s *PathSet) Has(path string) bool { return s.paths[path] }

// Descend reports whether a path of the set is below the folder dir; "" is the
// root.
func (s *PathSet) Descend(dir string) bool {
	return s.folders[dir] > 0 || dir == "" && len(s.paths) > 0
}

// Len is the number of paths.
func (s *PathSet) Len() int { return len(s.paths) }

func (s *PathSet) remove(path string) {
	if !s.paths[path] {
		return
	}
	delete(s.paths, path)
	for i := range len(path) {
		if path[i] == '/' {
			s.folders[path[:i]]--
		}
	}
}

// Origins finds for each path the commit that it came with, as seen from start.
func Origins(ctx context.Context, h History, start string, paths []string, _ Known) (map[string]Origin, error) {
	out := map[string]Origin{}
	for _, p := range paths {
		commit, err := origin(ctx, h, start, p)
		if err != nil {
			return nil, err
		}
		message, err := h.Message(ctx, commit)
		if err != nil {
			return nil, err
		}
		out[p] = Origin{commit, Summary(message)}
	}
	return out, nil
}

func origin(ctx context.Context, h History, start, path string) (string, error) {
	set := NewPathSet(path)
	seen := map[string]bool{start: true}
	queue := []string{start}
	for {
		commit := queue[0]
		queue = queue[1:]
		parents, err := h.Parents(ctx, commit)
		if err != nil {
			return "", err
		}
		same := 0
		for _, parent := range parents {
			changed, err := h.Changed(ctx, commit, parent, set)
			if err != nil {
				return "", err
			}
			if len(changed) > 0 {
				continue
			}
			same++
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
		if same == 0 {
			return commit, nil
		}
	}
}
