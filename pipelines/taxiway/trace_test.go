package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// traced is a deployments repository with one environment that nothing was
// recorded for, and a source repository.
func traced(t *testing.T) (deployments, source string) {
	t.Helper()
	deployments, source = filepath.Join(t.TempDir(), "deployments.git"), filepath.Join(t.TempDir(), "bank=1")
	r, err := gittest.Init(deployments)
	require.NoError(t, err)
	_, err = r.Commit("main", "feat: first", map[string]string{
		"cepler.yml":      "environments:\n  staging:\n    latest: [app/*]\n  qa:\n    passed: staging\n    propagated: [app/*]\n",
		"app/values.yaml": "image: registry.example/acme/bank@sha256:" + digits + " # METADATA:: repository=https://github.com/acme/bank;commit_ref=c0ffee0;\n",
	})
	require.NoError(t, err)
	s, err := gittest.Init(source)
	require.NoError(t, err)
	_, err = s.Commit("main", "feat: first", map[string]string{"main.go": "package main\n"})
	require.NoError(t, err)
	_, err = s.Git("remote", "add", "origin", "git@github.com:acme/bank.git")
	require.NoError(t, err)
	return deployments, source
}

const digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestTraceForPeople(t *testing.T) {
	t.Parallel()
	deployments, _ := traced(t)
	out, err := taxiway(t, "trace", "--deployments", deployments)
	require.NoError(t, err)
	assert.Contains(t, out, "default/staging  nothing yet")
	assert.Contains(t, out, "repository github.com/acme/bank was not looked at")
	assert.Contains(t, out, "registries were not asked")
}

func TestTraceForPrograms(t *testing.T) {
	t.Parallel()
	deployments, source := traced(t)
	for _, clone := range []string{source, "https://github.com/acme/bank=" + source} {
		out, err := taxiway(t, "trace", "--deployments", deployments, "--clone", clone, "--env", "staging", "--json")
		require.NoError(t, err)
		var trace lineage.Trace
		require.NoError(t, json.Unmarshal([]byte(out), &trace))
		require.Len(t, trace.Environments, 1)
		images := trace.Environments[0].Brings.Images
		require.Len(t, images, 1)
		assert.Equal(t, "registry.example/acme/bank", images[0].Repository)
		require.Len(t, images[0].Broken, 1)
		assert.Equal(t, lineage.LinkSource, images[0].Broken[0].Link)
		assert.Contains(t, images[0].Broken[0].Why, "has a commit c0ffee0")
	}
}

// The command of the README, from a folder beside the clones.
func TestTraceFromASiblingFolder(t *testing.T) {
	deployments, source := traced(t)
	dir := t.TempDir()
	for name, from := range map[string]string{"deployments": deployments, "bank": source} {
		_, err := gittest.Open(from).Git("clone", "--quiet", from, filepath.Join(dir, name))
		require.NoError(t, err)
	}
	_, err := gittest.Open(filepath.Join(dir, "bank")).Git("remote", "set-url", "origin", "git@github.com:acme/bank.git")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "taxiway"), 0o755))
	t.Chdir(filepath.Join(dir, "taxiway"))
	for _, args := range [][]string{{"../deployments", "../bank"}, {"../deployments/app", "https://github.com/acme/bank=../bank"}} {
		out, err := taxiway(t, "trace", "--deployments", args[0], "--clone", args[1])
		require.NoError(t, err)
		assert.Contains(t, out, "default/staging  nothing yet")
		assert.Contains(t, strings.Join(strings.Fields(out), " "), "no branch or tag of ", "the clone was read")
		assert.NotContains(t, out, "was not looked at")
	}
}

func TestTraceRefuses(t *testing.T) {
	t.Parallel()
	deployments, source := traced(t)
	for want, args := range map[string][]string{
		"set --deployments":                         nil,
		"nor a folder above it is a git repository": {"--deployments", t.TempDir()},
		"there is no environment production; there": {"--deployments", deployments, "--env", "production"},
		"has no remote called origin":               {"--deployments", deployments, "--clone", deployments},
		"write ADDRESS=":                            {"--deployments", deployments, "--clone", t.TempDir()},
		"branch trunk":                              {"--deployments", deployments, "--branch", "trunk", "--clone", source},
	} {
		_, err := taxiway(t, append([]string{"trace"}, args...)...)
		require.ErrorContains(t, err, want)
	}
}

// Whoever keeps watch wants a failure.
func TestTraceIsStrict(t *testing.T) {
	t.Parallel()
	deployments, _ := traced(t)
	_, err := taxiway(t, "trace", "--deployments", deployments, "--strict")
	require.NoError(t, err, "what is only pending is not run anywhere")
	r := gittest.Open(deployments)
	_, err = r.Commit("main", "feat: by hand", map[string]string{".cepler/default/staging.state": "---\nversion: many\n"})
	require.NoError(t, err)
	_, err = taxiway(t, "trace", "--deployments", deployments, "--strict")
	require.ErrorContains(t, err, "broken links: 2", "staging, and qa behind it")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	deployments, _ := traced(t)
	out, err := taxiway(t, "diff", "staging", "qa", "--deployments", deployments, "--exit-code")
	require.NoError(t, err)
	assert.Equal(t, "default/staging runs nothing yet.\n", out)
	r := gittest.Open(deployments)
	head, err := r.RevParse("main")
	require.NoError(t, err)
	blob, err := r.RevParse("main:app/values.yaml")
	require.NoError(t, err)
	_, err = r.Commit("main", "ci(cepler): Updated 'default' state in 'staging'", map[string]string{
		".cepler/default/staging.state": "---\nversion: 1\ncurrent:\n  head_commit: " + head + "\n  files:\n    \"{latest}/app/values.yaml\":\n      file_hash: " + blob +
			"\n      from_commit: " + head + "\n      message: \"feat: first\"\n",
	})
	require.NoError(t, err)
	out, err = taxiway(t, "diff", "staging", "default/qa", "--deployments", deployments, "--exit-code")
	require.EqualError(t, err, "diff: default/staging has what default/qa does not have")
	assert.Contains(t, out, "registry.example/acme/bank  sha256:0123456789ab")
	out, err = taxiway(t, "diff", "staging", "qa", "--deployments", deployments, "--json")
	require.NoError(t, err)
	var d lineage.Difference
	require.NoError(t, json.Unmarshal([]byte(out), &d))
	require.Len(t, d.Files, 1)
	assert.Equal(t, "app/values.yaml", d.Files[0].Path)
	_, err = taxiway(t, "diff", "staging", "live", "--deployments", deployments)
	require.ErrorContains(t, err, "diff: there is no environment live")
}
