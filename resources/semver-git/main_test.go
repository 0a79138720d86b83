package semvergit_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "semver-git", func() { concourse.Main(semvergit.Resource{}) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

const nowhere = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(semvergit.Resource{}),
		Source: func(url string) string {
			data, err := json.Marshal(map[string]string{"uri": url + "/code.git", "branch": "version", "file": "version", "username": "robot", "password": "s3cr3t-p4ssw0rd"})
			require.NoError(t, err)
			return string(data)
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd"},
		Version:   `{"number": "1.2.3", "commit": "` + nowhere + `"}`,
		GetParams: `{"bump": "minor"}`,
		PutParams: `{"file": "got/version"}`,
		Artifacts: map[string]string{"got/version": "1.2.3\n"},
		Live:      live,
	})
}

// live is a repository with a version.
func live(t *testing.T) (source, missing string) {
	t.Helper()
	_, repo := serve(t, gittest.Options{})
	_, err := repo.Commit("version", "init", map[string]string{"version": "1.2.3\n"})
	require.NoError(t, err)
	data, err := json.Marshal(map[string]string{"uri": repo.URL(), "branch": "version", "file": "version"})
	require.NoError(t, err)
	return string(data), `{"number": "1.2.3", "commit": "` + nowhere + `"}`
}

// serve starts a server with one repository.
func serve(tb testing.TB, o gittest.Options) (*gittest.Server, *gittest.Repository) {
	tb.Helper()
	server, err := gittest.New(o)
	if errors.Is(err, gittest.ErrNoGit) || errors.Is(err, gittest.ErrNoSSHD) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("code")
	require.NoError(tb, err)
	return server, repo
}
