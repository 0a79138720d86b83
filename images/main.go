// Command images builds, pushes and inspects the OCI images of the resource types. It needs the go command and, for the stamp
// of the commit, git; no container daemon. README.md in this folder shows its use.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr) //nolint:forbidigo // a program for people: stdout is its page
	stop()
	os.Exit(status) //nolint:forbidigo // the only place where it ends
}
