package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
)

// Play is everything that a rehearsal needs.
type Play struct {
	// Module is the folder of the module that has images/images.yml; the play builds the images and runs what is in them. Without
	// it, Program is the file of a program that contains the programs of all types: it is started as TYPE/opt/resource/check, in
	// and out.
	Module, Program string
	// Types are the resource types of the suite.
	Types pipeline.Types

	Pipelines []Pipeline
	// Vars are the values of ((references)).
	Vars map[string]any
	// Scenario is played; nil runs what is pending.
	Scenario *scenario.Scenario
	// Tools are programs that stand-ins replace in task scripts, besides [StandInTools]; Acts are what stand-ins do, as shell
	// scripts by the program's name.
	Tools []string
	Acts  map[string]string
	// Real are programs that run in place of stand-ins, by the name under which task scripts run them: paths, or names on PATH.
	Real map[string]string
	// Fill puts commits into the world's repositories, which are empty, and returns names for some of the commits.
	Fill func(ctx context.Context, w *World) (map[string]string, error)
	// Checks are run for the pull requests of a repository and required by it, by "owner/name".
	Checks map[string]Checks
	// Page is the file for the lineage as an HTML page; empty for none.
	Page string
	// Width is how many columns the output has; 0 for 80.
	Width int
}

// Pipeline is a file under the name that it is set with. Text is what is in it; nil reads the file.
type Pipeline struct {
	Name, File string
	Text       []byte
}

// StandInTools returns the programs that are always replaced: those that scripts are known to run, and that change or tell
// something outside of this machine or exist in an image only.
func StandInTools() []string {
	return []string{"tofu", "terraform", "helm", "kubectl", "gcloud", "aws", "az", "curl", "nix", "cachix", "cargo"}
}

// Run makes the world, plays, and writes to out what happens, with colours where that is asked for.
func (p Play) Run(ctx context.Context, out io.Writer, colours bool) (err error) {
	dir, err := os.MkdirTemp(scratch(), "taxiway-rehearsal-")
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	show := timeline.New(out, p.Width, colours)
	return errors.Join(p.run(ctx, dir, show), show.Err())
}

func (p Play) run(ctx context.Context, dir string, show *timeline.Timeline) (err error) {
	began := time.Now()
	if p.Scenario != nil {
		show.Title(p.Scenario.Title, p.Scenario.About)
	}
	show.Line("")
	parsed, err := p.parse()
	if err != nil {
		return err
	}
	if err := p.findPrograms(parsed); err != nil {
		return err
	}
	if err := p.complete(parsed); err != nil {
		return err
	}
	programs, err := p.programs(ctx, dir, parsed, show)
	if err != nil {
		return err
	}
	w, err := open(ctx, dir, cacheOf(parsed), show)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	w.programs = programs
	for _, one := range parsed {
		if err := w.standIn(one, p.Vars); err != nil {
			return err
		}
	}
	known, err := p.history(ctx, w)
	if err != nil {
		return err
	}
	stage, err := p.stage(ctx, w, parsed)
	if err != nil {
		return err
	}
	if err := p.perform(ctx, stage, known); err != nil {
		return err
	}
	return p.closing(ctx, w, stage, began)
}

// parse lints and parses the pipelines.
func (p Play) parse() ([]*pipeline.Pipeline, error) {
	var all []*pipeline.Pipeline
	for _, file := range p.Pipelines {
		text := file.Text
		if text == nil {
			var err error
			if text, err = os.ReadFile(file.File); err != nil {
				return nil, fmt.Errorf("rehearse: %w", err)
			}
		}
		parsed, findings, err := p.linted(file.File, text, nil)
		if err != nil {
			return nil, err
		}
		if findings.Errors() > 0 {
			return nil, fmt.Errorf("rehearse: lint finds faults in the pipeline:\n%s", findings)
		}
		all = append(all, parsed)
	}
	return all, nil
}

// linted lints and parses one pipeline with the references that are known.
func (p Play) linted(file string, text []byte, known pipeline.Lookup) (*pipeline.Pipeline, pipeline.Findings, error) {
	if findings := pipeline.LintWith(file, text, pipeline.Options{Types: p.Types, Vars: known}); findings.Errors() > 0 {
		return nil, findings, nil
	}
	parsed, err := pipeline.ParseWith(file, text, known)
	return parsed, nil, err
}

// programs returns the folders of the programs by type: of images that are built now, or of links to the program that contains
// them.
func (p Play) programs(ctx context.Context, dir string, parsed []*pipeline.Pipeline, show *timeline.Timeline) (map[string]string, error) {
	if p.Module != "" {
		return images{p.Module, show}.build(ctx, parsed)
	}
	return linked(p.Program, filepath.Join(dir, "programs"), slices.Sorted(maps.Keys(p.Types)))
}

// linked makes for each type the folder that its image would have, with links to one program.
func linked(program, dir string, types []string) (map[string]string, error) {
	folders := map[string]string{}
	for _, name := range types {
		folders[name] = filepath.Join(dir, name)
		resource := filepath.Join(folders[name], "opt", "resource")
		if err := os.MkdirAll(resource, 0o750); err != nil {
			return nil, fmt.Errorf("rehearse: %w", err)
		}
		for _, verb := range []rehearsal.Verb{rehearsal.Check, rehearsal.In, rehearsal.Out} {
			if err := os.Symlink(program, filepath.Join(resource, string(verb))); err != nil {
				return nil, fmt.Errorf("rehearse: %w", err)
			}
		}
	}
	return folders, nil
}

// history fills the repositories.
func (p Play) history(ctx context.Context, w *World) (map[string]string, error) {
	began := time.Now()
	known, err := p.Fill(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("rehearse: fill the repositories: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(w.repositories)) {
		files, err := w.repositories[name].Files("HEAD")
		if err != nil {
			return nil, err
		}
		hashes, err := w.repositories[name].Log("%H", "HEAD")
		if err != nil {
			return nil, err
		}
		w.show.Line("repository %s: %d files and %d commits", name, len(files), len(hashes))
	}
	w.show.Line("repositories made (%.1fs)", time.Since(began).Seconds())
	return known, nil
}

// stage sets the pipelines in the world.
func (p Play) stage(ctx context.Context, w *World, parsed []*pipeline.Pipeline) (scenario.Stage, error) {
	stage := scenario.Stage{
		Repositories: map[string]*gittest.Repository{}, Forge: people{w}, Registry: w.registry.Host, Lineage: w.lineage(),
		Messages: w.mailbox, Audience: w.show, Now: time.Now, Pass: w.clock.Pass, Cached: w.nix.Pushed,
	}
	for name, repository := range w.repositories {
		stage.Repositories[path.Base(name)] = repository
	}
	if err := p.install(w); err != nil {
		return stage, err
	}
	stage.Tools = w.tools
	if len(p.Checks) > 0 {
		var err error
		if stage.Robots, err = p.robots(w); err != nil {
			return stage, err
		}
	}
	for i, one := range parsed {
		r, err := w.set(p, p.Pipelines[i].Name, one)
		if err != nil {
			return stage, err
		}
		stage.Pipelines = append(stage.Pipelines, r)
		w.show.Line("pipeline %s: %s, %d jobs", p.Pipelines[i].Name, one.File, len(one.Jobs))
	}
	w.pipelines = stage.Pipelines
	all, err := w.environments(ctx, p.Vars)
	if err != nil {
		return stage, err
	}
	stage.Deployments = all.repository
	stage.Sources = func() ([]deployments.Source, error) {
		now, err := w.environments(ctx, p.Vars)
		return now.sources, err
	}
	return stage, nil
}

// install makes the programs that task scripts find first.
func (p Play) install(w *World) (err error) {
	if w.tools, err = tools.New(filepath.Join(w.dir, "tools"), append(StandInTools(), p.Tools...)...); err != nil {
		return err
	}
	if err := w.nix.Install(w.tools); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Acts)) {
		if err := w.tools.Act(name, p.Acts[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Real)) {
		program, err := realProgram(p.Real[name])
		if err != nil {
			return fmt.Errorf("rehearse: %w", err)
		}
		if err := w.tools.Real(name, program); err != nil {
			return err
		}
		w.show.Line("program %s: %s runs in place of its stand-in", name, program)
	}
	return nil
}

// environments are those of a deployments repository that the pipelines watch.
type environments struct {
	repository string // its name; empty without one
	sources    []deployments.Source
	resources  map[string]string // by "deployment/environment"
}

// environments finds those of the pipelines as they are set now.
func (w *World) environments(ctx context.Context, vars map[string]any) (environments, error) {
	all := environments{resources: map[string]string{}}
	for _, r := range w.pipelines {
		if err := w.environmentsOf(ctx, &all, r, vars); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (w *World) environmentsOf(ctx context.Context, all *environments, r *rehearsal.Rehearsal, vars map[string]any) (err error) {
	p := r.Pipeline()
	watched, err := watchedBy(r, p)
	if err != nil || len(watched) == 0 {
		return err
	}
	addresses, err := uris(p, vars)
	if err != nil {
		return err
	}
	owned := repositoryOf(addresses[0])
	name := path.Base(owned)
	if all.repository != "" && all.repository != name {
		return fmt.Errorf("rehearse: the pipelines have environments of %s and of %s; rehearse those of one deployments repository at a time", all.repository, name)
	}
	all.repository = name
	reader := lineage.New(lineage.Options{Deployments: w.repositories[owned].Dir})
	defer func() { err = errors.Join(err, reader.Close()) }()
	for _, resource := range slices.Sorted(maps.Keys(watched)) {
		key, err := reader.Key(ctx, watched[resource])
		if err != nil {
			return fmt.Errorf("config of %s: %w", resource, err)
		}
		all.sources = append(all.sources, watched[resource])
		all.resources[key] = resource
	}
	return nil
}

// watchedBy returns the sources of the environments that the pipeline watches, by resource.
func watchedBy(r *rehearsal.Rehearsal, p *pipeline.Pipeline) (map[string]deployments.Source, error) {
	watched := map[string]deployments.Source{}
	for _, name := range rehearsal.Inputs(p) {
		res, _ := p.Resource(name)
		if image := imageOf(p, res.Type); image == "cepler-out" || image == "cepler-gate" {
			continue // of the same environments, with no news of its own
		}
		data, err := r.Source(name)
		if err != nil {
			return nil, err
		}
		if _, ok := data["environment"]; !ok {
			continue
		}
		text, err := json.Marshal(data)
		if err != nil {
			return nil, fmt.Errorf("source of %s: %w", name, err)
		}
		var src deployments.Source
		if err := json.Unmarshal(text, &src); err != nil {
			return nil, fmt.Errorf("source of %s: %w", name, err)
		}
		watched[name] = src
	}
	return watched, nil
}

// perform plays the scenario, or runs what is pending.
func (p Play) perform(ctx context.Context, stage scenario.Stage, known map[string]string) error {
	if p.Scenario != nil {
		return p.Scenario.Play(ctx, stage, known)
	}
	builds, err := stage.Pipelines.Settle(ctx, stage.Robots)
	if err != nil {
		return err
	}
	bad := 0
	for _, b := range builds {
		if b.Status != rehearsal.Succeeded {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("rehearse: %d of %d builds did not succeed", bad, len(builds))
	}
	for _, r := range stage.Pipelines {
		if failed := r.CheckErrors(); len(failed) > 0 {
			return fmt.Errorf("rehearse: the check of %s fails", strings.Join(slices.Sorted(maps.Keys(failed)), ", "))
		}
	}
	return nil
}
