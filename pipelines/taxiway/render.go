package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/workflow"
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
	var setSelf bool
	cmd := &cobra.Command{
		Use:   "render TEMPLATE --values FILE",
		Short: "Write a pipeline, or the checks of pull requests, from a template and values, with ytt",
		Long: "Write a pipeline from a template and values, with ytt. The template checks is not a pipeline: it gives the workflows of\n" +
			"GitHub Actions and the ruleset that requires them, and --output is the root of the repository.",
		Example: "  taxiway render deployments --values values.yml --repository ../deployments --output pipeline.yml\n" +
			"  taxiway render checks --values .github/checks.yml --output .\n" +
			"  taxiway render --examples pipelines/examples",
		Args: atMost(1),
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
			if r.Template == pipelines.Checks {
				return renderChecks(cmd, r, output)
			}
			if setSelf {
				return renderToSetItself(cmd, r, output)
			}
			return renderPipeline(cmd, r, output)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&output, "output", "", "file for the pipeline (default: standard output), or folder of the repository for checks")
	cmd.Flags().BoolVar(&setSelf, "set-self", false, "for the job by which a pipeline sets itself: lint the pipeline, and refuse one that would not set itself again")
	cmd.Flags().StringVar(&examples, "examples", "", "render every example of this folder into its want.yml or its folder want")
	return cmd
}

func renderPipeline(cmd *cobra.Command, r pipelines.Rendering, output string) error {
	rendered, err := r.Render()
	if err != nil {
		return err
	}
	return writePipeline(cmd, rendered, output)
}

// renderToSetItself writes a pipeline only if it may take the place of the one whose job renders it.
func renderToSetItself(cmd *cobra.Command, r pipelines.Rendering, output string) error {
	rendered, err := r.Render()
	if err != nil {
		return err
	}
	name := cmp.Or(output, r.Template)
	if faults, err := lint(cmd.ErrOrStderr(), name, rendered, nil); err != nil || faults > 0 {
		return cmp.Or(err, fmt.Errorf("render %s with %s: the pipeline has faults and was not written", r.Template, r.Values))
	}
	p, err := pipeline.Parse(name, rendered)
	if err != nil {
		return err
	}
	if !p.SetsItself() {
		return fmt.Errorf("render %s with %s: the values have no set_self any more, and Concourse archives a pipeline when the job that has set it is gone; "+
			"put set_self back, or set the pipeline by hand, which makes it yours again: taxiway set %s --values FILE --target TARGET --execute", r.Template, r.Values, r.Template)
	}
	return writePipeline(cmd, rendered, output)
}

func writePipeline(cmd *cobra.Command, rendered []byte, output string) error {
	if output == "" {
		_, err := cmd.OutOrStdout().Write(rendered)
		return err
	}
	if err := os.WriteFile(output, rendered, 0o644); err != nil {
		return fmt.Errorf("write the pipeline: %w", err)
	}
	return nil
}

func renderChecks(cmd *cobra.Command, r pipelines.Rendering, folder string) error {
	if folder == "" {
		return usagef("render checks: name the root of the repository, which gets .github/workflows: --output DIR")
	}
	files, err := r.Files()
	if err != nil {
		return err
	}
	if findings := workflow.Lint(files); len(findings) > 0 {
		if err := printFindings(cmd.ErrOrStderr(), withRule, findings); err != nil {
			return err
		}
		return fmt.Errorf("render checks with %s: the workflows have faults and were not written", r.Values)
	}
	removed, err := pipelines.WriteFiles(folder, files)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		cmd.PrintErrln("rendered", filepath.Join(folder, filepath.FromSlash(name)))
	}
	for _, name := range removed {
		cmd.PrintErrln("removed", name+", which no value asks for any more")
	}
	return nil
}

// renderExamples brings the committed renderings up to date.
func renderExamples(cmd *cobra.Command, folder string) error {
	cases, err := pipelines.Examples(folder)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if err := renderPipeline(cmd, c.Rendering(), c.Want()); err != nil {
			return err
		}
		cmd.PrintErrln("rendered", c.Want())
	}
	checks, err := pipelines.CheckExamples(folder)
	if err != nil {
		return err
	}
	for _, c := range checks {
		if err := renderChecks(cmd, c.Rendering(), c.WantDir()); err != nil {
			return err
		}
	}
	return nil
}
