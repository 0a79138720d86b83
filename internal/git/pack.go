package git

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/hash"
	"golang.org/x/sync/errgroup"
)

// Packs, see gitformat-pack(5). A pack may be thin: its deltas may build on
// objects that are not in it.

const (
	packHeader    = 12
	packTrailer   = 20
	maxPackSize   = 1<<31 - 1 // bytes; offsets of 31 bits need no second table
	maxDeltaDepth = 4096      // git's own limit
	maxWhole      = 1 << 30   // bytes of an object that has to be whole in memory
	kindMask      = 7
)

var errBadPack = fmt.Errorf("the pack is damaged: %w", ErrDamaged)

// packEntry is the head of one object in a pack.
type packEntry struct {
	kind    plumbing.ObjectType
	size    int64 // of the content, or of the delta
	content int   // offset of the compressed bytes
	base    int   // offset of the base of an offset delta
	baseRef Hash  // base of a reference delta
}

func (e packEntry) isDelta() bool {
	return e.kind == plumbing.OFSDeltaObject || e.kind == plumbing.REFDeltaObject
}

// readEntry reads the head of the object at an offset.
func readEntry(data []byte, at int) (packEntry, error) {
	if at < packHeader || at >= len(data)-packTrailer {
		return packEntry{}, fmt.Errorf("%w: an object at %d of %d bytes", errBadPack, at, len(data))
	}
	r := bytes.NewReader(data[at : len(data)-packTrailer])
	e, err := readHead(r, at)
	e.content = len(data) - packTrailer - r.Len()
	return e, err
}

// byteReader is what the heads of objects and zlib streams are read from, and no
// byte more than belongs to them.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// readHead reads the head of an object that begins at an offset of its pack.
func readHead(r byteReader, at int) (packEntry, error) {
	var e packEntry
	c, err := r.ReadByte()
	if err != nil {
		return e, cutShort(err)
	}
	e.kind, e.size = plumbing.ObjectType(c>>4&kindMask), int64(c&0x0f)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c, err = r.ReadByte(); err != nil || shift > 56 {
			return e, fmt.Errorf("%w: the size of the object at %d", errBadPack, at)
		}
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		distance, err := readDistance(r)
		if err != nil || distance <= 0 || distance > int64(at) {
			return e, fmt.Errorf("%w: the base of the object at %d", errBadPack, at)
		}
		e.base = at - int(distance)
	case plumbing.REFDeltaObject:
		if _, err := io.ReadFull(r, e.baseRef[:]); err != nil {
			return e, cutShort(err)
		}
	default:
		return e, fmt.Errorf("%w: an object of type %d at %d", errBadPack, e.kind, at)
	}
	return e, nil
}

func readDistance(r io.ByteReader) (int64, error) {
	c, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := int64(c & 0x7f)
	for c&0x80 != 0 {
		if c, err = r.ReadByte(); err != nil {
			return 0, err
		}
		if n = (n+1)<<7 | int64(c&0x7f); n > maxPackSize {
			return 0, errBadPack
		}
	}
	return n, nil
}

// inflater decompresses objects of packs, one after the other.
type inflater struct {
	src bytes.Reader
	z   io.ReadCloser
}

// at starts with the object whose compressed bytes begin at an offset.
func (i *inflater) at(data []byte, offset int) (io.Reader, error) {
	i.src.Reset(data[offset : len(data)-packTrailer])
	return i.start(&i.src)
}

// start begins with the compressed bytes that come next.
func (i *inflater) start(src byteReader) (io.Reader, error) {
	if i.z == nil {
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBadPack, err)
		}
		i.z = z
		return z, nil
	}
	r, ok := i.z.(zlib.Resetter)
	if !ok {
		return nil, errors.New("zlib readers can't be used again")
	}
	if err := r.Reset(src, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	return i.z, nil
}

// whole gives the content of an object that is not a delta, or the delta.
func (i *inflater) whole(data []byte, e packEntry) ([]byte, error) {
	if e.size > maxWhole {
		return nil, fmt.Errorf("an object of %d bytes is too large to be read", e.size)
	}
	r, err := i.at(data, e.content)
	if err != nil {
		return nil, err
	}
	if e.size <= trusted {
		return exactly(r, e.size)
	}
	// The size is the sender's word, so memory is taken as content comes.
	out := bytes.NewBuffer(make([]byte, 0, trusted+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(r, e.size+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if n != e.size {
		return nil, fmt.Errorf("%w: an object has not the %d bytes that it should have", errBadPack, e.size)
	}
	return out.Bytes(), nil
}

// trusted is a size for which memory is taken at once, in bytes.
const trusted = 1 << 20

func exactly(r io.Reader, size int64) ([]byte, error) {
	content := make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, cutShort(err))
	}
	var more [1]byte // the end comes with the check of the sum
	if n, err := r.Read(more[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: an object has not the %d bytes that it should have", errBadPack, size)
	}
	return content, nil
}

// copy sends the content that comes next to w.
func (i *inflater) copy(w io.Writer, src byteReader, e packEntry, buf []byte) error {
	r, err := i.start(src)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{io.LimitReader(r, e.size+1)}, buf)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadPack, err)
	}
	if n != e.size {
		return fmt.Errorf("%w: an object has not the %d bytes that it should have", errBadPack, e.size)
	}
	return nil
}

// indexer works out which objects a pack has. Everything is read once; deltas
// are applied from their bases down, so that only one chain is in memory.
type indexer struct {
	data     []byte
	inflate  inflater
	external func(Hash) (plumbing.ObjectType, []byte, error)

	found  []packed       // with names
	all    []indexed      // by offset
	byHash map[Hash]int32 // the first delta on a base that is named by its hash
	open   int            // deltas without a name yet
}

// indexed is an object on its way to a name. Deltas on one base make a list;
// places in it count from one, 0 is none.
type indexed struct {
	at, end     int
	hash        Hash
	child, next int32
	delta       bool
}

// indexPack gives git's index of a pack. external gives the objects that a thin
// pack builds on.
func indexPack(data []byte, external func(Hash) (plumbing.ObjectType, []byte, error)) ([]byte, error) {
	x := newIndexer()
	if err := x.scan(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return x.index(data, external)
}

func newIndexer() *indexer { return &indexer{byHash: map[Hash]int32{}} }

// index gives the index of the pack that was scanned, now that it is all here.
func (x *indexer) index(data []byte, external func(Hash) (plumbing.ObjectType, []byte, error)) ([]byte, error) {
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
		return 0, fmt.Errorf("%w: %d bytes that are no pack", errBadPack, len(data))
	case len(data) > maxPackSize:
		return 0, fmt.Errorf("the pack has %d bytes, more than the %d that are supported", len(data), maxPackSize)
	}
	return objectCount(data)
}

// objectCount reads the head of a pack.
func objectCount(head []byte) (int, error) {
	switch {
	case string(head[:4]) != "PACK":
		return 0, fmt.Errorf("%w: it begins with %q", errBadPack, head[:4])
	case binary.BigEndian.Uint32(head[4:]) != 2:
		return 0, fmt.Errorf("%w: version %d", errBadPack, binary.BigEndian.Uint32(head[4:]))
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
		return fmt.Errorf("%w: %w", errBadPack, cutShort(err))
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
		return fmt.Errorf("%w: %w", errBadPack, err)
	}
	if rest != packTrailer {
		return fmt.Errorf("%w: %d bytes follow its objects, not a checksum", errBadPack, rest)
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
			return fmt.Errorf("%w: the base of the object at %d is no object", errBadPack, at)
		}
		o.next, x.all[base].child = x.all[base].child, self
		x.open++
	}
	x.all = append(x.all, o)
	return nil
}

func (x *indexer) add(o indexed, h Hash) {
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
		return fmt.Errorf("%w: %d deltas have no base", errBadPack, x.open)
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
func (x *indexer) deltas(first int32, h Hash, kind plumbing.ObjectType, content []byte, depth int) error {
	if depth > maxDeltaDepth {
		return fmt.Errorf("%w: a chain of more than %d deltas", errBadPack, maxDeltaDepth)
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

func applyDelta(base, delta []byte) ([]byte, error) {
	out, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	return out, nil
}

// packIdx reads git's index of a pack, see gitformat-pack(5).
type packIdx struct {
	count          int
	fanout         [256]uint32
	names, offsets []byte
}

const idxHeader = 8 + 256*4

func readIdx(data []byte) (*packIdx, error) {
	if len(data) < idxHeader+2*packTrailer || string(data[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return nil, fmt.Errorf("%w: an index that is none", errBadPack)
	}
	body := data[:len(data)-packTrailer]
	if !bytes.Equal(checksum(body), data[len(body):]) {
		return nil, fmt.Errorf("%w: the checksum of its index is wrong", errBadPack)
	}
	var x packIdx
	last := uint32(0)
	for i := range x.fanout {
		x.fanout[i] = binary.BigEndian.Uint32(data[8+4*i:])
		if x.fanout[i] < last {
			return nil, fmt.Errorf("%w: its index is not sorted", errBadPack)
		}
		last = x.fanout[i]
	}
	x.count = int(last)
	if len(data) != idxHeader+x.count*28+2*packTrailer {
		return nil, fmt.Errorf("%w: the length of its index is wrong", errBadPack)
	}
	x.names = data[idxHeader : idxHeader+20*x.count]
	x.offsets = data[idxHeader+24*x.count : idxHeader+28*x.count]
	return &x, nil
}

func (x *packIdx) find(h Hash) (offset int, ok bool) {
	lo, hi := 0, int(x.fanout[h[0]])
	if h[0] > 0 {
		lo = int(x.fanout[h[0]-1])
	}
	for lo < hi {
		mid := lo + (hi-lo)/2
		switch c := bytes.Compare(h[:], x.names[20*mid:20*mid+20]); {
		case c == 0:
			return int(binary.BigEndian.Uint32(x.offsets[4*mid:])), true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return 0, false
}

func (x *packIdx) hash(i int) (h Hash) {
	copy(h[:], x.names[20*i:])
	return h
}
