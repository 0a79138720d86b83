package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// coarse is how much time may pass between two changes of a folder that have the same
// time: two seconds on FAT.
const coarse = 2 * time.Second

// files opens files by name. Its Open is that of an *os.Root, too.
type files interface {
	Open(name string) (*os.File, error)
}

// Folder reads the packs of a repository, which git keeps in objects/pack. It never
// changes them. What a pack holds is believed as far as git does: its checksums are
// not computed.
type Folder struct {
	reader
	files   files
	path    string
	known   map[string]bool
	changed time.Time // of the folder, when it was read
}

// OpenFolder reads the indexes of the packs in a folder, which need not exist.
func OpenFolder(files files, path string) (*Folder, error) {
	f := &Folder{reader: newReader(mappedPack), files: files, path: path, known: map[string]bool{}}
	f.apart = true
	if _, err := f.Refresh(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Refresh looks for packs that another process has made or removed, and reports whether
// there are any. A pack that was read before it was removed can still be read.
func (f *Folder) Refresh() (found bool, err error) {
	dir, err := f.files.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = dir.Close() }() // it was read only
	info, err := dir.Stat()
	if err != nil || info.ModTime().Equal(f.changed) {
		return false, err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	slices.Sort(names)
	found, err = f.forget(names)
	if err != nil {
		return found, err
	}
	for _, name := range names {
		base, isIndex := strings.CutSuffix(name, ".idx")
		if !isIndex || f.known[base] || !slices.Contains(names, base+".pack") {
			continue
		}
		if err := f.add(base); err != nil {
			return found, fmt.Errorf("the pack %s: %w", filepath.Join(f.path, base+".pack"), err)
		}
		f.known[base], found = true, true
	}
	if time.Since(info.ModTime()) > coarse {
		f.changed = info.ModTime()
	}
	return found, nil
}

// add reads the index of a pack. The pack itself is opened when it is needed.
func (f *Folder) add(base string) error {
	file, err := f.files.Open(filepath.Join(f.path, base+".idx"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // the mapping stays
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < idxHeader {
		return fmt.Errorf("%w: its index has %d bytes", errDamaged, info.Size())
	}
	data, unmap, err := mapFile(file, int(info.Size()))
	if err != nil {
		return err
	}
	idx, err := parseIdx(data)
	if err != nil {
		return errors.Join(err, unmap())
	}
	f.packs = append(f.packs, &pack{
		idx: idx, closeIdx: unmap, name: base,
		late: func() (*os.File, error) { return f.files.Open(filepath.Join(f.path, base+".pack")) },
	})
	return nil
}

// forget closes packs that are gone and that were not read yet.
func (f *Folder) forget(names []string) (found bool, err error) {
	var errs []error
	f.packs = slices.DeleteFunc(f.packs, func(p *pack) bool {
		gone := p.unpacker == nil && !slices.Contains(names, p.name+".pack")
		if gone {
			found = true
			delete(f.known, p.name)
			errs = append(errs, p.end())
		}
		return gone
	})
	return found, errors.Join(errs...)
}

// Count is the number of objects in all packs.
func (f *Folder) Count() int {
	n := 0
	for _, p := range f.packs {
		n += p.idx.count
	}
	return n
}
