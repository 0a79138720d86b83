package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
	"github.com/taxiway-ci/taxiway/internal/standin/types"
)

// world is where a production takes place: servers on loopback in place of all
// that the pipelines name outside.
type world struct {
	dir      string
	show     *timeline.Timeline
	git      *gittest.Server
	forge    *github.Server
	registry *registry.Server
	mailbox  *rehearsal.Mailbox
	clock    *types.Clock
	cache    *nixcache.Server
	builder  *builder
	// pipelines are all that are set; waiting are those with a put that waits
	pipelines rehearsal.Together
	waiting   map[string]bool
	// repositories by "owner/name", and what stands in for each address
	repositories map[string]*gittest.Repository
	standIns     map[string]rehearsal.StandIn
	// programs are the folders of the suite's own images by type
	programs map[string]string
}

// forgeToken is what the forge on loopback accepts.
const forgeToken = "rehearsed"

// newWorld starts the servers in dir. Close ends them.
func newWorld(ctx context.Context, dir string, show *timeline.Timeline) (w *world, err error) {
	w = &world{
		dir: dir, show: show, mailbox: &rehearsal.Mailbox{}, clock: types.NewClock(time.Now()),
		repositories: map[string]*gittest.Repository{}, standIns: map[string]rehearsal.StandIn{},
		waiting: map[string]bool{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.git, err = gittest.New(gittest.Options{Dir: filepath.Join(dir, "git")}); err != nil {
		return w, fmt.Errorf("rehearse: git server on loopback: %w", err)
	}
	if w.forge, err = github.New(github.Options{Git: w.git, Tokens: []string{forgeToken}}); err != nil {
		return w, fmt.Errorf("rehearse: forge on loopback: %w", err)
	}
	if w.registry, err = registry.New(ctx); err != nil {
		return w, err
	}
	return w, os.Mkdir(w.builds(), 0o750)
}

func (w *world) close() error {
	var errs []error
	if w.builder != nil {
		errs = append(errs, w.builder.close())
	}
	if w.cache != nil {
		w.cache.Close()
	}
	if w.registry != nil {
		errs = append(errs, w.registry.Close())
	}
	if w.forge != nil {
		errs = append(errs, w.forge.Close())
	}
	if w.git != nil {
		errs = append(errs, w.git.Close())
	}
	return errors.Join(errs...)
}

// startCache starts the binary cache that the pipelines name, and what builds
// for it.
func (w *world) startCache(ctx context.Context, pipelines []*pipeline.Pipeline) (err error) {
	name := "cache"
	for _, p := range pipelines {
		for _, r := range p.Resources {
			if named, ok := r.Source.Field("cache").Text(); ok && imageOf(p, r.Type) == cachixPaths {
				name = named
			}
		}
	}
	if w.cache, err = nixcache.New(nixcache.Options{Name: name}); err != nil {
		return fmt.Errorf("rehearse: binary cache on loopback: %w", err)
	}
	w.builder, err = startBuilder(ctx, w.cache)
	return err
}

// cachixPaths is the type whose puts wait for what other pipelines do.
const cachixPaths = "cachix-paths"

// besides lets all pipelines go on but the named one, whose put waits, and
// others that wait.
func (w *world) besides(name string) func(ctx context.Context) error {
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

func (w *world) builds() string { return filepath.Join(w.dir, "builds") }

// repositoryOf is the "owner/name" of a git address, as forges have it.
func repositoryOf(uri string) string {
	at := uri
	if u, err := url.Parse(uri); err == nil && u.Host != "" {
		at = u.Path
	} else if _, rest, ok := strings.Cut(uri, ":"); ok {
		at = rest
	}
	at = strings.TrimSuffix(strings.Trim(at, "/"), ".git")
	if owner := path.Base(path.Dir(at)); owner != "." && owner != "/" {
		return owner + "/" + path.Base(at)
	}
	return path.Base(at)
}

// uris are the git addresses that the pipeline's resources use.
func uris(p *pipeline.Pipeline, vars map[string]any) ([]string, error) {
	var all []string
	for _, r := range p.Resources {
		value := r.Source.Field("uri")
		if value.IsZero() {
			continue
		}
		filled, err := value.Interpolate(pipeline.Vars(vars))
		if err != nil {
			return nil, fmt.Errorf("rehearse: %s: uri of %s: %w", p.File, r.Name, err)
		}
		if uri, ok := filled.Text(); ok && !slices.Contains(all, uri) {
			all = append(all, uri)
		}
	}
	return all, nil
}

// named is the repository owner/name; it is made when it is not there.
func (w *world) named(name string) (*gittest.Repository, error) {
	if r, ok := w.repositories[name]; ok {
		return r, nil
	}
	r, err := w.git.Create(name)
	if err != nil {
		return nil, fmt.Errorf("rehearse: make the repository %s: %w", name, err)
	}
	w.repositories[name] = r
	w.forge.Repository(name).Set(func(s *github.Settings) { s.AllowAutoMerge = true })
	return r, nil
}

// standIn puts a repository in place of every address of the pipeline.
func (w *world) standIn(p *pipeline.Pipeline, vars map[string]any) error {
	all, err := uris(p, vars)
	if err != nil {
		return err
	}
	for _, uri := range all {
		repository, err := w.named(repositoryOf(uri))
		if err != nil {
			return err
		}
		w.standIns[uri] = rehearsal.StandIn{URI: repository.URL(), Without: credentialKeys()}
	}
	return nil
}

// credentialKeys are the access keys that a server on loopback has no use for.
func credentialKeys() []string {
	return []string{
		"private_key", "private_key_passphrase", "known_hosts", "insecure_ignore_host_key", "username", "password", "access_token", "auth_token",
		"app_id", "app_private_key", "app_installation_id", "app_api_url", "ca_cert", "skip_ssl_verification",
	}
}

// local puts the world's forge, registry and cache in place of those that a
// source names.
func (w *world) local(p *pipeline.Pipeline) func(typ string, source map[string]any) error {
	return func(typ string, source map[string]any) error {
		for _, key := range credentialKeys() {
			delete(source, key)
		}
		if github, ok := source["github"].(map[string]any); ok {
			source["github"] = map[string]any{"repository": github["repository"], "api_url": w.forge.APIURL(), "access_token": forgeToken}
		}
		if imageOf(p, typ) == "pull-request-builds" {
			name, _ := source["repository"].(string)
			source["uri"], source["api_url"], source["access_token"] = w.git.URL(name), w.forge.APIURL(), forgeToken
		}
		if imageOf(p, typ) == cachixPaths {
			source["url"], source["public_keys"] = w.cache.URL(), []any{w.cache.PublicKey()}
			delete(source, "cache")
		}
		return nil
	}
}

// stamp is the state of the repository that a source names, for sources that
// name nothing else. The minute is in it because gates may ask the time.
func (w *world) stamp(source map[string]any) string {
	uri, ok := source["uri"].(string)
	_, github := source["github"]
	_, api := source["api_url"]
	if !ok || github || api {
		return ""
	}
	for _, r := range w.repositories {
		if r.URL() != uri {
			continue
		}
		refs, err := refState(r.Dir)
		if err != nil {
			return ""
		}
		return time.Now().Truncate(time.Minute).Format(time.RFC3339) + " " + refs
	}
	return ""
}

// lineage says where the world has what the real addresses name.
func (w *world) lineage() lineage.Options {
	o := lineage.Options{Clones: map[string]string{}, Labels: labels{w.registry.Host}}
	for uri := range w.standIns {
		if r, ok := w.repositories[repositoryOf(uri)]; ok {
			o.Clones[uri] = r.Dir
		}
	}
	return o
}

// labels asks the registry that stands in for all of them.
type labels struct{ host string }

// Labels are those of the image with that digest.
func (l labels) Labels(ctx context.Context, repository, digest string) (lineage.Labels, error) {
	return lineage.Registry{}.Labels(ctx, l.host+"/"+repository, digest)
}

// refState is the text of all refs of a bare repository.
func refState(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	packed, err := root.ReadFile("packed-refs")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	state := sha256.New()
	state.Write(packed)
	err = fs.WalkDir(root.FS(), "refs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		hash, err := root.ReadFile(name)
		_, _ = fmt.Fprintf(state, "%s %s\n", name, hash)
		return err
	})
	return hex.EncodeToString(state.Sum(nil)), err
}

// imageOf names the type by the last part of its image's repository; a type of
// Concourse's own has no image, and its name is all there is.
func imageOf(p *pipeline.Pipeline, typ string) string {
	t, ok := p.ResourceType(typ)
	if !ok {
		return typ
	}
	repository, _ := t.Source.Field("repository").Text()
	return path.Base(repository)
}

// types finds what each of the pipeline's resource types is run with: the
// program of an image of the suite's own, or a double.
func (w *world) types(name string, p *pipeline.Pipeline) (map[string]rehearsal.Type, error) {
	github := types.GitHub{API: w.forge.APIURL(), Token: forgeToken, Clone: w.git.URL}
	named := map[string]string{}
	for uri, in := range w.standIns {
		named[in.URI] = uri
	}
	known := map[string]rehearsal.Type{
		"git": types.Git{Named: named}, "registry-image": types.RegistryImage{Host: w.registry.Host}, "registry-image-resource": types.RegistryImage{Host: w.registry.Host},
		"github-release": types.Release{GitHub: github}, "github-release-resource": types.Release{GitHub: github},
		"github-pr-resource": types.PullRequest{GitHub: github}, "time": w.clock, "slack-notification-resource": types.Slack{Mailbox: w.mailbox},
	}
	for image, folder := range w.programs {
		known[image] = rehearsal.Program{Dir: filepath.Join(folder, "opt", "resource")}
	}
	if own, ok := known[cachixPaths]; ok {
		known[cachixPaths] = beside{own, w.besides(name)}
	}
	types := map[string]rehearsal.Type{}
	for _, r := range p.Resources {
		if _, ok := types[r.Type]; ok {
			continue
		}
		image := imageOf(p, r.Type)
		switch typ, ok := known[image]; {
		case ok:
			types[r.Type] = typ
		case onlyPut(p, r.Type):
			types[r.Type] = w.mailbox
		default:
			return nil, fmt.Errorf("rehearse: %s:%d: nothing stands in for the resource type %s (%s)", p.File, r.Line, r.Type, image)
		}
	}
	return types, nil
}

// set makes a rehearsal of the pipeline in this world.
func (w *world) set(name string, p *pipeline.Pipeline, vars map[string]any, tools *tools.Folder) (*rehearsal.Rehearsal, error) {
	programs, err := w.types(name, p)
	if err != nil {
		return nil, err
	}
	scratch := filepath.Join(w.builds(), name)
	if err := os.Mkdir(scratch, 0o750); err != nil {
		return nil, fmt.Errorf("rehearse: two pipelines are called %s: %w", name, err)
	}
	return rehearsal.New(rehearsal.Options{
		Pipeline: p, Types: programs, Vars: vars, Dir: scratch, Name: name, Observer: w.show,
		StandIns: w.standIns, Local: w.local(p), Stamp: w.stamp,
		TaskPath:    tools.Path() + string(os.PathListSeparator) + os.Getenv("PATH"),
		TaskDoubles: map[string]rehearsal.TaskDouble{"build": types.OCIBuild{}},
	})
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
