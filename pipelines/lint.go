package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

func lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "lint FILE...",
		Short:   "Say what is wrong with pipeline files, and how to mend it",
		Long:    "Say what is wrong with pipeline files, and how to mend it.\nFinds what `fly validate-pipeline --strict` finds, and what only shows when the pipeline runs.\nExit status 1 when there is an error; warnings are only printed.",
		Example: "  go run ./pipelines lint pipelines/examples/*/*/want.yml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return lintFiles(cmd.OutOrStdout(), args)
		},
	}
}

// lintFiles prints the findings of every file; the error counts those that are errors.
func lintFiles(w io.Writer, files []string) error {
	var failed int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("lint: %w", err)
		}
		n, err := lint(w, file, data)
		if err != nil {
			return err
		}
		failed += n
	}
	switch failed {
	case 0:
		return nil
	case 1:
		return errors.New("lint: 1 error")
	default:
		return fmt.Errorf("lint: %d errors", failed)
	}
}

// lint prints the findings of one pipeline and counts the errors among them.
func lint(w io.Writer, file string, data []byte) (int, error) {
	findings := pipeline.Lint(file, data, ownTypes())
	for _, f := range findings {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return 0, fmt.Errorf("print the findings: %w", err)
		}
	}
	return findings.Errors(), nil
}
