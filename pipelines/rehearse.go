package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

func rehearseCommand() *cobra.Command {
	var f rehearseFlags
	command := &cobra.Command{
		Use:   "rehearse PIPELINE...",
		Short: "Run pipelines on this machine, on copies of their repositories",
		Long: "Run pipelines on this machine, with the real resource programs from their images and the real task scripts, on copies\n" +
			"of their repositories that a git server on loopback serves. Nothing leaves the machine: a registry, a forge and a\n" +
			"binary cache on loopback stand in for the real ones, programs that deploy are replaced by stand-ins that only write\n" +
			"down how they were called, and messages are kept.\n" +
			"Without a scenario it runs what is pending; with one, the acts of it, and fails when an expectation does not hold.",
		Example: "  go run ./pipelines rehearse pipeline.yml --repository ../deployments --vars vars.yml\n" +
			"  go run ./pipelines rehearse release.yml charts.yml --repository app=../app --repository charts=../charts",
		Args: pipelineFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.production(args)
			if err != nil {
				return err
			}
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&f.repositories, "repository", nil, "git repository or clone to copy, in place of the one that the pipeline names; with several, NAME=PATH for each, NAME being the last part of its address")
	flags.StringVar(&f.vars, "vars", "", "YAML file with the values of ((references))")
	flags.StringVar(&f.scenario, "scenario", "", "scenario to play; pipelines/demo/scenario.yml is one")
	flags.StringVar(&f.page, "html", "", "write what every environment runs, back to the source, as a page to this file")
	flags.StringArrayVar(&f.tools, "tool", nil, "further program that task scripts run and that is to be replaced by a stand-in, may be repeated; always replaced: "+strings.Join(standInTools(), ", "))
	return command
}

// rehearseFlags are what a user says.
type rehearseFlags struct {
	repositories   []string
	vars, scenario string
	tools          []string
	page           string
}

// standInTools are the programs that change or tell something outside of this
// machine, or that only an image has, and that scripts are known to run.
func standInTools() []string {
	return []string{"tofu", "terraform", "helm", "kubectl", "gcloud", "aws", "az", "curl", "nix", "cachix", "cargo"}
}

// production reads what the flags name.
func (f rehearseFlags) production(files []string) (production, error) {
	p := production{vars: map[string]any{}, tools: f.tools, page: f.page}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if filepath.Base(file) == wantFile {
			name = filepath.Base(filepath.Dir(file))
		}
		p.pipelines = append(p.pipelines, pipelineFile{name, file})
	}
	if len(f.repositories) == 0 {
		return p, errors.New("rehearse: say with --repository which git repository to copy")
	}
	for _, r := range f.repositories {
		dir := r[strings.Index(r, "=")+1:]
		if _, err := os.Stat(dir); err != nil {
			return p, fmt.Errorf("rehearse: --repository %s: it is to be a clone on this machine, or NAME=CLONE: %w", r, err)
		}
	}
	if f.vars != "" {
		text, err := os.ReadFile(f.vars)
		if err != nil {
			return p, fmt.Errorf("rehearse: %w", err)
		}
		if err := yaml.Unmarshal(text, &p.vars); err != nil {
			return p, fmt.Errorf("rehearse: %s: %w", f.vars, err)
		}
	}
	if f.scenario != "" {
		text, err := os.ReadFile(f.scenario)
		if err != nil {
			return p, fmt.Errorf("rehearse: %w", err)
		}
		if p.scenario, err = scenario.Parse(f.scenario, text); err != nil {
			return p, err
		}
	}
	p.fill = f.copies
	return p, nil
}

// copies fills each repository of the world from the one that the user named.
func (f rehearseFlags) copies(_ context.Context, w *world) (map[string]string, error) {
	named := map[string]string{}
	for _, r := range f.repositories {
		name, dir, ok := strings.Cut(r, "=")
		if !ok {
			name, dir = "", r
		}
		named[name] = dir
	}
	for _, full := range slices.Sorted(maps.Keys(w.repositories)) {
		dir, ok := named[filepath.Base(full)]
		if !ok && len(w.repositories) == 1 {
			dir, ok = named[""]
		}
		if !ok {
			return nil, fmt.Errorf("the pipelines use the repository %s: say with --repository %s=PATH what to copy", full, filepath.Base(full))
		}
		from, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		if _, err := w.repositories[full].Git("fetch", "--quiet", "--no-write-fetch-head", from, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
			return nil, err
		}
		if head, err := gittest.Open(from).Git("symbolic-ref", "--quiet", "HEAD"); err == nil { // not where a commit is checked out by itself
			if _, err := w.repositories[full].Git("symbolic-ref", "HEAD", strings.TrimSpace(head)); err != nil {
				return nil, err
			}
		}
	}
	return map[string]string{}, nil
}

// colours tells whether w is a terminal that wants them
// (https://no-color.org).
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// moduleRoot is the clone that this runs in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("rehearse: run this in a clone of the project: there is no go.mod here or above")
		}
		dir = parent
	}
}
