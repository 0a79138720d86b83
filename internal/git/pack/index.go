package pack

import (
	"bufio"
	"bytes"
	"crypto"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Packs, see gitformat-pack(5). A pack may be thin: its deltas may build on
// objects that are not in it.

// indexer works out which objects a pack has. Everything is read once; deltas
// are applied from their bases down, so that only one chain is in memory.
type indexer struct {
	data     []byte
	inflate  inflater
	external func(object.Hash) (plumbing.ObjectType, []byte, error)

	found  []packed              // with names
	all    []indexed             // by offset
	byHash map[object.Hash]int32 // the first delta on a base that is named by its hash
	open   int                   // deltas without a name yet
}

// indexed is an object on its way to a name. Deltas on one base make a list;
// places in it count from one, 0 is none.
type indexed struct {
	at, end     int
	hash        object.Hash
	child, next int32
	delta       bool
}

// indexPack gives git's index of a pack. external gives the objects that a thin
// pack builds on.
func indexPack(data []byte, external func(object.Hash) (plumbing.ObjectType, []byte, error)) ([]byte, error) {
	x := newIndexer()
	if err := x.scan(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return x.index(data, external)
}

func newIndexer() *indexer { return &indexer{byHash: map[object.Hash]int32{}} }

// index gives the index of the pack that was scanned, now that it is all here.
func (x *indexer) index(data []byte, external func(object.Hash) (plumbing.ObjectType, []byte, error)) ([]byte, error) {
	x.data, x.external = data, external
	x.found = make([]packed, 0, len(x.all))
	for _, o := range x.all {
		if !o.delta {
			x.add(o, o.hash)
		}
	}
	if err := x.resolve(); err != nil {
		return nil, err
	}
	slices.SortFunc(x.found, func(a, b packed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return packIndex(x.found, data[len(data)-packTrailer:]), nil
}

func checkPack(data []byte) (count int, err error) {
	switch {
	case len(data) < packHeader+packTrailer:
		return 0, fmt.Errorf("%w: %d bytes that are no pack", ErrDamaged, len(data))
	case len(data) > maxPackSize:
		return 0, fmt.Errorf("the pack has %d bytes, more than the %d that are supported", len(data), maxPackSize)
	}
	return objectCount(data)
}

// objectCount reads the head of a pack.
func objectCount(head []byte) (int, error) {
	switch {
	case string(head[:4]) != "PACK":
		return 0, fmt.Errorf("%w: it begins with %q", ErrDamaged, head[:4])
	case binary.BigEndian.Uint32(head[4:]) != 2:
		return 0, fmt.Errorf("%w: version %d", ErrDamaged, binary.BigEndian.Uint32(head[4:]))
	}
	return int(binary.BigEndian.Uint32(head[8:])), nil
}

// counted counts what is read.
type counted struct {
	r *bufio.Reader
	n int
}

// Read reads and counts.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// ReadByte reads and counts one byte.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// scan reads a pack through to its end, while it comes, and notes its objects.
func (x *indexer) scan(from io.Reader) error {
	r := &counted{r: bufio.NewReaderSize(from, 64<<10)}
	var head [packHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, cutShort(err))
	}
	count, err := objectCount(head[:])
	if err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	sum := hash.New(crypto.SHA1)
	for range count {
		at := r.n
		if at > maxPackSize {
			return fmt.Errorf("the pack has more than the %d bytes that are supported", maxPackSize)
		}
		e, err := readHead(r, at)
		if err != nil {
			return err
		}
		target := io.Discard
		if !e.isDelta() {
			sum.Reset()
			_, _ = fmt.Fprintf(sum, "%s %d\x00", e.kind, e.size) // a hash takes everything
			target = sum
		}
		if err := x.inflate.copy(target, r, e, buf); err != nil {
			return err
		}
		if err := x.note(at, r.n, e, sum); err != nil {
			return err
		}
	}
	rest, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if rest != packTrailer {
		return fmt.Errorf("%w: %d bytes follow its objects, not a checksum", ErrDamaged, rest)
	}
	return nil
}

// note puts an object into the list. Bases of offset deltas come before them.
func (x *indexer) note(at, end int, e packEntry, sum hash.Hash) error {
	o := indexed{at: at, end: end, delta: e.isDelta()}
	self := int32(len(x.all) + 1) //nolint:gosec // an object has several bytes, a pack less than 2 GiB
	switch {
	case !o.delta:
		sum.Sum(o.hash[:0])
	case e.kind == plumbing.REFDeltaObject:
		o.next = x.byHash[e.baseRef]
		x.byHash[e.baseRef] = self
		x.open++
	default:
		base, ok := slices.BinarySearchFunc(x.all, e.base, func(o indexed, at int) int { return o.at - at })
		if !ok {
			return fmt.Errorf("%w: the base of the object at %d is no object", ErrDamaged, at)
		}
		o.next, x.all[base].child = x.all[base].child, self
		x.open++
	}
	x.all = append(x.all, o)
	return nil
}

func (x *indexer) add(o indexed, h object.Hash) {
	x.found = append(x.found, packed{h, o.at, crc32.ChecksumIEEE(x.data[o.at:o.end])})
}

// resolve names the deltas.
func (x *indexer) resolve() error {
	if len(x.byHash) == 0 {
		return x.resolveApart()
	}
	if err := x.resolveFrom(0, 1); err != nil {
		return err
	}
	return x.resolveExternal()
}

// maxWorkers bounds how many processors resolve deltas. Each has the contents of
// one chain of deltas in memory.
const maxWorkers = 4

// resolveApart names deltas on several processors: where all of them build on
// objects of this pack, by offset, each object has its own tree of deltas.
func (x *indexer) resolveApart() error {
	parts := make([]*indexer, min(runtime.GOMAXPROCS(0), maxWorkers))
	var group errgroup.Group
	for i := range parts {
		parts[i] = &indexer{data: x.data, all: x.all}
		group.Go(func() error { return parts[i].resolveFrom(i, len(parts)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, part := range parts {
		x.found = append(x.found, part.found...)
		x.open += part.open
	}
	return x.allNamed()
}

func (x *indexer) allNamed() error {
	if x.open != 0 {
		return fmt.Errorf("%w: %d deltas have no base", ErrDamaged, x.open)
	}
	return nil
}

// resolveFrom names what builds on every step-th object from the first one on.
func (x *indexer) resolveFrom(first, step int) error {
	for i := first; i < len(x.all); i += step {
		o := x.all[i]
		if o.delta || (o.child == 0 && x.byHash[o.hash] == 0) {
			continue
		}
		e, err := readEntry(x.data, o.at)
		if err != nil {
			return err
		}
		content, err := x.inflate.whole(x.data, e)
		if err != nil {
			return err
		}
		if err := x.deltas(o.child, o.hash, e.kind, content, 0); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexer) resolveExternal() error {
	for len(x.byHash) > 0 {
		for h := range x.byHash {
			kind, content, err := x.external(h)
			if err != nil {
				return fmt.Errorf("the base %s of a delta: %w", h, err)
			}
			if err := x.deltas(0, h, kind, content, 0); err != nil {
				return err
			}
		}
	}
	return x.allNamed()
}

// deltas names what builds on an object, and what builds on that.
func (x *indexer) deltas(first int32, h object.Hash, kind plumbing.ObjectType, content []byte, depth int) error {
	if depth > maxDeltaDepth {
		return fmt.Errorf("%w: a chain of more than %d deltas", ErrDamaged, maxDeltaDepth)
	}
	named := x.byHash[h]
	if named != 0 {
		delete(x.byHash, h)
	}
	for _, list := range [...]int32{first, named} {
		for i := list; i != 0; i = x.all[i-1].next {
			if err := x.delta(x.all[i-1], kind, content, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *indexer) delta(o indexed, kind plumbing.ObjectType, base []byte, depth int) error {
	e, err := readEntry(x.data, o.at)
	if err != nil {
		return err
	}
	delta, err := x.inflate.whole(x.data, e)
	if err != nil {
		return err
	}
	content, err := applyDelta(base, delta)
	if err != nil {
		return err
	}
	h := plumbing.ComputeHash(kind, content)
	x.add(o, h)
	x.open--
	if o.child == 0 && x.byHash[h] == 0 {
		return nil
	}
	return x.deltas(o.child, h, kind, content, depth+1)
}
