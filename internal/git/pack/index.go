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
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/guard"
)

// Packs, see gitformat-pack(5). A pack may be thin: its deltas may build on
// objects that are not in it.

// external gives an object that a thin pack builds on.
type external func(object.Hash) (plumbing.ObjectType, []byte, error)

// indexer works out which objects a pack has. Everything is read once while it
// comes; then deltas are applied from their bases down.
type indexer struct {
	all      []indexed             // by offset
	byHash   map[object.Hash]int32 // the first delta on a base that is named by its hash
	open     int                   // deltas without a name yet
	unpacked *atomic.Int64         // bytes that deltas made
	external external
	unpacker *unpacker
}

// indexed is an object on its way to a name. Deltas on one base make a list;
// places in it count from one, 0 is none.
type indexed struct {
	at                uint32
	crc               uint32
	hash              object.Hash
	base, child, next int32
	weight            int32 // how many deltas build on it, and on those
	delta             bool
}

func newIndexer() *indexer {
	return &indexer{byHash: map[object.Hash]int32{}, unpacked: &atomic.Int64{}}
}

// index gives the index of the pack that was scanned, now that it is all here.
// Large objects that deltas build on are kept in files meanwhile.
func (x *indexer) index(d data, ext external) ([]byte, error) {
	x.external, x.unpacker = ext, newUnpacker(d)
	for _, v := range slices.Backward(x.all) {
		if o := v; o.base != 0 {
			x.all[o.base-1].weight += 1 + o.weight
		}
	}
	if err := x.resolve(); err != nil {
		return nil, err
	}
	sum, err := d.bytes(d.size-packTrailer, packTrailer)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(x.all, func(a, b indexed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return packIndex(len(x.all), func(i int) packed { o := &x.all[i]; return packed{o.hash, int(o.at), o.crc} }, sum), nil
}

// objectCount reads the head of a pack.
func objectCount(head []byte) (int, error) {
	switch {
	case string(head[:4]) != "PACK":
		return 0, fmt.Errorf("%w: it begins with %q", errDamaged, head[:4])
	case binary.BigEndian.Uint32(head[4:]) != 2:
		return 0, fmt.Errorf("%w: version %d", errDamaged, binary.BigEndian.Uint32(head[4:]))
	}
	n := int64(binary.BigEndian.Uint32(head[8:]))
	if n > maxObjects {
		return 0, Over("the pack", n, maxObjects, "objects")
	}
	return int(n), nil
}

// scanned counts and sums what is read of a pack.
type scanned struct {
	r   *bufio.Reader
	n   int
	sum hash.Hash
	crc uint32 // of the object that is being read
	run []byte // read, but not in the sums yet
}

// Read reads and counts.
func (c *scanned) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	c.settle()
	c.add(p[:n])
	return n, err
}

// ReadByte reads and counts one byte.
func (c *scanned) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err != nil {
		return b, err
	}
	c.n++
	if c.run = append(c.run, b); len(c.run) == cap(c.run) {
		c.settle()
	}
	return b, nil
}

func (c *scanned) settle() {
	c.add(c.run)
	c.run = c.run[:0]
}

func (c *scanned) add(p []byte) {
	_, _ = c.sum.Write(p) // a hash takes everything
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p)
}

// scan reads a pack through to its end, while it comes, checks its sum, and notes
// its objects.
func (x *indexer) scan(from io.Reader) error {
	r := &scanned{r: bufio.NewReaderSize(from, 64<<10), sum: newHash(), run: make([]byte, 0, 4<<10)}
	var head [packHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, cutShort(err))
	}
	count, err := objectCount(head[:])
	if err != nil {
		return err
	}
	var z inflater
	buf := make([]byte, 32<<10)
	sum := newHash()
	for range count {
		if err := x.scanObject(r, &z, sum, buf); err != nil {
			return err
		}
	}
	r.settle()
	want := r.sum.Sum(nil)
	var trailer [packTrailer]byte
	if _, err := io.ReadFull(r.r, trailer[:]); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, cutShort(err))
	}
	if !bytes.Equal(want, trailer[:]) {
		return fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	if rest, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r.r}, buf); err != nil || rest != 0 {
		return fmt.Errorf("%w: %d bytes follow its checksum: %w", errDamaged, rest, err)
	}
	return nil
}

func (x *indexer) scanObject(r *scanned, z *inflater, sum hash.Hash, buf []byte) error {
	r.settle()
	at := r.n
	r.crc = 0
	if at > maxPack {
		return Over("the pack", int64(at), maxPack, "bytes")
	}
	e, err := readHead(r, at)
	if err != nil {
		return err
	}
	target := io.Discard
	if !e.isDelta() {
		target = hashing(sum, e.kind)(e.size)
	}
	if err := z.copy(target, r, e, buf); err != nil {
		return err
	}
	r.settle()
	return x.note(at, r.crc, e, sum)
}

// note puts an object into the list. Bases of offset deltas come before them.
func (x *indexer) note(at int, crc uint32, e packEntry, sum hash.Hash) error {
	o := indexed{at: uint32(at), crc: crc, delta: e.isDelta()} //nolint:gosec // at most maxPack
	self := int32(len(x.all) + 1)                              //nolint:gosec // at most maxObjects
	switch {
	case !o.delta:
		sum.Sum(o.hash[:0])
	case e.kind == plumbing.REFDeltaObject:
		o.next = x.byHash[e.baseRef]
		x.byHash[e.baseRef] = self
		x.open++
	default:
		base, ok := slices.BinarySearchFunc(x.all, e.base, func(o indexed, at int) int { return int(o.at) - at })
		if !ok {
			return fmt.Errorf("%w: the base of the object at %d is not an object", errDamaged, at)
		}
		o.base = int32(base + 1) //nolint:gosec // at most maxObjects
		o.next, x.all[base].child = x.all[base].child, self
		x.open++
	}
	x.all = append(x.all, o)
	return nil
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

// maxWorkers bounds how many processors resolve deltas. Each holds the objects of
// one chain of deltas.
const maxWorkers = 2

// resolveApart names deltas on several processors: where all of them build on
// objects of this pack, by offset, each object has its own tree of deltas.
func (x *indexer) resolveApart() error {
	parts := make([]*indexer, min(runtime.GOMAXPROCS(0), maxWorkers))
	var group errgroup.Group
	for i := range parts {
		parts[i] = &indexer{all: x.all, unpacked: x.unpacked, unpacker: newUnpacker(x.unpacker.data)}
		group.Go(func() error {
			return guard.Run(func() error { return parts[i].resolveFrom(i, len(parts)) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, part := range parts {
		x.open += part.open
	}
	return x.allNamed()
}

func (x *indexer) allNamed() error {
	if x.open != 0 {
		return fmt.Errorf("%w: %d deltas have no base", errDamaged, x.open)
	}
	return nil
}

// resolveFrom names what builds on every step-th object from the first one on.
func (x *indexer) resolveFrom(first, step int) error {
	for i := first; i < len(x.all); i += step {
		o := &x.all[i] // not a copy: other workers name the deltas meanwhile
		if o.delta || (o.child == 0 && x.byHash[o.hash] == 0) {
			continue
		}
		e, err := x.unpacker.entry(int(o.at))
		if err != nil {
			return err
		}
		base, err := x.unpacker.base(e)
		if err != nil {
			return err
		}
		if err := x.deltas(o.child, o.hash, e.kind, base, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexer) resolveExternal() error {
	for len(x.byHash) > 0 {
		for h := range x.byHash {
			kind, base, err := x.external(h)
			if err != nil {
				return fmt.Errorf("the base %s of a delta: %w", h, err)
			}
			if err := x.deltas(0, h, kind, content{mem: base, size: int64(len(base))}, 0, 0); err != nil {
				return err
			}
		}
	}
	return x.allNamed()
}

// deltas names what builds on an object, and what builds on that. It releases the
// object. The largest of the trees of deltas comes last, when the object is not
// needed any more: so at most log2(n) objects are held on the way down.
func (x *indexer) deltas(first int32, h object.Hash, kind plumbing.ObjectType, base content, depth int, held int64) (err error) {
	defer func() { base.release() }()
	for {
		depth++
		if depth > maxChain {
			return Over("a chain of deltas", int64(depth), maxChain, "deltas or more")
		}
		last := x.others(first, h, func(o *indexed) {
			if err == nil {
				err = x.branch(o, kind, base, depth, held)
			}
		})
		if err != nil || last == nil {
			return err
		}
		next, err := x.name(last, kind, base)
		if err != nil {
			return err
		}
		base.release()
		base, first, h = next, last.child, last.hash
	}
}

// others visits the deltas on an object, but for the one with the most deltas
// below it, which it returns.
func (x *indexer) others(first int32, h object.Hash, visit func(*indexed)) *indexed {
	named := x.byHash[h]
	if named != 0 {
		delete(x.byHash, h)
	}
	var last *indexed
	for _, list := range [...]int32{first, named} {
		for i := list; i != 0; i = x.all[i-1].next {
			o := &x.all[i-1]
			if last != nil && o.weight <= last.weight {
				visit(o)
				continue
			}
			if last != nil {
				visit(last)
			}
			last = o
		}
	}
	return last
}

// branch names a delta and what builds on it, while its base is needed further.
func (x *indexer) branch(o *indexed, kind plumbing.ObjectType, base content, depth int, held int64) error {
	made, err := x.name(o, kind, base)
	if err != nil {
		return err
	}
	if o.child == 0 && x.byHash[o.hash] == 0 {
		made.release()
		return nil
	}
	if held += base.held(); held > maxHeld {
		made.release()
		return Over("what a tree of deltas builds on", held, maxHeld, "bytes in memory")
	}
	return x.deltas(o.child, o.hash, kind, made, depth, held)
}

// name makes the object of a delta and gives it its name.
func (x *indexer) name(o *indexed, kind plumbing.ObjectType, base content) (content, error) {
	e, err := x.unpacker.entry(int(o.at))
	if err != nil {
		return content{}, err
	}
	made, err := x.unpacker.apply(base, e, hashing(x.unpacker.sum, kind))
	if err != nil {
		return content{}, err
	}
	x.unpacker.sum.Sum(o.hash[:0])
	x.open--
	if total := x.unpacked.Add(made.size); total > maxUnpacked {
		made.release()
		return content{}, Over("what the deltas of the pack make", total, maxUnpacked, "bytes")
	}
	return made, nil
}

func newHash() hash.Hash { return hash.New(crypto.SHA1) }
