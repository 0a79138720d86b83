package gittest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Worktree makes in dir what "git worktree add --detach" makes of the commit that is checked out in a clone, without git's three
// processes. What is in the clone's folder must be what git has checked out there.
func (r *Repository) Worktree(dir string) error {
	git := filepath.Join(r.Dir, ".git")
	head, err := os.ReadFile(filepath.Join(git, "HEAD"))
	if err != nil {
		return err
	}
	if !plumbing.IsHash(strings.TrimSpace(string(head))) {
		return fmt.Errorf("worktree of %s: a branch is checked out, and a commit is wanted", r.Dir)
	}
	index, err := os.ReadFile(filepath.Join(git, "index"))
	if err != nil {
		return err
	}
	own := filepath.Join(git, "worktrees", strings.ReplaceAll(strings.Trim(dir, string(os.PathSeparator)), string(os.PathSeparator), "-"))
	if err := errors.Join(os.MkdirAll(own, 0o750), copyTree(dir, r.Dir)); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: "+own+"\n"), 0o600),
		os.WriteFile(filepath.Join(own, "gitdir"), []byte(filepath.Join(dir, ".git")+"\n"), 0o600),
		os.WriteFile(filepath.Join(own, "commondir"), []byte("../..\n"), 0o600),
		os.WriteFile(filepath.Join(own, "HEAD"), head, 0o600),   //nolint:gosec // the clone's own
		os.WriteFile(filepath.Join(own, "index"), index, 0o600), //nolint:gosec // the clone's own
	)
}

// copyTree copies the files of a clone with the times by which git knows them.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(from, ".git") {
			return fs.SkipDir
		}
		return copyEntry(filepath.Join(to, strings.TrimPrefix(path, from)), path, d)
	})
}

func copyEntry(to, from string, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		return os.MkdirAll(to, 0o750)
	case d.Type() == fs.ModeSymlink:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, to)
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil { //nolint:gosec // a folder of the caller's
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
