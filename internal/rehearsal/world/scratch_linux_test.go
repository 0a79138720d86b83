package world

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

func TestAWorldIsInMemoryOnlyWhereItFitsAndRuns(t *testing.T) {
	const ext4, page = 0xef53, 4096
	roomy := unix.Statfs_t{Type: unix.TMPFS_MAGIC, Bsize: page, Bavail: 1 << 20}
	noexec, small, disk := roomy, roomy, roomy
	noexec.Flags, small.Bavail, disk.Type = unix.MS_NOEXEC, 64<<20/page, ext4
	for _, c := range []struct {
		of    string
		fs    unix.Statfs_t
		takes bool
	}{{"memory", roomy, true}, {"memory that runs no programs", noexec, false}, {"Docker's 64 MB", small, false}, {"a disk", disk, false}} {
		assert.Equal(t, c.takes, takesWorld(c.fs), c.of)
	}
	t.Setenv("TMPDIR", t.TempDir())
	assert.Empty(t, scratch(), "TMPDIR is obeyed")
}
