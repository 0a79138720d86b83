// Package world is where a rehearsal takes place: servers on loopback in place of everything outside that pipelines name, and
// the people and workflows that act there. A [Play] sets pipelines in a world, plays a scenario or runs what is pending, and
// shows what came of it.
package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/lineage/labels"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
	"github.com/taxiway-ci/taxiway/internal/standin/types"
)

// World is the outside of the pipelines of one play.
type World struct {
	dir      string
	show     *timeline.Timeline
	git      *gittest.Server
	forge    *github.Server
	registry *registry.Server
	cache    *nixcache.Server
	nix      *tools.Nix
	tools    *tools.Folder
	mailbox  *rehearsal.Mailbox
	clock    *types.Clock

	// pipelines are all that are set; waiting are the names of those with a put that waits.
	pipelines rehearsal.Together
	waiting   map[string]bool
	// repositories by "owner/name", and what stands in for each address.
	repositories map[string]*gittest.Repository
	standIns     map[string]rehearsal.StandIn
	// checked are the repositories with checks by "owner/name".
	checked map[string]Checks
	// appKey is the key of the forge's App, which sees all repositories; "" until it is asked for.
	appKey string
	appMu  sync.Mutex
	// programs are the unpacked images of the suite by type.
	programs map[string]string
}

// forgeToken is what the forge on loopback accepts.
const forgeToken = "rehearsed"

// botLogin is who the token belongs to, by the name that the examples have for their bot.
const botLogin = "acme-bot"

// open starts the servers of a world that lives in dir. Close ends them.
func open(ctx context.Context, dir, cacheName string, show *timeline.Timeline) (w *World, err error) {
	w = &World{
		dir: dir, show: show, mailbox: &rehearsal.Mailbox{}, clock: types.NewClock(time.Now()),
		repositories: map[string]*gittest.Repository{}, standIns: map[string]rehearsal.StandIn{},
		waiting: map[string]bool{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rehearse: start the servers on loopback: %w", err), w.close())
		}
	}()
	if w.git, err = gittest.New(gittest.Options{Dir: filepath.Join(dir, "git"), Remember: true}); err != nil {
		return w, err
	}
	w.forge = github.New(github.Options{Git: w.git, Tokens: []string{forgeToken}, Login: botLogin})
	w.registry = registry.New("")
	if w.cache, err = nixcache.New(nixcache.Options{Name: cacheName}); err != nil {
		return w, err
	}
	if w.nix, err = tools.StartNix(ctx, w.cache); err != nil {
		return w, err
	}
	return w, os.Mkdir(w.builds(), 0o750)
}

func (w *World) close() error {
	var errs []error
	if w.nix != nil {
		errs = append(errs, w.nix.Close())
	}
	if w.cache != nil {
		w.cache.Close()
	}
	if w.registry != nil {
		w.registry.Close()
	}
	if w.forge != nil {
		w.forge.Close()
	}
	if w.git != nil {
		errs = append(errs, w.git.Close())
	}
	return errors.Join(errs...)
}

func (w *World) builds() string { return filepath.Join(w.dir, "builds") }

// Repository returns the repository called "owner/name". A new one is empty.
func (w *World) Repository(name string) (*gittest.Repository, error) {
	if r, ok := w.repositories[name]; ok {
		return r, nil
	}
	r, err := w.git.Create(name)
	if err != nil {
		return nil, fmt.Errorf("rehearse: create the repository %s: %w", name, err)
	}
	w.repositories[name] = r
	w.forge.Repository(name).Set(func(s *github.Settings) { s.AllowAutoMerge = true })
	return r, nil
}

// Repositories returns all repositories by "owner/name".
func (w *World) Repositories() map[string]*gittest.Repository { return w.repositories }

// lineage says where the world has what the real addresses name.
func (w *World) lineage() lineage.Options {
	o := lineage.Options{Clones: map[string]string{}, Labels: registryLabels{w.registry.Host}}
	for uri := range w.standIns {
		if r, ok := w.repositories[repositoryOf(uri)]; ok {
			o.Clones[uri] = r.Dir
		}
	}
	return o
}

// registryLabels reads the labels of images in the registry that stands in for all registries.
type registryLabels struct{ host string }

// Labels returns the labels of the image with that digest.
func (l registryLabels) Labels(ctx context.Context, repository, digest string) (lineage.Labels, error) {
	return labels.Registry{}.Labels(ctx, l.host+"/"+repository, digest)
}

// set sets a pipeline under a name.
func (w *World) set(p Play, name string, parsed *pipeline.Pipeline) (*rehearsal.Rehearsal, error) {
	scratch := filepath.Join(w.builds(), name)
	if err := os.Mkdir(scratch, 0o750); err != nil {
		return nil, fmt.Errorf("rehearse: two pipelines are called %s: %w", name, err)
	}
	o, err := w.options(p, name, scratch, parsed)
	if err != nil {
		return nil, err
	}
	return rehearsal.New(o)
}

// options are what a pipeline is run with, also one that a pipeline sets itself to.
func (w *World) options(p Play, name, scratch string, parsed *pipeline.Pipeline) (rehearsal.Options, error) {
	programs, err := w.types(name, parsed)
	if err != nil {
		return rehearsal.Options{}, err
	}
	return rehearsal.Options{
		Pipeline: parsed, Types: programs, Vars: p.Vars, Dir: scratch, Name: name, Observer: w.show,
		StandIns: maps.Clone(w.standIns), Local: w.local(parsed), Stamp: w.stamp,
		TaskPath:    w.tools.Path() + string(os.PathListSeparator) + os.Getenv("PATH"),
		TaskDoubles: taskDoubles(), Programs: map[string]string{taxiwayProgram: p.Program}, LocalTask: w.localTask,
		Set: func(file string, text []byte, known pipeline.Lookup) (rehearsal.Options, error) {
			next, findings, err := p.linted(file, text, known)
			if err == nil && findings.Errors() > 0 {
				err = &pipeline.InvalidError{Findings: findings}
			}
			if err == nil {
				err = w.alsoKnown(next, p.Vars)
			}
			if err != nil {
				return rehearsal.Options{}, err
			}
			return w.options(p, name, scratch, next)
		},
	}, nil
}

// taxiwayProgram is where the image taxiway has its program.
const taxiwayProgram = "/opt/resource/taxiway"

// taskDoubles stand in for programs that only an image has, in this process.
func taskDoubles() map[string]rehearsal.TaskDouble {
	return map[string]rehearsal.TaskDouble{"build": types.OCIBuild{}}
}
