package pipeline_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

var update = flag.Bool("update", false, "write what the linter says into the .want files")

// keys is a schema that knows only which keys there are.
type keys struct{ source, get, put []string }

func (k keys) Source(data []byte) error    { return k.check("source", data, k.source) }
func (k keys) GetParams(data []byte) error { return k.check("params", data, k.get) }
func (k keys) PutParams(data []byte) error { return k.check("params", data, k.put) }

func (keys) check(what string, data []byte, known []string) error {
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		return err
	}
	var wrong []error
	for k := range got {
		if !slices.Contains(known, k) {
			wrong = append(wrong, fmt.Errorf("%s: unknown key %q", what, k))
		}
	}
	return errors.Join(wrong...)
}

func types() pipeline.Types {
	source := []string{"uri", "branch", "private_key", "config", "environment"}
	return pipeline.Types{
		"cepler-in":  keys{source: source, get: []string{"prepare"}},
		"cepler-out": keys{source: source, put: []string{"repository", "environment"}},
	}
}

const faulty = "testdata/faulty"

func faultyFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(faulty, "*.yml"))
	require.NoError(t, err)
	require.Greater(t, len(files), 20, "the faulty pipelines are missing")
	return files
}

// Each file has one fault; its .want says what the linter must say, no more and no less.
func TestLintFindsEachFault(t *testing.T) {
	t.Parallel()
	wants, err := filepath.Glob(filepath.Join(faulty, "*.want"))
	require.NoError(t, err)
	for _, file := range faultyFiles(t) {
		want := strings.TrimSuffix(file, ".yml") + ".want"
		wants = slices.DeleteFunc(wants, func(w string) bool { return w == want })
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			got := pipeline.Lint(filepath.Base(file), data, types()).String() + "\n"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
			}
			expected, err := os.ReadFile(want)
			require.NoError(t, err)
			assert.Equal(t, string(expected), got)
			assert.NotEqual(t, "\n", got, "the linter finds nothing")
		})
	}
	assert.Empty(t, wants, "these expectations have no pipeline")
}

// The first line of each file says what fly says of it: what fly refuses is a finding, and the rest is what lint adds.
func TestFlyAgreesAboutTheFaults(t *testing.T) {
	t.Parallel()
	for _, file := range append(faultyFiles(t), goodFiles(t)...) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Regexp(t, "^# fly validate-pipeline --strict: (accepts|refuses)\n", string(data), file)
	}
	fly, err := exec.LookPath("fly")
	if err != nil {
		t.Skip("fly is not on PATH")
	}
	for _, file := range append(faultyFiles(t), goodFiles(t)...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			first, _, _ := strings.Cut(string(data), "\n")
			out, err := exec.CommandContext(t.Context(), fly, "validate-pipeline", "--strict", "--config", file).CombinedOutput()
			verdict := "accepts"
			if err != nil {
				verdict = "refuses"
			}
			assert.Equal(t, "# fly validate-pipeline --strict: "+verdict, first, "%s", out)
		})
	}
}

func goodFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yml")
	require.NoError(t, err)
	require.Contains(t, files, "testdata/good.yml")
	return files
}

func TestLintHasNothingToSayAboutAGoodPipeline(t *testing.T) {
	t.Parallel()
	for _, file := range goodFiles(t) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Empty(t, pipeline.Lint(file, data, types()).String())
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(faulty, "*.yml"))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range append(files, "testdata/good.yml") {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte("resources:\r\r- name: code\n  type: git\njobs:\n- name: build\n  plan:\n  - get: de\n"))
	breaks := regexp.MustCompile("[\r\n\u0085\u2028\u2029]") // those of YAML
	f.Fuzz(func(t *testing.T, data []byte) {
		if task, err := pipeline.ParseTask("t.yml", data); task == nil {
			require.Error(t, err)
		}
		p, err := pipeline.Parse("p.yml", data)
		if p == nil {
			require.Error(t, err)
			return
		}
		findings := pipeline.Lint("p.yml", data, types())
		var invalid *pipeline.InvalidError
		if errors.As(err, &invalid) {
			require.NotEmpty(t, findings)
		}
		for _, finding := range findings {
			require.NotEmpty(t, finding.Text)
			require.LessOrEqual(t, finding.Line, len(breaks.FindAll(data, -1))+1)
		}
	})
}

// Lint accepts what fly accepts, and has a finding for what fly refuses.
func TestLintReadsWhatFlyReads(t *testing.T) {
	const head = "resource_types:\n- name: slack\n  type: registry-image\n  source: {repository: a/b, tag: TAG}\njobs:\n- name: j\n  SERIAL\n  plan:\n  - task: t\n    config:\n      platform: linux\n      image_resource: {type: registry-image, source: {repository: a/b, tag: 1.2.3}}\n      params: {PARAMS}\n      run: {path: sh}\n"
	lint := func(tag, serial, params string) string {
		text := strings.NewReplacer("TAG", tag, "SERIAL", serial, "PARAMS", params).Replace(head)
		var found []string
		for _, f := range pipeline.Lint("p.yml", []byte(text), types()) {
			found = append(found, f.String())
		}
		return strings.Join(found, "\n")
	}
	for name, c := range map[string]struct{ tag, serial, params, want string }{
		"YAML 1.1":                    {serial: "serial: yes"},
		"YAML 1.1, false":             {serial: "serial: off"},
		"a word in quotes":            {serial: "serial: 'yes'", want: "true or false"},
		"the path of a kubeconfig":    {params: "KUBECONFIG: /tmp/kubeconfig"},
		"an operator of another tool": {params: "GITHUB_TOKEN: (( grab github.token ))", want: "p.yml:13: this is a source of spruce and not a pipeline"},
		"a secret":                    {params: "GITHUB_TOKEN: hunter2", want: "is a secret in plain text"},
		"a secret with a slash":       {params: "GITHUB_TOKEN: /hunter2", want: "is a secret in plain text"},
		"a tag that moves":            {tag: "latest-x86_64", want: `warning: the image of resource type "slack" has the tag "latest-x86_64", which moves`},
		"code of ytt":                 {serial: "#@ if data.values.serial:\n  serial: true\n  #@ end", want: "p.yml:7: this is a source of ytt and not a pipeline"},
		"a script about ytt":          {params: "SCRIPT: 'ytt -f - <<< \"#@ 1\"'"},
		"two merges":                  {serial: "<<: {serial: true}\n  <<: {public: true}", want: "p.yml:8: a mapping has << twice, which fly refuses; write one << with a list"},
	} {
		tag, serial := c.tag, c.serial
		if tag == "" {
			tag = "1.2.3"
		}
		if serial == "" {
			serial = "serial: true"
		}
		got := lint(tag, serial, c.params)
		if c.want == "" {
			assert.NotContains(t, got, "error", name)
			assert.NotContains(t, got, "plain-secret", name)
			assert.NotContains(t, got, "true or false", name)
			assert.NotContains(t, got, "plain text", name)
			continue
		}
		assert.Contains(t, got, c.want, name)
	}
}

// A comment allows one rule in its line, or in the line below, and says why.
func TestCommentsAllowFindings(t *testing.T) {
	t.Parallel()
	const pipelineText = `resource_types:
- name: slack
  type: registry-image
  source:
    repository: a/b
    tag: latest%s
jobs:
- name: j
  plan:
  - put: chat
    params: {TOKEN: hunter2} # taxiway: allow plain-secret because it is a test
resources:
- name: chat
  type: slack
%s`
	lint := func(comment, more string) string {
		return pipeline.Lint("p.yml", fmt.Appendf(nil, pipelineText, comment, more), types()).String()
	}
	assert.Empty(t, lint(" # taxiway: allow unpinned-image because its tags are broken", ""))
	assert.Contains(t, lint("", ""), "p.yml:6: warning: the image")
	assert.Contains(t, lint(" # taxiway: allow unpined-image because of that", ""), `p.yml:6: warning: there is no rule "unpined-image"; did you mean "unpinned-image"?`)
	assert.Contains(t, lint(" # taxiway: allow unpinned-image", ""), "p.yml:6: warning: this comment does not say why it allows unpinned-image; write: # taxiway: allow unpinned-image because REASON")
	assert.Contains(t, lint(" # taxiway: ignore", ""), "p.yml:6: warning: this comment allows nothing; write: # taxiway: allow RULE because REASON")
	const above = "\n    # taxiway: allow unpinned-image because its tags are broken"
	assert.Contains(t, lint(above, ""), "p.yml:7: warning: unpinned-image finds nothing in line 8; remove the comment")
	assert.Empty(t, pipeline.LintWith("p.yml", fmt.Appendf(nil, pipelineText, "", ""), pipeline.Options{Types: types(), Allow: []string{"unpinned-image"}}))
}

// Values that fly fills in are checked, and are not secrets in the file.
func TestLintWithVariables(t *testing.T) {
	t.Parallel()
	text := []byte("jobs:\n- name: j\n  serial: ((serial))\n  plan:\n  - put: chat\n    params: {TOKEN: ((token))}\nresources:\n- {name: chat, type: git}\n")
	with := func(serial any) string {
		return pipeline.LintWith("p.yml", text, pipeline.Options{Vars: pipeline.Vars(map[string]any{"serial": serial, "token": "hunter2"})}).String()
	}
	assert.Empty(t, with(true))
	assert.Contains(t, with("often"), `p.yml:3: "serial" of a job must be true or false, this is a string`)
}

// Every rule that a finding can have is in the list, and the list has no other.
func TestRulesAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	used := map[string]bool{}
	call := regexp.MustCompile(`\b(?:errorf|warnf)\(.*?, "([a-z-]+)",`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range call.FindAllSubmatch(text, -1) {
			used[string(m[1])] = true
		}
	}
	require.NotEmpty(t, used)
	var rules []string
	for _, rule := range pipeline.Rules() {
		rules = append(rules, rule.Name)
	}
	assert.Equal(t, slices.Sorted(maps.Keys(used)), rules)
}
