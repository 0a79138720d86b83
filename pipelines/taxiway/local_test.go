package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/pipelines"
)

func TestLocalPushesLogsInAndSetsEveryExample(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$(basename \"$0\") $*\"\nfor f; do case $f in *.yml) cat \"$f\";; esac; done\n"
	for _, program := range []string{"fly", "go"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755))
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := taxiway(t, "local", "--examples", examplesFolder)
	require.NoError(t, err, out)
	assert.True(t, strings.HasPrefix(out, "go run ./images push localhost:5000 --insecure --version 0.0.0-local\nfly --target taxiway-local login "), out[:200])
	cases, err := pipelines.Examples(examplesFolder)
	require.NoError(t, err)
	for _, c := range cases {
		assert.Contains(t, out, "--pipeline "+filepath.Base(filepath.Dir(c.Dir))+"-"+c.Template()+" --config")
	}
	assert.Contains(t, out, "repository: registry:5000/cepler-in")
	assert.NotContains(t, out, "taxiway-ci/cepler-in", "an image would come from elsewhere")
}

func TestLocalSaysWhatItNeeds(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := taxiway(t, "local", "--examples", examplesFolder)
	assert.ErrorContains(t, err, "fly is not on PATH")
}

// TestLocalPipelinesAreValid asks fly itself.
func TestLocalPipelinesAreValid(t *testing.T) {
	without(t, "fly")
	cases, err := pipelines.Examples(examplesFolder)
	require.NoError(t, err)
	flags := localFlags{registryInside: "registry:5000", tag: "0.0.0-local"}
	for _, c := range cases {
		data, err := os.ReadFile(c.Want())
		require.NoError(t, err)
		data, err = flags.withImages(data)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "p.yml")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		out, err := exec.CommandContext(t.Context(), "fly", "validate-pipeline", "--strict", "--config", file).CombinedOutput()
		assert.NoError(t, err, "%s: %s", c.Want(), out)
	}
}
