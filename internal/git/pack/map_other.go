//go:build !unix

package pack

import (
	"io"
	"os"
)

// mappedPack is the size in bytes up to which a pack of a repository on this machine is
// mapped. Larger ones are read piece by piece.
const mappedPack = memoryPack

// mapFile reads a file into memory.
func mapFile(f *os.File, size int) (content []byte, unmap func() error, err error) {
	content = make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, int64(size)), content)
	return content, func() error { return nil }, err
}
