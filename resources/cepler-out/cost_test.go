package ceplerout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

// What each step asks of the server when nothing is at hand: the refs and the history once, with that of the gates; config, states
// and gates together, and in a small repository its files with them; and a push begins with the look at the refs, where git makes five requests to fetch and to push.
func TestRequestsOfEachStep(t *testing.T) {
	server, repo := served(t, gittest.Options{})
	const config = "environments:\n  tf: {latest: [a]}\n  qa: {passed: tf, propagated: [a], latest: [b]}\n"
	_, err := repo.Commit("main", "init", map[string]string{"cepler.yml": config, "a": "1\n", "b": "1\n"})
	require.NoError(t, err)
	_, err = repo.Commit("gates", "open", map[string]string{"gates.yml": "tf: HEAD\nqa: HEAD\n"})
	require.NoError(t, err)
	step := func(run func(context.Context, concourse.Process) int, args []string, request map[string]any) (answer []byte, commands []string) {
		t.Setenv("TMPDIR", t.TempDir())
		server.Reset()
		data, err := json.Marshal(request)
		require.NoError(t, err)
		var out, log bytes.Buffer
		require.Zero(t, run(t.Context(), concourse.Process{Args: args, Stdin: bytes.NewReader(data), Stdout: &out, Stderr: &log}), "%s", &log)
		size := int64(0)
		for _, r := range server.Requests() {
			size += r.In + r.Out
			name := r.Command
			if name == "" {
				name = r.Method + " " + r.Service
			}
			commands = append(commands, name)
		}
		assert.LessOrEqual(t, size, int64(6000), "bytes of %s: a handful of small files", args[0])
		return out.Bytes(), commands
	}
	get := func(ctx context.Context, p concourse.Process) int { return concourse.Run(ctx, p, ceplerin.Resource{}) }
	put := func(ctx context.Context, p concourse.Process) int { return concourse.Run(ctx, p, ceplerout.Resource{}) }
	for _, c := range []struct {
		environment string
		gates       bool
		check, in   int // fetches
	}{
		{"tf", false, 2, 2},
		{"qa", false, 2, 3}, // its trigger has other content in the file that it takes from tf
		{"tf", true, 2, 2},
		{"qa", true, 3, 3}, // a state of tf that is not the newest, too
	} {
		environment := c.environment
		source := map[string]any{"uri": repo.URL(), "branch": "main", "environment": environment}
		if c.gates {
			source["gates_file"], source["gates_branch"] = "gates.yml", "gates"
		}
		answer, commands := step(get, []string{"check"}, map[string]any{"source": source})
		assert.Equal(t, fetches("ls-refs", c.check), commands, "check of %s", environment)
		var versions []json.RawMessage
		require.NoError(t, json.Unmarshal(answer, &versions))
		require.NotEmpty(t, versions)
		_, err := repo.Commit("main", "moved on", map[string]string{"elsewhere": environment})
		require.NoError(t, err)

		dir := t.TempDir()
		_, commands = step(get, []string{"in", dir + "/got"}, map[string]any{"source": source, "version": versions[len(versions)-1]})
		assert.Equal(t, fetches("ls-refs", c.in), commands, "in of %s", environment)
		_, commands = step(put, []string{"out", dir}, map[string]any{"source": source, "params": map[string]any{"repository": "got"}})
		assert.Equal(t, append(fetches("GET git-receive-pack", 2), "POST git-receive-pack"), commands, "out of %s", environment)

		_, err = repo.Commit("main", "again", map[string]string{"a": environment, "b": environment})
		require.NoError(t, err)
	}
}

// fetches are the requests of a look at the refs and so many fetches.
func fetches(look string, n int) []string {
	return append([]string{look}, slices.Repeat([]string{"fetch"}, n)...)
}
