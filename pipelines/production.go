package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
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

// production is everything that a play needs.
type production struct {
	pipelines []pipelineFile
	vars      map[string]any
	scenario  *scenario.Scenario // nil: run what is pending
	tools     []string
	// acts are what stand-ins for tools do, as shell scripts by the tool's name,
	// for the address of the world's builder; nil for nothing.
	acts func(host, port string) map[string]string
	// built are the folders of the suite's images, by type, when they are there
	// already; otherwise they are built.
	built map[string]string
	// fill puts the commits into the empty repositories, by "owner/name", and
	// returns names for some of them.
	fill func(ctx context.Context, w *world) (map[string]string, error)
	// page is the file for the lineage as an HTML page; empty for none.
	page string
	// robots do what others do in the world; nil for nobody.
	robots func(w *world) func(ctx context.Context) (bool, error)
}

// pipelineFile is a pipeline under the name that it is set with.
type pipelineFile struct{ name, file string }

// run makes the world, plays, and shows what came of it.
func (p production) run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "taxiway-rehearsal-")
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	show := timeline.New(out, colours(out))
	w, err := newWorld(ctx, dir, show)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return errors.Join(p.play(ctx, w), show.Err())
}

// parse lints and parses the pipelines.
func (p production) parse() ([]*pipeline.Pipeline, error) {
	var all []*pipeline.Pipeline
	for _, file := range p.pipelines {
		text, err := os.ReadFile(file.file)
		if err != nil {
			return nil, fmt.Errorf("rehearse: %w", err)
		}
		if findings := pipeline.Lint(file.file, text, ownTypes()); findings.Errors() > 0 {
			return nil, fmt.Errorf("rehearse: lint finds faults in the pipeline:\n%s", findings)
		}
		parsed, err := pipeline.Parse(file.file, text)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed)
	}
	return all, nil
}

func (p production) play(ctx context.Context, w *world) error {
	began := time.Now()
	if p.scenario != nil {
		w.show.Title(p.scenario.Title, p.scenario.About)
	}
	w.show.Line("")
	parsed, err := p.parse()
	if err != nil {
		return err
	}
	if w.programs = p.built; p.built == nil {
		if w.programs, err = w.build(ctx, parsed); err != nil {
			return err
		}
	}
	if err := w.startCache(ctx, parsed); err != nil {
		return err
	}
	for _, one := range parsed {
		if err := w.standIn(one, p.vars); err != nil {
			return err
		}
	}
	known, err := p.history(ctx, w)
	if err != nil {
		return err
	}
	stage, resources, err := p.stage(ctx, w, parsed)
	if err != nil {
		return err
	}
	if err := p.perform(ctx, stage, known); err != nil {
		return err
	}
	return p.closing(ctx, w, stage, resources, began)
}

// history fills the repositories.
func (p production) history(ctx context.Context, w *world) (map[string]string, error) {
	began := time.Now()
	known, err := p.fill(ctx, w)
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

// stage sets the pipelines in the world. It also returns the resources of the
// environments by "deployment/environment".
func (p production) stage(ctx context.Context, w *world, parsed []*pipeline.Pipeline) (scenario.Stage, map[string]string, error) {
	stage := scenario.Stage{
		Repositories: map[string]*gittest.Repository{}, Forge: people{w}, Registry: w.registry.Host,
		Messages: w.mailbox, Audience: w.show, Now: time.Now, Pass: w.clock.Pass, Cached: w.builder.names,
	}
	for name, repository := range w.repositories {
		stage.Repositories[filepath.Base(name)] = repository
	}
	stage.Lineage = w.lineage()
	if p.robots != nil {
		stage.Robots = p.robots(w)
	}
	var err error
	if stage.Tools, err = p.makeTools(w); err != nil {
		return stage, nil, err
	}
	resources := map[string]string{}
	for i, one := range parsed {
		r, err := w.set(p.pipelines[i].name, one, p.vars, stage.Tools)
		if err != nil {
			return stage, nil, err
		}
		stage.Pipelines = append(stage.Pipelines, r)
		w.show.Line("pipeline %s: %s, %d jobs", p.pipelines[i].name, one.File, len(one.Jobs))
		if err := w.environments(ctx, &stage, resources, r, one); err != nil {
			return stage, nil, err
		}
	}
	w.pipelines = stage.Pipelines
	return stage, resources, nil
}

func (p production) makeTools(w *world) (*tools.Folder, error) {
	tools, err := tools.New(filepath.Join(w.dir, "tools"), append(standInTools(), p.tools...)...)
	if err != nil {
		return nil, err
	}
	if p.acts == nil {
		return tools, nil
	}
	acts := p.acts(w.builder.hostAndPort())
	for _, name := range slices.Sorted(maps.Keys(acts)) {
		if err := tools.Act(name, acts[name]); err != nil {
			return nil, err
		}
	}
	return tools, nil
}

// environments adds what the pipeline watches of a deployments repository.
func (w *world) environments(ctx context.Context, stage *scenario.Stage, resources map[string]string, r *rehearsal.Rehearsal, p *pipeline.Pipeline) (err error) {
	watched, err := watchedBy(r, p)
	if err != nil || len(watched) == 0 {
		return err
	}
	all, err := uris(p, nil)
	if err != nil {
		return err
	}
	name := filepath.Base(repositoryOf(all[0]))
	if stage.Deployments != "" && stage.Deployments != name {
		return fmt.Errorf("rehearse: environments of one deployments repository are wanted, and there are %s and %s", stage.Deployments, name)
	}
	stage.Deployments = name
	reader := lineage.New(lineage.Options{Deployments: stage.Repositories[name].Dir})
	defer func() { err = errors.Join(err, reader.Close()) }()
	for _, resource := range slices.Sorted(maps.Keys(watched)) {
		key, err := reader.Key(ctx, watched[resource])
		if err != nil {
			return fmt.Errorf("config of %s: %w", resource, err)
		}
		stage.Sources = append(stage.Sources, watched[resource])
		resources[key] = resource
	}
	return nil
}

// perform plays the scenario, or runs what is pending.
func (p production) perform(ctx context.Context, stage scenario.Stage, known map[string]string) error {
	if p.scenario != nil {
		return p.scenario.Play(ctx, stage, known)
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

// watchedBy are the sources of the environments that the pipeline watches, by
// resource.
func watchedBy(r *rehearsal.Rehearsal, p *pipeline.Pipeline) (map[string]deployments.Source, error) {
	watched := map[string]deployments.Source{}
	for _, name := range rehearsal.Inputs(p) {
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
