package proposal

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/threeway"
)

// Held is what the bot's branch holds beyond the base: how the tree After differs from Before, the one
// of the base where the branch begins. The zero value holds nothing.
type Held struct {
	Before, After git.Hash

	store *git.Store
}

// IsZero reports that the branch holds nothing.
func (h Held) IsZero() bool { return h.Before == h.After }

// Rest adds to edits the files that the branch holds. It leaves out the paths that spoken claims or that
// edits are about, and those which the base has changed since: they are returned as outdated.
func (h Held) Rest(ctx context.Context, base git.Hash, edits map[string]git.Edit, spoken func(path string) bool) (kept, outdated []string, err error) {
	if h.IsZero() {
		return nil, nil, nil
	}
	about := pathsOf(edits)
	files := map[string]*git.Entry{}
	err = h.store.Diff(ctx, h.Before, h.After, everywhere, func(name string, was, is *git.Entry) error {
		if spoken(name) || about.touch(name) || is != nil && is.Mode == filemode.Submodule {
			return nil
		}
		now, free, err := h.entry(ctx, base, name)
		switch {
		case err != nil || Same(now, is):
			return err
		case !Same(now, was) || !free:
			outdated = append(outdated, name)
			return nil
		}
		files[name] = is
		kept = append(kept, name)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return kept, outdated, h.add(ctx, edits, files)
}

// Replace adds to edits the deletion of what a tree has at a path or below it, and edits do not have.
func Replace(ctx context.Context, store *git.Store, tree git.Hash, name string, edits map[string]git.Edit) error {
	remove := func(name string) {
		if _, stays := edits[name]; !stays {
			edits[name] = git.Edit{Delete: true}
		}
	}
	e, err := store.Lookup(ctx, tree, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case e.Mode != filemode.Dir:
		remove(name)
		return nil
	}
	return store.Walk(ctx, e.Hash, everywhere, func(below string, _ git.Entry) error {
		remove(path.Join(name, below))
		return nil
	})
}

// add makes edits of entries; nil deletes.
func (h Held) add(ctx context.Context, edits map[string]git.Edit, files map[string]*git.Entry) error {
	var need []git.Hash
	for _, e := range files {
		if e != nil {
			need = append(need, e.Hash)
		}
	}
	if err := h.store.Need(ctx, need...); err != nil {
		return err
	}
	for name, e := range files {
		if e == nil {
			edits[name] = git.Edit{Delete: true}
			continue
		}
		content, err := h.store.Blob(ctx, e.Hash)
		if err != nil {
			return err
		}
		edits[name] = git.Edit{Mode: e.Mode, Content: content}
	}
	return nil
}

// Changed is what the branch has at a path, nil for nothing, and whether the branch has changed it.
func (h Held) Changed(ctx context.Context, name string) (is *git.Entry, changed bool, err error) {
	was, err := EntryAt(ctx, h.store, h.Before, name)
	if err != nil {
		return nil, false, err
	}
	is, err = EntryAt(ctx, h.store, h.After, name)
	return is, !Same(was, is), err
}

// EntryAt is what a tree has at a path, nil for nothing.
func EntryAt(ctx context.Context, store *git.Store, tree git.Hash, name string) (*git.Entry, error) {
	found, err := store.Lookup(ctx, tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// entry is what a tree has at a path, nil for nothing. free reports that no file is in the place of one
// of the path's folders.
func (h Held) entry(ctx context.Context, tree git.Hash, name string) (e *git.Entry, free bool, err error) {
	e, err = EntryAt(ctx, h.store, tree, name)
	if e != nil || err != nil {
		return e, true, err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		found, err := EntryAt(ctx, h.store, tree, dir)
		if err != nil {
			return nil, false, err
		}
		if found != nil {
			return nil, found.Mode == filemode.Dir, nil
		}
	}
	return nil, true, nil
}

// Same reports whether two entries are the same file.
func Same(a, b *git.Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Hash == b.Hash && a.Mode == b.Mode
}

func everywhere(string) bool { return true }

// paths are those that edits are about: true for a path itself, false for a folder on the way to one.
type paths map[string]bool

func pathsOf(edits map[string]git.Edit) paths {
	out := paths{}
	for name := range edits {
		out[name] = true
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			out[dir] = out[dir] || false
		}
	}
	return out
}

// touch reports whether a file and one of the paths are the same or can't both be there.
func (p paths) touch(name string) bool {
	if _, ok := p[name]; ok {
		return true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if p[dir] {
			return true
		}
	}
	return false
}

// sameEffect reports whether two changes of a tree do the same: they leave the same files, or, where
// files differ otherwise too, change the same lines in the same way.
func sameEffect(ctx context.Context, store *git.Store, a, b Held) (bool, error) {
	changes, err := changesOf(ctx, store, a)
	if err != nil {
		return false, err
	}
	others, err := changesOf(ctx, store, b)
	if err != nil || len(changes) != len(others) {
		return false, err
	}
	for name, x := range changes {
		y, ok := others[name]
		if !ok {
			return false, nil
		}
		if Same(x.is, y.is) {
			continue
		}
		if ok, err := sameLines(ctx, store, x, y); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// change is a file before and after; nil for none.
type change struct{ was, is *git.Entry }

func changesOf(ctx context.Context, store *git.Store, h Held) (map[string]change, error) {
	out := map[string]change{}
	err := store.Diff(ctx, h.Before, h.After, everywhere, func(name string, was, is *git.Entry) error {
		out[name] = change{was, is}
		return nil
	})
	return out, err
}

// maxCompared is the size of a file, in bytes, up to which its lines are compared. Larger ones count as
// different.
const maxCompared = 1 << 20

func sameLines(ctx context.Context, store *git.Store, x, y change) (bool, error) {
	all := []*git.Entry{x.was, x.is, y.was, y.is}
	for _, e := range all {
		if e == nil || e.Mode != all[0].Mode || !e.Mode.IsFile() {
			return false, nil
		}
	}
	if err := store.Need(ctx, x.was.Hash, x.is.Hash, y.was.Hash, y.is.Hash); err != nil {
		return false, err
	}
	var text [4][]byte
	for i, e := range all {
		data, err := store.Blob(ctx, e.Hash)
		if err != nil {
			return false, err
		}
		if len(data) > maxCompared {
			return false, nil
		}
		text[i] = data
	}
	return threeway.SameLines(text[0], text[1], text[2], text[3]), nil
}
