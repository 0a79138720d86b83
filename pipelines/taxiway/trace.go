package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/lineage"
)

func traceCommand() *cobra.Command {
	var f traceFlags
	command := &cobra.Command{
		Use:   "trace --deployments CLONE",
		Short: "Say what every environment runs, back to the source commit",
		Long: "Say for every environment of a deployments repository what runs there and since when, the commit of its chart, the\n" +
			"digests of its images, the commits that those were built from and their releases, what is pending and why it waits.\n" +
			"What is missing in that chain is named and not guessed. The clone is read as it is: fetch before.",
		Example: "  taxiway trace --deployments ../deployments --clone ../charts --clone ../lana-bank",
		Args:    atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed("trace", f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	flags := command.Flags()
	f.add(flags)
	flags.StringArrayVar(&f.question.Environments, "env", nil, "environment, or deployment/environment, to look at; may be repeated (default: all)")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.strict, "strict", false, "fail when a link of the chain is broken")
	return command
}

// traceFlags are what a user says.
type traceFlags struct {
	readerFlags
	json, strict bool
}

func (f traceFlags) run(ctx context.Context, w, log io.Writer) error {
	return f.reading(ctx, "trace", log, func(reader *lineage.Reader, q lineage.Question) error {
		trace, err := reader.Trace(ctx, q)
		if err != nil {
			return err
		}
		if f.json {
			err = trace.JSON(w)
		} else {
			err = trace.Text(w)
		}
		if n := trace.Broken(); err == nil && f.strict && n > 0 {
			err = fmt.Errorf("broken links: %d", n)
		}
		return err
	})
}
