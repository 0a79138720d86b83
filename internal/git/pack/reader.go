package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/cache"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const cachedDeltas = 8 << 20 // bytes of objects that deltas build on

// reader reads the objects of several packs.
type reader struct {
	dir      string // of the packs; "" is memory
	inMemory int64  // bytes of a pack that is kept or mapped in memory
	packs    []*pack
	bases    *cache.Cache[place, wholeObject]
	// apart says that the packs do not build on each other, so that the order in which
	// they are searched does not matter.
	apart bool
	spare []*opened // to be used again
}

func newReader(inMemory int64) reader {
	return reader{inMemory: inMemory, bases: cache.New[place, wholeObject](cachedDeltas)}
}

// pack is one pack with its index.
type pack struct {
	data     data
	idx      *index
	close    func() error // nil: there is nothing to give back
	number   int          // in a Store
	unpacker *unpacker    // nil: the pack is not open yet

	// of a pack in a Folder
	name     string
	late     func() (*os.File, error)
	closeIdx func() error
}

// end gives the pack's files back.
func (p *pack) end() error {
	var errs []error
	for _, end := range []func() error{p.close, p.closeIdx} {
		if end != nil {
			errs = append(errs, end())
		}
	}
	p.close, p.closeIdx, p.data, p.unpacker = nil, nil, data{}, nil
	return errors.Join(errs...)
}

// place is where an object is.
type place struct {
	p  *pack
	at int
}

// wholeObject is an object without its name.
type wholeObject struct {
	kind    plumbing.ObjectType
	content []byte
}

// use reads a pack from an open file, which belongs to the pack from now on.
func (r *reader) use(p *pack, f *os.File) error {
	p.close = f.Close
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < packHeader+packTrailer {
		return fmt.Errorf("%w: %d bytes", errDamaged, info.Size())
	}
	p.data = data{file: f, size: int(info.Size())}
	if info.Size() <= r.inMemory {
		mem, unmap, err := mapFile(f, p.data.size)
		if err != nil {
			return fmt.Errorf("map %d bytes into memory: %w", info.Size(), err)
		}
		p.data.mem = mem
		p.close = func() error { return errors.Join(unmap(), f.Close()) }
	}
	p.unpacker = newUnpacker(p.data)
	return nil
}

// Close gives the packs back. What Open returned must not be read afterwards.
func (r *reader) Close() error {
	var errs []error
	for _, p := range r.packs {
		errs = append(errs, p.end())
	}
	r.packs = nil
	r.bases = cache.New[place, wholeObject](cachedDeltas)
	return errors.Join(errs...)
}

// find looks in the oldest pack first: an object builds only on those that came before
// it or with it, so that a search for bases ends.
func (r *reader) find(h object.Hash) (place, bool) {
	for i, p := range r.packs {
		if at, ok := p.idx.find(h); ok {
			if r.apart { // the next object is probably in the same pack
				r.packs[0], r.packs[i] = p, r.packs[0]
			}
			return place{p, at}, true
		}
	}
	return place{}, false
}

// Hashes are those of all objects.
func (r *reader) Hashes() iter.Seq[object.Hash] {
	return func(yield func(object.Hash) bool) {
		for _, p := range r.packs {
			for i := range p.idx.count {
				if !yield(p.idx.hash(i)) {
					return
				}
			}
		}
	}
}

// Has reports whether an object is in one of the packs.
func (r *reader) Has(h object.Hash) bool {
	_, ok := r.find(h)
	return ok
}

// Read returns an object of up to MaxWhole bytes; object.ErrNotFound if it is not in the
// packs.
func (r *reader) Read(h object.Hash) (plumbing.ObjectType, []byte, error) {
	at, ok := r.find(h)
	if !ok {
		return 0, nil, fmt.Errorf("object %s: %w", h, object.ErrNotFound)
	}
	o, err := r.decode(at)
	if err != nil {
		return 0, nil, r.damaged(h, err)
	}
	return o.kind, o.content, nil
}

func (r *reader) damaged(h object.Hash, err error) error {
	if errors.Is(err, object.ErrLimit) {
		return fmt.Errorf("read object %s: %w", h, err)
	}
	if r.dir != "" {
		return fmt.Errorf("%w: %s: object %s: %w", object.ErrDamaged, r.dir, h, err)
	}
	return fmt.Errorf("read object %s: %w", h, err)
}

// Open reads an object of any size, and returns its kind and size. An object that a
// delta makes is limited by [maxDelta].
func (r *reader) Open(h object.Hash) (plumbing.ObjectType, io.ReadCloser, int64, error) {
	at, ok := r.find(h)
	if !ok {
		return 0, nil, 0, fmt.Errorf("object %s: %w", h, object.ErrNotFound)
	}
	e, err := r.entry(at)
	if err != nil {
		return 0, nil, 0, r.damaged(h, err)
	}
	if e.isDelta() {
		kind, c, err := r.unpack(at)
		if err != nil {
			return 0, nil, 0, r.damaged(h, err)
		}
		return kind, contentReader{c.reader(), c}, c.size, nil
	}
	o := &opened{of: r}
	if last := len(r.spare) - 1; last >= 0 {
		o, r.spare = r.spare[last], r.spare[:last]
	}
	if o.content, err = o.start(at.p.data.from(e.content, &o.pieces)); err != nil {
		return 0, nil, 0, r.damaged(h, err)
	}
	return e.kind, o, e.size, nil
}

// opened is the content of an object while it is read. What a decompressor needs is more than most objects have, so
// Close keeps it for the next one.
type opened struct {
	inflater
	pieces
	of      *reader
	content io.Reader // nil: closed
}

// Read reads on; after Close it is an error.
func (o *opened) Read(p []byte) (int, error) {
	if o.content == nil {
		return 0, fs.ErrClosed
	}
	return o.content.Read(p)
}

// Close ends the reading, and may be called again.
func (o *opened) Close() error {
	if o.content != nil {
		o.content = nil
		o.of.spare = append(o.of.spare, o)
	}
	return nil
}

// decode makes the object at a place in memory, if it is not too large for that.
func (r *reader) decode(at place) (wholeObject, error) {
	kind, c, err := r.unpack(at)
	if err != nil {
		return wholeObject{}, err
	}
	defer c.release()
	if c.file == nil {
		return wholeObject{kind, c.mem}, nil
	}
	if c.size > MaxWhole {
		return wholeObject{}, Over("an object that is read as a whole", c.size, MaxWhole, "bytes")
	}
	whole := make([]byte, c.size)
	_, err = io.ReadFull(c.reader(), whole)
	return wholeObject{kind, whole}, err
}

// unpack makes the content of the object at a place. Of the deltas on the way only
// one is open at a time.
func (r *reader) unpack(at place) (plumbing.ObjectType, content, error) {
	kind, made, through, err := r.chain(at)
	if err != nil {
		return 0, made, err
	}
	for _, on := range slices.Backward(through) {
		e, err := r.entry(on)
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
		r.remember(on, kind, made)
	}
	return kind, made, nil
}

// chain is the object that the one at a place is made from, and the deltas that lead to it.
func (r *reader) chain(at place) (kind plumbing.ObjectType, made content, through []place, err error) {
	for {
		if known, ok := r.bases.Get(at); ok {
			return known.kind, content{mem: known.content, size: int64(len(known.content))}, through, nil
		}
		e, err := r.entry(at)
		if err != nil {
			return 0, made, nil, err
		}
		if !e.isDelta() {
			if made, err = at.p.unpacker.base(e); err == nil && len(through) > 0 {
				r.remember(at, e.kind, made)
			}
			return e.kind, made, through, err
		}
		through = append(through, at)
		if at, err = r.base(at, e); err != nil {
			return 0, made, nil, err
		}
		if len(through) > maxChain {
			return 0, made, nil, Over("a chain of deltas", int64(len(through)), maxChain, "deltas or more")
		}
	}
}

func (r *reader) remember(at place, kind plumbing.ObjectType, c content) {
	if c.file == nil {
		r.bases.Put(at, wholeObject{kind, c.mem}, len(c.mem))
	}
}

func (r *reader) base(of place, e packEntry) (place, error) {
	if e.kind == plumbing.OFSDeltaObject {
		return place{of.p, e.base}, nil
	}
	if r.apart {
		if at, ok := of.p.idx.find(e.baseRef); ok {
			return place{of.p, at}, nil
		}
	}
	at, ok := r.find(e.baseRef)
	if !ok {
		return at, fmt.Errorf("%w: the base %s of a delta is missing", errDamaged, e.baseRef)
	}
	return at, nil
}

// entry reads the head of an object. It opens the pack if it is the first one that is
// read.
func (r *reader) entry(at place) (packEntry, error) {
	if at.p.unpacker == nil {
		f, err := at.p.late()
		if err != nil {
			return packEntry{}, err
		}
		if err := r.use(at.p, f); err != nil {
			at.p.close = nil
			return packEntry{}, errors.Join(err, f.Close())
		}
	}
	return at.p.unpacker.entry(at.at)
}
