package world

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/types"
)

// cachixPaths is the type whose puts wait for what other pipelines do.
const cachixPaths = "cachix-paths"

// imageOf names a type by the last part of its image's repository. A type that the pipeline does not define is one of Concourse's
// own; it has no image, and is named as it is.
func imageOf(p *pipeline.Pipeline, typ string) string {
	t, ok := p.ResourceType(typ)
	if !ok {
		return typ
	}
	repository, _ := t.Source.Field("repository").Text()
	return path.Base(repository)
}

// types returns what each resource type of the pipeline is run with: the program of an image of the suite, or a stand-in.
func (w *World) types(name string, p *pipeline.Pipeline) (map[string]rehearsal.Type, error) {
	known := w.known(name)
	programs := map[string]rehearsal.Type{}
	for _, r := range p.Resources {
		if _, ok := programs[r.Type]; ok {
			continue
		}
		image := imageOf(p, r.Type)
		switch typ, ok := known[image]; {
		case ok:
			programs[r.Type] = typ
		case onlyPut(p, r.Type):
			programs[r.Type] = w.mailbox
		default:
			return nil, fmt.Errorf("rehearse: %s:%d: nothing stands in for the resource type %s (%s)", p.File, r.Line, r.Type, image)
		}
	}
	return programs, nil
}

// known returns what runs in the named pipeline, by the last part of an image's repository.
func (w *World) known(name string) map[string]rehearsal.Type {
	api := types.GitHub{API: w.forge.APIURL(), Token: forgeToken, Clone: w.git.URL}
	named := map[string]string{}
	for uri, in := range w.standIns {
		named[in.URI] = uri
	}
	images, release := types.RegistryImage{Host: w.registry.Host}, types.Release{GitHub: api}
	known := map[string]rehearsal.Type{
		"git": types.Git{Named: named}, "registry-image": images, "registry-image-resource": images,
		"github-release": release, "github-release-resource": release, "github-pr-resource": types.PullRequest{GitHub: api},
		"time": w.clock, "slack-notification-resource": types.Slack{Mailbox: w.mailbox},
	}
	for image, folder := range w.programs {
		known[image] = rehearsal.Program{Dir: filepath.Join(folder, "opt", "resource")}
	}
	if own, ok := known[cachixPaths]; ok {
		known[cachixPaths] = beside{own, w.besides(name)}
	}
	return known
}

// onlyPut reports whether no job gets a resource of the type.
func onlyPut(p *pipeline.Pipeline, typ string) bool {
	for _, name := range rehearsal.Inputs(p) {
		if res, ok := p.Resource(name); ok && res.Type == typ {
			return false
		}
	}
	return true
}

// besides lets all pipelines go on, except the named one, whose put waits, and others that wait.
func (w *World) besides(name string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		w.waiting[name] = true
		defer delete(w.waiting, name)
		for _, r := range w.pipelines {
			if w.waiting[r.Name()] {
				continue
			}
			if _, err := r.Settle(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// beside is a type whose puts wait for what other pipelines do.
type beside struct {
	rehearsal.Type

	others func(ctx context.Context) error
}

// Run runs the other pipelines before a put, in the time that the put would wait.
func (b beside) Run(ctx context.Context, c rehearsal.Call) ([]byte, error) {
	if c.Verb == rehearsal.Out {
		if err := b.others(ctx); err != nil {
			return nil, err
		}
	}
	return b.Type.Run(ctx, c)
}
