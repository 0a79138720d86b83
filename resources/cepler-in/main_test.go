package ceplerin_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "cepler-in", func() { concourse.Main(ceplerin.Resource{}, ceplerin.Explain()) }, nil)
}

func TestScripts(t *testing.T) {
	read := func(ctx context.Context, p concourse.Process) int { return concourse.Run(ctx, p, ceplerin.Resource{}) }
	put := func(ctx context.Context, p concourse.Process) int { return concourse.Run(ctx, p, ceplerout.Resource{}) }
	scripttest.Run(t, "testdata/script", scripttest.Steps(read, put))
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(ceplerin.Resource{}),
		Source: func(url string) string {
			data, err := json.Marshal(map[string]string{"uri": url + "/deployments.git", "branch": "main", "environment": "tf", "username": "robot", "password": "s3cr3t-p4ssw0rd"})
			require.NoError(t, err)
			return string(data)
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd"},
		Version:   `{"trigger": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "version": "3"}`,
		GetParams: `{"prepare": true}`,
		Offline:   []string{"out"},
		Live:      live,
	})
}

// served makes a repository on a server that counts its requests.
func served(t *testing.T) (*gittest.Server, *gittest.Repository) {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("deployments")
	require.NoError(t, err)
	return server, repo
}

// live is a repository with one environment to deploy.
func live(t *testing.T) (source, missing string) {
	t.Helper()
	_, repo := served(t)
	_, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments: {tf: {latest: [a]}}\n", "a": "1\n"})
	require.NoError(t, err)
	data, err := json.Marshal(map[string]string{"uri": repo.URL(), "branch": "main", "environment": "tf"})
	require.NoError(t, err)
	return string(data), `{"trigger": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "version": "3"}`
}
