package concourse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Path finds a file or folder that a param of a put names: an artifact's name,
// and perhaps a path inside it. The path may not leave the build's folder,
// neither through ".." nor through a symbolic link, and what it names has to
// exist; otherwise errors.Is(err, fs.ErrNotExist).
func (s Step) Path(name string) (string, error) {
	if name == "" {
		return "", errors.New("is empty: name an artifact, or a path that starts with one")
	}
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%q leaves the build's folder: write a path that starts with an artifact's name", name)
	}
	root, err := filepath.EvalSymlinks(s.Dir)
	if err != nil {
		return "", fmt.Errorf("the build's folder: %w", err)
	}
	found, err := filepath.EvalSymlinks(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%q does not exist; %s: %w", name, s.artifacts(), fs.ErrNotExist)
	}
	if err != nil {
		return "", fmt.Errorf("%q can't be followed: %w", name, err)
	}
	inside, err := filepath.Rel(root, found)
	if err != nil || !filepath.IsLocal(inside) {
		return "", fmt.Errorf("%q leaves the build's folder through a symbolic link", name)
	}
	return found, nil
}

// artifacts says what the build's folder holds.
func (s Step) artifacts() string {
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) == 0 {
		return "the build has no artifacts here (does the job get or produce it before this put, and is it among the put's inputs?)"
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return "the build's artifacts here are " + strings.Join(names, ", ")
}
