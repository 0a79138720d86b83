//go:build unix

package rehearsal

import (
	"os/exec"
	"syscall"
)

// stopWithChildren makes the end of the command's context end everything that
// it started, too: a shell does not hand a signal on.
func stopWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
}
