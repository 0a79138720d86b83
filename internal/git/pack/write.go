package pack

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Storing writes a pack of objects that are not compressed: they are mostly small
// and mostly hashes, and so the bytes do not depend on the version of a library.
// No object is in memory as a whole.
type Storing struct {
	w      io.Writer
	sum    hash.Hash
	at     int64
	places []packed
	buf    []byte
}

// NewStoring begins a pack of a number of objects.
func NewStoring(w io.Writer, count int) (*Storing, error) {
	s := &Storing{w: w, sum: newHash(), places: make([]packed, 0, count), buf: make([]byte, longestStored)}
	var head bytes.Buffer
	head.WriteString("PACK")
	WriteUint32(&head, 2, count)
	err := s.write(head.Bytes())
	return s, err
}

// Add writes the next object, whose content has a size.
func (s *Storing) Add(kind plumbing.ObjectType, h object.Hash, size int64, content io.Reader) error {
	start := s.at
	var head bytes.Buffer
	writeObjectHeader(&head, kind, int(size))
	crc := crc32.NewIEEE()
	body := &tee{s, crc}
	if _, err := body.Write(head.Bytes()); err != nil {
		return err
	}
	if err := store(body, size, content, s.buf); err != nil {
		return err
	}
	if s.at > maxPack {
		return Over("the pack", s.at, maxPack, "bytes")
	}
	s.places = append(s.places, packed{h, int(start), crc.Sum32()})
	return nil
}

// tee writes to a pack and sums what belongs to one object.
type tee struct {
	to  *Storing
	crc io.Writer
}

// Write writes and sums.
func (t *tee) Write(p []byte) (int, error) {
	_, _ = t.crc.Write(p) // a hash takes everything
	return len(p), t.to.write(p)
}

func (s *Storing) write(p []byte) error {
	_, _ = s.sum.Write(p) // a hash takes everything
	s.at += int64(len(p))
	_, err := s.w.Write(p)
	return err
}

// Finish writes the pack's checksum, and returns its index and its name.
func (s *Storing) Finish() (index []byte, name string, err error) {
	sum := s.sum.Sum(nil)
	if _, err := s.w.Write(sum); err != nil {
		return nil, "", err
	}
	slices.SortFunc(s.places, func(a, b packed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return packIndex(len(s.places), func(i int) packed { return s.places[i] }, sum), hex.EncodeToString(sum), nil
}

// writeObjectHeader is the type and size of an object in a pack: 4 bits of the
// size in the first byte, then 7 in each.
func writeObjectHeader(b *bytes.Buffer, kind plumbing.ObjectType, size int) {
	c := byte(kind)<<4 | byte(size&0x0f) //nolint:gosec // the kinds are 1 to 4
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	b.WriteByte(c)
}

// longestStored is how many bytes a block of a zlib stream without compression has
// at most.
const longestStored = 0xffff

// store writes a zlib stream without compression, see RFC 1950 and RFC 1951,
// section 3.2.4. buf has longestStored bytes.
func store(w io.Writer, size int64, content io.Reader, buf []byte) error {
	if _, err := w.Write([]byte{0x78, 0x01}); err != nil {
		return err
	}
	sum := adler32.New()
	for {
		block := buf[:min(size, longestStored)]
		if _, err := io.ReadFull(content, block); err != nil {
			return cutShort(err)
		}
		size -= int64(len(block))
		length := uint16(len(block)) //nolint:gosec // at most longestStored
		head := []byte{0}
		if size == 0 {
			head[0] = 1 // the last block
		}
		head = binary.LittleEndian.AppendUint16(head, length)
		head = binary.LittleEndian.AppendUint16(head, ^length)
		if _, err := w.Write(head); err != nil {
			return err
		}
		_, _ = sum.Write(block) // a hash takes everything
		if _, err := w.Write(block); err != nil {
			return err
		}
		if size == 0 {
			_, err := w.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
			return err
		}
	}
}

// checksum is the SHA-1 of content.
func checksum(content []byte) []byte {
	h := newHash()
	_, _ = h.Write(content)
	return h.Sum(nil)
}

// WriteUint32 writes numbers that fit into 32 bits, the highest byte first.
func WriteUint32(b *bytes.Buffer, values ...int) {
	for _, v := range values {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(v))) //nolint:gosec // bounded
	}
}

// Write makes a pack without deltas.
func Write(w io.Writer, objects []object.Object) error {
	sum := newHash()
	both := io.MultiWriter(w, sum)
	var head bytes.Buffer
	head.WriteString("PACK")
	WriteUint32(&head, 2, len(objects))
	z := zlib.NewWriter(both)
	for _, o := range objects {
		writeObjectHeader(&head, o.Kind, len(o.Content))
		if _, err := head.WriteTo(both); err != nil {
			return err
		}
		z.Reset(both)
		if _, err := z.Write(o.Content); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
	}
	if _, err := head.WriteTo(both); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}
