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
