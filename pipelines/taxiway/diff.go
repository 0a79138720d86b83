package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/lineage"
)

func diffCommand() *cobra.Command {
	var f diffFlags
	command := &cobra.Command{
		Use:   "diff A B --deployments CLONE",
		Short: "Say what environment A has and B does not have",
		Long: "Say what environment A has and B does not have: releases, chart commits, images, source commits and files, with the\n" +
			"addresses of pages that compare them. An environment is a name or DEPLOYMENT/NAME. The clone is read as it is: fetch before.",
		Example: "  taxiway diff staging production --deployments ../deployments --clone ../charts --clone ../lana-bank",
		Args:    exactly(2, "name two environments"), //nolint:mnd // A and B
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed("diff", f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], args[1]))
		},
	}
	flags := command.Flags()
	f.add(flags)
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.status, "exit-code", false, "fail when A has something that B does not have")
	return command
}

// diffFlags are what a user says.
type diffFlags struct {
	readerFlags
	json, status bool
}

func (f diffFlags) run(ctx context.Context, w, log io.Writer, a, b string) error {
	return f.reading(ctx, "diff", log, func(reader *lineage.Reader, q lineage.Question) error {
		difference, err := reader.Difference(ctx, q, a, b)
		if err != nil {
			return err
		}
		if f.json {
			err = difference.JSON(w)
		} else {
			err = difference.TextIn(w, columns(w))
		}
		if err == nil && f.status && !difference.IsEmpty() {
			err = fmt.Errorf("%s has what %s does not have", difference.Has.Environment, difference.Lacks.Environment)
		}
		return err
	})
}
