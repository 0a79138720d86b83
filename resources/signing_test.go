package resources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// Every type that commits puts into a repository that requires signatures if it has a signing_key, and is refused without.
func TestProtectedBranchesTakeThePuts(t *testing.T) {
	const address, passphrase = "robot@example.com", "open sesame"
	repo, hub, dir := monorepo(t)
	first, err := repo.RevParse("main")
	require.NoError(t, err)
	_, err = repo.Commit("gates", "gates", map[string]string{"gates.yml": "staging: " + first + "\n"})
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: environments", map[string]string{"cepler.yml": "environments: {staging: {latest: ['charts/**/*']}, dev: {latest: ['charts/**/*']}}\n"})
	require.NoError(t, err)
	pgp, err := gittest.NewOpenPGPKey("rsa", address, passphrase, time.Now().Add(-time.Hour), 0)
	require.NoError(t, err)
	ssh, err := gittest.NewKey("ed25519", passphrase)
	require.NoError(t, err)
	if err = repo.RequireSignatures(address, pgp, ssh); errors.Is(err, gittest.ErrNoVerifier) {
		t.Skip(err)
	}
	require.NoError(t, err)

	source := object{"uri": repo.URL(), "branch": "main"}
	run := func(verb string, put func(*testing.T, concourse.Process) int, request object, folder ...string) (status int, stdout, stderr string) {
		stdin, err := json.Marshal(request)
		require.NoError(t, err)
		var out, said bytes.Buffer
		status = put(t, concourse.Process{Args: append([]string{verb}, folder...), Stdin: bytes.NewReader(stdin), Stdout: &out, Stderr: &said, Env: []string{"NO_COLOR=1", "BUILD_CREATED_BY=ana"}})
		return status, out.String(), said.String()
	}
	of := with(source, object{"environment": "dev"}, "")
	_, versions, _ := run("check", putTo(ceplerin.Resource{}), object{"source": of})
	var found []object
	require.NoError(t, json.Unmarshal([]byte(versions), &found), versions)
	status, _, said := run("in", putTo(ceplerin.Resource{}), object{"source": of, "version": found[0]}, filepath.Join(dir, "dev"))
	require.Zero(t, status, said)

	all := map[string]putter{
		"semver-git":   {putTo(semvergit.Resource{}), object{"branch": "version", "file": "version"}, object{"bump": "minor", "repository": "repo", "tag": true}},
		"cepler-out":   {putTo(ceplerout.Resource{}), object{"environment": "dev"}, object{"repository": "dev"}},
		"cepler-gate":  {putTo(ceplergate.Resource{}), object{"environment": "staging", "gates_branch": "gates", "gates_file": "gates.yml"}, object{"open": true}},
		"cepler-board": {putTo(ceplerboard.Resource{}), object{}, object{}},
	}
	for name, b := range botsOf() {
		b.source["github"] = object{"repository": "acme/mono", "api_url": hub.APIURL(), "access_token": hubToken}
		b.source["bot_branch"] = name
		all[map[string]string{"bot-chart": "chart-bump", "bot-promote": "promote-rc", "bot-vendir": "vendir-bump"}[name]] = b.putter
	}
	assert.Equal(t, slices.Sorted(maps.Keys(all)), thatCommit(t))

	for i, name := range slices.Sorted(maps.Keys(all)) {
		b := all[name]
		key := []gittest.Key{pgp, ssh}[i%2].Private
		request := func(more object) object {
			return object{"source": with(with(source, b.source, ""), more, ""), "params": b.params}
		}
		status, out, said := run("out", b.run, request(object{"git_user": "Robot <" + address + ">"}), dir)
		assert.Equal(t, 1, status, name)
		assert.Empty(t, out, name)
		assert.Contains(t, said, "is not signed by a key that is known here", name)

		status, out, said = run("out", b.run, request(object{"git_user": "Robot <" + address + ">", "signing_key": key, "signing_key_passphrase": "xyzzy"}), dir)
		assert.Equal(t, 1, status, name)
		assert.Empty(t, out, name)
		assert.Contains(t, said, "source: signing_key_passphrase: it does not fit the signing_key", name)
		assert.NotContains(t, said, "xyzzy", name)
		assert.NotContains(t, said, strings.Split(key, "\n")[3], name)

		status, _, said = run("out", b.run, request(object{"git_user": passphrase, "signing_key": key, "signing_key_passphrase": passphrase}), dir)
		assert.Equal(t, 1, status, name)
		assert.Contains(t, said, "source: git_user: ", name)
		assert.NotContains(t, said, passphrase, "%s: a secret is masked wherever it is echoed", name)

		before := heads(t, repo)
		status, _, said = run("out", b.run, request(object{"git_user": "Robot <" + address + ">", "signing_key": key, "signing_key_passphrase": passphrase}), dir)
		require.Zero(t, status, "%s: %s", name, said)
		assert.NotEqual(t, before, heads(t, repo), name)
	}
	kind, err := repo.Git("cat-file", "-t", "refs/tags/0.1.0")
	require.NoError(t, err)
	assert.Equal(t, "tag\n", kind)
	require.NoError(t, repo.Fsck())
}

func heads(t *testing.T, repo *gittest.Repository) string {
	t.Helper()
	all, err := repo.Git("for-each-ref")
	require.NoError(t, err)
	return all
}

// thatCommit are the types with a signing_key in their schema, but for cepler-in, which shares the source of cepler-out.
func thatCommit(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range resourceTypes() {
		text, err := os.ReadFile(filepath.Join(name, "schema.json"))
		require.NoError(t, err)
		if name != "cepler-in" && strings.Contains(string(text), `"signing_key"`) {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}
