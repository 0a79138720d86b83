package pack

import (
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const (
	packHeader   = 12
	packTrailer  = 20
	maxEntryHead = 32 // bytes: a size of 9, and a base of 20 or an offset of 9
	kindMask     = 7
)

// errDamaged says that a pack is not one that git makes. It may have been damaged on its way.
var errDamaged = errors.New("the pack is damaged")

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
			return e, fmt.Errorf("%w: the size of the object at %d", errDamaged, at)
		}
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		distance, err := readDistance(r)
		if err != nil || distance <= 0 || distance > int64(at) {
			return e, fmt.Errorf("%w: the base of the object at %d", errDamaged, at)
		}
		e.base = at - int(distance)
	case plumbing.REFDeltaObject:
		if _, err := io.ReadFull(r, e.baseRef[:]); err != nil {
			return e, cutShort(err)
		}
	default:
		return e, fmt.Errorf("%w: an object of type %d at %d", errDamaged, e.kind, at)
	}
	return e, nil
}

// readDistance is how many bytes before an object its base begins.
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
		if n = (n+1)<<7 | int64(c&0x7f); n > math.MaxInt64>>8 {
			return 0, errDamaged
		}
	}
	return n, nil
}

// inflater decompresses objects of packs, one after the other.
type inflater struct{ z io.ReadCloser }

// start begins with the compressed bytes that come next.
func (i *inflater) start(src byteReader) (io.Reader, error) {
	if i.z == nil {
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		i.z = z
		return z, nil
	}
	r, ok := i.z.(zlib.Resetter)
	if !ok {
		return nil, errors.New("zlib readers can't be used again")
	}
	if err := r.Reset(src, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return i.z, nil
}

// copy sends the content that comes next to w.
func (i *inflater) copy(w io.Writer, src byteReader, e packEntry, buf []byte) error {
	r, err := i.start(src)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{io.LimitReader(r, e.size+1)}, buf)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if n != e.size {
		return fmt.Errorf("%w: an object does not have the %d bytes that it should have", errDamaged, e.size)
	}
	return nil
}

// cutShort is an end that comes in the middle.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
