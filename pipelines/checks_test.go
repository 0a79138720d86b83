package pipelines

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"
	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// committed are the files of an example of Checks, by their paths in the repository.
func committed(t *testing.T, e Example) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := os.DirFS(e.WantDir())
	require.NoError(t, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name], err = fs.ReadFile(root, name)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}

func TestChecksAreOfTheseTemplatesAndValues(t *testing.T) {
	t.Parallel()
	for _, c := range checkExamples(t) {
		inputs, err := c.Rendering().inputs()
		require.NoError(t, err)
		for name, data := range committed(t, c) {
			if name != RulesetFile {
				assert.Equal(t, digest(inputs), digestOf(data), "%s of %s is stale: run `go run ./pipelines/taxiway render --examples pipelines/examples`", name, c.Dir)
			}
		}
	}
}

func TestChecksAreWhatYttMakes(t *testing.T) {
	t.Parallel()
	for _, c := range checkExamples(t) {
		got, err := c.Rendering().Files()
		require.NoError(t, err)
		want := committed(t, c)
		require.ElementsMatch(t, keys(want), keys(got), c.Dir)
		for name := range want {
			assert.Equal(t, string(want[name]), string(got[name]), name)
		}
	}
}

func keys(files map[string][]byte) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	return names
}

// requiredOf are the required checks of a ruleset. The file has only what GitHub knows.
func requiredOf(t *testing.T, e Example) (names []string, all *github.RepositoryRulesetRules) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(e.WantDir(), filepath.FromSlash(RulesetFile)))
	require.NoError(t, err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var rules github.RepositoryRuleset
	require.NoError(t, dec.Decode(&rules))
	require.NotNil(t, rules.Rules)
	if rules.Rules.RequiredStatusChecks == nil {
		return nil, rules.Rules
	}
	for _, check := range rules.Rules.RequiredStatusChecks.RequiredStatusChecks {
		names = append(names, check.Context)
	}
	return names, rules.Rules
}

// The eleven checks of the reference team under their names, and the one of the promotion; all of them are required.
func TestChecksOfTheReferenceTeam(t *testing.T) {
	t.Parallel()
	e := exampleOf("lana-bank", Checks)
	want := []string{
		"bats", "check-code-apps", "cocogitto", "codeql", "cypress", "data-pipeline", "flake-check", "lana-bank-docs", "nextest", "pnpm-audit",
		"promote-rc-file-check", "spelling",
	}
	required, rules := requiredOf(t, e)
	slices.Sort(required)
	assert.Equal(t, want, required)
	var files []string
	for name := range committed(t, e) {
		if name != RulesetFile {
			files = append(files, strings.TrimSuffix(filepath.Base(name), ".yml"))
		}
	}
	slices.Sort(files)
	assert.Equal(t, want, files)
	assert.NotNil(t, rules.CodeScanning)
	assert.Nil(t, rules.MergeQueue)
	for _, check := range rules.RequiredStatusChecks.RequiredStatusChecks {
		assert.Equal(t, int64(15368), check.GetIntegrationID(), check.Context)
	}
}

// A required check is the name of a job that runs for every pull request, and in the merge queue where there is one.
func TestRequiredChecksReport(t *testing.T) {
	t.Parallel()
	for _, c := range checkExamples(t) {
		required, rules := requiredOf(t, c)
		reported := map[string]bool{}
		for name, data := range committed(t, c) {
			w, problems := actionlint.Parse(data)
			if name == RulesetFile {
				continue
			}
			require.Empty(t, problems, name)
			events := map[string]actionlint.Event{}
			for _, e := range w.On {
				events[e.EventName()] = e
			}
			pull, ok := events["pull_request"].(*actionlint.WebhookEvent)
			require.True(t, ok, name)
			assert.True(t, pull.Paths.IsEmpty() && pull.PathsIgnore.IsEmpty(), "%s: a workflow with paths does not report for every pull request", name)
			for _, job := range w.Jobs {
				reported[job.Name.Value] = true
				if slices.Contains(required, job.Name.Value) {
					assert.Equal(t, rules.MergeQueue != nil, events["merge_group"] != nil, name)
				}
			}
		}
		for _, name := range required {
			assert.True(t, reported[name], "%s: no workflow has a job %s", c.Dir, name)
		}
	}
}

// judge holds a workflow against actionlint, its scripts against shellcheck where that is installed.
func judge(t *testing.T, name string, data []byte) []*actionlint.Error {
	t.Helper()
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Log("shellcheck is not on PATH: the scripts of the workflows are not checked")
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: shellcheck, WorkingDir: t.TempDir()})
	require.NoError(t, err)
	problems, err := linter.Lint(name, data, nil)
	require.NoError(t, err)
	return problems
}

func TestActionlintTakesTheChecks(t *testing.T) {
	t.Parallel()
	for _, c := range checkExamples(t) {
		for name, data := range committed(t, c) {
			if name == RulesetFile {
				continue
			}
			for _, p := range judge(t, name, data) {
				t.Errorf("%s of %s: %v", name, c.Dir, p)
			}
		}
	}
}

// pullOf is what expressions see for a pull request of a repository, or in the merge queue when there is none. Every secret is set.
func pullOf(repository string) workflow.Scope {
	event := map[string]any{"merge_group": map[string]any{"head_sha": "1f3c2aa"}}
	if repository != "" {
		event = map[string]any{"pull_request": map[string]any{"number": 7.0, "head": map[string]any{"repo": map[string]any{"full_name": repository}}}}
	}
	contexts := map[string]any{
		"github": map[string]any{"repository": "acme-bank/lana-bank", "event": event},
	}
	return workflow.Scope{Context: func(name string) workflow.Value {
		if name == "secrets" {
			return workflow.Value{Data: workflow.Members(func(string) workflow.Value { return workflow.Value{Data: "s3cret", Secret: true} })}
		}
		return workflow.Value{Data: contexts[name]}
	}}
}

// No secret reaches a job that runs a fork's code: each use comes to nothing in a pull request of a fork, and to the secret in the
// others. That nothing else has a secret, and no event is privileged, is what lint finds nothing of.
func TestNoSecretReachesAFork(t *testing.T) {
	t.Parallel()
	uses := 0
	for _, c := range checkExamples(t) {
		for name, data := range committed(t, c) {
			assert.NotContains(t, string(data), "pull_request_target", name)
			assert.NotContains(t, string(data), "secrets: inherit", name)
			for line := range strings.Lines(string(data)) {
				if !strings.Contains(line, "secrets.") {
					continue
				}
				uses++
				_, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
				for repository, want := range map[string]string{"mallory/lana-bank": "", "acme-bank/lana-bank": "s3cret", "": "s3cret"} {
					got, err := workflow.Interpolate(text, pullOf(repository))
					require.NoError(t, err, line)
					assert.Equal(t, want, got.Data, "%s of %s, pull request of %q: %s", name, c.Dir, repository, line)
				}
			}
		}
	}
	assert.Equal(t, 10, uses, "the cache's token in 6 checks of the reference team, and the credentials of one in 4 steps")
	for _, c := range checkExamples(t) {
		findings := workflow.Lint(committed(t, c))
		assert.Empty(t, findings, "%s: %s", c.Dir, findings)
	}
}

// The workflows of this repository keep to what those of the template do.
func TestOurOwnWorkflowsAreSafe(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	files := map[string][]byte{}
	for _, name := range found {
		files[name], err = os.ReadFile(name)
		require.NoError(t, err)
		for _, p := range judge(t, name, files[name]) {
			t.Errorf("%s: %v", name, p)
		}
	}
	findings := workflow.Lint(files)
	assert.Empty(t, findings, "%s", findings)
}
