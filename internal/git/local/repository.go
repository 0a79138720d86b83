package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Repository is a repository on this machine: a bare one, a clone with a work tree, or a
// linked work tree of one. It is for one goroutine at a time.
type Repository struct {
	disk   disk
	dir    string // the one with HEAD
	common string // the one with objects and refs; differs in a linked work tree
	work   bool   // has a work tree

	origin  string    // address of the remote "origin"
	partial bool      // objects are missing on purpose
	folders []*folder // of objects, the own one first; nil if they are not open
	missing []string  // folders of objects that the repository names and that do not exist
	loose   looseReader
}

// Open opens the repository in a folder: the folder itself, or the .git in it.
func Open(dir string) (*Repository, error) {
	return open(disk{}, dir, false)
}

// Find opens the repository to which a folder belongs, as the git program does: the one
// in the folder or in the nearest folder above it.
func Find(dir string) (*Repository, error) {
	return open(disk{}, dir, true)
}

// OpenWithin is Open for a folder that is not trusted: nothing outside of root is read,
// neither by symbolic links nor where the repository says that parts of it are
// elsewhere.
func OpenWithin(root, dir string) (*Repository, error) {
	root, err := resolved(root)
	if err != nil {
		return nil, err
	}
	if dir, err = resolved(dir); err != nil {
		return nil, err
	}
	d, err := diskWithin(root)
	if err != nil {
		return nil, err
	}
	return open(d, dir, false)
}

// resolved is an absolute path without symbolic links.
func resolved(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

func open(d disk, dir string, above bool) (*Repository, error) {
	l := &Repository{disk: d}
	if err := l.open(dir, above); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Repository) open(dir string, above bool) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	info, err := l.disk.stat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Of(object.ErrNoRepository, "the folder %s does not exist", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fault.Of(object.ErrNoRepository, "%s is not a folder", dir)
	}
	if err := l.locate(absolute, above); err != nil {
		return err
	}
	switch {
	case l.dir == "" && above:
		return fault.Of(object.ErrNoRepository, "neither %s nor a folder above it is a git repository", dir)
	case l.dir == "":
		return fault.Of(object.ErrNoRepository, "the folder %s is not a git repository", dir)
	}
	if err := l.readConfig(); err != nil {
		return err
	}
	_, err = l.objects()
	return err
}

// Close gives files back. A repository that is not limited to a folder opens them again
// when it is used.
func (l *Repository) Close() error {
	errs := []error{l.disk.close()}
	for _, f := range l.folders {
		errs = append(errs, f.packs.Close())
	}
	l.folders, l.missing = nil, nil
	return errors.Join(errs...)
}

// locate looks for the folder of a repository, see gitrepository-layout(5), in dir and
// in those above it.
func (l *Repository) locate(dir string, above bool) error {
	for {
		found, err := l.at(dir)
		if err != nil || found {
			return err
		}
		up := filepath.Dir(dir)
		if !above || up == dir || dir == l.disk.dir {
			return nil
		}
		dir = up
	}
}

// at looks for a repository in one folder.
func (l *Repository) at(dir string) (bool, error) {
	inner := filepath.Join(dir, ".git")
	info, err := l.disk.stat(inner)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l.isRepository(dir)
	case err != nil:
		return false, err
	case info.IsDir():
		l.work = true
		return l.isRepository(inner)
	}
	text, err := l.disk.readFile(inner)
	if err != nil {
		return false, err
	}
	to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if !ok {
		return false, fault.Of(object.ErrNoRepository, "the file %s does not say where the repository is", inner)
	}
	l.work = true
	found, err := l.isRepository(from(dir, to))
	if err == nil && !found {
		return false, fault.Of(object.ErrNoRepository, "the file %s names %s, which is not a git repository", inner, to)
	}
	return found, err
}

// isRepository takes a folder that has what every repository has.
func (l *Repository) isRepository(dir string) (bool, error) {
	if _, err := l.disk.stat(filepath.Join(dir, "HEAD")); err != nil {
		return false, ignoreMissing(err)
	}
	common := dir
	text, err := l.disk.readFile(filepath.Join(dir, "commondir"))
	if ignoreMissing(err) != nil {
		return false, err
	}
	if err == nil {
		common = from(dir, strings.TrimSpace(string(text)))
	}
	found, err := l.disk.isFolder(filepath.Join(common, "objects"))
	if found {
		l.dir, l.common = dir, common
	}
	return found, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// from is a path that a file of a folder names.
func from(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// readConfig refuses formats that are not known, see "extensions" in git-config(1).
func (l *Repository) readConfig() error {
	name := filepath.Join(l.common, "config")
	text, err := l.disk.readFile(name)
	if ignoreMissing(err) != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	settings, err := parseConfig(string(text))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if format := settings["extensions.objectformat"]; format != "" && !strings.EqualFold(format, "sha1") {
		return fmt.Errorf("the repository names its objects by %s; only sha1 is supported", format)
	}
	if format := settings["extensions.refstorage"]; format != "" && !strings.EqualFold(format, "files") {
		return fmt.Errorf("the repository keeps its refs in the format %s, which is not supported; convert it with: git refs migrate --ref-format=files", format)
	}
	l.partial = settings["extensions.partialclone"] != ""
	for key, value := range settings {
		l.partial = l.partial || value == "true" && strings.HasPrefix(key, "remote.") && strings.HasSuffix(key, ".promisor")
	}
	l.origin = settings["remote.origin.url"]
	return nil
}

// Dir is the folder of the repository itself, with its objects and refs.
func (l *Repository) Dir() string { return l.common }

// Origin is the address from which the repository was cloned: that of its remote
// "origin"; "" if it has none.
func (l *Repository) Origin() string { return l.origin }

// IsShallow reports whether the history was cut off when it was fetched.
func (l *Repository) IsShallow() bool {
	info, err := l.disk.stat(filepath.Join(l.common, "shallow"))
	return err == nil && info.Size() > 0
}

// Shallow reports whether the history was cut off at a commit.
func (l *Repository) Shallow(h object.Hash) bool {
	text, err := l.disk.readFile(filepath.Join(l.common, "shallow"))
	return err == nil && bytes.Contains(text, []byte(h.String()))
}
