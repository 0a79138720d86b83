package vendirbump_test

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
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

func TestMain(m *testing.M) {
	program := func() { concourse.Main(vendirbump.Resource{}, vendirbump.Sync()) }
	scripttest.Main(m, "vendir-bump", program, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

const missing = `{"commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "ref": "2f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"}`

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(vendirbump.Resource{}),
		Source: func(url string) string {
			return source(t, map[string]string{"uri": url + "/deployments.git", "username": "robot", "password": "s3cr3t-p4ssw0rd"})
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd"},
		Version:   missing,
		PutParams: `{"repository": "charts"}`,
		Artifacts: artifact(t),
		Offline:   []string{"check"},
		Live: func(t *testing.T) (string, string) {
			t.Helper()
			server, err := gittest.New(gittest.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { _ = server.Close() })
			repo, err := server.Create("deployments")
			require.NoError(t, err)
			_, err = repo.Commit("main", "init", map[string]string{"a": "1\n"})
			require.NoError(t, err)
			return source(t, map[string]string{"uri": repo.URL()}), missing
		},
	})
}

func source(t *testing.T, keys map[string]string) string {
	t.Helper()
	keys["branch"], keys["directory"] = "main", "vendor/bank"
	data, err := json.Marshal(keys)
	require.NoError(t, err)
	return string(data)
}

// artifact is a small repository, file by file.
func artifact(t *testing.T) map[string]string {
	t.Helper()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "charts"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	_, err = repo.Commit("main", "init", map[string]string{"chart/values.yaml": "1\n"})
	require.NoError(t, err)
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(repo.Dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		rel, _ := filepath.Rel(repo.Dir, p)
		files["charts/"+filepath.ToSlash(rel)] = string(content)
		return err
	}))
	return files
}
