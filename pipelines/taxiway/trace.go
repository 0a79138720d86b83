package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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
		Example: "  taxiway trace --deployments ../deployments --clone ../charts --clone ../lana-bank --html lineage.html",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := command.Flags()
	f.add(flags)
	flags.StringArrayVar(&f.question.Environments, "env", nil, "environment, or deployment/environment, to look at; may be repeated (default: all)")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.html, "html", "", "write a page to this file, - for the output")
	flags.BoolVar(&f.strict, "strict", false, "fail when a link of the chain is broken")
	return command
}

// traceFlags are what a user says.
type traceFlags struct {
	readerFlags
	html         string
	json, strict bool
}

func (f traceFlags) run(ctx context.Context, w, log io.Writer) (err error) {
	reader, err := f.open("trace", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	f.question.Now = time.Now()
	trace, err := reader.Trace(ctx, f.question)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	if err := f.write(trace, w); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	if n := trace.Broken(); f.strict && n > 0 {
		return fmt.Errorf("trace: broken links: %d", n)
	}
	return nil
}

// write shows the trace in the way that was asked for.
func (f traceFlags) write(trace *lineage.Trace, w io.Writer) (err error) {
	switch {
	case f.html == "-":
		return trace.HTML(w)
	case f.html != "":
		file, err := os.Create(f.html)
		if err != nil {
			return err
		}
		if err := errors.Join(trace.HTML(file), file.Close()); err != nil || !f.json {
			return err
		}
		return trace.JSON(w)
	case f.json:
		return trace.JSON(w)
	}
	return trace.Text(w)
}
