package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/cache"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const (
	memoryPack   = 32 << 20 // bytes of a pack that is kept in memory
	maxPacks     = 300      // more of them make every search slow
	cachedDeltas = 8 << 20  // bytes of objects that deltas build on
)

// Store keeps packs as they came, in memory or in a folder. Its file "state"
// says which packs count, what they lack, and which refs they came from; it is
// replaced in one step after everything else is on disk.
type Store struct {
	dir      string // "" is memory
	tempDir  string
	inMemory int64 // bytes of a pack that stays in memory
	packs    []*pack
	bases    *cache.Cache[place, wholeObject]
	State    State
}

type pack struct {
	data     data
	idx      *packIdx
	close    func() error // nil: there is nothing to give back
	number   int
	unpacker *unpacker
}

type place struct {
	p  *pack
	at int
}

type wholeObject struct {
	kind    plumbing.ObjectType
	content []byte
}

// NewStore keeps packs in memory, and large ones in files of tempDir; "" is the
// system's folder for such files.
func NewStore(tempDir string) *Store {
	return &Store{
		tempDir:  tempDir,
		inMemory: memoryPack,
		bases:    cache.New[place, wholeObject](cachedDeltas),
		State:    State{Shallow: map[object.Hash]bool{}, Tips: map[string]object.Hash{}},
	}
}

// OpenStore opens a folder, which need not exist.
func OpenStore(dir, tempDir string) (*Store, error) {
	s := NewStore(tempDir)
	s.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for git objects: %w", err)
	}
	data, err := os.ReadFile(s.file("state"))
	if errors.Is(err, os.ErrNotExist) {
		err := s.sweep()
		return s, err
	}
	if err != nil {
		return nil, fmt.Errorf("read the folder with git objects: %w", err)
	}
	if err := s.State.parse(string(data)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", object.ErrDamaged, dir, err)
	}
	if len(s.State.packs) > maxPacks {
		err := s.reset()
		return s, err
	}
	for _, n := range s.State.packs {
		if err := s.load(n); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %s: pack %d: %w", object.ErrDamaged, dir, n, err), s.Close())
		}
	}
	err = s.sweep()
	return s, err
}

// reset begins anew: so many packs cost more than fetching again.
func (s *Store) reset() error {
	s.State = State{Shallow: map[object.Hash]bool{}, Tips: map[string]object.Hash{}}
	if err := os.Remove(s.file("state")); err != nil {
		return fmt.Errorf("empty the folder with git objects: %w", err)
	}
	return s.sweep()
}

// sweep removes what a process left that was stopped in the middle.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read the folder with git objects: %w", err)
	}
	counts := map[string]bool{"state": true}
	for _, n := range s.State.packs {
		counts[packName(n)+".pack"], counts[packName(n)+".idx"] = true, true
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, "new-") || strings.HasSuffix(name, ".pack") || strings.HasSuffix(name, ".idx")
		if ours && !counts[name] {
			if err := os.Remove(s.file(name)); err != nil {
				return fmt.Errorf("clean the folder with git objects: %w", err)
			}
		}
	}
	return nil
}

func packName(n int) string { return fmt.Sprintf("%06d", n) }

func (s *Store) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) load(n int) error {
	p := &pack{number: n}
	s.packs = append(s.packs, p)
	f, err := os.Open(s.file(packName(n) + ".pack"))
	if err != nil {
		return err
	}
	if err := s.use(p, f); err != nil {
		return err
	}
	head, err := p.data.bytes(0, packHeader)
	if err != nil {
		return err
	}
	if _, err := objectCount(head); err != nil {
		return err
	}
	raw, err := os.ReadFile(s.file(packName(n) + ".idx"))
	if err != nil {
		return err
	}
	if p.idx, err = readIdx(raw); err != nil {
		return err
	}
	sum, err := p.data.bytes(p.data.size-packTrailer, packTrailer)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw[len(raw)-2*packTrailer:len(raw)-packTrailer], sum) {
		return fmt.Errorf("%w: its index is another pack's", ErrDamaged)
	}
	return nil
}

// use reads a pack from an open file, which belongs to the pack from now on.
func (s *Store) use(p *pack, f *os.File) error {
	p.close = f.Close
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < packHeader+packTrailer || info.Size() > MaxPack {
		return fmt.Errorf("%w: %d bytes", ErrDamaged, info.Size())
	}
	p.data = data{file: f, size: int(info.Size())}
	if info.Size() <= s.inMemory {
		mem, unmap, err := mapFile(f, p.data.size)
		if err != nil {
			return fmt.Errorf("map %d bytes into memory: %w", info.Size(), err)
		}
		p.data.mem = mem
		p.close = func() error { return errors.Join(unmap(), f.Close()) }
	}
	p.unpacker = newUnpacker(p.data, s.tempDir)
	return nil
}

// Add takes a pack in. An empty pack is no error. The errors are [ErrDamaged] for
// what git does not make, and object.ErrLimit.
func (s *Store) Add(ctx context.Context, r io.Reader) error {
	p := &pack{number: 1}
	if len(s.packs) > 0 {
		p.number = s.packs[len(s.packs)-1].number + 1
	}
	x, while := scanWhile(WithContext(ctx, r))
	temp, err := s.receive(while, p)
	if temp != "" {
		defer func() { _ = os.Remove(temp) }() // it has another name when all went well
	}
	if err := while.done(err); err != nil {
		return errors.Join(err, p.end())
	}
	if len(x.all) == 0 {
		return p.end()
	}
	idx, err := x.index(p.data, s.tempDir, s.Read)
	if err == nil {
		p.idx, err = readIdx(idx)
	}
	if err == nil && s.dir != "" {
		err = s.keep(p, temp, idx)
	}
	if err != nil {
		return errors.Join(err, p.end())
	}
	s.packs = append(s.packs, p)
	return nil
}

// scanning reads a pack for two: for who keeps it, and for an indexer beside.
type scanning struct {
	io.Reader
	pipe   *io.PipeWriter
	result chan error
}

// scanWhile scans a pack while it is received: the server works on what comes
// next in the meantime.
func scanWhile(r io.Reader) (*indexer, scanning) {
	out, in := io.Pipe()
	s := scanning{Reader: io.TeeReader(r, in), pipe: in, result: make(chan error, 1)}
	x := newIndexer()
	go func() {
		err := x.scan(out)
		_ = out.CloseWithError(err) // nil: whatever else is written is an error
		s.result <- err
	}()
	return x, s
}

// done waits for the scan after the pack was received, or could not be.
func (s scanning) done(received error) error {
	_ = s.pipe.CloseWithError(received) // nil: the end
	scanned := <-s.result
	if received != nil {
		return received
	}
	return scanned
}

func (s *Store) keep(p *pack, temp string, idx []byte) error {
	name := s.file(packName(p.number))
	if err := os.Rename(temp, name+".pack"); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	if err := os.WriteFile(name+".idx", idx, 0o600); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	s.State.packs = append(s.State.packs, p.number)
	return nil
}

// receive brings a pack in: into memory, or into a file that is given when it
// has a name. A file without a folder is removed when the pack is closed.
func (s *Store) receive(r io.Reader, p *pack) (temp string, err error) {
	var head []byte
	if s.dir == "" {
		head, err = io.ReadAll(io.LimitReader(r, s.inMemory+1))
		if err != nil {
			return "", fmt.Errorf("receive git objects: %w", err)
		}
		if int64(len(head)) <= s.inMemory {
			if len(head) < packHeader+packTrailer {
				return "", fmt.Errorf("%w: %d bytes are not a pack", ErrDamaged, len(head))
			}
			p.data = inMemory(head)
			p.unpacker = newUnpacker(p.data, s.tempDir)
			return "", nil
		}
	}
	var f *os.File
	if s.dir == "" {
		f, err = tempFile(s.tempDir, "new-")
	} else if f, err = os.CreateTemp(s.dir, "new-"); err == nil {
		temp = f.Name()
	}
	if err != nil {
		return "", fmt.Errorf("make a file for git objects: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(io.MultiReader(bytes.NewReader(head), r), MaxPack+1))
	switch {
	case err != nil:
		err = fmt.Errorf("receive git objects: %w", err)
	case n > MaxPack:
		err = over("the pack", n, MaxPack, "bytes")
	default:
		err = s.use(p, f)
	}
	if err != nil {
		p.close = nil
		return temp, errors.Join(err, endTemp(f))
	}
	if s.dir == "" {
		p.close = func() error { return endTemp(f) }
	}
	return temp, nil
}

// end gives the pack's file back.
func (p *pack) end() error {
	if p.close == nil {
		return nil
	}
	ends := p.close
	p.close, p.data = nil, data{}
	return ends()
}

// Save makes what was added last.
func (s *Store) Save() error {
	if s.dir == "" {
		return nil
	}
	temp := s.file("new-state")
	if err := os.WriteFile(temp, []byte(s.State.text()), 0o600); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	if err := os.Rename(temp, s.file("state")); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	return nil
}

func (s *Store) Close() error {
	var errs []error
	for _, p := range s.packs {
		errs = append(errs, p.end())
	}
	s.packs = nil
	s.bases = cache.New[place, wholeObject](cachedDeltas)
	return errors.Join(errs...)
}

// find looks in the oldest pack first: an object builds only on what came
// before it or with it, so a search for bases ends.
func (s *Store) find(h object.Hash) (place, bool) {
	for _, p := range s.packs {
		if at, ok := p.idx.find(h); ok {
			return place{p, at}, true
		}
	}
	return place{}, false
}

// Hashes are those of all objects.
func (s *Store) Hashes() iter.Seq[object.Hash] {
	return func(yield func(object.Hash) bool) {
		for _, p := range s.packs {
			for i := range p.idx.count {
				if !yield(p.idx.hash(i)) {
					return
				}
			}
		}
	}
}

func (s *Store) Has(h object.Hash) bool {
	_, ok := s.find(h)
	return ok
}

func (s *Store) Read(h object.Hash) (plumbing.ObjectType, []byte, error) {
	at, ok := s.find(h)
	if !ok {
		return 0, nil, fmt.Errorf("object %s: %w", h, object.ErrNotFound)
	}
	o, err := s.decode(at)
	if err != nil {
		return 0, nil, s.damaged(h, err)
	}
	return o.kind, o.content, nil
}

func (s *Store) damaged(h object.Hash, err error) error {
	if errors.Is(err, object.ErrLimit) {
		return fmt.Errorf("read object %s: %w", h, err)
	}
	if s.dir != "" {
		return fmt.Errorf("%w: %s: object %s: %w", object.ErrDamaged, s.dir, h, err)
	}
	return fmt.Errorf("read object %s: %w", h, err)
}

// decode makes the object at a place in memory, if it is not too large for that.
func (s *Store) decode(at place) (wholeObject, error) {
	kind, c, err := s.unpack(at)
	if err != nil {
		return wholeObject{}, err
	}
	defer c.release()
	if c.file == nil {
		return wholeObject{kind, c.mem}, nil
	}
	if c.size > MaxWhole {
		return wholeObject{}, over("an object that is read as a whole", c.size, MaxWhole, "bytes")
	}
	whole := make([]byte, c.size)
	_, err = io.ReadFull(c.reader(), whole)
	return wholeObject{kind, whole}, err
}

// unpack makes the content of the object at a place. Of the deltas on the way only
// one is open at a time.
func (s *Store) unpack(at place) (plumbing.ObjectType, content, error) {
	var through []place
	var o wholeObject
	var made content
	for {
		if known, ok := s.bases.Get(at); ok {
			o, made = known, content{mem: known.content, size: int64(len(known.content))}
			break
		}
		e, err := at.p.unpacker.entry(at.at)
		if err != nil {
			return 0, made, err
		}
		if !e.isDelta() {
			o.kind = e.kind
			if made, err = at.p.unpacker.base(e); err != nil {
				return 0, made, err
			}
			if len(through) > 0 {
				s.remember(at, o.kind, made)
			}
			break
		}
		through = append(through, at)
		if at, err = s.base(at, e); err != nil {
			return 0, made, err
		}
		if len(through) > MaxChain {
			return 0, made, over("a chain of deltas", int64(len(through)), MaxChain, "deltas or more")
		}
	}
	for _, on := range slices.Backward(through) {
		e, err := on.p.unpacker.entry(on.at)
		if err != nil {
			made.release()
			return 0, content{}, err
		}
		next, err := on.p.unpacker.apply(made, e, nil)
		made.release()
		if err != nil {
			return 0, content{}, err
		}
		made = next
		s.remember(on, o.kind, made)
	}
	return o.kind, made, nil
}

func (s *Store) remember(at place, kind plumbing.ObjectType, c content) {
	if c.file == nil {
		s.bases.Put(at, wholeObject{kind, c.mem}, len(c.mem))
	}
}

func (s *Store) base(of place, e packEntry) (place, error) {
	if e.kind == plumbing.OFSDeltaObject {
		return place{of.p, e.base}, nil
	}
	at, ok := s.find(e.baseRef)
	if !ok {
		return at, fmt.Errorf("%w: the base %s of a delta is missing", ErrDamaged, e.baseRef)
	}
	return at, nil
}

// Open reads an object of any size, and returns its kind and size. An object that a
// delta makes is limited by [MaxDelta].
func (s *Store) Open(h object.Hash) (plumbing.ObjectType, io.ReadCloser, int64, error) {
	at, ok := s.find(h)
	if !ok {
		return 0, nil, 0, fmt.Errorf("object %s: %w", h, object.ErrNotFound)
	}
	e, err := at.p.unpacker.entry(at.at)
	if err != nil {
		return 0, nil, 0, s.damaged(h, err)
	}
	if e.isDelta() {
		kind, c, err := s.unpack(at)
		if err != nil {
			return 0, nil, 0, s.damaged(h, err)
		}
		return kind, contentReader{c.reader(), c}, c.size, nil
	}
	var own inflater
	r, err := own.start(at.p.data.from(e.content, &pieces{}))
	if err != nil {
		return 0, nil, 0, s.damaged(h, err)
	}
	return e.kind, io.NopCloser(r), e.size, nil
}

// WithContext ends the reading of r with a context.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

// contextReader ends a long copy with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read fails once the context has ended.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
