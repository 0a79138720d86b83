package pipelines

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

// allExamples are those of pipelines.
func allExamples(t *testing.T) []Example {
	t.Helper()
	cases, err := Examples(examplesFolder)
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	return cases
}

// checkExamples are those of Checks.
func checkExamples(t *testing.T) []Example {
	t.Helper()
	cases, err := CheckExamples(examplesFolder)
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	return cases
}

// exampleOf is the example of one user and template.
func exampleOf(user, template string) Example {
	return Example{filepath.Join(examplesFolder, user, template)}
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
		files, err := c.Rendering().inputs()
		require.NoError(t, err)
		want, err := os.ReadFile(c.Want())
		require.NoError(t, err)
		assert.Equal(t, digest(files), digestOf(want), "%s is stale: run `go run ./pipelines/taxiway render --examples pipelines/examples`", c.Want())
	}
}

func TestRenderingsAreWhatYttMakes(t *testing.T) {
	t.Parallel()
	for _, c := range allExamples(t) {
		r := c.Rendering()
		got, err := r.Render()
		require.NoError(t, err)
		want, err := os.ReadFile(c.Want())
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got))
	}
}

func TestRenderingsHaveNoFaults(t *testing.T) {
	t.Parallel()
	for _, c := range allExamples(t) {
		data, err := os.ReadFile(c.Want())
		require.NoError(t, err)
		findings := pipeline.Lint(c.Want(), data, OwnTypes())
		assert.Empty(t, findings, "%s", findings)
	}
}

func TestFlyTakesTheRenderings(t *testing.T) {
	t.Parallel()
	without(t, "fly")
	for _, c := range allExamples(t) {
		out, err := exec.CommandContext(t.Context(), "fly", "validate-pipeline", "--strict", "--config", c.Want()).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// One job for each environment of each config, and the state is recorded last.
func TestEveryEnvironmentHasItsJob(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleOf("lana-bank", "deployments").Want())
	require.NoError(t, err)
	p, err := pipeline.Parse("want.yml", data)
	require.NoError(t, err)
	var jobs []string
	for _, j := range p.Jobs {
		jobs = append(jobs, j.Name)
		assert.True(t, j.Serial, j.Name)
		if !strings.HasPrefix(j.Name, "deploy-") {
			continue
		}
		first, last := j.Plan[0], j.Plan[len(j.Plan)-1]
		require.Equal(t, pipeline.KindGet, first.Kind)
		require.Equal(t, pipeline.KindPut, last.Kind)
		assert.True(t, first.Get.Trigger)
		assert.Equal(t, "deploy-"+first.Get.Resource, j.Name)
		assert.Equal(t, first.Get.Resource+"-out", last.Put.Resource)
		in, ok := p.Resource(first.Get.Resource)
		require.True(t, ok)
		assert.False(t, in.Source.Field("gates_file").IsZero(), "the gates file decides, for every environment: %s", j.Name)
	}
	assert.Equal(t, []string{
		"deploy-lana-bank-gcp-galoy-staging", "deploy-lana-bank-gcp-volcano-qa",
		"propose-lana-bank-gcp-volcano-production", "open-gate-lana-bank-gcp-volcano-production",
		"deploy-lana-bank-gcp-volcano-production", "deploy-lana-bank-azure-volcano-staging",
		"deploy-monitoring-gcp-galoy-staging", "propose-monitoring-gcp-volcano-production", "open-gate-monitoring-gcp-volcano-production",
		"deploy-monitoring-gcp-volcano-production",
		"deploy-bank-reports-gcp-galoy-staging", "deploy-bank-reports-gcp-volcano-qa",
		"publish-board-lana-bank-gcp-galoy-staging", "publish-board-lana-bank-gcp-volcano-qa", "publish-board-lana-bank-gcp-volcano-production",
		"publish-board-lana-bank-azure-volcano-staging", "publish-board-monitoring-gcp-galoy-staging", "publish-board-monitoring-gcp-volcano-production",
		"publish-board-bank-reports-gcp-galoy-staging", "publish-board-bank-reports-gcp-volcano-qa",
	}, jobs)
	assert.Len(t, p.Groups, 4)
}

// Values that cannot be meant do not render.
func TestTemplateRefuses(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("two-environments", "deployments").Rendering().Values)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"a misspelt value":         {"uri:", "url:", `did you mean "uri"?`},
		"a value twice":            {"executor: script", "executor: script\n  executor: helm", `deployments[0]: the key "executor" is there twice`},
		"an empty address":         {"uri: https://github.com/acme-shop/deployments.git", `uri: ""`, "length >= 1"},
		"a secret in plain text":   {"((deployments.token))", "hunter2", "must be: a ((reference)) to a secret"},
		"a tag that moves":         {"tag: 1.4.0", "tag: latest", "is not a pin"},
		"a short version":          {"tag: 1.0.0", `tag: "1.0"`, "a full version"},
		"a registry with a scheme": {"registry: ghcr.io/taxiway-ci", "registry: https://ghcr.io/taxiway-ci", "a registry without https:// in front"},
		"a placeholder of nothing": {`directory: "{environment}"`, "directory: envs/{env}/{deployment}", "envs/{env}/shop: unknown placeholder; known ones: {deployment}, {environment}, {cloud}, {place}"},
		"an unknown executor":      {"executor: script", "executor: kapp", `must be: one of ["terraform", "helm", "script"]`},
		"an executor of its own":   {`directory: "{environment}"`, "environments: [{name: staging, executor: kapp}]", "one of"},
		"an executor without":      {"executor: script", "executor: terraform", "executors.terraform.image is missing"},
		"a wrong environment":      {`directory: "{environment}"`, "environments: [{name: prod}]", "has no environment prod; it has staging, production"},
		"two exceptions":           {`directory: "{environment}"`, "environments: [{name: staging}, {name: staging}]", "two exceptions for staging"},
		"a gate of no environment": {"deployments:\n", "gates: {environments: [prod]}\n\ndeployments:\n", "no cepler config has the environment prod"},
		"a job of no environment":  {"deployments:\n", "gates: {button: true, jobs_for: [prod]}\n\ndeployments:\n", "no cepler config has the environment prod"},
		"a second place for gates": {"deployments:\n", "gates: {environments: [production], branch: gates}\n\ndeployments:\n", "gates.environments is not used any more, because the gates file decides which environments have a gate, for the pipeline as for explain and trace; add these lines on branch gates, then remove gates.environments: staging: HEAD in shop.yml"},
		"proposals without API":    {"deployments:\n", "gates: {propose: true}\n\ndeployments:\n", "gates.github is missing: gates.propose keeps pull requests"},
		"labels without proposals": {"deployments:\n", "gates: {button: true, labels: [gate]}\n\ndeployments:\n", "labels, reviewers and draft are those of a pull request; set gates.propose"},
		"no deployments":           {"deployments:\n- config: cepler/cepler.yml\n  executor: script\n  directory: \"{environment}\"", "deployments: []", "length >= 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, string(good), tc.old)
			values := filepath.Join(t.TempDir(), valuesFile)
			require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), tc.old, tc.replacement, 1)), 0o644))
			out, err := Rendering{Template: Deployments, Values: values, Repository: filepath.Join(examplesFolder, "two-environments")}.Render()
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
			assert.Empty(t, out)
		})
	}
}

// The types of a registry over http say so to Concourse, each of them; those of others do not.
func TestARegistryOverHTTPIsInsecure(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("two-environments", "deployments").Rendering().Values)
	require.NoError(t, err)
	for types, want := range map[string]any{
		"registry: localhost:5000/taxiway-ci\n  insecure: true": true,
		"registry: localhost:5000/taxiway-ci":                   nil,
	} {
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, bytes.Replace(good, []byte("registry: ghcr.io/taxiway-ci"), []byte(types), 1), 0o644))
		out, err := Rendering{Template: Deployments, Values: values, Repository: filepath.Join(examplesFolder, "two-environments")}.Render()
		require.NoError(t, err)
		p, err := pipeline.Parse(WantFile, out)
		require.NoError(t, err)
		for _, name := range []string{"cepler-in", "cepler-out"} {
			own, ok := p.ResourceType(name)
			require.True(t, ok)
			assert.Equal(t, "localhost:5000/taxiway-ci/"+name, own.Source.Field("repository").Data())
			assert.Equal(t, want, own.Source.Field("insecure").Data())
		}
	}
}

// A schema can be switched off; a choice that is not one of the known ones still renders nothing.
func TestTemplateHasNoWayAroundTheExecutor(t *testing.T) {
	t.Parallel()
	r := Rendering{Template: "deployments", Values: filepath.Join(examplesFolder, "two-environments", "deployments", valuesFile), Repository: filepath.Join(examplesFolder, "two-environments")}
	files, err := r.inputs()
	require.NoError(t, err)
	files[valuesFile] = bytes.Replace(files[valuesFile], []byte("executor: script"), []byte("executor: kapp"), 1)
	options := withValues(valuesFile, files[valuesFile])
	options.DataValuesFlags.SkipValidation = true
	_, err = runYTT(options, under(files, sharedFolder), under(files, "deployments"), under(files, configsFolder))
	require.ErrorContains(t, err, "deployment shop, environment staging: unknown executor kapp")
}

// An image of the charts repository has a chart that is there, a pull request of its own, and a task that builds it.
func TestChartsRefuseImages(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("multi-cloud", "charts").Rendering().Values)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"no such chart": {"    name: statements\n", "    name: statement\n", "images: no chart is called statement; they are called ledger, statements"},
		"twice":         {"images:\n", "images:\n- {name: statements-fonts, repository: a/b}\n", "images: two are called statements-fonts"},
		"one branch": {
			"images:\n- ", "images:\n- {name: other, repository: a/b, chart: {name: ledger, path: image.digest}}\n- ",
			"bump.bot_branch: the images other and statements-fonts would both have the branch bot; put {image} into it",
		},
		"no pull request": {"bump:\n", "bump: null\nnone:\n", "bump is missing: the image statements-fonts goes into the chart statements by a pull request"},
		"no task":         {"    repository: concourse/oci-build-task\n    tag: 0.11.1\n", "", "build.image is missing: the images need the oci-build task"},
	} {
		require.Contains(t, string(good), tc.old)
		text := strings.Replace(string(good), tc.old, tc.replacement, 1)
		text = strings.Replace(text, "  labels: [volcano-bot]\n", "  labels: [volcano-bot]\n  bot_branch: bot\n", map[bool]int{true: 1}[name == "one branch"])
		text = strings.Replace(text, "  image:\n  username: volcano-bot\n", "  username: volcano-bot\n", 1)
		if _, rest, found := strings.Cut(text, "\nnone:\n"); found {
			text = strings.Replace(text, "none:\n"+rest[:strings.Index(rest, "\n\n")+1], "", 1)
		}
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, []byte(text), 0o644))
		_, err := Rendering{Template: "charts", Values: values}.Render()
		require.ErrorContains(t, err, tc.want, name)
	}
}

// The page of a template names every value, or the README does for what several have.
func TestReadmeNamesEveryValue(t *testing.T) {
	t.Parallel()
	shared, err := os.ReadFile("README.md")
	require.NoError(t, err)
	schemas, err := filepath.Glob("*/schema*.yml")
	require.NoError(t, err)
	require.Contains(t, schemas, "deployments/schema.yml")
	for _, file := range schemas {
		schema, err := os.ReadFile(file)
		require.NoError(t, err)
		names := keyNames(t, schema)
		require.NotEmpty(t, names, file)
		var page []byte
		if folder := filepath.Dir(file); folder != sharedFolder {
			page, err = os.ReadFile(filepath.Join(folder, "README.md"))
			require.NoError(t, err)
		}
		for _, name := range names {
			assert.Regexp(t, "[`.]"+name+"[`\\[.]", string(page)+string(shared), "a value of %s", file)
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
	good, err := os.ReadFile(exampleOf("two-environments", "deployments").Want())
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
		findings := pipeline.Lint("p.yml", []byte(text), OwnTypes())
		require.NotEmpty(t, findings, tc.want)
		assert.Contains(t, findings.String(), tc.want)
		line := strings.Count(before, "\n") + 1
		if tc.replacement != "" {
			assert.Contains(t, findings.String(), "p.yml:"+strconv.Itoa(line)+": ")
		}
	}
}
