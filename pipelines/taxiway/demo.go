package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/pipelines"
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
			p, err := demoPlay()
			if err != nil {
				return err
			}
			p.Page = page
			return p.Run(cmd.Context(), cmd.OutOrStdout(), colours(cmd.OutOrStdout()))
		},
	}
	command.Flags().StringVar(&page, "html", "", "write what every environment runs, back to the source, as a page to this file")
	return command
}

// demoPlay is the scenario of the folder demo with the example lana-bank.
func demoPlay() (world.Play, error) {
	p, err := newPlay()
	if err != nil {
		return p, err
	}
	example := filepath.Join(p.Module, "pipelines", "examples", "lana-bank")
	for _, name := range demoPipelines() {
		p.Pipelines = append(p.Pipelines, world.Pipeline{Name: name, File: fromHere(filepath.Join(example, name, pipelines.WantFile))})
	}
	p.Acts = demo.Acts()
	p.Automerge = map[string][]string{"acme-bank/charts": {"galoybot", "lana-bank"}}
	if p.Scenario, err = demo.Scenario(); err != nil {
		return p, err
	}
	if p.Vars, err = demo.Vars(); err != nil {
		return p, err
	}
	configs, err := ceplerConfigs(filepath.Join(example, "cepler"))
	if err != nil {
		return p, err
	}
	p.Fill = func(ctx context.Context, w *world.World) (map[string]string, error) {
		var r demo.Repositories
		for name, into := range map[string]**gittest.Repository{"lana-bank": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
			one, err := w.Repository("acme-bank/" + name)
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
func demoPipelines() []string {
	return []string{"nix-cache", "release", "charts", pipelines.Deployments}
}

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
