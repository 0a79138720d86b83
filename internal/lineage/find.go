package lineage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Question says what to look at.
type Question struct {
	// Branch is the one that is deployed from; "": main, or else master.
	Branch string
	// Configs are the cepler configs in the repository; none: those that are found.
	Configs []string
	// GatesBranch and GatesFile say where the gates are. {deployment} stands for
	// the deployment's name. "" are cepler-gates and {deployment}.yml, where they
	// are there.
	GatesBranch, GatesFile string
	// Environments are the names, or "deployment/name", of those to look at;
	// none: all.
	Environments []string
	// Now is the moment to decide waiting for.
	Now time.Time
}

// The branch and the file of the gates if nobody says where they are.
const (
	GatesBranch = "cepler-gates"
	GatesFile   = "{deployment}.yml"
)

const ceplerFile = "cepler.yml"

// Trace answers a question about the whole repository.
func (r *Reader) Trace(ctx context.Context, q Question) (*Trace, error) {
	sources, notes, err := r.Sources(ctx, q)
	if err != nil {
		return nil, err
	}
	out, err := r.TraceOf(ctx, sources, q.Now)
	if err != nil {
		return nil, err
	}
	out.NotAsked = append(notes, out.NotAsked...)
	return out, nil
}

// Sources finds the environments that a question is about, and returns what a pipeline would say of each. The notes say what was
// not found.
func (r *Reader) Sources(ctx context.Context, q Question) (sources []deployments.Source, notes []string, err error) {
	if err := r.open(); err != nil {
		return nil, nil, err
	}
	branch, head, err := r.branch(ctx, q.Branch)
	if err != nil {
		return nil, nil, err
	}
	configs, err := r.configs(ctx, head, q.Configs, &notes)
	if err != nil {
		return nil, nil, err
	}
	r.tellApart(configs)
	notes = append(notes, sharedStates(configs)...)
	known := map[string]bool{}
	for _, config := range configs {
		src := deployments.Source{Access: git.Access{URI: r.options.Deployments, Branch: branch}, Config: config.Path}
		if err := r.gates(ctx, &src, config, q, &notes); err != nil {
			return nil, nil, err
		}
		for _, name := range config.InOrder() {
			key := Environment{Deployment: r.Deployment(config), Name: name}.Key()
			known[key] = true
			if len(q.Environments) > 0 && !slices.Contains(q.Environments, name) && !slices.Contains(q.Environments, key) {
				continue
			}
			src.Environment = name
			sources = append(sources, src)
		}
	}
	if len(sources) == 0 {
		return nil, nil, fmt.Errorf("there is no environment %s; there are: %s", strings.Join(q.Environments, ", "), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return sources, notes, nil
}

// sharedStates are the environments whose state two configs keep in one file.
func sharedStates(configs []*cepler.Config) (notes []string) {
	keeper := map[string]string{}
	for _, config := range configs {
		for _, name := range config.InOrder() {
			at := config.StatePath(name)
			if other, ok := keeper[at]; ok {
				notes = append(notes, fmt.Sprintf("%s and %s both keep the state of %s in %s, so that what each of them shows may be the other's: give one of the configs another deployment name", other, config.Path, name, at))
			}
			keeper[at] = config.Path
		}
	}
	return notes
}

// TraceOf answers for the environments of these sources, which are of one
// repository and branch, each after the one that it must pass.
func (r *Reader) TraceOf(ctx context.Context, sources []deployments.Source, now time.Time) (*Trace, error) {
	if len(sources) == 0 {
		return nil, fmt.Errorf("there is no environment to look at in %s", r.options.Deployments)
	}
	head, err := r.head(ctx, sources[0].Branch)
	if err != nil {
		return nil, err
	}
	rows, looks, err := r.Read(ctx, sources, now)
	if err != nil {
		return nil, err
	}
	return &Trace{
		Repository: r.options.Deployments, Branch: sources[0].Branch, Head: CommitOf(head), At: now.UTC(),
		Environments: inOrder(rows), NotAsked: r.NotAsked(), Looks: looks,
	}, nil
}

// inOrder puts each environment after the one that it must pass, where that is
// there, and keeps the order otherwise.
func inOrder(rows []Environment) []Environment {
	ordered := make([]Environment, 0, len(rows))
	placed := map[string]bool{}
	var place func(key string)
	place = func(key string) {
		i := slices.IndexFunc(rows, func(e Environment) bool { return e.Key() == key })
		if i < 0 || placed[key] {
			return
		}
		placed[key] = true
		place(Environment{Deployment: rows[i].Deployment, Name: rows[i].Passed}.Key())
		ordered = append(ordered, rows[i])
	}
	for _, e := range rows {
		place(e.Key())
	}
	return ordered
}

// branch is the branch to read, and its newest commit.
func (r *Reader) branch(ctx context.Context, wanted string) (name string, tip *git.Commit, err error) {
	if wanted != "" {
		head, err := r.head(ctx, wanted)
		return wanted, head, err
	}
	for _, name := range []string{"main", "master"} {
		head, err := r.head(ctx, name)
		if err == nil {
			return name, head, nil
		}
		if !errors.Is(err, git.ErrNoBranch) {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("%s has neither a branch main nor master: name the branch that is deployed from", r.options.Deployments)
}

// configs are the named ones, or those that are found: cepler.yml, what is in a
// folder called cepler, and what stands beside a folder of state files.
func (r *Reader) configs(ctx context.Context, head *git.Commit, named []string, notes *[]string) ([]*cepler.Config, error) {
	candidates, states, err := r.ceplerFiles(ctx, head)
	if err != nil {
		return nil, err
	}
	if len(named) > 0 {
		candidates = named
	}
	var found []*cepler.Config
	for _, p := range candidates {
		text, err := r.file(ctx, head, p)
		if err != nil {
			return nil, err
		}
		config, err := cepler.ParseConfig(p, text)
		if err == nil {
			err = config.Mistakes()
		}
		switch {
		case err == nil:
			found = append(found, config)
			delete(states, config.StateDir())
		case len(named) > 0 || path.Base(p) == ceplerFile:
			return nil, err
		default:
			*notes = append(*notes, fmt.Sprintf("%s is not a cepler config: %v", p, err))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no cepler config on its branch at %.7s: name it with its path in the repository", r.options.Deployments, head.Hash)
	}
	if len(named) == 0 {
		for _, dir := range slices.Sorted(maps.Keys(states)) {
			*notes = append(*notes, fmt.Sprintf("the state files in %s belong to no cepler config that is there", dir))
		}
	}
	slices.SortFunc(found, func(a, b *cepler.Config) int { return strings.Compare(a.Deployment, b.Deployment) })
	return found, nil
}

// ceplerFiles are the files that may be configs, and the folders with states.
func (r *Reader) ceplerFiles(ctx context.Context, head *git.Commit) (candidates []string, states map[string]bool, err error) {
	states = map[string]bool{}
	beside := map[string]bool{}
	var yamls []string
	err = r.store.Walk(ctx, head.Tree, func(string) bool { return true }, func(p string, _ git.Entry) error {
		if before, _, ok := strings.Cut("/"+p, "/.cepler/"); ok && path.Ext(p) == ".state" {
			states[path.Dir(p)] = true
			beside[path.Clean("."+before)] = true
		}
		if ext := path.Ext(p); ext == ".yml" || ext == ".yaml" {
			yamls = append(yamls, p)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list the files at %.7s: %w", head.Hash, err)
	}
	for _, p := range yamls {
		dir := path.Dir(p)
		if path.Base(p) == ceplerFile || path.Base(dir) == "cepler" || beside[dir] && dir != "." {
			candidates = append(candidates, p)
		}
	}
	return candidates, states, nil
}

// gates tells the source where its gates are.
func (r *Reader) gates(ctx context.Context, src *deployments.Source, config *cepler.Config, q Question, notes *[]string) error {
	branch, file := cmp.Or(q.GatesBranch, GatesBranch), strings.ReplaceAll(cmp.Or(q.GatesFile, GatesFile), "{deployment}", config.Deployment)
	asked := q.GatesBranch != "" || q.GatesFile != ""
	head, err := r.tip(ctx, branch, deployments.FetchedBranch)
	if errors.Is(err, git.ErrNoBranch) && !asked {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.file(ctx, head, file)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		*notes = append(*notes, fmt.Sprintf("branch %s has no %s: whether gates hold %s back is not known; name the file with --gates-file", branch, file, config.Deployment))
		return nil
	}
	if err != nil {
		return err
	}
	src.GatesBranch, src.GatesFile = branch, file
	return nil
}

// NoLabels is the note of a reader without a Labeller.
const NoLabels = "registries were not asked about the labels of images"

// NotAsked says which repositories and registries were not looked at so far.
func (r *Reader) NotAsked() []string {
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(r.missing)) {
		notes = append(notes, fmt.Sprintf("repository %s was not looked at: give a clone or its address to see subjects, and whether the commits and releases are there", name))
	}
	if r.unasked {
		notes = append(notes, NoLabels)
	}
	return notes
}
