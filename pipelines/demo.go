package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/pipelines/demo"
)

func demoCommand() *cobra.Command {
	page := ""
	command := &cobra.Command{
		Use:   "demo",
		Short: "Show on this machine how a commit walks to production",
		Long: "Show on this machine how a commit walks to production: the four pipelines of the example lana-bank, run with the real\n" +
			"resource programs on a made-up bank's code, charts and deployments. It needs Go, git and bash, leaves nothing behind\n" +
			"but the page that is asked for, and fails when the pipelines do not do what the scenario says.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := demoProduction()
			if err != nil {
				return err
			}
			p.page = page
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	command.Flags().StringVar(&page, "html", "", "write what every environment runs, back to the source, as a page to this file")
	return command
}

// demoProduction is the play of the folder demo with the example lana-bank.
func demoProduction() (production, error) {
	root, err := moduleRoot()
	if err != nil {
		return production{}, err
	}
	example := filepath.Join(root, "pipelines", "examples", "lana-bank")
	p := production{acts: demo.Tools}
	for _, name := range demoPipelines() {
		p.pipelines = append(p.pipelines, pipelineFile{name, fromHere(filepath.Join(example, name, wantFile))})
	}
	p.robots = func(w *world) func(ctx context.Context) (bool, error) {
		return w.automerge("acme-bank/charts", "galoybot", "lana-bank")
	}
	if p.scenario, err = demo.Scenario(); err != nil {
		return p, err
	}
	if p.vars, err = demo.Vars(); err != nil {
		return p, err
	}
	configs, err := ceplerConfigs(filepath.Join(example, "cepler"))
	if err != nil {
		return p, err
	}
	p.fill = func(ctx context.Context, w *world) (map[string]string, error) {
		var r demo.Repositories
		for name, into := range map[string]**gittest.Repository{"lana-bank": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
			one, err := w.named("acme-bank/" + name)
			if err != nil {
				return nil, err
			}
			*into = one
		}
		return demo.Write(ctx, r, configs)
	}
	return p, nil
}

// demoPipelines are those of the journey, in the order in which they are looked
// at.
func demoPipelines() []string { return []string{"nix-cache", "release", "charts", deploymentsTemplate} }

// fromHere is a path as seen from the working directory.
func fromHere(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	rel, err := filepath.Rel(here, file)
	if err != nil {
		return file
	}
	return rel
}

// ceplerConfigs are the configs of the example, by their path in the repository.
func ceplerConfigs(dir string) (map[string]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("demo: there are no cepler configs in %s", dir)
	}
	configs := map[string]string{}
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		configs[path.Join("cepler", filepath.Base(f))] = string(text)
	}
	return configs, nil
}
