package ceplerin_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// mostMemory is what a program may take at any time, as the operating system measures it, whatever a repository holds. Half of it is
// the limit from which garbage is collected more often, and what the test program itself needs.
const mostMemory = 128 << 20

// bomb makes a commit of eleven small objects that stand for ten billion files: ten trees of ten entries, each of which is the next one.
func bomb(t *testing.T, repo *gittest.Repository) (head string) {
	t.Helper()
	at, err := repo.Object("blob", []byte("x"))
	require.NoError(t, err)
	mode := "100644"
	for range 10 {
		var level []gittest.TreeEntry
		for name := range strings.SplitSeq("0123456789", "") {
			level = append(level, gittest.TreeEntry{Mode: mode, Name: name, Hash: at})
		}
		at, err = repo.Tree(level...)
		require.NoError(t, err)
		mode = "40000"
	}
	config, err := repo.Object("blob", []byte("environments: {all: {latest: ['**']}, one: {latest: [cepler.yml]}}\n"))
	require.NoError(t, err)
	top, err := repo.Tree(gittest.TreeEntry{Mode: "100644", Name: "cepler.yml", Hash: config}, gittest.TreeEntry{Mode: "40000", Name: "d", Hash: at})
	require.NoError(t, err)
	head, err = repo.CommitTree(top, "init")
	require.NoError(t, err)
	require.NoError(t, repo.UpdateRef("refs/heads/main", head))
	return head
}

// A kilobyte that stands for ten billion files is refused by name, for little memory, and does no harm where it is not watched.
func TestATreeBombIsRefused(t *testing.T) {
	_, repo := served(t)
	head := bomb(t, repo)
	for _, c := range []struct {
		verb, environment, want string
	}{
		{"check", "all", "the limit is 500000"},
		{"in", "all", "the limit is 500000"},
		{"in", "one", "the limit is 500000"},
		{"check", "one", ""},
	} {
		request, err := json.Marshal(map[string]any{
			"source":  map[string]string{"uri": repo.URL(), "branch": "main", "environment": c.environment},
			"version": map[string]string{"trigger": head, "version": "1"},
		})
		require.NoError(t, err)
		args := []string{}
		if c.verb == "in" {
			args = append(args, t.TempDir())
		}
		cmd := exec.CommandContext(t.Context(), c.verb, args...)
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(request), &stderr
		err = cmd.Run()
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		require.True(t, ok)
		peak := usage.Maxrss << 10 // Linux counts kilobytes
		t.Logf("%s of %s: %d MiB", c.verb, c.environment, peak>>20)
		assert.True(t, raced || peak <= mostMemory, "%s of %s takes %d MiB", c.verb, c.environment, peak>>20)
		if c.want == "" {
			require.NoError(t, err, stderr.String())
			continue
		}
		require.Error(t, err)
		assert.Contains(t, stderr.String(), c.want)
		assert.NotContains(t, stderr.String(), "goroutine ")
	}
}
