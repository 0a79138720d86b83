package board_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// fleet is a deployments repository with many environments: chains of staging, qa, preprod and production in
// many regions, which all run one chart, and much that no environment looks at.
type fleet struct {
	t      testing.TB
	repo   *gittest.Repository
	random *rand.Rand

	regions, commits int
	count            int
	blobs            map[string]string        // by path
	from             map[string]cepler.File   // by path: who changed it last, in commits that have a hash
	states           map[string]*cepler.State // by environment
	newest           *gittest.Commit          // that changed a module
}

const fleetDeployment = "bank"

func stages() []string { return []string{"staging", "qa", "preprod", "production"} }

// newFleet writes a repository with 4 environments in each of so many regions, and so many commits.
func newFleet(tb testing.TB, regions, commits int) *fleet {
	tb.Helper()
	repo, err := gittest.Init(filepath.Join(tb.TempDir(), "deployments.git"))
	require.NoError(tb, err)
	f := &fleet{
		t: tb, repo: repo, random: rand.New(rand.NewPCG(1, 2)), regions: regions, commits: commits,
		blobs: map[string]string{}, from: map[string]cepler.File{}, states: map[string]*cepler.State{},
	}
	f.write()
	return f
}

func (f *fleet) environments() []string {
	var all []string
	for region := range f.regions {
		for _, stage := range stages() {
			all = append(all, fmt.Sprintf("r%02d-%s", region, stage))
		}
	}
	return all
}

func (f *fleet) config() string {
	var y strings.Builder
	fmt.Fprintf(&y, "deployment: %s\nenvironments:\n", fleetDeployment)
	for n, env := range f.environments() {
		fmt.Fprintf(&y, "  %s:\n    latest:\n    - envs/%s/*\n", env, env)
		if n%len(stages()) == 0 {
			y.WriteString("    - modules/bank/**\n")
			continue
		}
		fmt.Fprintf(&y, "    passed: %s\n    propagated:\n    - modules/bank/**\n", f.environments()[n-1])
	}
	return y.String()
}

// modules are the paths that are propagated.
func modules() []string {
	all := []string{"modules/bank/Chart.yaml", "modules/bank/values.yaml"}
	for n := range 58 {
		all = append(all, fmt.Sprintf("modules/bank/templates/t%02d.yaml", n))
	}
	return all
}

func (f *fleet) content(p string) string {
	n := f.random.Uint64()
	switch p {
	case "modules/bank/Chart.yaml":
		return fmt.Sprintf("name: bank\nversion: 0.%d.0\nappVersion: 1.%d.0\n", n%90, n%90)
	case "modules/bank/values.yaml":
		digest := func() string { return fmt.Sprintf("%016x%016x%016x%016x", n, n+1, n+2, n+3) }
		return fmt.Sprintf("bank:\n  image:\n    repository: registry.example/acme/bank\n    digest: sha256:%s # METADATA:: repository=https://github.com/acme/bank;commit_ref=%07x;app=bank;\n", digest(), n%(1<<28))
	}
	return fmt.Sprintf("# %s\nvalue: %d\n%s", p, n, strings.Repeat("line: of a file that has some size\n", 20))
}

// roundLength is how many commits get their hashes together. Records name commits of the rounds before.
const roundLength = 500

func (f *fleet) write() {
	i := f.repo.Continue("main")
	first := i.Commit("main", "chore: first").Write("cepler.yml", f.config()).Write("README.md", "deployments\n")
	f.count++
	changed := map[string]*gittest.Commit{}
	for _, p := range modules() {
		f.change(first, p, changed)
	}
	for _, env := range f.environments() {
		for n := range 5 {
			f.change(first, fmt.Sprintf("envs/%s/f%d.tf", env, n), changed)
		}
	}
	for n := range 2000 {
		f.change(first, fmt.Sprintf("other/m%d/f%d.tf", n%40, n), changed)
	}
	f.done(i, changed)
	for f.count < f.commits {
		f.round()
	}
}

func (f *fleet) change(c *gittest.Commit, p string, changed map[string]*gittest.Commit) {
	text := f.content(p)
	c.Write(p, text)
	hash, err := git.HashBlob(strings.NewReader(text), int64(len(text)))
	require.NoError(f.t, err)
	f.blobs[p] = hash.String()
	changed[p] = c
	if strings.HasPrefix(p, "modules/") {
		f.newest = c
	}
}

func (f *fleet) done(i *gittest.Import, changed map[string]*gittest.Commit) {
	require.NoError(f.t, i.Done())
	for p, c := range changed {
		f.from[p] = cepler.File{Hash: f.blobs[p], From: c.Hash(), Message: "feat: change"}
	}
}

// round first records every environment, an old one never again, and then changes files.
func (f *fleet) round() {
	i := f.repo.Continue("main")
	changed := map[string]*gittest.Commit{}
	end := min(f.count+roundLength, f.commits)
	for n, env := range f.environments() {
		if f.count >= end-1 || f.states[env] != nil && n%40 < 4 {
			continue // the first region, and every tenth after it, was deployed once
		}
		f.record(i, env, n)
	}
	for f.count < end {
		c := i.Commit("main", fmt.Sprintf("chore: change %d", f.count))
		f.count++
		if f.count%100 == 0 {
			f.change(c, modules()[f.random.IntN(60)], changed)
			continue
		}
		n := f.random.IntN(2000)
		f.change(c, fmt.Sprintf("other/m%d/f%d.tf", n%40, n), changed)
	}
	f.done(i, changed)
}

func (f *fleet) record(i *gittest.Import, env string, n int) {
	next := cepler.Snapshot{Files: map[string]cepler.File{}}
	passed := ""
	if n%len(stages()) != 0 {
		passed = f.environments()[n-1]
		for key, file := range f.states[passed].Current.Files {
			if _, p := cepler.SplitKey(key); strings.HasPrefix(p, "modules/") {
				next.Files[cepler.PropagatedKey(passed, p)] = file
			}
		}
		next.PropagatedHead = f.states[passed].Current.Head
	}
	for p, file := range f.from {
		if strings.HasPrefix(p, "envs/"+env+"/") || passed == "" && strings.HasPrefix(p, "modules/") {
			next.Files[cepler.LatestKey(p)] = file
		}
	}
	next.Head = f.newest.Hash()
	f.states[env] = f.states[env].Record(cepler.Environment{Name: env, Passed: passed}, next, nil)
	message := fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'\n\nBuild: https://ci.example/builds/%d\n", fleetDeployment, env, f.count)
	i.Commit("main", message).By("Cepler <bot@cepler.io>").Write(".cepler/"+fleetDeployment+"/"+env+".state", string(f.states[env].Marshal()))
	f.count++
}
