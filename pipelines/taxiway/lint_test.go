package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindingsHaveTheFormOfWhoReadsThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a,b.yml")
	require.NoError(t, os.WriteFile(file, []byte("jobs:\n- name: j\n  plan:\n  - get: 100%\n"), 0o600))
	for format, want := range map[string]string{
		"text":   file + ":4: ",
		"github": "::error file=" + strings.ReplaceAll(file, ",", "%2C") + ",line=4,title=identifier::",
		"json":   `{"file":"` + file + `","line":4,"severity":"error","rule":"identifier","text":"`,
	} {
		out, err := taxiway(t, "lint", "--format", format, file)
		require.Error(t, err)
		assert.True(t, strings.HasPrefix(out, want), "%s: %s\nis not at the start of\n%s", format, want, out)
	}
	out, err := taxiway(t, "lint", "--format", "github", file)
	require.Error(t, err)
	assert.Contains(t, out, "100%25", "a workflow would read %25 as an escape")
	_, err = taxiway(t, "lint", "--format", "xml", file)
	assert.ErrorContains(t, err, "github, json, text")
}

func TestLintAllows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, known := filepath.Join(dir, "p.yml"), filepath.Join(dir, "known.json")
	const faulty = "jobs:\n- name: j\n  plan:\n  - get: a\n  - get: b\nresources:\n- {name: a, type: git}\n- {name: b, type: git}\n- {name: c, type: git}\n"
	require.NoError(t, os.WriteFile(file, []byte(faulty), 0o600))

	out, err := taxiway(t, "lint", file)
	require.EqualError(t, err, "lint: 1 error")
	assert.Equal(t, file+":9: resource \"c\" is not used; get or put it somewhere, or remove it [unused]\n", out)
	out, err = taxiway(t, "lint", "--allow", "unused", file)
	require.NoError(t, err)
	assert.Empty(t, out)
	_, err = taxiway(t, "lint", "--allow", "unusd", file)
	require.EqualError(t, err, "lint: --allow unusd: there is no such rule; did you mean unused?")

	// what is in the baseline is left out wherever it moves, and what is new is not
	out, err = taxiway(t, "lint", "--format", "json", file)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(known, []byte(out), 0o600))
	require.NoError(t, os.WriteFile(file, []byte("# moved\n"+faulty+"- {name: d, type: git}\n"), 0o600))
	out, err = taxiway(t, "lint", "--baseline", known, file)
	require.EqualError(t, err, "lint: 1 error")
	assert.Equal(t, file+":11: resource \"d\" is not used; get or put it somewhere, or remove it [unused]\n", out)
	require.NoError(t, os.WriteFile(known, []byte("p.yml:9: text"), 0o600))
	_, err = taxiway(t, "lint", "--baseline", known, file)
	require.ErrorContains(t, err, "which must be the output of lint --format json")
}

func TestLintReadsTheVariablesOfFly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, vars := filepath.Join(dir, "p.yml"), filepath.Join(dir, "vars.yml")
	require.NoError(t, os.WriteFile(file, []byte("jobs:\n- name: ((job.name))\n  serial: ((serial))\n  plan:\n  - get: a\nresources:\n- {name: a, type: git}\n"), 0o600))
	require.NoError(t, os.WriteFile(vars, []byte("serial: often\n"), 0o600))
	out, err := taxiway(t, "lint", "--load-vars-from", vars, "--var", "job.name=UPPER CASE", file)
	require.EqualError(t, err, "lint: 2 errors")
	assert.Contains(t, out, `"serial" of a job must be true or false`)
	assert.Contains(t, out, `"UPPER CASE" is not a valid name for a job`)
	_, err = taxiway(t, "lint", "--var", "serial", file)
	require.EqualError(t, err, "lint: --var serial: write NAME=VALUE")
}

func TestLintListsItsRules(t *testing.T) {
	t.Parallel()
	out, err := taxiway(t, "lint", "--rules")
	require.NoError(t, err)
	assert.Contains(t, out, "unpinned-image    finds an image whose tag moves\n")
}
