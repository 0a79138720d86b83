//go:build !unix

package rehearsal

import "os/exec"

// stopWithChildren bounds how long the command's pipes are waited for.
func stopWithChildren(cmd *exec.Cmd) { cmd.WaitDelay = stopGrace }
