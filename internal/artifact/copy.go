package artifact

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What one put may copy into a repository. All of it is in memory until it is pushed.
const (
	// MaxCopied is the size of all files together. Charts and documentation have a few megabytes.
	MaxCopied Size = 256 << 20
	// maxFiles is the number of files. Each becomes an object of its own; the documentation of a large
	// project has some ten thousand.
	maxFiles = 100_000
)

// File is a file of a folder that is copied.
type File struct {
	// Name is its path in the folder, with slashes; "." if what is copied is a file itself.
	Name string
	// Mode has the type, regular or symbolic link, and the permissions.
	Mode fs.FileMode
	// Content is the file's, or the target of the link.
	Content []byte
}

// Copier reads what one put copies, and counts it. It is for one goroutine.
type Copier struct {
	From Folder

	size  Size
	files int
}

// Files calls take for a file, or for each file of a folder and its subfolders, but git's own. A symbolic
// link stays a link if it leads to something in the folder, and is refused otherwise.
func (c *Copier) Files(name string, take func(File) error) error {
	top, err := c.From.Path(name)
	if err != nil {
		return err
	}
	found := c.files
	err = filepath.WalkDir(top, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case at != top && isGits(d.Name()) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || at != top && isGits(d.Name()): // a submodule has a file of that name
			return nil
		}
		f, err := c.file(top, at)
		if err != nil {
			return err
		}
		return take(f)
	})
	if err == nil && c.files == found {
		err = fmt.Errorf("the folder %s has no files", name)
	}
	return err
}

func (c *Copier) file(top, at string) (File, error) {
	rel, err := filepath.Rel(top, at)
	if err != nil {
		return File{}, err
	}
	f := File{Name: filepath.ToSlash(rel)}
	info, err := os.Lstat(at)
	if err != nil {
		return f, err
	}
	f.Mode = info.Mode()
	switch {
	case f.Mode&fs.ModeSymlink != 0:
		f.Content, err = link(top, at, f.Name)
	case f.Mode.IsRegular():
		room := MaxCopied - c.size
		if info.Size() > int64(room) {
			return f, fmt.Errorf("with %s there are more than %s to copy: is it the right folder?", f.Name, MaxCopied)
		}
		f.Content, err = read(at, room)
	default:
		return f, fmt.Errorf("%s is not a file", f.Name)
	}
	c.size += Size(len(f.Content))
	c.files++
	if c.files > maxFiles {
		return f, fmt.Errorf("with %s there are more than %d files to copy: is it the right folder?", f.Name, maxFiles)
	}
	return f, err
}

// link returns the target of a symbolic link that stays in the folder.
func link(top, at, name string) ([]byte, error) {
	target, err := os.Readlink(at)
	if err != nil {
		return nil, err
	}
	found, err := filepath.EvalSymlinks(at)
	if err != nil || filepath.IsAbs(target) || !below(top, found) {
		return nil, fmt.Errorf("%s is a symbolic link to %s, which is not in the copied folder: copy what it leads to instead", name, target)
	}
	return []byte(filepath.ToSlash(target)), nil
}
