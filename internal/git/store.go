package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	treeMemo   = 12 << 20 // bytes of trees that are kept in parsed form
	commitMemo = 4 << 20
	maxBlob    = 64 << 20 // bytes that Blob reads
	maxHaves   = 64
)

// The depths in which history is fetched: each one only when the one before was
// not enough. Without blobs a hundred commits cost no more than one.
const (
	firstDepth = 100
	wholeDepth = 1 // when blobs come too
)

func deeper() []int { return []int{firstDepth, 1000, everything} }

// Store is a partial copy of a repository that completes itself: whatever is
// read and missing is fetched, in as few requests as possible. It is for one
// goroutine at a time. What OpenBlob gave must not be read after Close.
type Store struct {
	remote  *Remote // nil: nothing can be fetched
	name    string
	objects objects
	packs   *packStore // the objects of a remote that is not local
	local   *localRepository
	made    map[Hash]wholeObject // by this process, pushed

	trees   *weighed[Hash, []Entry]
	commits *weighed[Hash, *Commit]
	steps   int             // of deeper, taken so far
	far     bool            // see ExpectFar
	ends    map[Hash]bool   // commits at which the repository itself ends
	graph   map[Hash][]Hash // parents of commits, for questions of ancestry
}

func newStore(name string) *Store {
	return &Store{
		name: name, made: map[Hash]wholeObject{}, ends: map[Hash]bool{},
		trees: newWeighed[Hash, []Entry](treeMemo), commits: newWeighed[Hash, *Commit](commitMemo),
	}
}

// Store begins a copy of the repository, in dir or, when dir is "", in memory. A
// folder is used again the next time; one that can't be used is ErrDamaged, and
// deleting it helps. Repositories on this machine are read where they are.
func (r *Remote) Store(dir string) (*Store, error) {
	s := newStore(r.URL())
	s.remote = r
	if r.local != nil {
		s.local, s.objects = r.local, r.local
		return s, nil
	}
	if dir == "" {
		s.packs = newPackStore(r.options.TempDir)
	} else {
		var err error
		if s.packs, err = openPackStore(dir, r.options.TempDir); err != nil {
			return nil, err
		}
	}
	s.objects = s.packs
	return s, nil
}

// OpenLocal reads a clone or a bare repository on this machine. Nothing is ever
// fetched.
func OpenLocal(dir string) (*Store, error) {
	l, err := openLocalRepository(dir)
	if err != nil {
		return nil, fmt.Errorf("open the repository in %s: %w", dir, err)
	}
	s := newStore(dir)
	s.local, s.objects = l, l
	return s, nil
}

// Close gives files back. The remote stays open.
func (s *Store) Close() error { return s.objects.close() }

// URL is the remote's address without credentials, or the folder.
func (s *Store) URL() string { return s.name }

// Ref gives the value of a ref of a local repository by its full name, or HEAD;
// ErrNoBranch when there is none.
func (s *Store) Ref(_ context.Context, name string) (Hash, error) {
	if s.local == nil {
		return Hash{}, fmt.Errorf("the ref %s of %s can't be read from a copy", name, s.name)
	}
	refs, err := s.local.refs([]string{name})
	if err != nil {
		return Hash{}, err
	}
	h, ok := refs[name]
	if !ok {
		return Hash{}, fmt.Errorf("%s in %s: %w", name, s.name, ErrNoBranch)
	}
	return h, nil
}

// Refs gives all refs of a local repository.
func (s *Store) Refs(_ context.Context) (map[string]Hash, error) {
	if s.local == nil {
		return nil, fmt.Errorf("the refs of %s can't be read from a copy", s.name)
	}
	return s.local.allRefs()
}

// Has reports whether an object can be read without fetching.
func (s *Store) Has(h Hash) bool {
	_, ok := s.made[h]
	return ok || s.objects.has(h)
}

// ExpectFar says that reading will probably go back to the beginning. From then
// on history that is missing is fetched whole, without a step in between.
func (s *Store) ExpectFar() { s.far = true }

// Advance makes the commit that a ref was just said to have readable, with its
// trees. What is here already is not fetched again.
func (s *Store) Advance(ctx context.Context, ref string, tip Hash) error {
	if s.packs == nil {
		if !s.Has(tip) {
			return fmt.Errorf("read %s of %s: object %s: %w", ref, s.name, tip, ErrNotFound)
		}
		return nil
	}
	if s.Has(tip) {
		return s.keepTip(ref, tip)
	}
	q := s.request(noBlobs, tip)
	q.depth = firstDepth
	if len(q.haves) > 0 || s.remote.filters(ctx) {
		s.steps = max(s.steps, 1)
	} else {
		q.depth = wholeDepth
	}
	err := s.fetch(ctx, q, true)
	if isRefused(err) {
		err = s.fallBack(ctx, ref, noBlobs, tip)
	}
	if err != nil {
		return fmt.Errorf("fetch %s of %s: %w", ref, s.name, err)
	}
	if !s.Has(tip) {
		return fmt.Errorf("fetch %s of %s: object %s: %w", ref, s.name, tip, ErrNotFound)
	}
	return s.keepTip(ref, tip)
}

func (s *Store) keepTip(ref string, tip Hash) error {
	if s.packs.state.tips[ref] == tip {
		return nil
	}
	s.packs.state.tips[ref] = tip
	if !s.objects.has(tip) {
		return nil // made here: the next process has to fetch it
	}
	return s.packs.save()
}

// request asks for objects, given what is here.
func (s *Store) request(filter string, wants ...Hash) fetchRequest {
	q := fetchRequest{wants: wants, filter: filter}
	for _, h := range s.packs.state.tips {
		if s.objects.has(h) && !slices.Contains(q.haves, h) && len(q.haves) < maxHaves {
			q.haves = append(q.haves, h)
		}
	}
	slices.SortFunc(q.haves, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	q.shallow = slices.Collect(maps.Keys(s.packs.state.shallow))
	slices.SortFunc(q.shallow, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	return q
}

// fetch gets a pack and notes where history is cut now. Mainline says that what
// is asked for is history of a ref.
func (s *Store) fetch(ctx context.Context, q fetchRequest, mainline bool) error {
	if s.remote == nil {
		return ErrNotFound
	}
	answer, err := s.remote.fetch(ctx, q, func(r io.Reader) error { return s.packs.add(ctx, r) })
	if err != nil {
		return err
	}
	shallow := s.packs.state.shallow
	for _, h := range answer.shallow {
		if !shallow[h] {
			shallow[h] = mainline
		}
	}
	for _, h := range answer.unshallow {
		delete(shallow, h)
	}
	return s.packs.save()
}

// isRefused says that the server does not give these objects by their names.
func isRefused(err error) bool {
	var e *serverError
	return errors.As(err, &e) && (strings.Contains(e.text, "not our ref") || strings.Contains(e.text, "no such object") || strings.Contains(e.text, "unadvertised object"))
}

// answerToWants is whether a server gives objects by their hashes.
type answerToWants int

const (
	wantsUnknown answerToWants = iota
	wantsGiven
	wantsRefused
)

// get makes objects readable. A server that gives none by their hashes is asked
// for the history of its refs, deeper each time.
func (s *Store) get(ctx context.Context, kind plumbing.ObjectType, all ...Hash) error {
	missing := make([]Hash, 0, len(all))
	seen := make(map[Hash]bool, len(all))
	for _, h := range all {
		if !seen[h] && !s.Has(h) {
			missing = append(missing, h)
		}
		seen[h] = true
	}
	if len(missing) == 0 {
		return nil
	}
	if s.packs == nil || s.remote == nil {
		return fmt.Errorf("%s of %s: %s %s: %w", plural(len(missing), "object"), s.name, kind, missing[0], ErrNotFound)
	}
	err := s.byHash(ctx, kind, missing)
	if isRefused(err) {
		filter := noBlobs
		if kind == plumbing.BlobObject {
			filter = ""
		}
		err = s.fallBack(ctx, "", filter, missing...)
	}
	if err != nil {
		return fmt.Errorf("fetch %s from %s: %w", plural(len(missing), kind.String()), s.name, err)
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "a " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (s *Store) byHash(ctx context.Context, kind plumbing.ObjectType, missing []Hash) error {
	if s.remote.byHash == wantsRefused {
		return &serverError{"not our ref"}
	}
	q := fetchRequest{wants: missing}
	if kind != plumbing.BlobObject {
		q = s.request(noBlobs, missing...)
	}
	if kind == plumbing.CommitObject {
		q.depth = 1
		if len(missing) == 1 {
			// whoever asks for one commit mostly looks at what was before it
			q.depth = firstDepth
		}
	}
	if err := s.fetch(ctx, q, false); err != nil {
		return err
	}
	s.remote.byHash = wantsGiven
	for _, h := range missing {
		if !s.Has(h) {
			return fmt.Errorf("%s %s: %w", kind, h, ErrNotFound)
		}
	}
	return nil
}

// fallBack looks for objects in the history of refs. Before that it finds out
// whether the server refuses all objects that are asked for by hash, or has not
// got these.
func (s *Store) fallBack(ctx context.Context, ref, filter string, missing ...Hash) error {
	tips, err := s.currentTips(ctx, ref)
	if err != nil {
		return err
	}
	found := func() bool { return !slices.ContainsFunc(missing, func(h Hash) bool { return !s.Has(h) }) }
	if ref == "" {
		given, err := s.givesByHash(ctx, tips)
		if err != nil {
			return err
		}
		if given {
			return fmt.Errorf("object %s: %w", missing[0], ErrNotFound)
		}
	}
	for _, depth := range deeper() {
		q := s.request(filter, tips...)
		q.depth = depth
		if filter == "" {
			q.haves, q.shallow = nil, nil // the server believes that blobs are here
		}
		if err := s.fetch(ctx, q, true); err != nil {
			return err
		}
		if found() {
			return nil
		}
	}
	return fmt.Errorf("object %s is in no history of %s: %w", missing[0], s.name, ErrNotFound)
}

func (s *Store) currentTips(ctx context.Context, ref string) ([]Hash, error) {
	names := slices.Sorted(maps.Keys(s.packs.state.tips))
	if len(names) == 0 && ref == "" {
		ref = "refs/heads/" + s.remote.access.Branch
	}
	if ref != "" && !slices.Contains(names, ref) {
		names = append(names, ref)
	}
	refs, err := s.remote.refs(ctx, names)
	if err != nil {
		return nil, err
	}
	var tips []Hash
	for _, name := range names {
		if h, ok := refs[name]; ok && !slices.Contains(tips, h) {
			tips = append(tips, h)
		}
	}
	if len(tips) == 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(names, ", "), ErrNoBranch)
	}
	return tips, nil
}

// givesByHash asks for something that is there for sure: the tree of a tip.
func (s *Store) givesByHash(ctx context.Context, tips []Hash) (bool, error) {
	if s.remote.byHash != wantsUnknown {
		return s.remote.byHash == wantsGiven, nil
	}
	for _, tip := range tips {
		if !s.Has(tip) {
			q := s.request(noBlobs, tip)
			q.depth = 1
			if err := s.fetch(ctx, q, true); err != nil {
				return false, err
			}
		}
		c, err := s.Commit(ctx, tip)
		if err != nil {
			continue
		}
		err = s.fetch(ctx, fetchRequest{wants: []Hash{c.Tree}, filter: noTrees}, false)
		switch {
		case isRefused(err):
			s.remote.byHash = wantsRefused
		case err != nil:
			return false, err
		default:
			s.remote.byHash = wantsGiven
		}
		return s.remote.byHash == wantsGiven, nil
	}
	return false, nil
}

// read gives an object of a kind, fetching it when it is missing.
func (s *Store) raw(ctx context.Context, kind plumbing.ObjectType, h Hash) ([]byte, error) {
	if !s.Has(h) {
		if err := s.get(ctx, kind, h); err != nil {
			return nil, err
		}
	}
	got, content, err := s.object(h)
	if err != nil {
		return nil, err
	}
	if got != kind {
		return nil, fmt.Errorf("object %s of %s is a %s, not a %s", h, s.name, got, kind)
	}
	return content, nil
}

func (s *Store) object(h Hash) (plumbing.ObjectType, []byte, error) {
	if o, ok := s.made[h]; ok {
		return o.kind, o.content, nil
	}
	return s.objects.read(h)
}

// Commit reads a commit, also through an annotated tag.
func (s *Store) Commit(ctx context.Context, h Hash) (*Commit, error) {
	if c, ok := s.commits.get(h); ok {
		return c, nil
	}
	if err := s.get(ctx, plumbing.CommitObject, h); err != nil {
		return nil, err
	}
	kind, content, err := s.object(h)
	if err != nil {
		return nil, err
	}
	switch kind {
	case plumbing.TagObject:
		to, err := tagged(content)
		if err != nil {
			return nil, fmt.Errorf("read tag %s: %w", h, err)
		}
		return s.Commit(ctx, to)
	case plumbing.CommitObject:
	default:
		return nil, fmt.Errorf("object %s of %s is a %s, not a commit", h, s.name, kind)
	}
	c, err := parseCommit(h, content)
	if err == nil {
		s.commits.put(h, c, len(content)+200)
	}
	return c, err
}

// NeedCommits fetches those of the commits that are missing, with their trees,
// in one request.
func (s *Store) NeedCommits(ctx context.Context, commits ...Hash) error {
	return s.get(ctx, plumbing.CommitObject, commits...)
}

// Tree reads a tree. The slice is shared and must not be changed. Names are as
// they are in the repository, also hostile ones.
func (s *Store) Tree(ctx context.Context, h Hash) ([]Entry, error) {
	if entries, ok := s.trees.get(h); ok {
		return entries, nil
	}
	content, err := s.raw(ctx, plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(content)
	if err != nil {
		return nil, fmt.Errorf("read tree %s of %s: %w", h, s.name, err)
	}
	const perEntry = 64
	s.trees.put(h, entries, len(content)+perEntry*len(entries))
	return entries, nil
}

// Need fetches those of the blobs that are missing in one request.
func (s *Store) Need(ctx context.Context, blobs ...Hash) error {
	return s.get(ctx, plumbing.BlobObject, blobs...)
}

// Blob reads a file's content of up to 64 MiB.
func (s *Store) Blob(ctx context.Context, h Hash) ([]byte, error) {
	r, size, err := s.OpenBlob(ctx, h)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // read in full, or the error is told
	if size > maxBlob {
		return nil, fmt.Errorf("blob %s of %s has %d bytes, more than the %d that are read at once", h, s.name, size, maxBlob)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("read blob %s of %s: %w", h, s.name, err)
	}
	return content, nil
}

// OpenBlob reads a file's content of any size, and gives that size.
func (s *Store) OpenBlob(ctx context.Context, h Hash) (io.ReadCloser, int64, error) {
	if err := s.get(ctx, plumbing.BlobObject, h); err != nil {
		return nil, 0, err
	}
	if o, ok := s.made[h]; ok {
		return io.NopCloser(bytes.NewReader(o.content)), int64(len(o.content)), nil
	}
	kind, r, size, err := s.objects.open(h)
	if err != nil {
		return nil, 0, err
	}
	if kind != plumbing.BlobObject {
		_ = r.Close()
		return nil, 0, fmt.Errorf("object %s of %s is a %s, not a blob", h, s.name, kind)
	}
	return r, size, nil
}
