package pack

import (
	"bufio"
	"bytes"
	"io"
	"os"
)

// data is a pack's bytes: in memory, or in a file that is read piece by piece.
type data struct {
	mem  []byte // nil: the pack is in the file
	file *os.File
	size int
}

func inMemory(content []byte) data { return data{mem: content, size: len(content)} }

// from reads from an offset up to the pack's checksum. The reader is good until
// the next call with the same reuse.
func (d data) from(at int, reuse *pieces) byteReader {
	if d.mem != nil {
		reuse.mem.Reset(d.mem[at : d.size-packTrailer])
		return &reuse.mem
	}
	section := io.NewSectionReader(d.file, int64(at), int64(d.size-packTrailer-at))
	if reuse.file == nil {
		reuse.file = bufio.NewReaderSize(section, 16<<10)
	} else {
		reuse.file.Reset(section)
	}
	return reuse.file
}

// bytes reads a few bytes, such as the head or the checksum.
func (d data) bytes(at, n int) ([]byte, error) {
	if d.mem != nil {
		return d.mem[at : at+n], nil
	}
	out := make([]byte, n)
	_, err := d.file.ReadAt(out, int64(at))
	return out, err
}

// pieces are the readers that from uses again.
type pieces struct {
	mem  bytes.Reader
	file *bufio.Reader
}
