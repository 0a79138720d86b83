package rehearsal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// inside is the place of a slash-separated path in a folder; it may not leave it.
func inside(dir, name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%q leads out of the build's folder", name)
	}
	return filepath.Join(dir, filepath.FromSlash(clean)), nil
}

// file is the path of artifact/path among the artifacts in sight.
func (s *scope) file(name string) (string, error) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok || rest == "" {
		return "", fmt.Errorf("%q names no file of an artifact: write it like artifact/path", name)
	}
	dir, ok := s.artifact(first)
	if !ok {
		return "", fmt.Errorf("no step has made the artifact %q that %q is to be read from", first, name)
	}
	return inside(dir, rest)
}

// copyInto fills a folder, which may exist, with what an artifact holds. Each
// step works on a copy: what it changes there, no other step sees.
func copyInto(dir, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return copyEntry(filepath.Join(dir, rel), name, d)
	})
}

func copyEntry(to, from string, d fs.DirEntry) error {
	switch d.Type() {
	case fs.ModeDir:
		return os.MkdirAll(to, 0o750)
	case fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case 0:
		return copyFile(to, from)
	default:
		return fmt.Errorf("%s is not a file, folder or link", from)
	}
}

func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Close())
}
