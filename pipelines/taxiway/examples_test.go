package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/pipelines"
)

// exampleVars has a value for each reference of a task in the examples.
func exampleVars() map[string]any {
	return map[string]any{
		"staging.kubeconfig": "kind: Config", "staging": map[string]any{"kubeconfig": "kind: Config"}, "qa": map[string]any{"kubeconfig": "kind: Config"}, "production": map[string]any{"kubeconfig": "kind: Config"},
		"testflight": map[string]any{"kubeconfig": "kind: Config"}, "gcp": map[string]any{"credentials": "{}"},
		"azure": map[string]any{"client_id": "none", "client_secret": "none", "subscription_id": "none", "tenant_id": "none"},
		"hooks": map[string]any{"builds": "http://none.example", "deployments": "http://none.example"},
	}
}

// exampleTools are stand-ins for what the examples' images have.
func exampleTools() map[string]string {
	return map[string]string{"go": `while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo program >"$2"; fi; shift; done`}
}

// branchFiles is a branch of a repository of a world, and what is in it.
type branchFiles struct {
	repository, branch string
	files              map[string]string
}

// archived reads a world: the branches in the order in which they first occur,
// and the cepler configs and values of the example beside the deployments' files.
func archived(t *testing.T, example string) []*branchFiles {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "rehearsals", example+".txtar"))
	require.NoError(t, err)
	var all []*branchFiles
	at := func(repository, branch string) *branchFiles {
		i := slices.IndexFunc(all, func(b *branchFiles) bool { return b.repository == repository && b.branch == branch })
		if i < 0 {
			all, i = append(all, &branchFiles{repository, branch, map[string]string{}}), len(all)
		}
		return all[i]
	}
	for _, f := range archive.Files {
		parts := strings.SplitN(f.Name, "/", 3)
		require.Len(t, parts, 3, f.Name)
		at(parts[0], parts[1]).files[parts[2]] = string(f.Data)
	}
	configs, err := filepath.Glob(filepath.Join(examplesFolder, example, "cepler", "*.yml"))
	require.NoError(t, err)
	for _, config := range configs {
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		at("deployments", "main").files["cepler/"+filepath.Base(config)] = string(text)
	}
	if text, err := os.ReadFile(filepath.Join(examplesFolder, example, pipelines.Deployments, "values.yml")); err == nil {
		at("deployments", "main").files["ci/deployments.values.yml"] = string(text)
	}
	return all
}

// filled writes the branches into the world's repositories.
func filled(branches []*branchFiles) func(context.Context, *world.World) (map[string]string, error) {
	return func(_ context.Context, w *world.World) (map[string]string, error) {
		repositories := map[string]*gittest.Repository{}
		for name, r := range w.Repositories() {
			repositories[filepath.Base(name)] = r
		}
		return map[string]string{}, writeBranches(branches, repositories)
	}
}

// writeBranches writes the branches into repositories by their names.
func writeBranches(branches []*branchFiles, repositories map[string]*gittest.Repository) error {
	at := time.Now().Add(-time.Hour)
	var tips []string
	for _, b := range branches {
		batch := repositories[b.repository].Import()
		c := batch.Commit(b.branch, "chore: begin").At(at)
		for _, path := range slices.Sorted(maps.Keys(b.files)) {
			text := strings.NewReplacer(tips...).Replace(b.files[path])
			if strings.HasPrefix(text, "#!") {
				c.Exec(path, text)
			} else {
				c.Write(path, text)
			}
		}
		if version := b.files["version"]; b.branch == "version" {
			main, err := repositories[b.repository].RevParse("main")
			if err != nil {
				return err
			}
			if err := repositories[b.repository].UpdateRef("refs/tags/"+strings.TrimSpace(version), main); err != nil {
				return err
			}
		}
		if err := batch.Done(); err != nil {
			return err
		}
		if b.branch == "main" {
			tips = append(tips, "${"+b.repository+"}", c.Hash())
		}
	}
	return nil
}

func examplePlay(t *testing.T, example string) world.Play {
	t.Helper()
	p, err := newPlay()
	require.NoError(t, err)
	p.Vars, p.Tools, p.Acts, p.Fill = exampleVars(), []string{"make", "go"}, exampleTools(), filled(archived(t, example))
	for _, template := range []string{"release", "charts", pipelines.Deployments} {
		file := filepath.Join(examplesFolder, example, template, pipelines.WantFile)
		if _, err := os.Stat(file); err == nil {
			p.Pipelines = append(p.Pipelines, world.Pipeline{Name: template, File: file})
		}
	}
	file := filepath.Join("testdata", "rehearsals", example+".yml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	p.Scenario, err = scenario.Parse(file, text)
	require.NoError(t, err)
	return p
}

// rehearsedExamples are those with a scenario of their own: their pipelines do
// in a world of their own what they are for. The example lana-bank is the demo.
func rehearsedExamples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", "rehearsals", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for i, f := range found {
		found[i] = strings.TrimSuffix(filepath.Base(f), ".txtar")
	}
	return found
}
