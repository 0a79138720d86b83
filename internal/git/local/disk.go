package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// disk opens the files of this machine by their absolute paths: all of them, or those
// below one folder.
type disk struct {
	root *os.Root // nil: all of them
	dir  string   // of root
}

// diskWithin is limited to a folder, also where symbolic links lead.
func diskWithin(dir string) (disk, error) {
	root, err := os.OpenRoot(dir)
	return disk{root, dir}, err
}

func (d disk) close() error {
	if d.root == nil {
		return nil
	}
	return d.root.Close()
}

// errNotRead is about what is in the place of a file of git's and would hold up whoever reads it.
var errNotRead = errors.New("it is not read")

// maxText is how many bytes the files of a repository have that are read as a whole: the refs that git packed are the largest.
const maxText = 32 << 20

// Open opens a file or folder for reading. A pipe or device is an error.
func (d disk) Open(name string) (*os.File, error) {
	if info, err := d.stat(name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file: %w", name, errNotRead)
	}
	if d.root == nil {
		return os.Open(name)
	}
	inside, err := d.inside(name)
	if err != nil {
		return nil, err
	}
	f, err := d.root.Open(inside)
	return f, d.explain(name, err)
}

func (d disk) stat(name string) (fs.FileInfo, error) {
	if d.root == nil {
		return os.Stat(name)
	}
	inside, err := d.inside(name)
	if err != nil {
		return nil, err
	}
	info, err := d.root.Stat(inside)
	return info, d.explain(name, err)
}

// inside is a path from the folder's top.
func (d disk) inside(name string) (string, error) {
	rel, err := filepath.Rel(d.dir, name)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &outsideError{name, d.dir}
	}
	return rel, nil
}

// explain finds out that a symbolic link leads out of the folder, for which package os
// has no error to compare with.
func (d disk) explain(name string, err error) error {
	if err != nil && strings.Contains(err.Error(), "escapes from parent") {
		return &outsideError{name, d.dir}
	}
	return err
}

// outsideError is a path that leads out of the folder to which a disk is limited.
type outsideError struct{ name, dir string }

// Error names both.
func (e *outsideError) Error() string {
	return fmt.Sprintf("%s leads out of %s, and what is outside of it is not read", e.name, e.dir)
}

func (d disk) isFolder(name string) (bool, error) {
	info, err := d.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

func (d disk) readFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if len(text) > maxText {
		err = fmt.Errorf("%s has more than %d bytes: %w", name, maxText, errNotRead)
	}
	return text, errors.Join(err, f.Close())
}

// readDir lists a folder. One that is missing is empty.
func (d disk) readDir(name string) ([]fs.DirEntry, error) {
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	return entries, errors.Join(err, f.Close())
}
