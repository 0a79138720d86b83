package gittest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // git's
	"encoding/binary"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// Pack is a pack put together object by object, also one that git would not make.
type Pack struct {
	body  bytes.Buffer
	count int
}

// packHead is the length of a pack's head in bytes.
const packHead = 12

// Entry adds an object with its size and content, and returns its offset. base is the offset of an offset delta's base, 0 for none.
func (p *Pack) Entry(kind plumbing.ObjectType, base, size int, content io.Reader) (offset int, err error) {
	offset = packHead + p.body.Len()
	c := byte(kind)<<4 | byte(size&0x0f) //nolint:gosec // the kinds are 1 to 7
	for size >>= 4; size > 0; size >>= 7 {
		p.body.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	p.body.WriteByte(c)
	if base != 0 {
		p.body.Write(distance(offset - base))
	}
	z, err := zlib.NewWriterLevel(&p.body, zlib.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err = io.Copy(z, content); err != nil {
		return 0, err
	}
	p.count++
	return offset, z.Close()
}

// distance is how far before an offset delta its base is.
func distance(n int) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{byte(n&0x7f) | 0x80}, out...)
	}
	return out
}

// Bytes is the whole pack.
func (p *Pack) Bytes() []byte {
	out := []byte("PACK")
	out = binary.BigEndian.AppendUint32(out, 2)
	out = binary.BigEndian.AppendUint32(out, uint32(p.count)) //nolint:gosec // far fewer
	out = append(out, p.body.Bytes()...)
	sum := sha1.Sum(out) //nolint:gosec // git's
	return append(out, sum[:]...)
}

// CopyDelta is a delta that copies its base, of a size, a number of times.
func CopyDelta(size, times int) []byte {
	delta := binary.AppendUvarint(nil, uint64(size))                //nolint:gosec // not negative
	delta = binary.AppendUvarint(delta, uint64(size)*uint64(times)) //nolint:gosec // not negative
	for range times {
		for at := 0; at < size; {
			n := min(size-at, 0xffffff)
			delta = append(delta, 0xff, byte(at), byte(at>>8), byte(at>>16), byte(at>>24), byte(n), byte(n>>8), byte(n>>16)) //nolint:gosec // byte by byte
			at += n
		}
	}
	return delta
}

// Zeros is content of n zero bytes.
func Zeros(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

// Read never ends.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
