package git

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/hash"
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

var errBadPack = errors.New("the pack is damaged")

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
	var e packEntry
	if at < packHeader || at >= len(data)-packTrailer {
		return e, fmt.Errorf("%w: an object at %d of %d bytes", errBadPack, at, len(data))
	}
	r := bytes.NewReader(data[at : len(data)-packTrailer])
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
	e.content = len(data) - packTrailer - r.Len()
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
	if i.z == nil {
		z, err := zlib.NewReader(&i.src)
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
	if err := r.Reset(&i.src, nil); err != nil {
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
	// The size is the sender's word, so memory is taken as content comes.
	out := bytes.NewBuffer(make([]byte, 0, min(e.size, 1<<20)+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(r, e.size+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if n != e.size {
		return nil, fmt.Errorf("%w: an object has not the %d bytes that it should have", errBadPack, e.size)
	}
	return out.Bytes(), nil
}

// copy sends the content to w and gives the length of its compressed form.
func (i *inflater) copy(w io.Writer, data []byte, e packEntry, buf []byte) (int, error) {
	r, err := i.at(data, e.content)
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{io.LimitReader(r, e.size+1)}, buf)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errBadPack, err)
	}
	if n != e.size {
		return 0, fmt.Errorf("%w: an object has not the %d bytes that it should have", errBadPack, e.size)
	}
	return len(data) - packTrailer - e.content - i.src.Len(), nil
}

// indexer works out which objects a pack has. Everything is read once; deltas
// are applied from their bases down, so that only one chain is in memory.
type indexer struct {
	data     []byte
	inflate  inflater
	external func(Hash) (plumbing.ObjectType, []byte, error)

	found    []packed
	entries  map[int]packEntry // deltas by offset
	ends     map[int]int
	byOffset map[int][]int  // deltas by the offset of their base
	byHash   map[Hash][]int // deltas by the name of their base
	roots    map[int]plumbing.ObjectType
	open     int // deltas without a name yet
}

// indexPack gives git's index of a pack. external gives the objects that a thin
// pack builds on.
func indexPack(data []byte, external func(Hash) (plumbing.ObjectType, []byte, error)) ([]byte, error) {
	count, err := checkPack(data)
	if err != nil {
		return nil, err
	}
	x := &indexer{
		data: data, external: external, found: make([]packed, 0, min(count, len(data)/8)),
		entries: map[int]packEntry{}, ends: map[int]int{}, byOffset: map[int][]int{}, byHash: map[Hash][]int{}, roots: map[int]plumbing.ObjectType{},
	}
	if err := x.scan(count); err != nil {
		return nil, err
	}
	if err := x.resolveAll(); err != nil {
		return nil, err
	}
	slices.SortFunc(x.found, func(a, b packed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return packIndex(x.found, data[len(data)-packTrailer:]), nil
}

func checkPack(data []byte) (count int, err error) {
	switch {
	case len(data) < packHeader+packTrailer || string(data[:4]) != "PACK":
		return 0, fmt.Errorf("%w: %d bytes that are no pack", errBadPack, len(data))
	case binary.BigEndian.Uint32(data[4:]) != 2:
		return 0, fmt.Errorf("%w: version %d", errBadPack, binary.BigEndian.Uint32(data[4:]))
	case len(data) > maxPackSize:
		return 0, fmt.Errorf("the pack has %d bytes, more than the %d that are supported", len(data), maxPackSize)
	}
	return int(binary.BigEndian.Uint32(data[8:])), nil
}

func (x *indexer) scan(count int) error {
	at := packHeader
	buf := make([]byte, 32<<10)
	sum := hash.New(crypto.SHA1)
	for range count {
		e, err := readEntry(x.data, at)
		if err != nil {
			return err
		}
		target := io.Discard
		if !e.isDelta() {
			sum.Reset()
			_, _ = fmt.Fprintf(sum, "%s %d\x00", e.kind, e.size) // a hash takes everything
			target = sum
		}
		n, err := x.inflate.copy(target, x.data, e, buf)
		if err != nil {
			return err
		}
		end := e.content + n
		x.note(at, end, e, sum)
		at = end
	}
	if at != len(x.data)-packTrailer {
		return fmt.Errorf("%w: %d bytes are left over", errBadPack, len(x.data)-packTrailer-at)
	}
	return nil
}

func (x *indexer) note(at, end int, e packEntry, sum hash.Hash) {
	if !e.isDelta() {
		var h Hash
		sum.Sum(h[:0])
		x.add(at, end, h)
		x.roots[at] = e.kind
		return
	}
	x.entries[at], x.ends[at] = e, end
	x.open++
	if e.kind == plumbing.OFSDeltaObject {
		x.byOffset[e.base] = append(x.byOffset[e.base], at)
	} else {
		x.byHash[e.baseRef] = append(x.byHash[e.baseRef], at)
	}
}

func (x *indexer) add(at, end int, h Hash) {
	x.found = append(x.found, packed{h, at, crc32.ChecksumIEEE(x.data[at:end])})
}

func (x *indexer) resolveAll() error {
	if x.open == 0 {
		return nil
	}
	for _, p := range slices.Clone(x.found) {
		at := p.offset
		if len(x.byOffset[at]) == 0 && len(x.byHash[p.hash]) == 0 {
			continue
		}
		e, err := readEntry(x.data, at)
		if err != nil {
			return err
		}
		content, err := x.inflate.whole(x.data, e)
		if err != nil {
			return err
		}
		if err := x.children(at, p.hash, e.kind, content, 0); err != nil {
			return err
		}
	}
	return x.resolveExternal()
}

func (x *indexer) resolveExternal() error {
	for len(x.byHash) > 0 {
		for h := range x.byHash {
			kind, content, err := x.external(h)
			if err != nil {
				return fmt.Errorf("the base %s of a delta: %w", h, err)
			}
			if err := x.children(-1, h, kind, content, 0); err != nil {
				return err
			}
		}
	}
	if x.open != 0 {
		return fmt.Errorf("%w: %d deltas have no base", errBadPack, x.open)
	}
	return nil
}

// children names the deltas that build on an object, and theirs.
func (x *indexer) children(at int, h Hash, kind plumbing.ObjectType, content []byte, depth int) error {
	if depth > maxDeltaDepth {
		return fmt.Errorf("%w: a chain of more than %d deltas", errBadPack, maxDeltaDepth)
	}
	deltas := slices.Concat(x.byOffset[at], x.byHash[h])
	delete(x.byOffset, at)
	delete(x.byHash, h)
	for _, child := range deltas {
		delta, err := x.inflate.whole(x.data, x.entries[child])
		if err != nil {
			return err
		}
		result, err := applyDelta(content, delta)
		if err != nil {
			return err
		}
		name := plumbing.ComputeHash(kind, result)
		x.add(child, x.ends[child], name)
		x.open--
		if err := x.children(child, name, kind, result, depth+1); err != nil {
			return err
		}
	}
	return nil
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
