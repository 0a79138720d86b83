package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Repository is a repository on this machine, bare or with a work tree. It
// is read where it is.
type Repository struct {
	dir    string // the one with HEAD
	common string // the one with objects and refs; differs in a linked work tree
	work   bool   // has a work tree
	st     *filesystem.Storage
}

const localCache = 16 << 20 // bytes of objects

func Open(dir string) (*Repository, error) {
	l := &Repository{dir: dir}
	if err := l.locate(); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(l.common, "config"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read its config: %w", err)
	}
	for _, unknown := range []string{"reftable", "sha256"} {
		if strings.Contains(strings.ToLower(string(config)), "= "+unknown) {
			return nil, fmt.Errorf("the repository is of the kind %s, which is not supported", unknown)
		}
	}
	l.begin()
	return l, nil
}

func (l *Repository) begin() {
	l.st = filesystem.NewStorageWithOptions(osfs.New(l.common, osfs.WithBoundOS()), cache.NewObjectLRU(localCache),
		filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: object.Large, AlternatesFS: osfs.New("/")})
}

// locate finds the folder of the repository itself, see gitrepository-layout(5).
func (l *Repository) locate() error {
	info, err := os.Stat(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the folder %s is not there", object.ErrNoRepository, l.dir)
	}
	if err != nil {
		return err
	}
	inner := filepath.Join(l.dir, ".git")
	text, err := os.ReadFile(inner)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is a file", object.ErrNoRepository, l.dir)
	case err == nil:
		to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return fmt.Errorf("%w: %s does not say where the repository is", object.ErrNoRepository, inner)
		}
		l.dir, l.work = absolute(l.dir, to), true
	case isFolder(inner):
		l.dir, l.work = inner, true
	}
	if _, err := os.Stat(filepath.Join(l.dir, "HEAD")); err != nil {
		return fmt.Errorf("%w: the folder %s is none", object.ErrNoRepository, l.dir)
	}
	l.common = l.dir
	if text, err := os.ReadFile(filepath.Join(l.dir, "commondir")); err == nil {
		l.common = absolute(l.dir, strings.TrimSpace(string(text)))
	}
	if !isFolder(filepath.Join(l.common, "objects")) {
		return fmt.Errorf("%w: the folder %s is none", object.ErrNoRepository, l.common)
	}
	return nil
}

func absolute(base, p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(base, p)
}

func isFolder(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}

func (l *Repository) Close() error { return l.st.Close() }

// Has looks again when an object is missing, as another process may have packed
// the repository meanwhile.
func (l *Repository) Has(h object.Hash) bool {
	if l.st.HasEncodedObject(h) == nil {
		return true
	}
	l.st.Reindex()
	return l.st.HasEncodedObject(h) == nil
}

func (l *Repository) object(h object.Hash) (plumbing.EncodedObject, error) {
	o, err := l.st.EncodedObject(plumbing.AnyObject, h)
	if err == nil {
		return o, nil
	}
	_ = l.st.Close() // the files may have been replaced
	l.begin()
	o, err = l.st.EncodedObject(plumbing.AnyObject, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("object %s in %s: %w", h, l.dir, object.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read object %s in %s: %w", h, l.dir, err)
	}
	return o, nil
}

func (l *Repository) Read(h object.Hash) (plumbing.ObjectType, []byte, error) {
	o, err := l.object(h)
	if err != nil {
		return 0, nil, err
	}
	r, err := o.Reader()
	if err != nil {
		return 0, nil, fmt.Errorf("read object %s in %s: %w", h, l.dir, err)
	}
	defer func() { _ = r.Close() }() // read in full, or the error is told
	var b bytes.Buffer
	b.Grow(int(o.Size()))
	if _, err := io.Copy(&b, r); err != nil {
		return 0, nil, fmt.Errorf("read object %s in %s: %w", h, l.dir, err)
	}
	return o.Type(), b.Bytes(), nil
}

func (l *Repository) Open(h object.Hash) (plumbing.ObjectType, io.ReadCloser, int64, error) {
	o, err := l.object(h)
	if err != nil {
		return 0, nil, 0, err
	}
	r, err := o.Reader()
	if err != nil {
		return 0, nil, 0, fmt.Errorf("read object %s in %s: %w", h, l.dir, err)
	}
	return o.Type(), r, o.Size(), nil
}

// Shallow reports whether the clone's history ends at h.
func (l *Repository) Shallow(h object.Hash) bool {
	text, err := os.ReadFile(filepath.Join(l.common, "shallow"))
	return err == nil && bytes.Contains(text, []byte(h.String()))
}

// Refs gives those that exist, with peeled tags.
func (l *Repository) Refs(names []string) (map[string]object.Hash, error) {
	packed, err := l.packedRefs()
	if err != nil {
		return nil, err
	}
	found := map[string]object.Hash{}
	for _, name := range names {
		h, err := l.ref(name, packed)
		if err != nil {
			return nil, err
		}
		if h.IsZero() {
			continue
		}
		found[name] = h
		if to := l.peel(h); to != h {
			found[name+"^{}"] = to
		}
	}
	return found, nil
}

// peel follows tags to what they mean.
func (l *Repository) peel(h object.Hash) object.Hash {
	const chained = 10 // tags of tags
	for range chained {
		o, err := l.st.EncodedObject(plumbing.TagObject, h)
		if err != nil {
			return h
		}
		_, raw, err := l.Read(o.Hash())
		if err != nil {
			return h
		}
		to, err := object.TagTarget(raw)
		if err != nil {
			return h
		}
		h = to
	}
	return h
}

const maxSymrefs = 5 // that point to each other, as in git

// ref is the value of a ref; zero when there is none. A file wins over
// packed-refs.
func (l *Repository) ref(name string, packed map[string]object.Hash) (object.Hash, error) {
	for range maxSymrefs {
		if !object.CleanPath(name) {
			return object.Hash{}, fmt.Errorf("%q is no name of a ref", name)
		}
		text, err := os.ReadFile(filepath.Join(l.refDir(name), filepath.FromSlash(name)))
		value := strings.TrimSpace(string(text))
		to, symbolic := strings.CutPrefix(value, "ref: ")
		switch {
		case err != nil: // also when a folder is there
			return packed[name], nil //nolint:nilerr // explained
		case symbolic:
			name = strings.TrimSpace(to)
		case plumbing.IsHash(value):
			return plumbing.NewHash(value), nil
		default:
			return object.Hash{}, fmt.Errorf("the ref %s in %s is damaged", name, l.dir)
		}
	}
	return object.Hash{}, fmt.Errorf("the ref %s in %s leads in circles", name, l.dir)
}

// refDir: names outside of refs/, as HEAD, are each work tree's own.
func (l *Repository) refDir(name string) string {
	if strings.HasPrefix(name, "refs/") {
		return l.common
	}
	return l.dir
}

func (l *Repository) packedRefs() (map[string]object.Hash, error) {
	packed := map[string]object.Hash{}
	text, err := os.ReadFile(filepath.Join(l.common, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return packed, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", l.dir, err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if id, name, ok := strings.Cut(line, " "); ok && plumbing.IsHash(id) {
			packed[name] = plumbing.NewHash(id)
		}
	}
	return packed, nil
}

func (l *Repository) AllRefs() (map[string]object.Hash, error) {
	packed, err := l.packedRefs()
	if err != nil {
		return nil, err
	}
	names := []string{"HEAD"}
	for name := range packed {
		names = append(names, name)
	}
	err = filepath.WalkDir(filepath.Join(l.common, "refs"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") {
			return err
		}
		name, err := filepath.Rel(l.common, p)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", l.dir, err)
	}
	return l.Refs(names)
}
