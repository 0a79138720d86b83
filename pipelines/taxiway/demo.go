package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
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
		Short: "Show on this machine how a commit gets to production",
		Long: "Show on this machine how a commit gets to production: the four pipelines of the example lana-bank, with the real\n" +
			"resource programs, on a made-up bank's code, charts and deployments. In a clone of the project it builds the images\n" +
			"and runs the programs in them, which needs Go; elsewhere it runs those that are part of this program. It needs git\n" +
			"and bash, leaves nothing behind but the page of --html, and fails when the pipelines do not do what the scenario says.",
		Example: "  taxiway demo --html demo.html",
		Args:    atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := demoPlay()
			if err != nil {
				return err
			}
			if p.Module, err = moduleRoot(); err != nil {
				return err
			}
			p.Page, p.Width = page, columns(cmd.OutOrStdout())
			return p.Run(cmd.Context(), cmd.OutOrStdout(), colours(cmd.OutOrStdout()))
		},
	}
	command.Flags().StringVar(&page, "html", "", "write the board of the deployments as it is at the end to this file")
	return command
}

// demoPlay is the scenario of the folder demo with the example lana-bank.
func demoPlay() (world.Play, error) {
	p, err := newPlay()
	if err != nil {
		return p, err
	}
	example, err := pipelines.DemoExample()
	if err != nil {
		return p, err
	}
	for _, name := range demoPipelines() {
		file := path.Join("lana-bank", name, pipelines.WantFile)
		text, err := fs.ReadFile(example, file)
		if err != nil {
			return p, fmt.Errorf("demo: %w", err)
		}
		p.Pipelines = append(p.Pipelines, world.Pipeline{Name: name, File: file, Text: text})
	}
	p.Checks = map[string]world.Checks{}
	for repository, user := range map[string]string{"acme-bank/lana-bank": "lana-bank", "acme-bank/charts": "lana-charts"} {
		if p.Checks[repository], err = demoChecks(example, user); err != nil {
			return p, err
		}
	}
	p.Tools, p.Acts = demo.Tools(), demo.Acts()
	if p.Scenario, err = demo.Scenario(); err != nil {
		return p, err
	}
	if p.Vars, err = demo.Vars(); err != nil {
		return p, err
	}
	configs, err := ceplerConfigs(example)
	if err != nil {
		return p, err
	}
	p.Fill = func(ctx context.Context, w *world.World) (map[string]string, error) { return fillDemo(ctx, w, configs) }
	return p, nil
}

// fillDemo puts the demo's history into the world's repositories.
func fillDemo(ctx context.Context, w *world.World, configs map[string]string) (map[string]string, error) {
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

// demoChecks are the workflows and the ruleset of a user's repository.
func demoChecks(example fs.FS, user string) (checks world.Checks, err error) {
	root := path.Join(user, "checks", "want")
	if checks.Workflows, err = matching(example, path.Join(root, ".github", "workflows", "*.yml")); err != nil {
		return checks, err
	}
	if checks.Ruleset, err = fs.ReadFile(example, path.Join(root, pipelines.RulesetFile)); err != nil {
		return checks, fmt.Errorf("demo: %w", err)
	}
	return checks, nil
}

// matching are the files of the example that match a pattern, by their names without folders.
func matching(example fs.FS, pattern string) (map[string][]byte, error) {
	names, err := fs.Glob(example, pattern)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[path.Base(name)], err = fs.ReadFile(example, name); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	return files, nil
}

// demoPipelines are those of the journey, in the order in which they are looked
// at.
func demoPipelines() []string {
	return []string{"nix-cache", "release", "charts", pipelines.Deployments}
}

// ceplerConfigs are the configs of the example, by their path in the repository.
func ceplerConfigs(example fs.FS) (map[string]string, error) {
	found, err := matching(example, "lana-bank/cepler/*.yml")
	configs := map[string]string{}
	for name, text := range found {
		configs["cepler/"+name] = string(text)
	}
	return configs, err
}

// moduleRoot is the clone of this project that the working directory is in; "" outside of one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the clone of the project: %w", err)
	}
	return above(dir, func(at string) bool {
		module, err := os.ReadFile(filepath.Join(at, "go.mod"))
		return err == nil && bytes.HasPrefix(module, []byte("module github.com/taxiway-ci/taxiway\n"))
	}), nil
}
