package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/git"
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

// copyClone copies branches, tags and HEAD. Branches that were never checked out in the clone are copied from its remote
// "origin".
func copyClone(to *gittest.Repository, dir string) (err error) {
	clone, err := git.OpenClone(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clone.Close()) }()
	all, err := clone.Refs()
	if err != nil {
		return err
	}
	branches, err := clone.Branches()
	if err != nil {
		return err
	}
	fetch := []string{"fetch", "--quiet", "--no-write-fetch-head", clone.Dir(), "+refs/tags/*:refs/tags/*"}
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		from := "refs/heads/" + name
		if all[from].IsZero() {
			from = "refs/remotes/origin/" + name
		}
		fetch = append(fetch, "+"+from+":refs/heads/"+name)
	}
	if _, err := to.Git(fetch...); err != nil {
		return err
	}
	head, err := clone.Head()
	if err != nil || head == "" { // "" is a commit that is checked out by itself: HEAD stays main
		return err
	}
	_, err = to.Git("symbolic-ref", "HEAD", "refs/heads/"+head)
	return err
}
