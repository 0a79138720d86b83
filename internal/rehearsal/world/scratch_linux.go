package world

import (
	"os"

	"golang.org/x/sys/unix"
)

// scratch returns the folder that worlds are made in: one in memory where programs run from it and a world has room, because a
// world is tens of thousands of small files that live for seconds; "" is the usual folder, and a TMPDIR is obeyed.
func scratch() string {
	const inMemory = "/dev/shm"
	var fs unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Access(inMemory, unix.W_OK) != nil || unix.Statfs(inMemory, &fs) != nil || !takesWorld(fs) {
		return ""
	}
	return inMemory
}

// takesWorld reports whether the file system is in memory, runs programs and has several times the room that a world needs. That of
// a container of Docker is small and runs none.
func takesWorld(fs unix.Statfs_t) bool {
	const room = 1 << 30                                                                                     // bytes
	return fs.Type == unix.TMPFS_MAGIC && fs.Flags&unix.MS_NOEXEC == 0 && fs.Bavail*uint64(fs.Bsize) >= room //nolint:gosec // no size is negative
}
