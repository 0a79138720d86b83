package vendored

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Disk is a repository that is checked out, without its index: what counts is
// what the files are.
type Disk struct{ root *os.Root }

// OpenDisk opens the folder of a checkout. Nothing outside it is read or written,
// also not through links.
func OpenDisk(dir string) (*Disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Disk{root}, nil
}

// Close gives the folder back.
func (d *Disk) Close() error { return d.root.Close() }

// Read reads a file.
func (d *Disk) Read(_ context.Context, name string) ([]byte, error) {
	return d.root.ReadFile(filepath.FromSlash(name))
}

// List hashes all files below a folder.
func (d *Disk) List(_ context.Context, dir string) (map[string]File, error) {
	info, err := d.root.Lstat(filepath.FromSlash(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder: delete it, as the copy has its place there: %w", dir, errConfig)
	}
	out := map[string]File{}
	err = fs.WalkDir(d.root.FS(), dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := d.hash(p, e)
		out[strings.TrimPrefix(p, dir+"/")] = f
		return err
	})
	return out, err
}

const anyExecute = 0o111

func (d *Disk) hash(name string, e fs.DirEntry) (File, error) {
	if e.Type() == fs.ModeSymlink {
		to, err := d.root.Readlink(name)
		if err != nil {
			return File{}, err
		}
		h, err := git.HashBlob(strings.NewReader(to), int64(len(to)))
		return File{filemode.Symlink, h}, err
	}
	content, err := d.root.ReadFile(name)
	if err != nil {
		return File{}, err
	}
	info, err := e.Info()
	if err != nil {
		return File{}, err
	}
	f := File{Mode: filemode.Regular}
	if info.Mode()&anyExecute != 0 {
		f.Mode = filemode.Executable
	}
	f.Hash, err = git.HashBlob(bytes.NewReader(content), int64(len(content)))
	return f, err
}

// Apply carries a plan out. Folders that become empty go away.
func (d *Disk) Apply(p *Plan) error {
	for name, e := range p.Edits {
		if e.Delete {
			if err := d.remove(name); err != nil {
				return err
			}
		}
	}
	for name, e := range p.Edits {
		if !e.Delete {
			if err := d.write(name, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Disk) remove(name string) error {
	if err := d.root.Remove(name); err != nil {
		return err
	}
	empty := true // until a folder has other files
	for dir := path.Dir(name); dir != "." && empty; dir = path.Dir(dir) {
		empty = d.root.Remove(dir) == nil
	}
	return nil
}

func (d *Disk) write(name string, e git.Edit) error {
	if err := d.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if e.Mode == filemode.Empty {
		if info, err := d.root.Stat(name); err == nil {
			mode = info.Mode().Perm()
		}
		return d.root.WriteFile(name, e.Content, mode)
	}
	if err := d.root.RemoveAll(name); err != nil {
		return err
	}
	if e.Mode == filemode.Symlink {
		return d.root.Symlink(string(e.Content), name)
	}
	if e.Mode == filemode.Executable {
		mode = 0o755
	}
	return d.root.WriteFile(name, e.Content, mode)
}
