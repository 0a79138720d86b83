package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/pipelines"
	"github.com/taxiway-ci/taxiway/pipelines/demo"
)

// The reference team's values, as they are, go from a commit to a release with the real nix in place of its stand-in.
func TestTheReferenceTeamReleasesWithNix(t *testing.T) {
	t.Parallel()
	without(t, "nix")
	dir := t.TempDir()
	values := filepath.Join(dir, "values.yml")
	text, err := os.ReadFile(exampleOf("lana-bank", "release").Rendering().Values)
	require.NoError(t, err)
	awaits := regexp.MustCompile(`(?m)^await_release_binary:\n( {2}.*\n)+\n`) // the team has switched it off
	require.Regexp(t, awaits, string(text))
	require.NoError(t, os.WriteFile(values, awaits.ReplaceAll(text, nil), 0o644))
	example, err := pipelines.DemoExample()
	require.NoError(t, err)
	configs, err := ceplerConfigs(example)
	require.NoError(t, err)

	var r demo.Repositories
	args := []string{"rehearse", "release=" + values, "--scenario", "testdata/reference/scenario.yml", "--vars", "../demo/vars.yml", "--tool", "nix=" + nixOfItsOwn(t, dir)}
	for name, into := range map[string]**gittest.Repository{"lana-bank": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
		*into, err = gittest.Init(filepath.Join(dir, name+".git"))
		require.NoError(t, err)
		args = append(args, "--repository", name+"="+filepath.Join(dir, name+".git"))
	}
	_, err = demo.Write(t.Context(), r, configs)
	require.NoError(t, err)

	out, err := taxiway(t, args...)
	require.NoError(t, err, out)
	assert.Contains(t, strings.Join(strings.Fields(out), " "), "nix-of-its-own runs in place of its stand-in")
}

// nixOfItsOwn is a script that runs the real nix with a store in a folder. The store is where its paths say: what a build leaves in
// result is a link to such a path, so a store that only --store knows would not do.
func nixOfItsOwn(t *testing.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("nix")
	require.NoError(t, err)
	script := filepath.Join(dir, "nix-of-its-own")
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, `#!/bin/sh
export HOME=%[1]s NIX_STORE_DIR=%[1]s/store NIX_STATE_DIR=%[1]s/state NIX_LOG_DIR=%[1]s/log NIX_CONF_DIR=%[1]s/conf XDG_CACHE_HOME=%[1]s/cache
mkdir -p "$HOME"
exec %[2]s --extra-experimental-features 'nix-command flakes' --option build-users-group '' --option sandbox false --option substitute false "$@"
`, filepath.Join(dir, "nix"), program), 0o755))
	return script
}
