// Program pipelines renders the suite's pipeline templates, checks pipeline files, and sets them.
//
// It is run from a clone: go run ./pipelines COMMAND. README.md in this folder has the values of each template.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipelines:", err)
		os.Exit(1) //nolint:forbidigo // the one place where this program ends
	}
}

// newRoot is the command line; every command has a file of its own.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "pipelines",
		Short:         "Render, check and set the pipelines of the suite",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		lintCommand(),
		renderCommand(),
		setCommand(),
		rehearseCommand(),
		demoCommand(),
		traceCommand(),
		schemasCommand(),
		localCommand(),
	)
	return root
}
