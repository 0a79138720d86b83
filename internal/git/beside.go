package git

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// maxListed is how many names of a folder an error lists.
const maxListed = 20

// Beside tells people what a tree has in place of a path that is missing: the name that was most likely
// meant, and those in the nearest folder above it, as the end of an error: "; the folder charts has
// bank, other (did you mean charts/bank?)". It is empty if that can't be read.
func (s *Store) Beside(ctx context.Context, tree Hash, missing string) string {
	for dir := path.Dir(missing); ; dir = path.Dir(dir) {
		if entries, ok := s.folder(ctx, tree, dir); ok {
			what := "the folder " + dir
			if dir == "." {
				what = "the repository"
			}
			return "; " + what + " has " + listed(entries) + s.meant(ctx, tree, dir, missing, entries)
		}
		if dir == "." {
			return ""
		}
	}
}

// folder is what a tree has in a folder; . is the tree itself.
func (s *Store) folder(ctx context.Context, tree Hash, dir string) ([]Entry, bool) {
	if dir != "." {
		e, err := s.Lookup(ctx, tree, dir)
		if err != nil || e.Mode != filemode.Dir {
			return nil, false
		}
		tree = e.Hash
	}
	entries, err := s.Tree(ctx, tree)
	return entries, err == nil
}

func listed(entries []Entry) string {
	if len(entries) == 0 {
		return "no files"
	}
	var names []string
	for i, e := range entries {
		if i == maxListed {
			names = append(names, fmt.Sprintf("and %d more", len(entries)-maxListed))
			break
		}
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

// meant is a path that is there and differs from the missing one in one name.
func (s *Store) meant(ctx context.Context, tree Hash, dir, missing string, entries []Entry) string {
	wrong, rest, _ := strings.Cut(strings.TrimPrefix(missing, dir+"/"), "/")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	right := nearest.Of(wrong, names)
	if right == "" {
		return ""
	}
	meant := path.Join(dir, right, rest)
	if _, err := s.Lookup(ctx, tree, meant); err != nil {
		meant = path.Join(dir, right)
	}
	return fmt.Sprintf(" (did you mean %s?)", meant)
}
