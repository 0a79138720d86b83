package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/pipelines"
)

func rehearseCommand() *cobra.Command {
	var f rehearseFlags
	command := &cobra.Command{
		Use:   "rehearse PIPELINE...",
		Short: "Run pipelines on this machine, on copies of their repositories",
		Long: "Run pipelines on this machine, with the real resource programs and the real task scripts, on copies of their\n" +
			"repositories that a git server on loopback serves. Nothing leaves the machine: a registry, a forge and a\n" +
			"binary cache on loopback stand in for the real ones, programs that deploy are replaced by stand-ins that only write\n" +
			"down how they were called, and messages are kept.\n" +
			pipelineArgs + "\n" +
			"Without a scenario it runs what is pending; with one, the acts of it, and fails when an expectation does not hold.",
		Example: "  taxiway rehearse pipeline.yml --repository ../deployments --vars vars.yml\n" +
			"  taxiway rehearse release.yml charts.yml --repository app=../app --repository charts=../charts",
		Args: some("name the pipeline files, for example: rehearse pipeline.yml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.play(args)
			if err != nil {
				return err
			}
			p.Width = columns(cmd.OutOrStdout())
			return p.Run(cmd.Context(), cmd.OutOrStdout(), colours(cmd.OutOrStdout()))
		},
	}
	flags := command.Flags()
	repositoryFlag(command, &f.repositories, "to copy, in place of the one that the pipeline names")
	flags.StringVar(&f.vars, "vars", "", "YAML file with the values of ((references))")
	flags.StringVar(&f.scenario, "scenario", "", "scenario to play; pipelines/demo/scenario.yml is one")
	flags.StringVar(&f.page, "html", "", "write what every environment runs, back to the source, as a page to this file")
	flags.StringArrayVar(&f.tools, "tool", nil, "NAME: a further program that a stand-in replaces in task scripts; NAME=PROGRAM: PROGRAM runs as NAME, really, in place of the stand-in. May be repeated; always replaced: "+strings.Join(world.StandInTools(), ", "))
	return command
}

// rehearseFlags are what a user says.
type rehearseFlags struct {
	repositories   []string
	vars, scenario string
	tools          []string
	page           string
}

// play reads what the flags name.
func (f rehearseFlags) play(files []string) (world.Play, error) {
	p, err := newPlay()
	if err != nil {
		return p, err
	}
	p.Page = f.page
	p.Tools, p.Real = f.programs()
	if p.Fill, err = f.copies(); err != nil {
		return p, err
	}
	if p.Pipelines, err = read(files); err != nil {
		return p, fmt.Errorf("rehearse: %w", err)
	}
	if f.vars != "" {
		text, err := strict.ReadFile(f.vars)
		if err != nil {
			return p, fmt.Errorf("rehearse: %w", err)
		}
		if err := strict.YAML(text, &p.Vars); err != nil {
			return p, fmt.Errorf("rehearse: %s: %w", f.vars, err)
		}
	}
	if f.scenario == "" {
		return p, nil
	}
	text, err := strict.ReadYAML(f.scenario)
	if err != nil {
		return p, fmt.Errorf("rehearse: %w", err)
	}
	p.Scenario, err = scenario.Parse(f.scenario, text)
	return p, err
}

// programs are the further stand-ins of --tool, and the real programs that run in place of stand-ins.
func (f rehearseFlags) programs() (standIns []string, really map[string]string) {
	really = map[string]string{}
	for _, given := range f.tools {
		if name, program, ok := strings.Cut(given, "="); ok {
			really[name] = program
		} else {
			standIns = append(standIns, given)
		}
	}
	return standIns, really
}

// named gives each file the name of its pipeline: that of the file, or that of its folder where several files have one name or
// are renderings of an example.
func named(files []string) ([]world.Pipeline, error) {
	count := map[string]int{}
	for _, file := range files {
		count[stem(file)]++
	}
	var all []world.Pipeline
	taken := map[string]string{}
	for _, file := range files {
		name := stem(file)
		if count[name] > 1 || filepath.Base(file) == pipelines.WantFile {
			full, err := filepath.Abs(file)
			if err != nil {
				return nil, err
			}
			name = filepath.Base(filepath.Dir(full))
		}
		if other, twice := taken[name]; twice {
			return nil, usagef("%s and %s would both be the pipeline %s; rename one of the files", other, file, name)
		}
		taken[name] = file
		all = append(all, world.Pipeline{Name: name, File: file})
	}
	return all, nil
}

// stem is a file's name without folder and ending.
func stem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// copies fills the world from the clones that --repository names.
func (f rehearseFlags) copies() (func(context.Context, *world.World) (map[string]string, error), error) {
	if len(f.repositories) == 0 {
		return nil, usagef("rehearse: name the git repository to copy with --repository")
	}
	clones, err := clonesOf(f.repositories)
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	return world.Copies(clones), nil
}

// newPlay is a play with the resource programs that this program contains.
func newPlay() (world.Play, error) {
	self, err := os.Executable()
	if err != nil {
		return world.Play{}, fmt.Errorf("rehearse: find this program's file: %w", err)
	}
	return world.Play{Program: self, Types: pipelines.OwnTypes(), Vars: map[string]any{}}, nil
}
