package local

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// folder is a folder of objects: packs, and files of one object each.
type folder struct {
	dir   string
	packs *pack.Folder
}

const maxAlternates = 5 // that name each other, as in git

// objects opens the repository's folder of objects and those it borrows from, see
// objects/info/alternates in gitrepository-layout(5).
func (l *Repository) objects() ([]*folder, error) {
	if l.folders == nil {
		if err := l.openFolder(filepath.Join(l.common, "objects"), 0); err != nil {
			return nil, err
		}
	}
	return l.folders, nil
}

func (l *Repository) openFolder(dir string, depth int) error {
	if slices.ContainsFunc(l.folders, func(f *folder) bool { return f.dir == dir }) {
		return nil
	}
	if depth > maxAlternates {
		return fmt.Errorf("%s: more than %d repositories borrow objects from each other", dir, maxAlternates)
	}
	packs, err := pack.OpenFolder(l.disk, filepath.Join(dir, "pack"))
	if err != nil {
		return err
	}
	l.folders = append(l.folders, &folder{dir, packs})
	text, err := l.disk.readFile(filepath.Join(dir, "info", "alternates"))
	if ignoreMissing(err) != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if unquoted, err := strconv.Unquote(line); err == nil {
			line = unquoted
		}
		if err := l.borrow(from(dir, line), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// borrow opens another repository's folder of objects. If it does not exist, git goes
// on too, until it misses an object.
func (l *Repository) borrow(dir string, depth int) error {
	found, err := l.disk.isFolder(dir)
	if err != nil {
		return fmt.Errorf("objects/info/alternates: %w", err)
	}
	if !found {
		l.missing = append(l.missing, dir)
		return nil
	}
	return l.openFolder(dir, depth)
}

// Has reports whether the repository has an object.
func (l *Repository) Has(h object.Hash) bool {
	has, err := l.find(func(f *folder) error {
		if f.packs.Has(h) {
			return nil
		}
		_, err := l.disk.stat(f.file(h))
		return err
	})
	return has && err == nil
}

// Read returns an object.
func (l *Repository) Read(h object.Hash) (kind plumbing.ObjectType, content []byte, err error) {
	err = l.look(h, func(f *folder) error {
		kind, content, err = f.packs.Read(h)
		if errors.Is(err, object.ErrNotFound) {
			kind, content, err = l.readLoose(f.file(h))
		}
		return err
	})
	return kind, content, err
}

// Open returns an object and its size in bytes. A large one is not in memory, unless it
// is stored as a delta.
func (l *Repository) Open(h object.Hash) (kind plumbing.ObjectType, content io.ReadCloser, size int64, err error) {
	err = l.look(h, func(f *folder) error {
		kind, content, size, err = f.packs.Open(h)
		if errors.Is(err, object.ErrNotFound) {
			kind, content, size, err = l.openLoose(f.file(h))
		}
		return err
	})
	return kind, content, size, err
}

// look makes one error of everything that can go wrong with an object.
func (l *Repository) look(h object.Hash, try func(*folder) error) error {
	found, err := l.find(try)
	switch {
	case err != nil:
		return fmt.Errorf("read object %s in %s: %w", h, l.dir, err)
	case found:
		return nil
	case len(l.missing) > 0:
		return fmt.Errorf("object %s in %s: %w; it borrows objects from %s, which does not exist", h, l.dir, object.ErrNotFound, strings.Join(l.missing, " and "))
	case l.partial:
		return fmt.Errorf("object %s in %s: %w; the clone is a partial one: run a git command that needs the object, or make a full clone", h, l.dir, object.ErrNotFound)
	}
	return fmt.Errorf("object %s in %s: %w", h, l.dir, object.ErrNotFound)
}

// find tries one folder after the other, and once more if another process has packed
// objects meanwhile. A file that does not exist is not an error.
func (l *Repository) find(try func(*folder) error) (bool, error) {
	folders, err := l.objects()
	if err != nil {
		return false, err
	}
	for again := true; again; {
		for _, f := range folders {
			if err := try(f); ignoreMissing(err) != nil || err == nil {
				return err == nil, err
			}
		}
		again = false
		for _, f := range folders {
			changed, err := f.packs.Refresh()
			if err != nil {
				return false, err
			}
			again = again || changed
		}
	}
	return false, nil
}

// PackedObjects is the number of objects in the repository's packs, and in those that it
// borrows from. git chooses the length of short hashes by it.
func (l *Repository) PackedObjects() int {
	n := 0
	for _, f := range l.folders {
		n += f.packs.Count()
	}
	return n
}

// file is where an object is that is not in a pack.
func (f *folder) file(h object.Hash) string {
	id := h.String()
	return filepath.Join(f.dir, id[:2], id[2:])
}

// looseReader decompresses the files of objects.
type looseReader struct {
	z   io.ReadCloser
	buf *bufio.Reader
}

const maxLooseHead = 32 // bytes: a kind, a blank, a number, a zero byte

// start reads the head of an object from a compressed stream. What follows in the
// reader is the content.
func (r *looseReader) start(from io.Reader) (plumbing.ObjectType, int64, error) {
	if r.z == nil {
		z, err := zlib.NewReader(from)
		if err != nil {
			return 0, 0, err
		}
		r.z, r.buf = z, bufio.NewReader(z)
	} else {
		if err := r.z.(zlib.Resetter).Reset(from, nil); err != nil { //nolint:forcetypeassert,errcheck // documented in compress/zlib
			return 0, 0, err
		}
		r.buf.Reset(r.z)
	}
	head, err := r.buf.Peek(maxLooseHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	head, _, ok := bytes.Cut(head, []byte{0})
	if !ok {
		return 0, 0, errors.New("the object is damaged: it has no head")
	}
	name, length, _ := strings.Cut(string(head), " ")
	kind, err := plumbing.ParseObjectType(name)
	if err != nil {
		return 0, 0, fmt.Errorf("the object is damaged: %.40q is not a kind", name)
	}
	size, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return 0, 0, fmt.Errorf("the object is damaged: %.40q is not a size", length)
	}
	_, err = r.buf.Discard(len(head) + 1)
	return kind, int64(size), err
}

func (l *Repository) readLoose(name string) (plumbing.ObjectType, []byte, error) {
	f, err := l.disk.Open(name)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	kind, size, err := l.loose.start(f)
	if err != nil {
		return 0, nil, err
	}
	if size > pack.MaxWhole {
		return 0, nil, pack.Over("an object that is read as a whole", size, pack.MaxWhole, "bytes")
	}
	content, err := io.ReadAll(io.LimitReader(l.loose.buf, size+1))
	if err == nil && int64(len(content)) != size {
		err = fmt.Errorf("the object is damaged: it has not the %d bytes that it should have", size)
	}
	return kind, content, err
}

func (l *Repository) openLoose(name string) (plumbing.ObjectType, io.ReadCloser, int64, error) {
	f, err := l.disk.Open(name)
	if err != nil {
		return 0, nil, 0, err
	}
	var own looseReader // as the next object may be read before this one's end
	kind, size, err := own.start(f)
	if err != nil {
		return 0, nil, 0, errors.Join(err, f.Close())
	}
	return kind, struct {
		io.Reader
		io.Closer
	}{io.LimitReader(own.buf, size), f}, size, nil
}

// write stores an object as a file of its own.
func (l *Repository) write(o object.Object) error {
	folders, err := l.objects()
	if err != nil {
		return err
	}
	file := folders[0].file(o.Hash)
	//nolint:gosec // as git makes them
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "tmp_obj_")
	if err != nil {
		return err
	}
	z := zlib.NewWriter(f)
	_, err = fmt.Fprintf(z, "%s %d\x00", o.Kind, len(o.Content))
	if err == nil {
		_, err = z.Write(o.Content)
	}

	err = errors.Join(err, z.Close(), f.Chmod(0o444), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(f.Name())))
	}
	return nil
}
