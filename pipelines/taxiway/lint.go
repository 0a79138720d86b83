package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/pipelines"
)

func lintCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "lint FILE...",
		Short:   "Say what is wrong with pipeline files, and how to fix it",
		Long:    "Say what is wrong with pipeline files, and how to fix it.\nFinds what `fly validate-pipeline --strict` finds, and what only shows when the pipeline runs.\nExit status 1 when there is an error; warnings are only printed.",
		Example: "  taxiway lint pipelines/examples/*/*/want.yml",
		Args:    pipelineFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := formats()[format]
			if !ok {
				return fmt.Errorf("lint: --format %s is not one of %s", format, strings.Join(slices.Sorted(maps.Keys(formats())), ", "))
			}
			return lintFiles(cmd.OutOrStdout(), show, args)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "how findings are printed: text (file:line: …, as editors read it), github (annotations of a workflow) or json (one a line)")
	return cmd
}

// pipelineFiles asks for at least one.
func pipelineFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s: name the pipeline files, for example: %s pipeline.yml", cmd.Name(), cmd.Name())
	}
	return nil
}

// formats are the ways to print a finding, by name.
func formats() map[string]func(pipeline.Finding) string {
	return map[string]func(pipeline.Finding) string{
		"text":   pipeline.Finding.String,
		"github": annotation,
		"json":   jsonLine,
	}
}

// annotation is a finding as a command to a GitHub workflow:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func annotation(f pipeline.Finding) string {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	command := "error"
	if f.Severity == pipeline.Warning {
		command = "warning"
	}
	where := "file=" + property.Replace(f.File)
	if f.Line > 0 {
		where += fmt.Sprintf(",line=%d", f.Line)
	}
	text := f.Text
	if f.Mend != "" {
		text += "; " + f.Mend
	}
	return fmt.Sprintf("::%s %s,title=%s::%s", command, where, property.Replace(f.Rule), message.Replace(text))
}

func jsonLine(f pipeline.Finding) string {
	severity := "error"
	if f.Severity == pipeline.Warning {
		severity = "warning"
	}
	line, err := json.Marshal(struct {
		File     string `json:"file"`
		Line     int    `json:"line,omitempty"`
		Severity string `json:"severity"`
		Rule     string `json:"rule"`
		Text     string `json:"text"`
		Mend     string `json:"mend,omitempty"`
	}{f.File, f.Line, severity, f.Rule, f.Text, f.Mend})
	if err != nil {
		return f.String() // strings and numbers always have a JSON form
	}
	return string(line)
}

// lintFiles prints the findings of every file; the error counts those that are errors.
func lintFiles(w io.Writer, show func(pipeline.Finding) string, files []string) error {
	var failed int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("lint: %w", err)
		}
		n, err := lint(w, show, file, data)
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
func lint(w io.Writer, show func(pipeline.Finding) string, file string, data []byte) (int, error) {
	findings := pipeline.Lint(file, data, pipelines.OwnTypes())
	for _, f := range findings {
		if _, err := fmt.Fprintln(w, show(f)); err != nil {
			return 0, fmt.Errorf("print the findings: %w", err)
		}
	}
	return findings.Errors(), nil
}
