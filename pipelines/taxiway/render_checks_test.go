package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/pipelines"
)

// The workflows of checks that the values no longer have go; those that people wrote stay.
func TestRenderChecksKeepsTheFolderInStep(t *testing.T) {
	dir := t.TempDir()
	workflows := filepath.Join(dir, ".github", "workflows")
	require.NoError(t, os.MkdirAll(workflows, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(workflows, "deploy.yml"), []byte("name: deploy\n"), 0o644))
	values := filepath.Join(dir, "checks.yml")
	good, err := os.ReadFile(exampleOf("go-service", pipelines.Checks).Rendering().Values)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(values, good, 0o644))
	_, err = taxiway(t, "render", "checks", "--values", values, "--output", dir)
	require.NoError(t, err)
	for _, name := range []string{"test.yml", "lint.yml", "deploy.yml"} {
		require.FileExists(t, filepath.Join(workflows, name))
	}
	require.FileExists(t, filepath.Join(dir, ".github", "ruleset.json"))

	require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), "- name: lint\n", "- name: style\n", 1)), 0o644))
	_, err = taxiway(t, "render", "checks", "--values", values, "--output", dir)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(workflows, "lint.yml"))
	for _, name := range []string{"test.yml", "style.yml", "deploy.yml"} {
		assert.FileExists(t, filepath.Join(workflows, name))
	}
	ruleset, err := os.ReadFile(filepath.Join(dir, ".github", "ruleset.json"))
	require.NoError(t, err)
	assert.Contains(t, string(ruleset), `"context": "style"`)
	assert.NotContains(t, string(ruleset), `"context": "lint"`)
}

func TestChecksAreNoPipeline(t *testing.T) {
	t.Parallel()
	values := exampleOf("go-service", pipelines.Checks).Rendering().Values
	_, err := taxiway(t, "render", "checks", "--values", values)
	require.ErrorContains(t, err, "--output DIR")
	_, err = taxiway(t, "set", "checks", "--values", values, "--target", "ci")
	require.ErrorContains(t, err, "the checks are not a pipeline")
}

// A command of the values that would hand a secret to a fork is not written.
func TestRenderChecksRefusesWhatLintFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	values := filepath.Join(dir, "checks.yml")
	require.NoError(t, os.WriteFile(values, []byte("checks:\n- name: test\n  run: deploy \"${{ secrets.TOKEN }}\"\n"), 0o644))
	_, err := taxiway(t, "render", "checks", "--values", values, "--output", dir)
	require.ErrorContains(t, err, "the workflows have faults and were not written")
	assert.NoDirExists(t, filepath.Join(dir, ".github"))
	require.NoError(t, os.WriteFile(values, []byte("checks:\n- name: test\n  run: make test\n"), 0o644))
	_, err = taxiway(t, "render", "checks", "--values", values, "--output", dir)
	require.NoError(t, err, "the smallest values")
}
