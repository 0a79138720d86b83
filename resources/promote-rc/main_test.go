package promoterc_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "promote-rc", func() { concourse.Main(promoterc.Resource{}) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(promoterc.Resource{}),
		Source: func(url string) string {
			return source(t, map[string]any{
				"uri": url + "/team/code.git", "branch": "main", "username": "robot", "password": "s3cr3t-p4ssw0rd",
				"github": map[string]any{"repository": "team/code", "api_url": url, "access_token": "ghp_s3cr3t-t0k3n"},
			})
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd", "ghp_s3cr3t-t0k3n"},
		Version:   `{"pr": "1", "version": "0.42.0", "commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"}`,
		PutParams: `{"version_file": "got/version", "repository": "repo"}`,
		Artifacts: artifacts(t),
		Live:      live,
	})
}

func source(t *testing.T, s map[string]any) string {
	t.Helper()
	data, err := json.Marshal(s)
	require.NoError(t, err)
	return string(data)
}

// artifacts are a version and a repository with one commit.
func artifacts(t *testing.T) map[string]string {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	repo, err := server.Create("code")
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: everything", map[string]string{"a": "1\n"})
	require.NoError(t, err)
	files := map[string]string{"got/version": "0.42.0-rc.1\n"}
	require.NoError(t, filepath.WalkDir(repo.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(repo.Dir, path)
		files["repo/"+filepath.ToSlash(below)] = string(data)
		return err
	}))
	return files
}

// live is a repository whose first release a person merged.
func live(t *testing.T) (src, missing string) {
	t.Helper()
	w := newWorld(t)
	w.release("0.42.0", "squash")
	return source(t, map[string]any{
		"uri": w.src.URI, "branch": "main",
		"github": map[string]any{"repository": "team/code", "api_url": w.server.APIURL(), "access_token": token},
	}), `{"pr": "1", "version": "0.42.0", "commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"}`
}
