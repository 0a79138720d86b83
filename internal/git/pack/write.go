package pack

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Stored makes a pack, its index and its name, see gitformat-pack(5). The
// objects are not compressed, they are small and mostly hashes; so the bytes do
// not depend on the version of a library.
func Stored(objects []object.Object) (pack, index []byte, name string) {
	slices.SortFunc(objects, func(a, b object.Object) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	var b bytes.Buffer
	b.WriteString("PACK")
	WriteUint32(&b, 2, len(objects))
	places := make([]packed, 0, len(objects))
	for _, o := range objects {
		start := b.Len()
		writeObjectHeader(&b, o.Kind, len(o.Content))
		b.Write(stored(o.Content))
		places = append(places, packed{o.Hash, start, crc32.ChecksumIEEE(b.Bytes()[start:])})
	}
	sum := Checksum(b.Bytes())
	b.Write(sum)
	return b.Bytes(), packIndex(places, sum), fmt.Sprintf("%x", sum)
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

// stored is a zlib stream without compression, see RFC 1950 and RFC 1951,
// section 3.2.4.
func stored(content []byte) []byte {
	const longest = 0xffff
	out := make([]byte, 0, len(content)+5*(len(content)/longest+1)+6)
	out = append(out, 0x78, 0x01)
	for rest := content; ; {
		block := rest[:min(len(rest), longest)]
		rest = rest[len(block):]
		last := byte(0)
		if len(rest) == 0 {
			last = 1
		}
		length := uint16(len(block)) //nolint:gosec // at most longest
		out = append(out, last)
		out = binary.LittleEndian.AppendUint16(out, length)
		out = binary.LittleEndian.AppendUint16(out, ^length)
		out = append(out, block...)
		if last == 1 {
			return binary.BigEndian.AppendUint32(out, adler32.Checksum(content))
		}
	}
}

func Checksum(content []byte) []byte {
	h := hash.New(crypto.SHA1)
	_, _ = h.Write(content)
	return h.Sum(nil)
}

// WriteUint32 takes counts and offsets, which maxGitDirObjects bounds.
func WriteUint32(b *bytes.Buffer, values ...int) {
	for _, v := range values {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(v))) //nolint:gosec // bounded
	}
}

// Write makes a pack without deltas.
func Write(w io.Writer, objects []object.Object) error {
	sum := hash.New(crypto.SHA1)
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
