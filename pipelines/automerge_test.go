package pipelines

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// automerge is the part of the workflow that decides.
type automerge struct {
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		If          string            `yaml:"if"`
		Permissions map[string]string `yaml:"permissions"`
		Env         map[string]string `yaml:"env"`
		Steps       []struct {
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

func readAutomerge(t *testing.T) automerge {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examplesFolder, "lana-bank", "github", "bot-automerge.yml"))
	require.NoError(t, err)
	var w automerge
	require.NoError(t, yaml.Unmarshal(text, &w))
	return w
}

func TestAutomergeLooksBeforeItMerges(t *testing.T) {
	w := readAutomerge(t)
	require.Len(t, w.Jobs, 1)
	assert.Empty(t, w.Permissions, "what is not said is not allowed")
	job := w.Jobs["merge"]
	for _, condition := range []string{"'galoybot')", "'lana-bank')", "!github.event.pull_request.draft", "head.repo.full_name == github.repository"} {
		assert.Contains(t, job.If, condition)
	}
	assert.Equal(t, map[string]string{"contents": "write", "pull-requests": "write"}, job.Permissions)
	require.Len(t, job.Steps, 1)
	assert.Empty(t, job.Steps[0].Uses, "no action of others sees the token")
	assert.NotContains(t, job.Steps[0].Run, "${{", "what others wrote reaches the shell as a variable, never as its text")
}

// TestAutomergeMergesTheBotsOnly runs the step's script with a stand-in for gh.
func TestAutomergeMergesTheBotsOnly(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash to run the step")
	}
	job := readAutomerge(t).Jobs["merge"]
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\necho gh \"$@\"\n"), 0o700))
	for author, want := range map[string]string{
		"acme-bot":      "gh pr merge --auto --squash --match-head-commit 1f3c2aa https://github.com/acme/charts/pull/7\n",
		"acme-bot[bot]": "gh pr merge --auto --squash --match-head-commit 1f3c2aa https://github.com/acme/charts/pull/7\n",
		"mallory":       "mallory is not one of",
		"acme":          "acme is not one of",
	} {
		cmd := exec.CommandContext(t.Context(), bash, "-c", job.Steps[0].Run)
		cmd.Env = []string{
			"PATH=" + dir + ":/usr/bin:/bin", "AUTHORS=" + job.Env["AUTHORS"], "METHOD=" + job.Env["METHOD"],
			"AUTHOR=" + author, "HEAD=1f3c2aa", "URL=https://github.com/acme/charts/pull/7",
		}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.True(t, strings.HasPrefix(string(out), want), "%s: %s", author, out)
	}
}
