package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/pipelines"
)

func TestPlays(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("plays the examples")
	}
	t.Run("a broken expectation ends the play", func(t *testing.T) {
		t.Parallel()
		playUntilItBreaks(t)
	})
	for _, example := range rehearsedExamples(t) {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			p := examplePlay(t, example)
			p.Page = filepath.Join(t.TempDir(), "play.html")
			var out bytes.Buffer
			require.NoError(t, p.Run(t.Context(), &out, false), "%s", &out)
			assert.Contains(t, out.String(), "Act 1 of ")
			assert.NotContains(t, out.String(), "\x1b", "no colours where there is no terminal")
			if slices.ContainsFunc(p.Pipelines, func(l world.Pipeline) bool { return l.Name == pipelines.Deployments }) {
				page, err := os.ReadFile(p.Page)
				require.NoError(t, err)
				assert.True(t, bytes.Contains(page, []byte("<title>Board of ")))
			}
		})
	}
}

// A user's own repository and pipeline: what is pending runs, and the
// repository itself is left as it is.
func TestRehearseACopy(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile("../examples/two-environments/cepler/cepler.yml")
	require.NoError(t, err)
	dir := t.TempDir()
	helm, called := filepath.Join(dir, "my helm"), filepath.Join(dir, "called")
	require.NoError(t, os.WriteFile(helm, []byte("#!/bin/sh\necho \"$@\" >>'"+called+"'\n"), 0o755))
	repository, err := gittest.Init(filepath.Join(dir, "own.git"))
	require.NoError(t, err)
	_, err = repository.Commit("main", "feat: the shop", map[string]string{
		"cepler/cepler.yml": string(config), "app/deploy.sh": "set -e\ncat ../app/shop.yml settings.yml\ntest -n \"$API_TOKEN\"\nhelm upgrade shop\n", "app/shop.yml": "shop\n",
		"staging/settings.yml": "staging\n", "production/settings.yml": "production\n",
	})
	require.NoError(t, err)
	before, err := repository.RevParse("main")
	require.NoError(t, err)
	vars := filepath.Join(t.TempDir(), "vars.yml")
	require.NoError(t, os.WriteFile(vars, []byte("api_token: x\nhooks: {deployments: \"http://none.example\"}\n"), 0o644))

	out, err := taxiway(t, "rehearse", "../examples/two-environments/deployments/want.yml", "--repository", repository.Dir, "--vars", vars, "--tool", "helm="+helm)
	require.NoError(t, err, out)
	text, err := os.ReadFile(called)
	require.NoError(t, err)
	assert.Equal(t, "upgrade shop\nupgrade shop\n", string(text), "the real program runs in both environments")
	assert.Contains(t, out, "deploy-staging #1")
	assert.Contains(t, out, "deploy-production #1")
	after, err := repository.RevParse("main")
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestRehearseSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	_, err := taxiway(t, "rehearse", "../examples/lana-bank/deployments/want.yml")
	require.ErrorContains(t, err, "--repository")
	file := filepath.Join(t.TempDir(), "s.yml")
	require.NoError(t, os.WriteFile(file, []byte("acts: []\n"), 0o644))
	_, err = taxiway(t, "rehearse", "../examples/lana-bank/deployments/want.yml", "--repository", ".", "--scenario", file)
	require.ErrorContains(t, err, "has no acts")
	_, err = taxiway(t, "rehearse", filepath.Join(t.TempDir(), "none.yml"), "--repository", ".")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// All programs that are missing are named before anything is built.
func TestRehearseNamesAllMissingPrograms(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.yml")
	task := "  - task: t\n    config: {platform: linux, image_resource: {type: registry-image, source: {repository: a/b, tag: 1.0.0}}, run: {path: no-such-make}}\n"
	require.NoError(t, os.WriteFile(file, []byte("jobs:\n- name: j\n  plan:\n"+task), 0o600))
	out, err := taxiway(t, "rehearse", file, "--repository", ".", "--tool", "helm=no-such-helm", "--tool", "tofu="+file)
	require.ErrorContains(t, err, "programs are missing on this machine:\n  no-such-helm, which is to run as helm\n  "+file+", which is to run as tofu\n"+
		"  no-such-make, which task t of job j in "+file+" runs (--tool no-such-make puts a stand-in in its place)")
	assert.NotContains(t, out, "images built")
}

// An expectation that does not hold ends the demo with its name.
func playUntilItBreaks(t *testing.T) {
	t.Helper()
	p, err := demoPlay()
	require.NoError(t, err)
	p.Module = "../.."                             // its programs are those of the images, as in "make demo"
	p.Pipelines = p.Pipelines[len(p.Pipelines)-1:] // the deployments alone
	p.Scenario = &scenario.Scenario{Acts: []scenario.Act{{
		Title: "Nothing new", Expect: scenario.Expect{Waits: map[string]string{"lana-bank/gcp-volcano-qa": "for the moon"}},
	}}}
	err = p.Run(t.Context(), io.Discard, false)
	broken := &scenario.BrokenError{}
	require.ErrorAs(t, err, &broken)
	assert.ErrorContains(t, err, `act 1 (Nothing new): not as expected: lana-bank/gcp-volcano-qa should wait with "for the moon", and says ""`)
}

// Two pipelines of two repositories, copied from the user's: each is named.
func TestRehearseTwoPipelines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files, flags []string
	for _, name := range []string{"one", "two"} {
		r, err := gittest.Init(filepath.Join(dir, name+".git"))
		require.NoError(t, err)
		_, err = r.Git("symbolic-ref", "HEAD", "refs/heads/trunk")
		require.NoError(t, err)
		_, err = r.Commit("trunk", "feat: first", map[string]string{"say": name + "\n"})
		require.NoError(t, err)
		file := filepath.Join(dir, name+".yml")
		require.NoError(t, os.WriteFile(file, []byte(`resources:
- name: repo
  type: git
  source: {uri: "git@github.com:acme/`+name+`.git", branch: trunk, private_key: ((key))}
jobs:
- name: say
  plan:
  - {get: repo, trigger: true}
  - task: say
    config:
      platform: linux
      image_resource: {type: registry-image, source: {repository: busybox, tag: 1.37.0}}
      inputs: [{name: repo}]
      run: {path: grep, args: [`+name+`, repo/say]}
`), 0o644))
		files, flags = append(files, file), append(flags, "--repository", name+"="+r.Dir)
	}
	out, err := taxiway(t, append(append([]string{"rehearse"}, files...), flags...)...)
	require.NoError(t, err, out)
	assert.Contains(t, out, "say #1 of one")
	assert.Contains(t, out, "say #1 of two")
	_, err = taxiway(t, append(append([]string{"rehearse"}, files...), flags[:2]...)...)
	require.ErrorContains(t, err, "the pipelines use the repository acme/two: name a clone of it with --repository two=PATH")
}

func newTypes(t *testing.T) map[string]pipeline.Schema {
	t.Helper()
	types := pipelines.OwnTypes()
	require.NotEmpty(t, types)
	return types
}

// Everything that has no value is named at once, with a file to fill in, before anything runs.
func TestRehearseNamesAllMissingValues(t *testing.T) {
	t.Parallel()
	_, err := taxiway(t, "rehearse", "../examples/two-environments/deployments/want.yml", "--repository", t.TempDir())
	require.Error(t, err)
	assert.Equal(t, "rehearse: these ((references)) have no value: api_token, hooks.deployments; give each a value that the tasks can work with in a file, and name the file with --vars:\n\n"+
		"api_token: rehearsed\nhooks:\n    deployments: rehearsed", err.Error())
}

func TestNamesOfPipelineFiles(t *testing.T) {
	t.Parallel()
	names := func(files ...string) []string {
		all, err := named(files)
		require.NoError(t, err)
		var names []string
		for _, p := range all {
			names = append(names, p.Name)
		}
		return names
	}
	assert.Equal(t, []string{"release", "charts"}, names("ci/release.yml", "ci/charts.yml"))
	assert.Equal(t, []string{"app", "charts", "x"}, names("app/pipeline.yml", "charts/pipeline.yml", "x/x.yml"))
	assert.Equal(t, []string{"release"}, names("examples/release/want.yml"))
	_, err := named([]string{"a/ci/pipeline.yml", "b/ci/pipeline.yml"})
	require.EqualError(t, err, "a/ci/pipeline.yml and b/ci/pipeline.yml would both be the pipeline ci; rename one of the files")
	template := "nix-cache=" + filepath.Join(examplesFolder, "lana-bank", "nix-cache", "values.yml")
	_, err = read([]string{template, template})
	require.EqualError(t, err, template+": nix-cache is given twice; render one of them to a file")
}

// What fails is said once, without colours where there is no terminal, in lines that fit.
func TestRehearseSaysEachFailureOnce(t *testing.T) {
	t.Parallel()
	w := newWard(t, "small-team")
	t.Cleanup(func() { _ = os.RemoveAll(w.dir) })
	w.sh("git -C deployments.git branch --quiet -D cepler-gates")
	vars := filepath.Join(w.dir, "vars.yml")
	require.NoError(t, os.WriteFile(vars, []byte("staging.kubeconfig: \"a: b\"\nstaging: {kubeconfig: \"a: b\"}\nproduction: {kubeconfig: \"a: b\"}\n"), 0o600))
	out, err := taxiway(t, "rehearse", filepath.Join(w.dir, "deployments.yml"), "--repository", filepath.Join(w.dir, "deployments.git"), "--vars", vars)
	require.ErrorContains(t, err, "rehearse: the check of ")
	assert.Equal(t, 1, strings.Count(strings.Join(strings.Fields(out), " "), "no such branch"), out)
	assert.Contains(t, out, "as that of ")
	assert.NotContains(t, out, "\x1b")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), defaultColumns+1, line)
	}
}
