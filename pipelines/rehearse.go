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

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
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

// colours tells whether w is a terminal that wants them
// (https://no-color.org).
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
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

func (p production) makeTools(w *world) (*rehearsal.Tools, error) {
	tools, err := rehearsal.NewTools(filepath.Join(w.dir, "tools"), append(standInTools(), p.tools...)...)
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

// closing shows what every environment runs, back to the source, after a look at
// the repositories.
func (p production) closing(ctx context.Context, w *world, stage scenario.Stage, resources map[string]string, began time.Time) error {
	for _, name := range slices.Sorted(maps.Keys(w.repositories)) {
		if err := w.repositories[name].Fsck(); err != nil {
			return fmt.Errorf("the repository %s is damaged: %w", name, err)
		}
	}
	if stage.Deployments != "" {
		trace, err := traceOf(ctx, stage, resources)
		if err != nil {
			return err
		}
		if err := p.showTrace(w, trace); err != nil {
			return err
		}
	}
	w.show.Line("")
	w.show.Line("done in %.1fs", time.Since(began).Seconds())
	return nil
}

// traceOf is what every environment runs and where it comes from. Those that a
// person holds where they are say how.
func traceOf(ctx context.Context, stage scenario.Stage, resources map[string]string) (trace *lineage.Trace, err error) {
	o := stage.Lineage
	o.Deployments = stage.Repositories[stage.Deployments].Dir
	reader := lineage.New(o)
	defer func() { err = errors.Join(err, reader.Close()) }()
	if trace, err = reader.TraceOf(ctx, stage.Sources, time.Now()); err != nil {
		return nil, err
	}
	trace.Repository = stage.Deployments
	for i, row := range trace.Environments {
		r, name, err := stage.Pipelines.WithResource(resources[row.Key()])
		if err != nil {
			return nil, err
		}
		if v := r.Pinned(name); v != nil {
			trace.Environments[i].Held = "pinned to " + v.String()
		}
	}
	return trace, nil
}

// showTrace writes it below the timeline, and as a page where that is asked for.
func (p production) showTrace(w *world, trace *lineage.Trace) error {
	var text strings.Builder
	if err := trace.Text(&text); err != nil {
		return err
	}
	w.show.Line("")
	for line := range strings.Lines(text.String()) {
		w.show.Line("%s", strings.TrimRight(line, "\n"))
	}
	if p.page == "" {
		return nil
	}
	file, err := os.Create(p.page)
	if err != nil {
		return fmt.Errorf("rehearse: the page: %w", err)
	}
	if err := errors.Join(trace.HTML(file), file.Close()); err != nil {
		return fmt.Errorf("rehearse: the page: %w", err)
	}
	w.show.Line("")
	w.show.Line("the same as a page: %s", p.page)
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
