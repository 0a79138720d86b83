package workdir

import (
	"bytes"
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// writeIndex writes git's index in version 3, see gitformat-index(5). Times and
// sizes are zero, so that git compares contents once; what was not delivered has
// the skip-worktree bit, for which version 3 is needed.
func (c *gitDirContent) writeIndex(ctx context.Context, to io.Writer) error {
	sum := hash.New(crypto.SHA1)
	w := io.MultiWriter(to, sum)
	var b bytes.Buffer
	b.WriteString("DIRC")
	pack.WriteUint32(&b, 3, c.files)
	if _, err := b.WriteTo(w); err != nil {
		return err
	}
	last := ""
	err := c.walk(ctx, func(f File) error {
		if f.Path <= last {
			return errors.New("the commit's trees are not sorted: git itself would refuse it")
		}
		last = f.Path
		indexEntry(&b, f, c.delivered[f.Path])
		_, err := b.WriteTo(w)
		return err
	})
	if err != nil {
		return err
	}
	_, err = to.Write(sum.Sum(nil))
	return err
}

func indexEntry(b *bytes.Buffer, f File, delivered bool) {
	const extended, skipWorktree = 0x4000, 0x4000
	b.Write(make([]byte, 24)) // ctime, mtime, device, inode
	pack.WriteUint32(b, int(f.Mode))
	b.Write(make([]byte, 12)) // owner, group, size
	b.Write(f.Hash[:])
	flags := uint16(min(len(f.Path), 0xfff)) //nolint:gosec // 12 bits, the length or that it is longer
	if delivered {
		b.Write(binary.BigEndian.AppendUint16(nil, flags))
	} else {
		b.Write(binary.BigEndian.AppendUint16(nil, flags|extended))
		b.Write(binary.BigEndian.AppendUint16(nil, skipWorktree))
	}
	b.WriteString(f.Path)
	b.Write(make([]byte, 8-b.Len()%8)) // 1 to 8 zero bytes
}
