package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Build makes a commit of edits on top of another commit, without a work tree:
// only the trees on the way to the edited paths are read, and all other entries
// keep exactly the mode they have. A folder without files goes away. The commit
// exists in the result only; Push sends it.
func (s *Store) Build(ctx context.Context, spec NewCommit) (*Built, error) {
	b := &builder{store: s, objects: map[Hash]Object{}}
	root, err := newEditTree(spec.Edits)
	if err != nil {
		return nil, fmt.Errorf("build a commit: %w", err)
	}
	var base Hash
	if !spec.Parent.IsZero() {
		parent, err := s.Commit(ctx, spec.Parent)
		if err != nil {
			return nil, fmt.Errorf("build a commit: %w", err)
		}
		base = parent.Tree
	}
	tree, _, err := b.tree(ctx, base, "", root)
	if err != nil {
		return nil, fmt.Errorf("build a commit: %w", err)
	}
	c, err := newCommit(spec, tree)
	if err != nil {
		return nil, fmt.Errorf("build a commit: %w", err)
	}
	content, err := s.signed(object.FormatCommit(c), c.Committer.When, object.AddSignature)
	if err != nil {
		return nil, fmt.Errorf("build a commit: %w", err)
	}
	c.Hash = b.add(plumbing.CommitObject, content)
	return &Built{Hash: c.Hash, Commit: c, Objects: b.list()}, nil
}

// editTree are the edits of one folder.
type editTree struct {
	edits   map[string]Edit
	folders map[string]*editTree
}

func newEditTree(edits map[string]Edit) (*editTree, error) {
	root := &editTree{}
	for p, e := range edits {
		if err := checkEdit(p, e); err != nil {
			return nil, err
		}
		at := root
		names := strings.Split(p, "/")
		for _, name := range names[:len(names)-1] {
			at = at.folder(name)
		}
		if at.edits == nil {
			at.edits = map[string]Edit{}
		}
		at.edits[names[len(names)-1]] = e
	}
	if err := root.check(""); err != nil {
		return nil, err
	}
	return root, nil
}

func checkEdit(p string, e Edit) error {
	if e.Delete {
		return checkDeleted(p)
	}
	switch e.Mode {
	case filemode.Empty, filemode.Regular, filemode.Executable, filemode.Symlink:
	default:
		return fmt.Errorf("write %q: the mode %o is not one of a file", p, uint32(e.Mode))
	}
	return object.CheckPath(p, e.Mode)
}

// checkDeleted lets odd names go, as long as they can be found in trees.
func checkDeleted(p string) error {
	if slices.Contains(strings.Split(p, "/"), "") {
		return fmt.Errorf("delete %q: it has an empty name in it", p)
	}
	return nil
}

func (t *editTree) folder(name string) *editTree {
	if t.folders == nil {
		t.folders = map[string]*editTree{}
	}
	if t.folders[name] == nil {
		t.folders[name] = &editTree{}
	}
	return t.folders[name]
}

// check refuses edits of which one is a file where another needs a folder.
func (t *editTree) check(dir string) error {
	for name, sub := range t.folders {
		p := path.Join(dir, name)
		if e, ok := t.edits[name]; ok && !e.Delete && sub.writes() {
			return fmt.Errorf("write %q: it is to be a file and a folder at once", p)
		}
		if err := sub.check(p); err != nil {
			return err
		}
	}
	return nil
}

// writes reports whether the edits leave any file.
func (t *editTree) writes() bool {
	for _, e := range t.edits {
		if !e.Delete {
			return true
		}
	}
	for _, sub := range t.folders {
		if sub.writes() {
			return true
		}
	}
	return false
}

type builder struct {
	store   *Store
	objects map[Hash]Object
	order   []Hash
}

// tree applies edits to the tree base, which is zero for a folder that is not
// there yet, and reports whether the outcome is empty.
func (b *builder) tree(ctx context.Context, base Hash, dir string, t *editTree) (h Hash, empty bool, err error) {
	before, err := b.store.Tree(ctx, base)
	if err != nil {
		return h, false, err
	}
	after := slices.Clone(before)
	// what is only emptied goes first, as a file may take its place
	if after, err = b.subtrees(ctx, after, dir, t, false); err != nil {
		return h, false, err
	}
	for _, name := range slices.Sorted(maps.Keys(t.edits)) {
		if after, err = b.file(after, dir, name, t.edits[name]); err != nil {
			return h, false, err
		}
	}
	if after, err = b.subtrees(ctx, after, dir, t, true); err != nil {
		return h, false, err
	}
	if !base.IsZero() && slices.Equal(before, after) { // an edit keeps the place of its entry
		return base, len(after) == 0, nil
	}
	object.SortEntries(after)
	return b.add(plumbing.TreeObject, object.FormatTree(after)), len(after) == 0, nil
}

func (b *builder) file(entries []Entry, dir, name string, e Edit) ([]Entry, error) {
	i := slices.IndexFunc(entries, func(o Entry) bool { return o.Name == name })
	if e.Delete {
		if i >= 0 {
			entries = slices.Delete(entries, i, i+1)
		}
		return entries, nil
	}
	mode := e.Mode
	if i >= 0 {
		var err error
		if mode, err = replacedMode(entries[i].Mode, e.Mode); err != nil {
			return nil, fmt.Errorf("write %q: %w", path.Join(dir, name), err)
		}
	} else if mode == filemode.Empty {
		mode = filemode.Regular
	}
	h := plumbing.ComputeHash(plumbing.BlobObject, e.Content)
	if i < 0 {
		b.add(plumbing.BlobObject, e.Content)
		return append(entries, Entry{Name: name, Mode: mode, Hash: h}), nil
	}
	if entries[i].Hash != h {
		b.add(plumbing.BlobObject, e.Content)
	}
	entries[i].Mode, entries[i].Hash = mode, h
	return entries, nil
}

// replacedMode is the mode of an entry that an edit replaces. What is the same
// for git stays as it is written.
func replacedMode(old, wanted filemode.FileMode) (filemode.FileMode, error) {
	switch {
	case old == filemode.Dir || old == filemode.Submodule:
		return old, errors.New("there is a folder in its place")
	case wanted == filemode.Empty && old == filemode.Symlink:
		return old, errors.New("there is a symbolic link in its place, which is not followed")
	case wanted == filemode.Empty || wanted == object.WrittenMode(old):
		return old, nil
	}
	return wanted, nil
}

// subtrees applies the edits of those folders that get files, or of the others.
func (b *builder) subtrees(ctx context.Context, entries []Entry, dir string, t *editTree, written bool) ([]Entry, error) {
	for _, name := range slices.Sorted(maps.Keys(t.folders)) {
		if t.folders[name].writes() != written {
			continue
		}
		var err error
		if entries, err = b.subtree(ctx, entries, dir, name, t.folders[name]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (b *builder) subtree(ctx context.Context, entries []Entry, dir, name string, t *editTree) ([]Entry, error) {
	p := path.Join(dir, name)
	i := slices.IndexFunc(entries, func(o Entry) bool { return o.Name == name })
	var base Hash
	switch {
	case i < 0:
		if !t.writes() {
			return entries, nil // deletes of what is not there
		}
	case entries[i].Mode == filemode.Dir:
		base = entries[i].Hash
	case t.writes():
		return nil, fmt.Errorf("write below %q: it is a file", p)
	default:
		return entries, nil
	}
	h, empty, err := b.tree(ctx, base, p, t)
	switch {
	case err != nil:
		return nil, err
	case i < 0:
		return append(entries, Entry{Name: name, Mode: filemode.Dir, Hash: h}), nil
	case empty:
		b.forget(h)
		return slices.Delete(entries, i, i+1), nil
	}
	entries[i].Hash = h
	return entries, nil
}

func (b *builder) add(kind plumbing.ObjectType, content []byte) Hash {
	o := object.New(kind, content)
	if _, ok := b.objects[o.Hash]; !ok {
		b.objects[o.Hash] = o
		b.order = append(b.order, o.Hash)
	}
	return o.Hash
}

// forget takes an object out that turned out not to be needed.
func (b *builder) forget(h Hash) {
	if _, ok := b.objects[h]; ok {
		delete(b.objects, h)
		b.order = slices.DeleteFunc(b.order, func(o Hash) bool { return o == h })
	}
}

func (b *builder) list() []Object {
	all := make([]Object, 0, len(b.order))
	for _, h := range b.order {
		all = append(all, b.objects[h])
	}
	return all
}

func newCommit(spec NewCommit, tree Hash) (*Commit, error) {
	c := &Commit{Tree: tree, Author: spec.Author, Committer: spec.Committer, Message: spec.Message}
	if c.Author == (Signature{}) {
		c.Author = c.Committer
	}
	for _, s := range []*Signature{&c.Author, &c.Committer} {
		*s = Signature{Name: object.CleanName(s.Name), Email: object.CleanName(s.Email), When: s.When.Truncate(time.Second)}
		if err := object.CheckSignature(*s); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(c.Message) == "" {
		return nil, errors.New("the message is empty")
	}
	if strings.Contains(c.Message, "\x00") {
		return nil, errors.New("the message has a zero byte in it")
	}
	if !spec.Parent.IsZero() {
		c.Parents = []Hash{spec.Parent}
	}
	return c, nil
}
