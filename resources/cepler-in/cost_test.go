package ceplerin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
)

// ask runs a check as Concourse does, in this process.
func ask(t *testing.T, source map[string]any) []json.RawMessage {
	t.Helper()
	request, err := json.Marshal(map[string]any{"source": source})
	require.NoError(t, err)
	var out, log bytes.Buffer
	status := concourse.Run(context.Background(), concourse.Process{Args: []string{"check"}, Stdin: bytes.NewReader(request), Stdout: &out, Stderr: &log}, ceplerin.Resource{})
	require.Zero(t, status, "%s", &log)
	var versions []json.RawMessage
	require.NoError(t, json.Unmarshal(out.Bytes(), &versions))
	return versions
}

// A check for which nothing moved is one advertisement of the refs that it
// asks for, and no object.
func TestUnchangedCheckIsOneAdvertisement(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server, repo := served(t)
	shape := gittest.DefaultBig()
	shape.Commits, shape.Files = 300, 300
	big, err := repo.WriteBig(shape)
	require.NoError(t, err)
	source := map[string]any{"uri": repo.URL(), "branch": "main", "config": "cepler.yml", "environment": big.Environments[1]}

	first := ask(t, source)
	server.Reset()
	assert.Equal(t, first, ask(t, source))
	requests := server.Requests()
	require.Len(t, requests, 1)
	assert.Equal(t, "ls-refs", requests[0].Command)
	assert.Less(t, requests[0].Out, int64(1024), "bytes of the answer")

	// one commit that matters to nobody: its trees, but no history and no blob
	// that is known
	_, err = repo.Commit("main", "unrelated", map[string]string{"README.md": "x"})
	require.NoError(t, err)
	server.Reset()
	assert.Equal(t, first, ask(t, source))
	assert.LessOrEqual(t, len(server.Requests()), 3)
	_, size := server.Asked()
	assert.Less(t, size, int64(16*1024), "bytes for one unrelated commit")
}

// A gate in another branch is advertised in the same request.
func TestUnchangedCheckWithGatesIsOneAdvertisement(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server, repo := served(t)
	first, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments: {tf: {latest: [a]}}\n", "a": "1\n"})
	require.NoError(t, err)
	require.NoError(t, repo.UpdateRef("refs/tags/released", first))
	_, err = repo.Commit("cepler-gates", "gates", map[string]string{"gates.yml": "tf: released\n"})
	require.NoError(t, err)
	source := map[string]any{"uri": repo.URL(), "branch": "main", "environment": "tf", "gates_file": "gates.yml", "gates_branch": "cepler-gates"}

	require.Len(t, ask(t, source), 1)
	server.Reset()
	require.Len(t, ask(t, source), 1)
	require.Len(t, server.Requests(), 1)

	// the tag moves: that is seen
	second, err := repo.Commit("main", "a=2", map[string]string{"a": "2\n"})
	require.NoError(t, err)
	require.NoError(t, repo.UpdateRef("refs/tags/released", second))
	var got struct{ Trigger string }
	require.NoError(t, json.Unmarshal(ask(t, source)[0], &got))
	assert.Equal(t, second, got.Trigger)
}

// A get fetches the files that it delivers, and not those it does not.
func TestGetFetchesWhatItDelivers(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server, repo := served(t)
	ballast := make([]byte, 2<<20)
	for i := range ballast {
		ballast[i] = byte(i * i >> 7) // does not compress well
	}
	first, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments: {tf: {latest: [a]}}\n", "a": "1\n", "ballast": string(ballast)})
	require.NoError(t, err)
	request, err := json.Marshal(map[string]any{"source": map[string]any{"uri": repo.URL(), "branch": "main", "environment": "tf"}, "version": map[string]string{"trigger": first}})
	require.NoError(t, err)
	var out, log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "got")
	status := concourse.Run(context.Background(), concourse.Process{Args: []string{"in", dir}, Stdin: bytes.NewReader(request), Stdout: &out, Stderr: &log}, ceplerin.Resource{})
	require.Zero(t, status, "%s", &log)
	require.FileExists(t, filepath.Join(dir, "a"))
	require.NoFileExists(t, filepath.Join(dir, "ballast"))
	_, size := server.Asked()
	assert.Less(t, size, int64(32*1024))
}

// A get looks at the refs, and fetches the commits, then config, states and files: those of a repository of ordinary size come with the
// config. Where there are very many, those that the config picks are one request more. Which mode a propagated file has is
// known from the commits that are there.
func TestRequestsOfAGet(t *testing.T) {
	for name, c := range map[string]struct {
		files, requests int
		most            int64 // bytes
	}{
		"ordinary":  {400, 3, 200_000},
		"many":      {2000, 3, 600_000},
		"very many": {3000, 4, 200_000}, // all files are 600,000
	} {
		t.Run(name, func(t *testing.T) {
			server, repo := served(t)
			shape := gittest.DefaultBig()
			shape.Commits, shape.Files, shape.RelevantEvery = 600, c.files, 40
			big, err := repo.WriteBig(shape)
			require.NoError(t, err)
			_, err = repo.Git("gc", "-q")
			require.NoError(t, err)
			for _, environment := range big.Environments {
				t.Setenv("TMPDIR", t.TempDir())
				source := map[string]any{"uri": repo.URL(), "branch": "main", "environment": environment}
				_, err := repo.Commit("main", "change", map[string]string{"gcp/" + environment + "/bank/f0.tf": "1\n", "azure/" + environment + "/bank/f0.tf": "1\n"})
				require.NoError(t, err)
				versions := ask(t, source)
				require.NotEmpty(t, versions)
				request, err := json.Marshal(map[string]any{"source": source, "version": versions[len(versions)-1]})
				require.NoError(t, err)
				server.Reset()
				var out, log bytes.Buffer
				process := concourse.Process{Args: []string{"in", t.TempDir()}, Stdin: bytes.NewReader(request), Stdout: &out, Stderr: &log}
				require.Zero(t, concourse.Run(t.Context(), process, ceplerin.Resource{}), "%s", &log)
				assert.Len(t, server.Requests(), c.requests, environment)
				_, size := server.Asked()
				assert.Less(t, size, c.most, environment)
			}
		})
	}
}

// A check from an old number knows how many records it lists: their states come with one request for each step back in history.
func TestRequestsOfACheckFromAnOldNumber(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server, repo := served(t)
	shape := gittest.DefaultBig()
	shape.Commits, shape.Files, shape.RelevantEvery = 1000, 200, 10
	big, err := repo.WriteBig(shape)
	require.NoError(t, err)
	source := map[string]any{"uri": repo.URL(), "branch": "main", "environment": big.Environments[0]}
	request, err := json.Marshal(map[string]any{"source": source, "version": map[string]string{"version": "2"}})
	require.NoError(t, err)
	server.Reset()
	var out, log bytes.Buffer
	process := concourse.Process{Args: []string{"check"}, Stdin: bytes.NewReader(request), Stdout: &out, Stderr: &log}
	require.Zero(t, concourse.Run(t.Context(), process, ceplerin.Resource{}), "%s", &log)
	var versions []map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &versions))
	assert.Greater(t, len(versions), 90)
	assert.Equal(t, "2", versions[0]["version"])
	assert.LessOrEqual(t, len(server.Requests()), 6, "refs, the newest, config and states, states at hand, further back, all states")
	_, size := server.Asked()
	assert.Less(t, size, int64(800_000), "bytes, of ninety states and the commits between them")
}
