package main

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
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
)

func rehearseCommand() *cobra.Command {
	var f rehearseFlags
	command := &cobra.Command{
		Use:   "rehearse PIPELINE",
		Short: "Run a deployments pipeline on this machine, on a copy of its repository",
		Long: "Run a deployments pipeline on this machine, with the real resource programs from their images and the real task\n" +
			"scripts, on a copy of its repository that a git server on loopback serves. Nothing leaves the machine: programs that\n" +
			"deploy are replaced by stand-ins that only write down how they were called, and messages are kept.\n" +
			"Without a scenario it runs what is pending; with one, the acts of it, and fails when an expectation does not hold.",
		Example: "  go run ./pipelines rehearse pipeline.yml --repository ../deployments --vars vars.yml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.production(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.repository, "repository", "", "git repository or clone to copy, in place of the one that the pipeline names")
	flags.StringVar(&f.vars, "vars", "", "YAML file with the values of ((references))")
	flags.StringVar(&f.scenario, "scenario", "", "scenario to play; pipelines/demo/scenario.yml is one")
	flags.StringArrayVar(&f.tools, "tool", nil, "further program that task scripts run and that is to be replaced by a stand-in, may be repeated; always replaced: "+strings.Join(standInTools(), ", "))
	return command
}

// rehearseFlags are what a user says.
type rehearseFlags struct {
	repository, vars, scenario string
	tools                      []string
}

// standInTools are the programs that change or tell something outside of this
// machine, and that deploying scripts are known to run.
func standInTools() []string {
	return []string{"tofu", "terraform", "helm", "kubectl", "gcloud", "aws", "az", "curl"}
}

// production is everything that a play needs.
type production struct {
	pipelineFile string
	vars         map[string]any
	scenario     *scenario.Scenario // nil: run what is pending
	tools        []string
	// fill puts the commits into the empty repository of the stand-in and
	// returns names for some of them.
	fill func(ctx context.Context, repository *gittest.Repository) (map[string]string, error)
}

// production reads what the flags name.
func (f rehearseFlags) production(_ context.Context, file string) (production, error) {
	p := production{pipelineFile: file, vars: map[string]any{}, tools: f.tools}
	if f.repository == "" {
		return p, errors.New("rehearse: say with --repository which git repository to copy")
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
	p.fill = func(_ context.Context, repository *gittest.Repository) (map[string]string, error) {
		from, err := filepath.Abs(f.repository)
		if err != nil {
			return nil, err
		}
		_, err = repository.Git("fetch", "--quiet", "--no-write-fetch-head", from, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
		return nil, err
	}
	return p, nil
}

// run makes the world, plays, and shows what came of it.
func (p production) run(ctx context.Context, w io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "taxiway-rehearsal-")
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := gittest.New(gittest.Options{Dir: filepath.Join(dir, "git")})
	if err != nil {
		return fmt.Errorf("rehearse: git server on loopback: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	show := timeline.New(w, colours(w))
	err = p.play(ctx, world{dir: dir, server: server, show: show})
	return errors.Join(err, show.Err())
}

// colours tells whether w is a terminal that wants them
// (https://no-color.org).
func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// world is where a production takes place.
type world struct {
	dir    string
	server *gittest.Server
	show   *timeline.Timeline
}

func (p production) play(ctx context.Context, w world) error {
	began := time.Now()
	if p.scenario != nil {
		w.show.Title(p.scenario.Title, p.scenario.About)
	}
	w.show.Line("")
	text, err := os.ReadFile(p.pipelineFile)
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	if findings := pipeline.Lint(p.pipelineFile, text, ownTypes()); findings.Errors() > 0 {
		return fmt.Errorf("rehearse: lint finds faults in the pipeline:\n%s", findings)
	}
	parsed, err := pipeline.Parse(p.pipelineFile, text)
	if err != nil {
		return err
	}
	programs, err := w.images(ctx)
	if err != nil {
		return err
	}
	types, mailbox, err := typesFor(parsed, programs)
	if err != nil {
		return err
	}
	repository, known, err := p.repository(ctx, w)
	if err != nil {
		return err
	}
	tools, err := rehearsal.NewTools(filepath.Join(w.dir, "tools"), append(standInTools(), p.tools...)...)
	if err != nil {
		return err
	}
	uri, err := remoteOf(parsed)
	if err != nil {
		return err
	}
	scratch := filepath.Join(w.dir, "builds")
	if err := os.Mkdir(scratch, 0o750); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	r, err := rehearsal.New(rehearsal.Options{
		Pipeline: parsed, Types: types, Vars: p.vars, Dir: scratch, Name: "deployments", Observer: w.show,
		StandIns: map[string]rehearsal.StandIn{uri: {URI: repository.URL(), Without: credentialKeys()}},
		TaskPath: tools.Path() + string(os.PathListSeparator) + os.Getenv("PATH"),
	})
	if err != nil {
		return err
	}
	sources, resources, err := ceplerSources(r, parsed, lineage.NewReader(repository))
	if err != nil {
		return err
	}
	w.show.Line("pipeline %s: %d jobs; in place of %s there is %s", p.pipelineFile, len(parsed.Jobs), uri, repository.URL())
	stage := scenario.Stage{
		Rehearsal: r, Repository: repository, Sources: sources, Tools: tools, Messages: mailbox, Audience: w.show, Now: time.Now,
	}
	if err := p.perform(ctx, stage, known); err != nil {
		return err
	}
	return closing(ctx, w, stage, resources, began)
}

// perform plays the scenario, or runs what is pending.
func (p production) perform(ctx context.Context, stage scenario.Stage, known map[string]string) error {
	if p.scenario != nil {
		return p.scenario.Play(ctx, stage, known)
	}
	builds, err := stage.Rehearsal.Settle(ctx)
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
	if failed := stage.Rehearsal.CheckErrors(); len(failed) > 0 {
		return fmt.Errorf("rehearse: the check of %s fails", strings.Join(slices.Sorted(maps.Keys(failed)), ", "))
	}
	return nil
}

// closing shows what every environment runs, after a look at the repository.
func closing(ctx context.Context, w world, stage scenario.Stage, resources map[string]string, began time.Time) error {
	if err := stage.Repository.Fsck(); err != nil {
		return fmt.Errorf("the repository is damaged: %w", err)
	}
	rows, err := lineage.NewReader(stage.Repository).Read(ctx, stage.Sources, time.Now())
	if err != nil {
		return err
	}
	held := map[string]string{}
	for _, row := range rows {
		if v := stage.Rehearsal.Pinned(resources[row.Key()]); v != nil {
			held[row.Key()] = "pinned to " + v.String()
		}
	}
	w.show.Table(rows, held)
	w.show.Line("")
	w.show.Line("done in %.1fs", time.Since(began).Seconds())
	return nil
}

// repository makes the stand-in and fills it.
func (p production) repository(ctx context.Context, w world) (*gittest.Repository, map[string]string, error) {
	repository, err := w.server.Create("deployments")
	if err != nil {
		return nil, nil, fmt.Errorf("rehearse: make the repository: %w", err)
	}
	began := time.Now()
	known, err := p.fill(ctx, repository)
	if err != nil {
		return nil, nil, fmt.Errorf("rehearse: fill the repository: %w", err)
	}
	files, err := repository.Files("HEAD")
	if err != nil {
		return nil, nil, err
	}
	hashes, err := repository.Log("%H", "HEAD")
	if err != nil {
		return nil, nil, err
	}
	w.show.Line("repository of %d files and %d commits made (%.1fs)", len(files), len(hashes), time.Since(began).Seconds())
	return repository, known, nil
}

// images builds the images, pushes them to a registry in this process, pulls
// them from there and unpacks them: the programs that run are those that a
// Concourse worker would run. It returns their folders by image name.
func (w world) images(ctx context.Context) (map[string]string, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(root, "images", "images.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("definitions of the images: %w", err)
	}
	set, err := ociimage.ParseSet(file, text)
	if err != nil {
		return nil, err
	}
	stamp, err := ociimage.ReadStamp(ctx, root)
	if err != nil {
		return nil, err
	}
	registry, err := ociimage.StartLoopback(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = registry.Close() }()
	here := v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	builder := &ociimage.Builder{Module: root, Set: set, Stamp: stamp, Platforms: []v1.Platform{here}}
	began := time.Now()
	built, err := builder.Build(ctx)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for _, image := range built {
		folder, err := w.throughRegistry(ctx, registry, image, here)
		if err != nil {
			return nil, err
		}
		folders[image.Definition.Type] = folder
	}
	w.show.Line("images built, pushed to a registry, pulled and unpacked (%.1fs)", time.Since(began).Seconds())
	return folders, nil
}

// throughRegistry pushes an image, pulls it and unpacks what came.
func (w world) throughRegistry(ctx context.Context, registry *ociimage.Loopback, image *ociimage.Image, here v1.Platform) (string, error) {
	pushed, err := ociimage.Registry{}.Push(ctx, registry.Host+"/taxiway-ci", image)
	if err != nil {
		return "", err
	}
	found, err := ociimage.Registry{}.Open(ctx, pushed.Repository+"@"+pushed.Digest.String())
	if err != nil {
		return "", err
	}
	pulled, err := found.Platform(here)
	if err != nil {
		return "", err
	}
	size, err := ociimage.CompressedSize(pulled)
	if err != nil {
		return "", err
	}
	const megabyte = 1e6
	w.show.Line("image %s@%s, %.1f MB", pushed.Repository, pushed.Digest, float64(size)/megabyte)
	folder := filepath.Join(w.dir, "images", image.Definition.Type)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", fmt.Errorf("rehearse: %w", err)
	}
	return folder, ociimage.Unpack(ctx, pulled, folder)
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

// typesFor finds a program for each resource type: ours by the name of the
// image, and a mailbox for one that only takes messages.
func typesFor(p *pipeline.Pipeline, programs map[string]string) (map[string]rehearsal.Type, *rehearsal.Mailbox, error) {
	mailbox := &rehearsal.Mailbox{}
	types := map[string]rehearsal.Type{}
	for _, t := range p.ResourceTypes {
		repository, _ := t.Source.Field("repository").Text()
		folder, own := programs[path.Base(repository)]
		switch {
		case own:
			types[t.Name] = rehearsal.Program{Dir: filepath.Join(folder, "opt", "resource")}
		case onlyPut(p, t.Name):
			types[t.Name] = mailbox
		default:
			return nil, nil, fmt.Errorf("rehearse: %s:%d: nothing stands in for the resource type %s (%s)", p.File, t.Line, t.Name, repository)
		}
	}
	return types, mailbox, nil
}

// onlyPut tells whether no job gets a resource of the type.
func onlyPut(p *pipeline.Pipeline, typ string) bool {
	for _, name := range rehearsal.Inputs(p) {
		if res, ok := p.Resource(name); ok && res.Type == typ {
			return false
		}
	}
	return true
}

// remoteOf is the one repository that the pipeline's resources use.
func remoteOf(p *pipeline.Pipeline) (string, error) {
	uris := map[string]bool{}
	for _, r := range p.Resources {
		if uri, ok := r.Source.Field("uri").Text(); ok {
			uris[uri] = true
		}
	}
	if len(uris) != 1 {
		return "", fmt.Errorf("rehearse: a pipeline of one git repository is wanted, and %s uses %d", p.File, len(uris))
	}
	return slices.Collect(maps.Keys(uris))[0], nil
}

// credentialKeys are the access keys that a server on loopback has no use for.
func credentialKeys() []string {
	return []string{
		"private_key", "private_key_passphrase", "known_hosts", "insecure_ignore_host_key", "username", "password",
		"app_id", "app_private_key", "app_installation_id", "app_api_url", "ca_cert", "skip_ssl_verification",
	}
}

// ceplerSources are the sources of the environments that the pipeline watches,
// and their resources by "deployment/environment".
func ceplerSources(r *rehearsal.Rehearsal, p *pipeline.Pipeline, reader *lineage.Reader) (sources []deployments.Source, resources map[string]string, err error) {
	resources = map[string]string{}
	for _, name := range rehearsal.Inputs(p) {
		data, err := r.Source(name)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := data["environment"]; !ok {
			continue
		}
		text, err := json.Marshal(data)
		if err != nil {
			return nil, nil, fmt.Errorf("source of %s: %w", name, err)
		}
		var src deployments.Source
		if err := json.Unmarshal(text, &src); err != nil {
			return nil, nil, fmt.Errorf("source of %s: %w", name, err)
		}
		sources = append(sources, src)
		key, err := reader.Key(src)
		if err != nil {
			return nil, nil, fmt.Errorf("config of %s: %w", name, err)
		}
		resources[key] = name
	}
	return sources, resources, nil
}
