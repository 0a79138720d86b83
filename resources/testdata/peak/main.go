// Peak runs a program and writes to the file named first how much memory it
// needed at most, in KiB. The kernel counts for a new process at least what its
// parent had, so the parent that counts must be a small one.
package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

func main() {
	cmd := exec.CommandContext(context.Background(), os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		err = errors.Join(err, os.WriteFile(os.Args[1], []byte(strconv.FormatInt(usage.Maxrss, 10)), 0o600))
	}
	if err != nil {
		os.Exit(1)
	}
}
