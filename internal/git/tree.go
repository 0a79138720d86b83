package git

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// Lookup gives what is at a path of a tree. There may be nothing:
// fs.ErrNotExist.
func (s *Store) Lookup(ctx context.Context, tree Hash, name string) (Entry, error) {
	at := Entry{Mode: filemode.Dir, Hash: tree}
	for part := range strings.SplitSeq(name, "/") {
		if at.Mode != filemode.Dir || at.Hash.IsZero() {
			return Entry{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		entries, err := s.Tree(ctx, at.Hash)
		if err != nil {
			return Entry{}, fmt.Errorf("look up %s: %w", name, err)
		}
		found := false
		for i := range entries {
			if entries[i].Name == part {
				at, found = entries[i], true
				break
			}
		}
		if !found {
			return Entry{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
	}
	return at, nil
}

// Walk visits everything in a tree that is not a folder, in git's order.
// Folders that descend is false for are not read.
func (s *Store) Walk(ctx context.Context, tree Hash, descend func(dir string) bool, visit func(path string, e Entry) error) error {
	d := differ{store: s, descend: descend, visit: func(p string, _, e *Entry) error { return visit(p, *e) }, what: "the commit"}
	return d.trees(ctx, Hash{}, tree, "", 0)
}

// Diff visits every path that differs between two trees and is not a folder,
// with what it was and what it is; nil is nothing. Trees are compared by their
// hashes, the zero hash is an empty tree. Folders that descend is false for are
// not read.
func (s *Store) Diff(ctx context.Context, before, after Hash, descend func(dir string) bool, visit func(path string, before, after *Entry) error) error {
	d := differ{store: s, descend: descend, visit: visit, what: "the difference of two commits"}
	return d.trees(ctx, before, after, "", 0)
}

type differ struct {
	store   *Store
	descend func(string) bool
	visit   func(string, *Entry, *Entry) error
	what    string // for an error
	seen    int64
}

func (d *differ) trees(ctx context.Context, before, after Hash, dir string, depth int) error {
	if before == after {
		return nil
	}
	if depth > pack.MaxTreeDepth {
		return pack.Over("the tree", int64(depth), pack.MaxTreeDepth, "folders in each other, or more")
	}
	a, err := d.store.Tree(ctx, before)
	if err != nil {
		return err
	}
	b, err := d.store.Tree(ctx, after)
	if err != nil {
		return err
	}
	if d.seen += int64(len(a) + len(b)); d.seen > pack.MaxFiles {
		return pack.Over(d.what, d.seen, pack.MaxFiles, "files and folders, or more")
	}
	for len(a) > 0 || len(b) > 0 {
		var x, y *Entry
		switch c := compareHeads(a, b); {
		case c == 0:
			x, y, a, b = &a[0], &b[0], a[1:], b[1:]
		case c < 0:
			x, a = &a[0], a[1:]
		default:
			y, b = &b[0], b[1:]
		}
		if err := d.entry(ctx, x, y, dir, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry compares two entries of the same name, of which one may be missing. A
// file in place of a folder comes as two pairs, as they sort apart.
func (d *differ) entry(ctx context.Context, x, y *Entry, dir string, depth int) error {
	if x != nil && y != nil && x.Hash == y.Hash && x.Mode == y.Mode {
		return nil
	}
	var before, after Hash
	isFolder := false
	name := ""
	if x != nil {
		name = x.Name
		if x.Mode == filemode.Dir {
			before, isFolder = x.Hash, true
		}
	}
	if y != nil {
		name = y.Name
		if y.Mode == filemode.Dir {
			after, isFolder = y.Hash, true
		}
	}
	p := object.Below(dir, name)
	if !isFolder {
		return d.visit(p, x, y)
	}
	if !d.descend(p) {
		return nil
	}
	return d.trees(ctx, before, after, p, depth+1)
}

// compareHeads says which list has the entry that comes first: negative for a. A file and a folder of
// one name are two entries.
func compareHeads(a, b []Entry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return object.CompareEntries(a[0], b[0])
}
