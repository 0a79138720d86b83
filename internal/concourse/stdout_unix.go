//go:build unix

package concourse

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeStdout moves the real stdout to a descriptor that nobody else knows. What
// was stdout, for this program and the ones it starts, is stderr from now on.
func takeStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(os.Stdout.Fd(), unix.F_DUPFD_CLOEXEC, 3) // the first one behind stderr
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(int(os.Stderr.Fd()), int(os.Stdout.Fd())); err != nil {
		return nil, err
	}
	os.Stdout = os.Stderr
	return os.NewFile(uintptr(fd), "/dev/stdout"), nil
}
