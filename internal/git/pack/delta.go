package pack

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

// content is the content of an object: in memory when it is small, otherwise in a
// temporary file.
type content struct {
	mem  []byte
	file *os.File
	size int64
}

// release gives the file back, if there is one.
func (c content) release() {
	if c.file != nil {
		_ = endTemp(c.file)
	}
}

// tempFile makes a file that is gone when the process ends, however it ends: where
// the system can, it has no name while it is used.
func tempFile(pattern string) (*os.File, error) {
	f, err := os.CreateTemp("", pattern)
	if err != nil {
		return nil, fmt.Errorf("make a file for git objects: %w", err)
	}
	_ = os.Remove(f.Name()) // not possible on Windows while it is open
	return f, nil
}

func endTemp(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name()) // it mostly has no name any more
	return err
}

// held is how many bytes of memory it takes.
func (c content) held() int64 { return int64(len(c.mem)) }

func (c content) reader() io.Reader {
	if c.file != nil {
		return io.NewSectionReader(c.file, 0, c.size)
	}
	return bytes.NewReader(c.mem)
}

// contentReader reads a content once.
type contentReader struct {
	io.Reader
	content
}

// Close removes the file.
func (c contentReader) Close() error {
	c.release()
	return nil
}

// sink is where a content of a known size is written.
type sink struct {
	mem  []byte
	file *os.File
	w    *bufio.Writer
}

func newSink(size int64) (*sink, error) {
	if size <= spoolFrom {
		return &sink{mem: make([]byte, 0, size)}, nil
	}
	f, err := tempFile("object-")
	if err != nil {
		return nil, err
	}
	return &sink{file: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

// Write appends.
func (s *sink) Write(p []byte) (int, error) {
	if s.file == nil {
		s.mem = append(s.mem, p...)
		return len(p), nil
	}
	return s.w.Write(p)
}

// content ends the writing. After an error nothing is left behind.
func (s *sink) content(size int64, err error) (content, error) {
	c := content{mem: s.mem, file: s.file, size: size}
	if s.file != nil && err == nil {
		err = s.w.Flush()
	}
	if err != nil {
		c.release()
		return content{}, err
	}
	return c, nil
}

// unpacker makes the contents of objects, one after the other.
type unpacker struct {
	data   data
	pieces pieces
	z      inflater
	buf    []byte // for copies
	sum    hash.Hash
	delta  *bufio.Reader
}

func newUnpacker(d data) *unpacker {
	return &unpacker{data: d, buf: make([]byte, 32<<10), sum: newHash(), delta: bufio.NewReaderSize(nil, 4<<10)}
}

// entry reads the head of the object at an offset.
func (u *unpacker) entry(at int) (packEntry, error) {
	if at < packHeader || at >= u.data.size-packTrailer {
		return packEntry{}, fmt.Errorf("%w: an object at %d of %d bytes", errDamaged, at, u.data.size)
	}
	var head [maxEntryHead]byte
	n := min(maxEntryHead, u.data.size-packTrailer-at)
	raw := head[:n]
	if u.data.mem != nil {
		raw = u.data.mem[at : at+n]
	} else if _, err := u.data.file.ReadAt(raw, int64(at)); err != nil {
		return packEntry{}, err
	}
	r := bytes.NewReader(raw)
	e, err := readHead(r, at)
	e.content = at + n - r.Len()
	return e, err
}

// base makes the content of an object that is not a delta, for deltas to build on.
func (u *unpacker) base(e packEntry) (content, error) {
	if e.size > maxDelta {
		return content{}, Over("an object that a delta builds on", e.size, maxDelta, "bytes")
	}
	s, err := newSink(e.size)
	if err != nil {
		return content{}, err
	}
	return s.content(e.size, u.z.copy(s, u.data.from(e.content, &u.pieces), e, u.buf))
}

func deltaHead(r io.ByteReader) (from, to int64, err error) {
	for _, n := range []*int64{&from, &to} {
		v, err := binary.ReadUvarint(r)
		if err != nil || v > 1<<62 {
			return 0, 0, fmt.Errorf("%w: the head of a delta", errDamaged)
		}
		*n = int64(v)
	}
	if to > maxDelta {
		return 0, 0, Over("an object that a delta makes", to, maxDelta, "bytes")
	}
	return from, to, nil
}

// apply makes the object of a delta on a base. also gets the content too, and may
// be nil.
func (u *unpacker) apply(base content, e packEntry, also func(size int64) io.Writer) (content, error) {
	z, err := u.z.start(u.data.from(e.content, &u.pieces))
	if err != nil {
		return content{}, err
	}
	read := &countingReader{r: io.LimitReader(z, e.size+1)}
	u.delta.Reset(read)
	from, to, err := deltaHead(u.delta)
	if err != nil {
		return content{}, err
	}
	if from != base.size {
		return content{}, fmt.Errorf("%w: a delta for an object of %d bytes builds on one of %d", errDamaged, from, base.size)
	}
	s, err := newSink(to)
	if err != nil {
		return content{}, err
	}
	var w io.Writer = s
	if also != nil {
		w = io.MultiWriter(s, also(to))
	}
	err = u.instructions(w, base, to)
	if err == nil && read.n != e.size {
		err = fmt.Errorf("%w: a delta does not have the %d bytes that it should have", errDamaged, e.size)
	}
	return s.content(to, err)
}

// instructions follows a delta to its end, see gitformat-pack(5), "Deltified
// representation".
func (u *unpacker) instructions(w io.Writer, base content, to int64) error {
	for written := int64(0); ; {
		op, err := u.delta.ReadByte()
		if errors.Is(err, io.EOF) && written == to {
			return nil
		}
		if err != nil || op == 0 {
			return fmt.Errorf("%w: the instructions of a delta", errDamaged)
		}
		offset, size := int64(0), int64(op)
		if op&0x80 != 0 {
			if offset, size, err = copyRange(u.delta, op); err != nil {
				return err
			}
			if offset+size > base.size {
				return fmt.Errorf("%w: a delta copies what its base does not have", errDamaged)
			}
		}
		if written += size; written > to {
			return fmt.Errorf("%w: a delta makes more than the %d bytes that it announces", errDamaged, to)
		}
		switch {
		case op&0x80 == 0:
			_, err = io.ReadFull(u.delta, u.buf[:size])
			if err == nil {
				_, err = w.Write(u.buf[:size])
			}
		case base.file == nil:
			_, err = w.Write(base.mem[offset : offset+size])
		default:
			_, err = io.CopyBuffer(w, struct{ io.Reader }{io.NewSectionReader(base.file, offset, size)}, u.buf)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errDamaged, cutShort(err))
		}
	}
}

// copyRange reads the operands of a copy: the bits of op say which bytes follow.
func copyRange(r io.ByteReader, op byte) (offset, size int64, err error) {
	for bit := range 7 {
		if op&(1<<bit) == 0 {
			continue
		}
		b, err := r.ReadByte()
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %w", errDamaged, cutShort(err))
		}
		if bit < 4 {
			offset |= int64(b) << (8 * bit)
		} else {
			size |= int64(b) << (8 * (bit - 4))
		}
	}
	if size == 0 {
		size = 0x10000
	}
	return offset, size, nil
}

// countingReader counts what is read of a delta.
type countingReader struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// hashing returns a writer into h that hashes an object of a kind as git does.
func hashing(h hash.Hash, kind plumbing.ObjectType) func(size int64) io.Writer {
	return func(size int64) io.Writer {
		h.Reset()
		_, _ = fmt.Fprintf(h, "%s %d\x00", kind, size) // a hash takes everything
		return h
	}
}
