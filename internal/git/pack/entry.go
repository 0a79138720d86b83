package pack

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const (
	packHeader    = 12
	packTrailer   = 20
	maxPackSize   = 1<<31 - 1 // bytes; offsets of 31 bits need no second table
	maxDeltaDepth = 4096      // git's own limit
	maxWhole      = 1 << 30   // bytes of an object that has to be whole in memory
	kindMask      = 7
)

var ErrDamaged = errors.New("the pack is damaged")

// packEntry is the head of one object in a pack.
type packEntry struct {
	kind    plumbing.ObjectType
	size    int64       // of the content, or of the delta
	content int         // offset of the compressed bytes
	base    int         // offset of the base of an offset delta
	baseRef object.Hash // base of a reference delta
}

func (e packEntry) isDelta() bool {
	return e.kind == plumbing.OFSDeltaObject || e.kind == plumbing.REFDeltaObject
}

// readEntry reads the head of the object at an offset.
func readEntry(data []byte, at int) (packEntry, error) {
	if at < packHeader || at >= len(data)-packTrailer {
		return packEntry{}, fmt.Errorf("%w: an object at %d of %d bytes", ErrDamaged, at, len(data))
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
			return e, fmt.Errorf("%w: the size of the object at %d", ErrDamaged, at)
		}
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		distance, err := readDistance(r)
		if err != nil || distance <= 0 || distance > int64(at) {
			return e, fmt.Errorf("%w: the base of the object at %d", ErrDamaged, at)
		}
		e.base = at - int(distance)
	case plumbing.REFDeltaObject:
		if _, err := io.ReadFull(r, e.baseRef[:]); err != nil {
			return e, cutShort(err)
		}
	default:
		return e, fmt.Errorf("%w: an object of type %d at %d", ErrDamaged, e.kind, at)
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
			return 0, ErrDamaged
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
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		i.z = z
		return z, nil
	}
	r, ok := i.z.(zlib.Resetter)
	if !ok {
		return nil, errors.New("zlib readers can't be used again")
	}
	if err := r.Reset(src, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
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
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n != e.size {
		return nil, fmt.Errorf("%w: an object has not the %d bytes that it should have", ErrDamaged, e.size)
	}
	return out.Bytes(), nil
}

// trusted is a size for which memory is taken at once, in bytes.
const trusted = 1 << 20

func exactly(r io.Reader, size int64) ([]byte, error) {
	content := make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, cutShort(err))
	}
	var more [1]byte // the end comes with the check of the sum
	if n, err := r.Read(more[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: an object has not the %d bytes that it should have", ErrDamaged, size)
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
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n != e.size {
		return fmt.Errorf("%w: an object has not the %d bytes that it should have", ErrDamaged, e.size)
	}
	return nil
}

func applyDelta(base, delta []byte) ([]byte, error) {
	out, err := packfile.PatchDelta(base, delta)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return out, nil
}

// cutShort is an end that comes in the middle.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
