// Program taxiway renders the suite's pipeline templates, checks pipeline files, rehearses them on this machine, sets
// them, and says what every environment runs.
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
		fmt.Fprintln(os.Stderr, "taxiway:", err)
		os.Exit(1) //nolint:forbidigo // the one place where this program ends
	}
}

// newRoot is the command line; every command has a file of its own.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "taxiway",
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
		commitsCommand(),
	)
	return root
}
