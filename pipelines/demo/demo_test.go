package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/pipelines/demo"
)

// configs are those of the example that the demo plays.
func configs(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "examples", "lana-bank", "cepler", "*.yml"))
	require.NoError(t, err)
	require.Len(t, found, 3)
	all := map[string]string{}
	for _, f := range found {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		all["cepler/"+filepath.Base(f)] = string(text)
	}
	return all
}

func write(t *testing.T) (repository *gittest.Repository, known map[string]string) {
	t.Helper()
	var r demo.Repositories
	for name, into := range map[string]**gittest.Repository{"app": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
		one, err := gittest.Init(filepath.Join(t.TempDir(), name+".git"))
		require.NoError(t, err)
		*into = one
	}
	known, err := demo.Write(context.WithoutCancel(t.Context()), r, configs(t))
	require.NoError(t, err)
	return r.Deployments, known
}

func TestTheHistory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes a repository of 300 commits")
	}
	repository, known := write(t)
	require.NoError(t, repository.Fsck())
	hashes, err := repository.Log("%H", "main")
	require.NoError(t, err)
	assert.Len(t, hashes, 300)
	assert.Contains(t, hashes, known[demo.Before])
	files, err := repository.Files("main")
	require.NoError(t, err)
	assert.InDelta(t, 500, len(files), 25)
	assert.Contains(t, files, "100755 modules/lana-bank/smoketest.sh")
	states := 0
	for _, f := range files {
		if strings.HasSuffix(f, ".state") {
			states++
		}
	}
	assert.Equal(t, 8, states, "every environment is recorded")

	again, _ := write(t)
	tip, err := again.RevParse("refs/heads/main")
	require.NoError(t, err)
	assert.Equal(t, hashes[0], tip, "the same configs give the same commits")
}

func TestTheScenarioCanBeRead(t *testing.T) {
	t.Parallel()
	s, err := demo.Scenario()
	require.NoError(t, err)
	assert.NotEmpty(t, s.About)
	for _, a := range s.Acts {
		assert.NotEmpty(t, a.Shows, a.Title)
	}
	vars, err := demo.Vars()
	require.NoError(t, err)
	assert.Contains(t, vars, "kubeconfig/gcp-galoy-staging")
}
