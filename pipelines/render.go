package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// renderFlags are the flags of every command that renders.
type renderFlags struct {
	values, repository string
}

func (f *renderFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.values, "values", "", "file with the values")
	cmd.Flags().StringVar(&f.repository, "repository", "", "root of the repository that holds the cepler configs (default: the folder of the values)")
}

func (f *renderFlags) rendering(template string) (rendering, error) {
	known, err := templateNames()
	if err != nil {
		return rendering{}, err
	}
	if !slices.Contains(known, template) {
		return rendering{}, fmt.Errorf("render %s: there is no such template, there are: %s", template, strings.Join(known, ", "))
	}
	if f.values == "" {
		return rendering{}, fmt.Errorf("render %s: name the file with the values: --values FILE", template)
	}
	return rendering{Template: template, Values: f.values, Repository: f.repository}, nil
}

func renderCommand() *cobra.Command {
	var flags renderFlags
	var output string
	var examples string
	cmd := &cobra.Command{
		Use:   "render TEMPLATE --values FILE",
		Short: "Write a pipeline from a template and values, with ytt",
		Example: "  go run ./pipelines render deployments --values values.yml --repository ../deployments --output pipeline.yml\n" +
			"  go run ./pipelines render --examples pipelines/examples",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if examples != "" {
				return renderExamples(cmd, examples)
			}
			if len(args) == 0 {
				return fmt.Errorf("render: name the template, for example: render deployments --values FILE")
			}
			r, err := flags.rendering(args[0])
			if err != nil {
				return err
			}
			rendered, err := r.render(cmd.Context())
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
	cases, err := exampleCases(folder)
	if err != nil {
		return err
	}
	for _, c := range cases {
		rendered, err := c.rendering().render(cmd.Context())
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.want(), rendered, 0o644); err != nil {
			return fmt.Errorf("write the rendering: %w", err)
		}
		cmd.PrintErrln("rendered", c.want())
	}
	return nil
}

// example is one pipeline of one made-up user: the folder USER/TEMPLATE with values.yml and want.yml, the committed
// rendering. What the user's pipelines share, like the cepler configs, is in the folder USER, as in a repository.
type example struct{ dir string }

func (e example) template() string { return filepath.Base(e.dir) }

func (e example) rendering() rendering {
	return rendering{Template: e.template(), Values: filepath.Join(e.dir, valuesFile), Repository: filepath.Dir(e.dir)}
}

func (e example) want() string { return filepath.Join(e.dir, wantFile) }

// exampleCases finds the examples; there being none is a mistake in the folder's name.
func exampleCases(folder string) ([]example, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*", "*", valuesFile))
	if err != nil {
		return nil, fmt.Errorf("look for examples: %w", err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("look for examples: %s has none; an example is a file USER/TEMPLATE/%s", folder, valuesFile)
	}
	cases := make([]example, len(found))
	for i, f := range found {
		cases[i] = example{filepath.Dir(f)}
	}
	return cases, nil
}

// templateNames are the folders that hold a pipeline.
func templateNames() ([]string, error) {
	entries, err := templates.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the templates: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != sharedFolder {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
