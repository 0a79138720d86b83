// Package merge merges and rebases commits without a folder for their files, as git does.
package merge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/history"
	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
	"github.com/taxiway-ci/taxiway/internal/git/threeway"
)

// ConflictError says that two commits can't be merged without a person.
type ConflictError struct {
	// Places are the paths in conflict, each with the reason, sorted.
	Places []string
}

// Error names the first paths.
func (e *ConflictError) Error() string {
	const named = 8
	text := "conflicts in " + strings.Join(e.Places[:min(len(e.Places), named)], ", ")
	if more := len(e.Places) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Repository is where the commits are, and where what is made of them is kept.
type Repository interface {
	history.Repository
	history.Ancestry
	// Tree is an empty one for the zero hash.
	Tree(ctx context.Context, h object.Hash) ([]object.Entry, error)
	object.Blobs
	// Keep stores an object in memory, for this repository only.
	Keep(kind plumbing.ObjectType, content []byte) object.Hash
}

// Tree returns the tree of the merge of head into onto. It is the one of git's merge strategy
// "ort" without the detection of renames: a file that one side renamed and the other side changed is a
// conflict. Its new objects exist in this store only. A merge that needs a person is a *ConflictError.
func Tree(ctx context.Context, r Repository, onto, head object.Hash) (object.Hash, error) {
	tree, err := store{r}.mergedTree(ctx, onto, head, 0)
	if err != nil {
		return object.Hash{}, fmt.Errorf("merge %.7s into %.7s: %w", head, onto, err)
	}
	return tree, nil
}

// store is a repository with what merging needs of it.
type store struct{ Repository }

// keep stores a commit in memory and sets its hash.
func (s store) keep(c *object.Commit) *object.Commit {
	c.Hash = s.Keep(plumbing.CommitObject, object.FormatCommit(c))
	return c
}

// maxMerged bounds the bytes of merged files, which are kept in memory.
const maxMerged = 64 << 20

// maxNested bounds how often histories may have been merged into each other for one merge.
const maxNested = 16

// mergedTree is the tree of a merge. Several merge bases are merged into one first, with their
// conflicts in it, as git's recursive strategy does; nested counts these levels.
func (s store) mergedTree(ctx context.Context, ours, theirs object.Hash, nested int) (object.Hash, error) {
	a, err := s.Commit(ctx, ours)
	if err != nil {
		return object.Hash{}, err
	}
	b, err := s.Commit(ctx, theirs)
	if err != nil {
		return object.Hash{}, err
	}
	base, err := s.baseTree(ctx, a, b, nested)
	if err != nil {
		return object.Hash{}, err
	}
	return s.mergeTrees(ctx, base, a.Tree, b.Tree, nested)
}

func (s store) baseTree(ctx context.Context, a, b *object.Commit, nested int) (object.Hash, error) {
	bases, err := history.MergeBases(ctx, s, a.Hash, b.Hash)
	switch {
	case err != nil:
		return object.Hash{}, fmt.Errorf("look for the merge base: %w", err)
	case len(bases) == 0 && nested == 0:
		return object.Hash{}, errors.New("the histories are unrelated: they have no commit in common")
	case len(bases) == 0:
		return object.Hash{}, nil
	case nested >= maxNested || len(bases) > maxNested:
		return object.Hash{}, fmt.Errorf("the branches were merged into each other more than %d times", maxNested)
	}
	slices.Reverse(bases) // git begins with the oldest one
	base, err := s.Commit(ctx, bases[0])
	if err != nil {
		return object.Hash{}, err
	}
	for _, h := range bases[1:] {
		next, err := s.Commit(ctx, h)
		if err != nil {
			return object.Hash{}, err
		}
		tree, err := s.mergedTree(ctx, base.Hash, next.Hash, nested+1)
		if err != nil {
			return object.Hash{}, err
		}
		base = s.keep(&object.Commit{
			Tree: tree, Parents: []object.Hash{base.Hash, next.Hash}, Author: next.Author, Committer: next.Committer, Message: "merged tree\n",
		})
	}
	return base.Tree, nil
}

// mergeTrees merges the changes from base to ours and from base to theirs. With nested > 0 the result
// is a merge base itself: conflicts are in it, as git writes them.
func (s store) mergeTrees(ctx context.Context, base, ours, theirs object.Hash, nested int) (object.Hash, error) {
	m := &treeMerge{store: s, nested: nested}
	top, err := m.dir(ctx, [sides]object.Hash{base, ours, theirs}, "", 0)
	if err != nil {
		return object.Hash{}, err
	}
	if err := m.mergeContents(ctx); err != nil {
		return object.Hash{}, err
	}
	if len(m.conflicts) > 0 {
		slices.Sort(m.conflicts)
		return object.Hash{}, &ConflictError{slices.Compact(m.conflicts)}
	}
	h, _ := m.write(top)
	return h, nil
}

// The versions of a path in a merge.
const (
	inBase = iota
	inOurs
	inTheirs
	sides
)

// treeMerge merges folders entry by entry. Contents come last, since their blobs are fetched together.
type treeMerge struct {
	store     store
	nested    int
	seen      int64
	contents  []*mergedFile
	size      int64 // of merged contents
	conflicts []string
}

// mergedFolder is what a folder becomes.
type mergedFolder struct{ entries []*mergedFile }

// mergedFile is what an entry becomes: itself, a folder that was merged, or a content that is merged
// of versions.
type mergedFile struct {
	object.Entry
	path     string
	folder   *mergedFolder
	versions [sides]object.Hash
}

func (m *treeMerge) conflict(path, format string, args ...any) {
	m.conflicts = append(m.conflicts, path+" ("+fmt.Sprintf(format, args...)+")")
}

func (m *treeMerge) dir(ctx context.Context, trees [sides]object.Hash, dir string, depth int) (*mergedFolder, error) {
	if depth > pack.MaxTreeDepth {
		return nil, pack.Over("the tree", int64(depth), pack.MaxTreeDepth, "folders in each other, or more")
	}
	files, folders, err := m.read(ctx, trees)
	if err != nil {
		return nil, err
	}
	out := &mergedFolder{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if f := m.file(*files[name], object.Below(dir, name)); f != nil {
			out.entries = append(out.entries, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		f, err := m.folder(ctx, *folders[name], name, object.Below(dir, name), depth)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if slices.ContainsFunc(out.entries, func(e *mergedFile) bool { return e.Name == name }) {
			m.conflict(f.path, "a file on one side and a folder on the other")
		}
		out.entries = append(out.entries, f)
	}
	return out, nil
}

// read returns what each side has of the files and folders of one folder, by their names.
func (m *treeMerge) read(ctx context.Context, trees [sides]object.Hash) (files map[string]*[sides]object.Entry, folders map[string]*[sides]object.Hash, err error) {
	files, folders = map[string]*[sides]object.Entry{}, map[string]*[sides]object.Hash{}
	for side, tree := range trees {
		entries, err := m.store.Tree(ctx, tree)
		if err != nil {
			return nil, nil, err
		}
		if m.seen += int64(len(entries)); m.seen > pack.MaxFiles {
			return nil, nil, pack.Over("the merge", m.seen, pack.MaxFiles, "files and folders, or more")
		}
		for _, e := range entries {
			if e.Mode == filemode.Dir {
				at(folders, e.Name)[side] = e.Hash
				continue
			}
			e.Mode = object.WrittenMode(e.Mode)
			at(files, e.Name)[side] = e
		}
	}
	return files, folders, nil
}

func at[V any](all map[string]*V, name string) *V {
	if all[name] == nil {
		all[name] = new(V)
	}
	return all[name]
}

// settled returns the version that wins where at most one side changed something.
func settled[V comparable](v [sides]V) (winner V, ok bool) {
	switch {
	case v[inOurs] == v[inTheirs], v[inTheirs] == v[inBase]:
		return v[inOurs], true
	case v[inOurs] == v[inBase]:
		return v[inTheirs], true
	}
	return winner, false
}

func (m *treeMerge) folder(ctx context.Context, trees [sides]object.Hash, name, path string, depth int) (*mergedFile, error) {
	f := &mergedFile{Entry: object.Entry{Name: name, Mode: filemode.Dir}, path: path}
	if h, ok := settled(trees); ok {
		f.Hash = h
		if h.IsZero() {
			return nil, nil //nolint:nilnil // the folder is deleted
		}
		return f, nil
	}
	var err error
	f.folder, err = m.dir(ctx, trees, path, depth+1)
	if err != nil || len(f.folder.entries) == 0 {
		return nil, err
	}
	return f, nil
}

// file merges a path that is not a folder; nil is deleted.
func (m *treeMerge) file(v [sides]object.Entry, path string) *mergedFile {
	if e, ok := settled(v); ok {
		return m.entry(e, path)
	}
	o, a, b := v[inBase], v[inOurs], v[inTheirs]
	switch {
	case a == object.Entry{} || b == object.Entry{}:
		if m.nested == 0 {
			m.conflict(path, "changed on one side and deleted or renamed on the other")
		}
		return m.entry(o, path)
	case kind(a) != kind(b):
		m.conflict(path, "of different types")
		return m.entry(a, path)
	case kind(a) != filemode.Regular:
		if m.nested == 0 {
			m.conflict(path, "changed on both sides")
		}
		if kind(o) == kind(a) {
			return m.entry(o, path)
		}
		return m.entry(a, path)
	}
	return m.regular(o, a, b, path)
}

func (m *treeMerge) entry(e object.Entry, path string) *mergedFile {
	if e == (object.Entry{}) {
		return nil
	}
	return &mergedFile{Entry: e, path: path}
}

// kind is the mode without the executable bit.
func kind(e object.Entry) filemode.FileMode {
	if e.Mode == filemode.Executable {
		return filemode.Regular
	}
	return e.Mode
}

// regular merges a file that both sides changed or added.
func (m *treeMerge) regular(o, a, b object.Entry, path string) *mergedFile {
	f := m.entry(a, path)
	mode, ok := settled([sides]filemode.FileMode{o.Mode, a.Mode, b.Mode})
	if ok {
		f.Mode = mode
	} else if m.nested == 0 {
		m.conflict(path, "executable on one side only")
	}
	f.versions = [sides]object.Hash{o.Hash, a.Hash, b.Hash}
	if kind(o) != filemode.Regular {
		f.versions[inBase] = object.Hash{}
	}
	if h, ok := settled(f.versions); ok {
		f.Hash, f.versions = h, [sides]object.Hash{}
		return f
	}
	m.contents = append(m.contents, f)
	return f
}

// mergeContents merges the files of which both sides changed the content.
func (m *treeMerge) mergeContents(ctx context.Context) error {
	var blobs []object.Hash
	for _, f := range m.contents {
		for _, h := range f.versions {
			if !h.IsZero() {
				blobs = append(blobs, h)
			}
		}
	}
	if err := m.store.Need(ctx, blobs...); err != nil {
		return err
	}
	for _, f := range m.contents {
		if err := m.content(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (m *treeMerge) content(ctx context.Context, f *mergedFile) error {
	var texts [sides][]byte
	for side, h := range f.versions {
		content, err := m.store.mergeable(ctx, h)
		switch {
		case err != nil:
			return err
		case content == nil:
			m.conflict(f.path, "changed on both sides, and larger than %d MiB", threeway.MaxSize>>20)
			return nil
		case threeway.IsBinary(content):
			return m.binary(f)
		}
		texts[side] = content
	}
	const usual, perLevel = 7, 2 // the size of git's conflict markers
	markers := threeway.Markers{Size: usual + perLevel*m.nested, Ours: "Temporary merge branch 1", Theirs: "Temporary merge branch 2"}
	merged, conflicts := threeway.Merge(texts[inBase], texts[inOurs], texts[inTheirs], markers)
	if conflicts > 0 && m.nested == 0 {
		m.conflict(f.path, "changed on both sides in %s", places(conflicts))
		return nil
	}
	if m.size += int64(len(merged)); m.size > maxMerged {
		return pack.Over("the merge", m.size, maxMerged, "bytes of files that both sides changed, or more")
	}
	f.Hash = m.store.Keep(plumbing.BlobObject, merged)
	return nil
}

// binary is for contents that are not merged. A merge base keeps the one that it began with.
func (m *treeMerge) binary(f *mergedFile) error {
	switch {
	case m.nested == 0:
		m.conflict(f.path, "a binary file, changed on both sides")
	case f.versions[inBase].IsZero():
		f.Hash = m.store.Keep(plumbing.BlobObject, nil)
	default:
		f.Hash = f.versions[inBase]
	}
	return nil
}

// mergeable reads a content; nil is one that is too large. The zero hash is an empty one.
func (s store) mergeable(ctx context.Context, h object.Hash) (content []byte, err error) {
	if h.IsZero() {
		return []byte{}, nil
	}
	content, _, err = object.ReadBlob(ctx, s, h, threeway.MaxSize)
	return content, err
}

// write stores the trees of a folder and reports whether it has any files.
func (m *treeMerge) write(f *mergedFolder) (h object.Hash, empty bool) {
	entries := make([]object.Entry, 0, len(f.entries))
	for _, e := range f.entries {
		if e.folder != nil {
			h, empty := m.write(e.folder)
			if empty {
				continue
			}
			e.Hash = h
		}
		entries = append(entries, e.Entry)
	}
	object.SortEntries(entries)
	return m.store.Keep(plumbing.TreeObject, object.FormatTree(entries)), len(entries) == 0
}

func places(n int) string {
	if n == 1 {
		return "1 place"
	}
	return fmt.Sprintf("%d places", n)
}
