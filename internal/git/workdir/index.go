package workdir

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// indexText is git's index in version 3, see gitformat-index(5). Times and sizes
// are zero, so that git compares contents once; what was not delivered has the
// skip-worktree bit, for which version 3 is needed.
func indexText(files []File, delivered map[string]bool) []byte {
	const extended, skipWorktree = 0x4000, 0x4000
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var b bytes.Buffer
	b.WriteString("DIRC")
	pack.WriteUint32(&b, 3, len(files))
	for _, f := range files {
		start := b.Len()
		b.Write(make([]byte, 24)) // ctime, mtime, device, inode
		pack.WriteUint32(&b, int(f.Mode))
		b.Write(make([]byte, 12)) // owner, group, size
		b.Write(f.Hash[:])
		flags := uint16(min(len(f.Path), 0xfff)) //nolint:gosec // 12 bits, the length or that it is longer
		if delivered[f.Path] {
			b.Write(binary.BigEndian.AppendUint16(nil, flags))
		} else {
			b.Write(binary.BigEndian.AppendUint16(nil, flags|extended))
			b.Write(binary.BigEndian.AppendUint16(nil, skipWorktree))
		}
		b.WriteString(f.Path)
		b.Write(make([]byte, 8-(b.Len()-start)%8)) // 1 to 8 zero bytes
	}
	b.Write(pack.Checksum(b.Bytes()))
	return b.Bytes()
}
