//go:build !unix

package pack

import (
	"io"
	"os"
)

// mapFile reads a file into memory.
func mapFile(f *os.File, size int) (content []byte, unmap func() error, err error) {
	content = make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, int64(size)), content)
	return content, func() error { return nil }, err
}
