// Package artifact reads what the params of a put name: files and folders of a build's folder, where a
// path begins with an artifact's name. Nothing outside the folder is read, neither through ".." nor
// through symbolic links, and whatever is read has a limit. It also checks paths in a repository.
package artifact

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/taxiway-ci/taxiway/internal/fault"
)

// Folder is the path of a build's folder, whose subfolders are the artifacts.
type Folder string

// Path returns the path on disk of a file or folder, without symbolic links. It is below the build's
// folder, and exists; otherwise errors.Is(err, fs.ErrNotExist).
func (f Folder) Path(name string) (string, error) {
	if name == "" {
		return "", errors.New("is empty: name an artifact, or a path that starts with one")
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%q leaves the build's folder: write a path that starts with an artifact's name", name)
	}
	root, err := filepath.EvalSymlinks(string(f))
	if err != nil {
		return "", fmt.Errorf("the build's folder: %w", err)
	}
	found, missing, err := resolve(filepath.Join(root, name))
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return "", fmt.Errorf("%q does not exist: a part of the path is a file", name)
	case err != nil:
		return "", fmt.Errorf("%q can't be followed: %w", name, err)
	case !below(root, found):
		return "", fmt.Errorf("%q leaves the build's folder through a symbolic link", name)
	case missing:
		return "", fault.Of(fs.ErrNotExist, "%q does not exist: %s", name, f.artifacts())
	}
	return found, nil
}

// resolve follows symbolic links. Of a path that is missing it returns the last folder that is there.
func resolve(name string) (found string, missing bool, err error) {
	for {
		found, err = filepath.EvalSymlinks(name)
		if !errors.Is(err, fs.ErrNotExist) || name == filepath.Dir(name) {
			return found, missing, err
		}
		name, missing = filepath.Dir(name), true
	}
}

// below reports whether a path is a folder's or in it. Neither has symbolic links.
func below(folder, name string) bool {
	inside, err := filepath.Rel(folder, name)
	return err == nil && filepath.IsLocal(inside)
}

// artifacts lists what the build's folder holds.
func (f Folder) artifacts() string {
	entries, err := os.ReadDir(string(f))
	if err != nil || len(entries) == 0 {
		return "the build has no artifacts (does the job get or produce it before this put, and is it among the put's inputs?)"
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return "the build's artifacts are " + strings.Join(names, ", ")
}

// InRepository returns an error unless name is the path of a file or folder in a repository, as a source or
// param names it. path.Clean(name) is then the path as git writes it.
func InRepository(name string) error {
	clean := path.Clean(name)
	switch {
	case clean == "." || clean == ".." || path.IsAbs(name) || strings.HasPrefix(clean, "../") || strings.ContainsAny(name, "\x00\\"):
		return fmt.Errorf("%q is not a path inside the repository: write it from the repository's root, like docs/CHANGELOG.md", name)
	case slices.ContainsFunc(strings.Split(clean, "/"), isGits):
		return fmt.Errorf("%q is a part of git's own files", name)
	}
	return nil
}

// isGits reports whether git keeps a name for itself, on any file system.
func isGits(name string) bool { return strings.EqualFold(name, ".git") }
