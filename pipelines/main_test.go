package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

const examplesFolder = "examples"

// pipelines runs the command line.
func pipelines(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(io.Discard)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

func allExamples(t *testing.T) []example {
	t.Helper()
	cases, err := exampleCases(examplesFolder)
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	return cases
}

// exampleOf is the example of one user and template.
func exampleOf(user, template string) example {
	return example{filepath.Join(examplesFolder, user, template)}
}

// without skips a test that needs a program.
func without(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not on PATH")
	}
}

func TestRenderingsAreOfTheseTemplatesAndValues(t *testing.T) {
	t.Parallel()
	for _, c := range allExamples(t) {
		files, err := c.rendering().inputs()
		require.NoError(t, err)
		want, err := os.ReadFile(c.want())
		require.NoError(t, err)
		assert.Equal(t, digest(files), digestOf(want), "%s is stale: run `go run ./pipelines render --examples pipelines/examples`", c.want())
	}
}

func TestRenderingsAreWhatYttMakes(t *testing.T) {
	t.Parallel()
	without(t, "ytt")
	for _, c := range allExamples(t) {
		r := c.rendering()
		got, err := pipelines(t, "render", r.Template, "--values", r.Values, "--repository", r.Repository)
		require.NoError(t, err)
		want, err := os.ReadFile(c.want())
		require.NoError(t, err)
		assert.Equal(t, string(want), got)
	}
}

func TestRenderingsHaveNoFaults(t *testing.T) {
	t.Parallel()
	for _, c := range allExamples(t) {
		out, err := pipelines(t, "lint", c.want())
		require.NoError(t, err)
		assert.Empty(t, out)
	}
}

func TestFlyTakesTheRenderings(t *testing.T) {
	t.Parallel()
	without(t, "fly")
	for _, c := range allExamples(t) {
		out, err := exec.CommandContext(t.Context(), "fly", "validate-pipeline", "--strict", "--config", c.want()).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// One job for each environment of each config, and the state is recorded last.
func TestEveryEnvironmentHasItsJob(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleOf("lana-bank", "deployments").want())
	require.NoError(t, err)
	p, err := pipeline.Parse("want.yml", data)
	require.NoError(t, err)
	var jobs []string
	for _, j := range p.Jobs {
		jobs = append(jobs, j.Name)
		assert.True(t, j.Serial, j.Name)
		first, last := j.Plan[0], j.Plan[len(j.Plan)-1]
		require.Equal(t, pipeline.KindGet, first.Kind)
		require.Equal(t, pipeline.KindPut, last.Kind)
		assert.True(t, first.Get.Trigger)
		assert.Equal(t, "deploy-"+first.Get.Resource, j.Name)
		assert.Equal(t, first.Get.Resource+"-out", last.Put.Resource)
		in, ok := p.Resource(first.Get.Resource)
		require.True(t, ok)
		assert.Equal(t, strings.HasSuffix(j.Name, "gcp-volcano-production"), !in.Source.Field("gates_file").IsZero(), j.Name)
	}
	assert.Equal(t, []string{
		"deploy-lana-bank-gcp-galoy-staging", "deploy-lana-bank-gcp-volcano-qa",
		"deploy-lana-bank-gcp-volcano-production", "deploy-lana-bank-azure-volcano-staging",
		"deploy-monitoring-gcp-galoy-staging", "deploy-monitoring-gcp-volcano-production",
		"deploy-bank-reports-gcp-galoy-staging", "deploy-bank-reports-gcp-volcano-qa",
	}, jobs)
	assert.Len(t, p.Groups, 3)
}

// Values that cannot be meant do not render.
func TestTemplateRefuses(t *testing.T) {
	t.Parallel()
	without(t, "ytt")
	good, err := os.ReadFile(exampleOf("two-environments", "deployments").rendering().Values)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"a misspelt value":         {"uri:", "url:", `did you mean "uri"?`},
		"a value twice":            {"executor: script", "executor: script\n  executor: helm", `deployments[0]: the key "executor" is there twice`},
		"an empty address":         {"uri: https://github.com/acme-shop/deployments.git", `uri: ""`, "length >= 1"},
		"a secret in plain text":   {"((deployments.token))", "hunter2", "must be: a ((reference)) to a secret"},
		"a tag that moves":         {"tag: 1.4.0", "tag: latest", "is not a pin"},
		"a short version":          {"tag: 1.0.0", `tag: "1.0"`, "a full version"},
		"a registry with a scheme": {"registry: ghcr.io/taxiway-ci", "registry: https://ghcr.io/taxiway-ci", "a registry without https:// in front"},
		"a placeholder of nothing": {`directory: "{environment}"`, "directory: envs/{env}/{deployment}", "envs/{env}/{deployment}: unknown placeholder; known ones: {deployment}, {environment}, {cloud}, {place}"},
		"an unknown executor":      {"executor: script", "executor: kapp", `must be: one of ["terraform", "helm", "script"]`},
		"an executor of its own":   {`directory: "{environment}"`, "environments: [{name: staging, executor: kapp}]", "one of"},
		"an executor without":      {"executor: script", "executor: terraform", "executors.terraform.image is missing"},
		"a wrong environment":      {`directory: "{environment}"`, "environments: [{name: prod}]", "has no environment prod; it has staging, production"},
		"two exceptions":           {`directory: "{environment}"`, "environments: [{name: staging}, {name: staging}]", "two exceptions for staging"},
		"a gate of no environment": {"deployments:\n", "gates: {environments: [prod]}\n\ndeployments:\n", "no cepler config has the environment prod"},
		"no deployments":           {"deployments:\n- config: cepler/cepler.yml\n  executor: script\n  directory: \"{environment}\"", "deployments: []", "length >= 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, string(good), tc.old)
			values := filepath.Join(t.TempDir(), valuesFile)
			require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), tc.old, tc.replacement, 1)), 0o644))
			out, err := pipelines(t, "render", "deployments", "--values", values, "--repository", filepath.Join(examplesFolder, "two-environments"))
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
			assert.Empty(t, out)
		})
	}
}

// A schema can be switched off; a choice that is not one of the known ones still renders nothing.
func TestTemplateHasNoWayAroundTheExecutor(t *testing.T) {
	t.Parallel()
	without(t, "ytt")
	r := rendering{Template: "deployments", Values: filepath.Join(examplesFolder, "two-environments", "deployments", valuesFile), Repository: filepath.Join(examplesFolder, "two-environments")}
	files, err := r.inputs()
	require.NoError(t, err)
	files[valuesFile] = bytes.Replace(files[valuesFile], []byte("executor: script"), []byte("executor: kapp"), 1)
	dir := t.TempDir()
	require.NoError(t, writeAll(dir, files))
	cmd := exec.CommandContext(t.Context(), "ytt", "-f", "shared", "-f", "deployments", "-f", "configs", "--data-values-file", valuesFile, "--dangerous-data-values-disable-validation")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "deployment shop, environment staging: unknown executor kapp")
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
		_, err := pipelines(t, args...)
		require.Error(t, err, want)
		assert.ErrorContains(t, err, want)
	}
}

func TestRenderWithoutYtt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	small := exampleOf("two-environments", "deployments")
	_, err := pipelines(t, "render", "deployments", "--values", small.rendering().Values, "--repository", small.rendering().Repository)
	require.ErrorIs(t, err, errNoYtt)
}

func TestLintCounts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.yml")
	require.NoError(t, os.WriteFile(file, []byte("jobs:\n- name: a\n  plan:\n  - gett: b\n"), 0o644))
	out, err := pipelines(t, "lint", file, exampleOf("lana-bank", "deployments").want())
	require.EqualError(t, err, "lint: 1 error")
	assert.Equal(t, file+`:4: there is no step kind "gett"; did you mean "get"?`+"\n", out)
	_, err = pipelines(t, "lint", filepath.Join(t.TempDir(), "none.yml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSetShowsOrRunsFly(t *testing.T) {
	without(t, "ytt")
	small := exampleOf("two-environments", "deployments")
	ytt, err := exec.LookPath("ytt")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fly"), []byte("#!/bin/sh\necho ran fly \"$@\"\n"), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+filepath.Dir(ytt)+string(os.PathListSeparator)+os.Getenv("PATH"))
	output := filepath.Join(dir, "p.yml")
	args := []string{"set", "deployments", "--values", small.rendering().Values, "--repository", small.rendering().Repository, "--target", "ci", "--output", output, "--pipeline", "shop"}

	out, err := pipelines(t, args...)
	require.NoError(t, err)
	command := "fly --target ci set-pipeline --pipeline shop --config " + output
	assert.Equal(t, command+"\n", out)
	written, err := os.ReadFile(output)
	require.NoError(t, err)
	want, err := os.ReadFile(small.want())
	require.NoError(t, err)
	assert.Equal(t, string(want), string(written))

	// fly asks, and asks again for ever where nobody can answer
	_, err = pipelines(t, append(args, "--execute")...)
	require.ErrorContains(t, err, "there is no terminal on which fly could ask; add --non-interactive")

	out, err = pipelines(t, append(args, "--execute", "--non-interactive", "--load-vars-from", "a.yml", "--load-vars-from", "b.yml", "--var", "x=y", "--check-creds")...)
	require.NoError(t, err)
	assert.Equal(t, "ran "+command+" --load-vars-from a.yml --load-vars-from b.yml --var x=y --check-creds --non-interactive\n", out)

	_, err = pipelines(t, "set", "deployments", "--values", small.rendering().Values)
	require.ErrorContains(t, err, "--target TARGET")
}

// The README names every value.
func TestReadmeNamesEveryValue(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	schemas, err := filepath.Glob("*/schema*.yml")
	require.NoError(t, err)
	require.Contains(t, schemas, "deployments/schema.yml")
	for _, file := range schemas {
		schema, err := os.ReadFile(file)
		require.NoError(t, err)
		names := keyNames(t, schema)
		require.NotEmpty(t, names, file)
		for _, name := range names {
			assert.Regexp(t, "[`.]"+name+"[`\\[.]", string(readme), "a value of %s", file)
		}
	}
}

// keyNames are the names of all keys in a YAML file; _ is ytt's name for what it puts in its place.
func keyNames(t *testing.T, data []byte) []string {
	t.Helper()
	var names []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value != "_" {
				names = append(names, c.Value)
			}
			walk(c)
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return names
		}
		require.NoError(t, err)
		walk(&doc)
	}
}

// Sources and params are held against the resource programs' own types.
func TestLintKnowsTheResourceTypes(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("two-environments", "deployments").want())
	require.NoError(t, err)
	for old, tc := range map[string]struct{ replacement, want string }{
		"    environment: staging":  {"    enviromnt: staging", `resource "staging": source: unknown key "enviromnt", did you mean "environment"?`},
		"    branch: main\n":        {"", `resource "staging": source.branch: is required, but missing`},
		"    branch: main":          {"    branch: [main]", `resource "staging": source.branch: want a string, got a list`},
		"      repository: staging": {"      repositry: staging", `put "staging-out": params: unknown key "repositry", did you mean "repository"?`},
	} {
		before, _, found := strings.Cut(string(good), old)
		require.True(t, found, old)
		text := strings.Replace(string(good), old, tc.replacement, 1)
		findings := pipeline.Lint("p.yml", []byte(text), ownTypes())
		require.NotEmpty(t, findings, tc.want)
		assert.Contains(t, findings.String(), tc.want)
		line := strings.Count(before, "\n") + 1
		if tc.replacement != "" {
			assert.Contains(t, findings.String(), "p.yml:"+strconv.Itoa(line)+": ")
		}
	}
}
