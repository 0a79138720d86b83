package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/pipelines"
)

// renderFlags are the flags of every command that renders.
type renderFlags struct {
	values, repository string
}

func (f *renderFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.values, "values", "", "file with the values")
	cmd.Flags().StringVar(&f.repository, "repository", "", "root of the repository that holds the cepler configs (default: the folder of the values)")
}

func (f *renderFlags) rendering(template string) (pipelines.Rendering, error) {
	known, err := pipelines.Templates()
	if err != nil {
		return pipelines.Rendering{}, err
	}
	if !slices.Contains(known, template) {
		return pipelines.Rendering{}, usagef("render %s: there is no such template, there are: %s", template, strings.Join(known, ", "))
	}
	if f.values == "" {
		return pipelines.Rendering{}, usagef("render %s: name the file with the values: --values FILE", template)
	}
	return pipelines.Rendering{Template: template, Values: f.values, Repository: f.repository}, nil
}

func renderCommand() *cobra.Command {
	var flags renderFlags
	var output string
	var examples string
	cmd := &cobra.Command{
		Use:   "render TEMPLATE --values FILE",
		Short: "Write a pipeline from a template and values, with ytt",
		Example: "  taxiway render deployments --values values.yml --repository ../deployments --output pipeline.yml\n" +
			"  taxiway render --examples pipelines/examples",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if examples != "" {
				return renderExamples(cmd, examples)
			}
			if len(args) == 0 {
				return usagef("render: name the template, for example: render deployments --values FILE")
			}
			r, err := flags.rendering(args[0])
			if err != nil {
				return err
			}
			rendered, err := r.Render(cmd.Context())
			if err != nil {
				return err
			}
			if output == "" {
				_, err = cmd.OutOrStdout().Write(rendered)
				return err
			}
			if err := os.WriteFile(output, rendered, 0o644); err != nil {
				return fmt.Errorf("write the pipeline: %w", err)
			}
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&output, "output", "", "file for the pipeline (default: standard output)")
	cmd.Flags().StringVar(&examples, "examples", "", "render every example of this folder into its want.yml")
	return cmd
}

// renderExamples brings the committed renderings up to date.
func renderExamples(cmd *cobra.Command, folder string) error {
	cases, err := pipelines.Examples(folder)
	if err != nil {
		return err
	}
	for _, c := range cases {
		rendered, err := c.Rendering().Render(cmd.Context())
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Want(), rendered, 0o644); err != nil {
			return fmt.Errorf("write the rendering: %w", err)
		}
		cmd.PrintErrln("rendered", c.Want())
	}
	return nil
}
