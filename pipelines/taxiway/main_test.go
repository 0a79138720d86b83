package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/pipelines"
)

// The test's program is, as taxiway itself, also the programs of the resource types; and taxiway for the steps of workflows.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "taxiway" {
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) //nolint:forbidigo // as in main
	}
	if program, ok := resourceProgram(os.Args[0]); ok {
		program()
		return
	}
	if filepath.Base(os.Args[0]) == "taxiway" { // see withTaxiway
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) //nolint:forbidigo // it is the whole program
	}
	m.Run()
}

const examplesFolder = "../examples"

// taxiway runs the command line.
func taxiway(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(io.Discard)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

// withTaxiway is an environment in which commands find this program as taxiway, and git knows a person.
func withTaxiway(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(bin, "taxiway")))
	return append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TEMPLATE_DIR=", "COLUMNS=",
		"GIT_AUTHOR_NAME=Ana Lima", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana Lima", "GIT_COMMITTER_EMAIL=ana@example.com")
}

// toldBy is the command of a page that begins so.
func toldBy(t *testing.T, page, begins string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		if line = strings.Join(strings.Fields(line), " "); strings.HasPrefix(line, begins) {
			return line
		}
	}
	require.Fail(t, "no such command", "%s in %s", begins, page)
	return ""
}

// shell runs a command line as a person types it.
func shell(t *testing.T, env []string, dir, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// exampleOf is the example of one user and template.
func exampleOf(user, template string) pipelines.Example {
	return pipelines.Example{Dir: filepath.Join(examplesFolder, user, template)}
}

// without skips a test that needs a program.
func without(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not on PATH")
	}
}

func TestRenderSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside.yml")
	require.NoError(t, os.WriteFile(outside, []byte("deployments: [{config: ../cepler.yml}]"), 0o644))
	absent := filepath.Join(dir, "absent.yml")
	require.NoError(t, os.WriteFile(absent, []byte("deployments: [{config: cepler.yml}]"), 0o644))
	broken := filepath.Join(dir, "broken.yml")
	require.NoError(t, os.WriteFile(broken, []byte("deployments: [{config: circle.yml}]"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "circle.yml"), []byte("environments: {a: {latest: [a], passed: c}}"), 0o644))
	for want, args := range map[string][]string{
		"circle.yml:1: ":            {"render", "deployments", "--values", broken},
		"name the template":         {"render"},
		"there is no such template": {"render", "releases", "--values", absent},
		"--values FILE":             {"render", "deployments"},
		"read the values":           {"render", "deployments", "--values", filepath.Join(dir, "none.yml")},
		"must be a path inside":     {"render", "deployments", "--values", outside},
		"--repository":              {"render", "deployments", "--values", absent},
		"has none; an example is a file USER/TEMPLATE/": {"render", "--examples", dir},
	} {
		_, err := taxiway(t, args...)
		require.Error(t, err, want)
		assert.ErrorContains(t, err, want)
	}
}

func TestLintCounts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.yml")
	require.NoError(t, os.WriteFile(file, []byte("jobs:\n- name: a\n  plan:\n  - gett: b\n"), 0o644))
	out, err := taxiway(t, "lint", file, exampleOf("lana-bank", "deployments").Want())
	require.EqualError(t, err, "lint: 1 error")
	assert.Equal(t, file+`:4: there is no step kind "gett"; did you mean "get"? [unknown-step]`+"\n", out)
	_, err = taxiway(t, "lint", filepath.Join(t.TempDir(), "none.yml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSetShowsOrRunsFly(t *testing.T) {
	small := exampleOf("two-environments", "deployments")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fly"), []byte("#!/bin/sh\necho ran fly \"$@\"\n"), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	output := filepath.Join(dir, "p.yml")
	args := []string{"set", "deployments", "--values", small.Rendering().Values, "--repository", small.Rendering().Repository, "--target", "ci", "--output", output, "--pipeline", "shop"}

	out, err := taxiway(t, args...)
	require.NoError(t, err)
	command := "fly --target ci set-pipeline --pipeline shop --config " + output
	assert.Equal(t, command+"\n", out)
	written, err := os.ReadFile(output)
	require.NoError(t, err)
	want, err := os.ReadFile(small.Want())
	require.NoError(t, err)
	assert.Equal(t, string(want), string(written))

	// fly asks, and asks again for ever where nobody can answer
	_, err = taxiway(t, append(args, "--execute")...)
	require.ErrorContains(t, err, "there is no terminal on which fly could ask; add --non-interactive")

	vars := filepath.Join(dir, "vars.yml")
	require.NoError(t, os.WriteFile(vars, []byte("deployments: {token: t}\n"), 0o600))
	out, err = taxiway(t, append(args, "--execute", "--non-interactive", "--load-vars-from", vars, "--load-vars-from", vars, "--var", "x=y", "--check-creds")...)
	require.NoError(t, err)
	assert.Equal(t, "ran "+command+" --load-vars-from "+vars+" --load-vars-from "+vars+" --var x=y --check-creds --non-interactive\n", out)

	_, err = taxiway(t, "set", "deployments", "--values", small.Rendering().Values)
	require.ErrorContains(t, err, "--target TARGET")
}

// A job set-self that watches a file which does not exist never runs, and nothing else says so.
func TestSetWarnsOfAnotherPathOfTheValues(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("go-service", "release").Rendering().Values)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "ci")
	require.NoError(t, os.Mkdir(dir, 0o755))
	values := filepath.Join(dir, "release.yml")
	for watched, want := range map[string]string{
		"ci/release.yml":   "",
		"./ci/release.yml": "",
		"c/release.yml": "set release: warning: set_self.values is c/release.yml, which is not the end of the path of the values, " + values +
			": if the repository has no such file, the job set-self never runs; correct set_self.values and set the pipeline again\n",
	} {
		require.NoError(t, os.WriteFile(values, append(good, "\nset_self: {values: "+watched+"}\n"...), 0o600))
		var log bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"set", "release", "--values", values, "--target", "ci", "--output", filepath.Join(dir, "p.yml")})
		root.SetOut(io.Discard)
		root.SetErr(&log)
		require.NoError(t, root.ExecuteContext(t.Context()))
		assert.Equal(t, want, log.String(), watched)
	}
}

func TestCommandsSayWhatTheyLack(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"lint: name the pipeline files":                                     {"lint"},
		"rehearse: name the pipeline files":                                 {"rehearse"},
		"set: name one template":                                            {"set", "--target", "ci"},
		"there is no such template, there are: charts, checks, deployments": {"set", "relase", "--target", "ci", "--values", "v.yml"},
		"--repository app=absent: use the path of a clone":                  {"rehearse", "p.yml", "--repository", "app=absent"},
	} {
		_, err := taxiway(t, args...)
		require.ErrorContains(t, err, want)
	}
}
