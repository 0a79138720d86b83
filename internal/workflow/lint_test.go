package workflow_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/workflow"
)

const good = `name: test
on:
  pull_request:
  push:
    branches: [main]
permissions:
  contents: read
concurrency:
  group: test-${{ github.ref }}
  cancel-in-progress: true
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    steps:
    - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      with:
        persist-credentials: false
    - run: make test
`

// found are the findings without the names of files, one a line.
func found(files map[string]string) string {
	all := map[string][]byte{}
	for name, text := range files {
		all[name] = []byte(text)
	}
	return workflow.Lint(all).String()
}

func TestLintOfOneWorkflow(t *testing.T) {
	t.Parallel()
	assert.Empty(t, found(map[string]string{"test.yml": good}))
	for _, tc := range []struct{ old, new, want string }{
		{"permissions:\n  contents: read\n", "", "test.yml:10: job test does not say which permissions it needs"},
		{"  contents: read\n", "  contents: write\n", "does not say which permissions"},
		{"    timeout-minutes: 10\n", "    permissions: read-all\n    timeout-minutes: 10\n", "has the permissions read-all"},
		{"    timeout-minutes: 10\n", "    permissions: {}\n    timeout-minutes: 10\n", "lacks the permission contents: read"},
		{"  cancel-in-progress: true\n", "", "warning: runs for outdated commits"},
		{"    - run: make test\n", "    - run: make test\n      env:\n        KEY: ${{ secrets.KEY }}\n", "test.yml:21: a secret reaches the code of a fork: ${{ secrets.KEY }}"},
		{"jobs:\n", "env:\n  KEY: ${{ secrets.KEY }}\njobs:\n", "a secret reaches the code of a fork"},
		{"    - run: make test\n", "    - run: make test\n      env:\n        KEY: ${{ github.actor == 'ana' && secrets.KEY }}\n", "a secret reaches the code of a fork"},
		{"    - run: make test\n", "    - run: make test\n      env:\n        KEY: ${{ secrets.KEY\n", "an expression has no end"},
		{"jobs:\n", "jobs:\n  more:\n    uses: acme/ci/.github/workflows/x.yml@main\n    secrets: inherit\n", "hands on all secrets"},
		{"jobs:\n", "jobs:\n  more:\n    uses: acme/ci/.github/workflows/x.yml@main\n", "is not pinned"},
		{"jobs:\n", "jobs: []\nother:\n", "it has no jobs"},
		{"name: test", "name: {", "read workflow test.yml"},
	} {
		assert.Contains(t, good, tc.old)
		assert.Contains(t, found(map[string]string{"test.yml": strings.Replace(good, tc.old, tc.new, 1)}), tc.want, tc.new)
	}
}

// A secret is not a finding where a fork's code surely does not run, or gets nothing.
func TestSecretsThatNoForkGets(t *testing.T) {
	t.Parallel()
	const ours = "github.event.pull_request.head.repo.full_name == github.repository"
	for _, text := range []string{
		"      env:\n        KEY: ${{ " + ours + " && secrets.KEY || '' }}\n",
		"      env:\n        KEY: ${{ !github.event.pull_request.head.repo.fork && secrets.KEY || '' }}\n",
		"      env:\n        KEY: ${{ github.event_name == 'push' && secrets.KEY || '' }}\n",
		"      env:\n        KEY: ${{ secrets.GITHUB_TOKEN }}\n",
		"      if: " + ours + "\n      env:\n        KEY: ${{ secrets.KEY }}\n",
		"      if: ${{ github.event_name == 'push' }}\n      env:\n        KEY: ${{ secrets.KEY }}\n",
	} {
		assert.Empty(t, found(map[string]string{"test.yml": good + text}), text)
	}
	pushed := strings.Replace(good, "  pull_request:\n", "", 1) + "      env:\n        KEY: ${{ secrets.KEY }}\n"
	assert.Empty(t, found(map[string]string{"test.yml": pushed}), "no pull request starts it")
}

func TestPullRequestsThatStartAWorkflow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		on            string
		main, release bool
	}{
		{"pull_request", true, true},
		{"[push, pull_request]", true, true},
		{"push", false, false},
		{"{pull_request: }", true, true},
		{"{pull_request: {branches: [main]}}", true, false},
		{"{pull_request: {branches: 'release/*'}}", false, true},
		{"{pull_request: {branches-ignore: ['release/*']}}", true, false},
		{"{pull_request: {types: [opened], branches: ['*']}}", true, false},
	} {
		w, err := workflow.Parse("w.yml", []byte("on: "+tc.on+"\njobs: {a: {steps: []}}\n"))
		require.NoError(t, err, tc.on)
		assert.Equal(t, tc.main, w.RunsFor("main"), tc.on)
		assert.Equal(t, tc.release, w.RunsFor("release/1"), tc.on)
	}
}

func TestLintOfARuleset(t *testing.T) {
	t.Parallel()
	const rules = `{"rules": [{"type": "required_status_checks", "parameters": {"required_status_checks": [CHECKS]}}]}`
	lint := func(checks string) string {
		return found(map[string]string{"test.yml": good, "rules.json": strings.Replace(rules, "CHECKS", checks, 1)})
	}
	assert.Empty(t, lint(`{"context": "test", "integration_id": 15368}, {"context": "nix-cache/all"}`), "what anybody may report needs no workflow")
	assert.Contains(t, lint(`{"context": "tests", "integration_id": 15368}`), "no job of the workflows reports the required check tests")
	assert.Contains(t, found(map[string]string{"rules.json": "{}"}), "it is not a ruleset")
	pushed := strings.Replace(good, "  pull_request:\n", "", 1)
	assert.Contains(t, found(map[string]string{"test.yml": pushed, "rules.json": strings.Replace(rules, "CHECKS", `{"context": "test"}`, 1)}), "does not run for pull requests")
}
