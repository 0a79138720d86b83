//go:build unix

package pack

import (
	"os"

	"golang.org/x/sys/unix"
)

// mappedPack is the size in bytes up to which a pack of a repository on this machine is
// mapped. Larger ones are read piece by piece.
const mappedPack = 1 << 30

// mapFile maps a file into memory, where only what is read takes memory.
func mapFile(f *os.File, size int) (content []byte, unmap func() error, err error) {
	content, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return content, func() error { return unix.Munmap(content) }, nil
}
