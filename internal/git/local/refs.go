package local

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const (
	branches = "refs/heads/"
	tracked  = "refs/remotes/origin/"
)

// Refs returns the values of those refs that exist. The commit of an annotated tag is
// under its name with "^{}" added.
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
		l.add(found, name, h, packed)
	}
	return found, nil
}

// add adds a ref with its value, unless that is zero, and the commit of an annotated tag.
func (l *Repository) add(found map[string]object.Hash, name string, h object.Hash, packed map[string]packedRef) {
	if h.IsZero() {
		return
	}
	found[name] = h
	to := packed[name].peeled
	if packed[name].value != h || to.IsZero() {
		to = l.peel(h)
	}
	if to != h {
		found[name+"^{}"] = to
	}
}

// AllRefs returns the values of all refs and of HEAD, as Refs does.
func (l *Repository) AllRefs() (map[string]object.Hash, error) {
	packed, err := l.packedRefs()
	if err != nil {
		return nil, err
	}
	found := map[string]object.Hash{}
	for name, r := range packed {
		l.add(found, name, r.value, packed)
	}
	loose, err := l.looseRefs("refs", []string{"HEAD"})
	if err != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", l.dir, err)
	}
	for _, name := range loose {
		h, err := l.ref(name, packed)
		if err != nil {
			return nil, err
		}
		delete(found, name+"^{}")
		l.add(found, name, h, packed)
	}
	return found, nil
}

// looseRefs adds the names of the refs that are files below a folder.
func (l *Repository) looseRefs(dir string, names []string) ([]string, error) {
	entries, err := l.disk.readDir(filepath.Join(l.common, filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if names, err = l.looseRefs(name, names); err != nil {
				return nil, err
			}
		case !strings.HasSuffix(name, ".lock"):
			names = append(names, name)
		}
	}
	return names, nil
}

// Branches returns the commits of the branches by their short names, as the repository
// has them from which this one was cloned: branches that were never checked out here
// are those of the remote "origin". A branch of this repository wins.
func (l *Repository) Branches() (map[string]object.Hash, error) {
	all, err := l.AllRefs()
	if err != nil {
		return nil, err
	}
	found := map[string]object.Hash{}
	for _, prefix := range []string{tracked, branches} {
		for name, h := range all {
			if short, ok := strings.CutPrefix(name, prefix); ok && short != "HEAD" && !strings.HasSuffix(name, "^{}") {
				found[short] = h
			}
		}
	}
	return found, nil
}

// Head is the short name of the branch that is checked out; "" for a commit that is
// checked out by itself.
func (l *Repository) Head() (string, error) {
	text, err := l.disk.readFile(filepath.Join(l.dir, "HEAD"))
	if err != nil {
		return "", fmt.Errorf("read HEAD: %w", err)
	}
	name, _ := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: ")
	short, ok := strings.CutPrefix(name, branches)
	if !ok {
		return "", nil
	}
	return short, nil
}

// peel follows tags to the object that they are for.
func (l *Repository) peel(h object.Hash) object.Hash {
	const chained = 10 // tags of tags
	for range chained {
		kind, content, err := l.Read(h)
		if err != nil || kind != plumbing.TagObject {
			return h
		}
		to, err := object.TagTarget(content)
		if err != nil {
			return h
		}
		h = to
	}
	return h
}

const maxSymrefs = 5 // that point to each other, as in git

// ref is the value of a ref, zero if there is none. A file wins over packed-refs.
func (l *Repository) ref(name string, packed map[string]packedRef) (object.Hash, error) {
	for range maxSymrefs {
		if !object.CleanPath(name) {
			return object.Hash{}, fmt.Errorf("%q is not a valid name of a ref", name)
		}
		text, err := l.disk.readFile(l.file(name))
		var outside *outsideError
		if errors.As(err, &outside) || errors.Is(err, errNotRead) {
			return object.Hash{}, err
		}
		value := strings.TrimSpace(string(text))
		to, symbolic := strings.CutPrefix(value, "ref: ")
		switch {
		case err != nil: // also when there is a folder in its place
			return packed[name].value, nil //nolint:nilerr // explained
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

// file is where a ref is. Names outside of refs/, as HEAD, are each work tree's own.
func (l *Repository) file(ref string) string {
	dir := l.dir
	if strings.HasPrefix(ref, "refs/") {
		dir = l.common
	}
	return filepath.Join(dir, filepath.FromSlash(ref))
}

// maxRefs is how many packed refs are kept in memory, where each takes hundreds of bytes.
const maxRefs = 150_000

// packedRef is a line of packed-refs.
type packedRef struct {
	value  object.Hash
	peeled object.Hash // the object behind a tag, or value; zero if it is not known
}

// packedRefs reads the file that "git pack-refs" writes.
func (l *Repository) packedRefs() (map[string]packedRef, error) {
	packed := map[string]packedRef{}
	text, err := l.disk.readFile(filepath.Join(l.common, "packed-refs"))
	if ignoreMissing(err) != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", l.dir, err)
	}
	last, allPeeled := "", false
	for line := range strings.SplitSeq(string(text), "\n") {
		if header, ok := strings.CutPrefix(line, "# pack-refs with:"); ok {
			allPeeled = strings.Contains(header, " fully-peeled ")
			continue
		}
		if id, ok := strings.CutPrefix(line, "^"); ok && plumbing.IsHash(id) && last != "" {
			packed[last] = packedRef{packed[last].value, plumbing.NewHash(id)}
			continue
		}
		id, name, ok := strings.Cut(line, " ")
		if !ok || !plumbing.IsHash(id) {
			continue
		}
		r := packedRef{value: plumbing.NewHash(id)}
		if allPeeled {
			r.peeled = r.value
		}
		packed[name], last = r, name
		if len(packed) > maxRefs {
			return nil, fmt.Errorf("the repository %s has more than %d refs, and no more are read: delete some, or use a clone with fewer", l.dir, maxRefs)
		}
	}
	return packed, nil
}
