package lineage_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

const config = `deployment: shop
environments:
  staging:
    latest: [app/**, staging/*]
  production:
    passed: staging
    propagated: [app/**]
    latest: [production/*]
`

// recorded is a state that runs the given change of app/a.yml.
func recorded(version, head, from, message string) string {
	return "---\nversion: " + version + "\ncurrent:\n  head_commit: " + head + "\n  files:\n" +
		"    \"{latest}/app/a.yml\":\n      file_hash: 5626abf0f72e58d7a153368ba57db4c673c0e171\n      from_commit: " + from + "\n      message: \"" + message + "\"\n\n"
}

func repository(t *testing.T) *gittest.Repository {
	t.Helper()
	r, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	require.NoError(t, err)
	return r
}

func reader(t *testing.T, r *gittest.Repository) *lineage.Reader {
	t.Helper()
	reader := lineage.New(lineage.Options{Deployments: r.Dir})
	t.Cleanup(func() { assert.NoError(t, reader.Close()) })
	return reader
}

func source(environment string) deployments.Source {
	return deployments.Source{Access: git.Access{URI: "http://127.0.0.1:1/never", Branch: "main"}, Config: "cepler.yml", Environment: environment}
}

func TestNothingYet(t *testing.T) {
	t.Parallel()
	r := repository(t)
	first, err := r.Commit("main", "feat: first", map[string]string{"cepler.yml": config, "app/a.yml": "one\n"})
	require.NoError(t, err)
	rows, _, err := reader(t, r).Read(t.Context(), []deployments.Source{source("staging"), source("production")}, time.Now())
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, "shop/staging", rows[0].Key())
	assert.Zero(t, rows[0].Version)
	require.NotNil(t, rows[0].Pending)
	assert.Empty(t, rows[0].Waits)
	assert.Equal(t, first, rows[0].Pending.Trigger)
	assert.Equal(t, "feat: first", rows[0].Pending.Subject)
	assert.Equal(t, []string{"staging has not been deployed yet"}, rows[1].Waits)
}

func TestWhatRuns(t *testing.T) {
	t.Parallel()
	r := repository(t)
	change, err := r.Commit("main", "feat: one", map[string]string{"cepler.yml": config, "app/a.yml": "one\n"})
	require.NoError(t, err)
	other, err := r.Commit("main", "chore: elsewhere", map[string]string{"README.md": "x"})
	require.NoError(t, err)
	_, err = r.Commit("main", "ci(cepler)", map[string]string{".cepler/shop/staging.state": recorded("4", other, change, "feat: one")})
	require.NoError(t, err)
	reader := reader(t, r)
	row, err := reader.Recorded(t.Context(), source("staging"))
	require.NoError(t, err)
	assert.EqualValues(t, 4, row.Version)
	assert.Equal(t, other, row.Trigger.Hash)
	assert.Equal(t, change, row.Change.Hash)
	assert.Equal(t, "feat: one", row.Change.Subject)
	assert.Equal(t, 2020, row.Since.Year(), "the time of the commit that recorded it")
	require.NoError(t, reader.Next(t.Context(), &row, source("staging"), time.Now()))
	assert.Nil(t, row.Pending)
	assert.Empty(t, row.Waits)
	key, err := reader.Key(t.Context(), source("production"))
	require.NoError(t, err)
	assert.Equal(t, "shop/production", key)
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := repository(t)
	_, err := r.Commit("main", "feat: one", map[string]string{"cepler.yml": config, ".cepler/shop/staging.state": "version: many\n"})
	require.NoError(t, err)
	rows, _, err := reader(t, r).Read(t.Context(), []deployments.Source{source("staging")}, time.Now())
	require.NoError(t, err)
	require.Len(t, rows[0].Broken, 1)
	assert.Equal(t, lineage.LinkRecord, rows[0].Broken[0].Link)
	assert.Contains(t, rows[0].Broken[0].Why, "staging.state:1: version")
	none := source("staging")
	none.Config = "none.yml"
	_, err = reader(t, r).Key(t.Context(), none)
	require.ErrorContains(t, err, "none.yml")
}
