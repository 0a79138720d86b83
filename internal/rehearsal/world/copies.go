package world

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Copies fills each repository from a clone on this machine, by the last part of the repository's name. The name "" is for the
// only repository.
func Copies(clones map[string]string) func(ctx context.Context, w *World) (map[string]string, error) {
	return func(_ context.Context, w *World) (map[string]string, error) {
		for _, name := range slices.Sorted(maps.Keys(w.repositories)) {
			dir, ok := clones[path.Base(name)]
			if !ok && len(w.repositories) == 1 {
				dir, ok = clones[""]
			}
			if !ok {
				return nil, fmt.Errorf("the pipelines use the repository %s: name a clone of it with --repository %s=PATH", name, path.Base(name))
			}
			if err := copyClone(w.repositories[name], dir); err != nil {
				return nil, fmt.Errorf("copy %s: %w", dir, err)
			}
		}
		return map[string]string{}, nil
	}
}

// copyClone copies branches, tags and HEAD.
func copyClone(to *gittest.Repository, dir string) error {
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := to.Git("fetch", "--quiet", "--no-write-fetch-head", from, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return err
	}
	head, err := gittest.Open(from).Git("symbolic-ref", "--quiet", "HEAD")
	if err != nil { // a commit is checked out by itself
		return nil //nolint:nilerr // HEAD stays main
	}
	_, err = to.Git("symbolic-ref", "HEAD", strings.TrimSpace(head))
	return err
}
