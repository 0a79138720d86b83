package actions_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/actions"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

const steps = `name: steps
on:
  pull_request:
jobs:
  check:
    name: steps
    runs-on: ubuntu-24.04
    env:
      WHO: ${{ github.event.pull_request.user.login }}
    steps:
    - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
    - run: sudo rm -rf /
    - id: first
      run: |
        test "$WHO $N" = "ana 1"
        cat main.txt topic.txt
        echo "found=yes" >>"$GITHUB_OUTPUT"
      env:
        N: ${{ github.event.pull_request.number }}
    - if: ${{ steps.first.outputs.found == 'yes' }}
      run: touch "$RUNNER_TEMP/ran"
    - run: test -e "$RUNNER_TEMP/ran"
    - if: ${{ steps.first.outputs.found != 'yes' }}
      run: exit 1
    - id: try-1
      continue-on-error: true
      run: exit 1
    - if: ${{ steps.try-1.outcome == 'failure' }}
      run: git diff --quiet HEAD^1 HEAD && exit 1 || true
`

const failing = `name: failing
on: [pull_request]
jobs:
  each:
    name: apps
    strategy:
      matrix:
        APP: [good, bad]
    steps:
    - run: echo "$APP is checked"; test "$APP" = good
      env:
        APP: ${{ matrix.APP }}
    - if: ${{ always() }}
      run: echo cleaned
    - run: echo not reached; exit 2
      if: ${{ failure() && matrix.APP == 'good' }}
  check:
    name: all
    needs: [each]
    if: ${{ always() }}
    steps:
    - run: test "$RESULT" = success
      env:
        RESULT: ${{ needs.each.result }}
  after:
    needs: each
    steps:
    - run: exit 1
`

const pushed = "name: pushed\non: push\njobs:\n  x:\n    steps:\n    - run: exit 1\n"

func runner(t *testing.T, files map[string]string) (*actions.Runner, *github.Repository) {
	t.Helper()
	git, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	_, err = git.Create("team/code")
	require.NoError(t, err)
	forge := github.New(github.Options{Git: git})
	t.Cleanup(forge.Close)
	r := forge.Repository("team/code")
	base, err := r.Push("main", "ben", "feat: begin", map[string]string{"main.txt": "1\n"})
	require.NoError(t, err)
	require.NoError(t, r.Git().UpdateRef("refs/heads/topic", base))
	_, err = r.Push("topic", "ana", "feat: topic", map[string]string{"topic.txt": "topic\n"})
	require.NoError(t, err)
	_, err = r.Push("main", "ben", "feat: more", map[string]string{"main.txt": "2\n"})
	require.NoError(t, err)
	all := map[string][]byte{}
	for name, text := range files {
		all[name] = []byte(text)
	}
	a, err := actions.New(r, all, filepath.Join(t.TempDir(), "actions"), os.Getenv("PATH"))
	require.NoError(t, err)
	return a, r
}

func TestWorkflowsOfAPullRequest(t *testing.T) {
	t.Parallel()
	a, r := runner(t, map[string]string{"steps.yml": steps, "failing.yml": failing, "pushed.yml": pushed})
	number, err := r.Open("topic", "main", "feat: topic", "ana")
	require.NoError(t, err)
	results, err := a.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 1)
	got := map[string]string{}
	for _, c := range results[0].Checks {
		got[c.Name] = c.Conclusion
		if c.Name == "apps (bad)" {
			assert.Equal(t, "bad is checked", c.Text)
		}
	}
	want := map[string]string{"steps": "success", "apps (good)": "success", "apps (bad)": "failure", "all": "failure", "after": "skipped"}
	assert.Equal(t, want, got)
	pull, err := r.Pull(number)
	require.NoError(t, err)
	assert.Equal(t, "failure", r.Checks(pull.HeadCommit)["all"].State)

	again, err := a.Run(t.Context())
	require.NoError(t, err)
	assert.Empty(t, again, "the same commit runs once")
	_, err = r.Push("topic", "ana", "fix: topic", map[string]string{"more.txt": "x\n"})
	require.NoError(t, err)
	again, err = a.Run(t.Context())
	require.NoError(t, err)
	assert.Len(t, again, 1)
}

const automerge = `name: automerge
on:
  pull_request:
    types: [opened]
jobs:
  merge:
    name: automerge
    if: ${{ contains(github.event.pull_request.labels.*.name, 'bot') }}
    steps:
    - run: gh pr merge --auto --merge --match-head-commit "$HEAD" "$URL"
      env:
        HEAD: ${{ github.event.pull_request.head.sha }}
        URL: ${{ github.event.pull_request.html_url }}
`

const onMain = "name: test\non: {pull_request: {branches: [main]}}\njobs:\n  test:\n    steps:\n    - run: test ! -e broken\n"

func TestAWorkflowMerges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		base, label, file string
		merged            bool
		checks            int
	}{
		{"main", "bot", "fine", true, 2},
		{"main", "bot", "broken", false, 2},
		{"main", "person", "fine", false, 2},
		{"other", "bot", "broken", true, 1}, // the rules are for main
	} {
		a, r := runner(t, map[string]string{"automerge.yml": automerge, "test.yml": onMain})
		require.NoError(t, r.Git().UpdateRef("refs/heads/other", "main"))
		r.Set(func(s *github.Settings) {
			s.AllowAutoMerge, s.RequiredJobs, s.Protected = true, []string{"test"}, []string{"main"}
		})
		_, err := r.Push("topic", "ana", "feat: more", map[string]string{tc.file: "x\n"})
		require.NoError(t, err)
		number, err := r.Open("topic", tc.base, "feat: topic", "ana")
		require.NoError(t, err)
		require.NoError(t, r.Label(number, tc.label))
		results, err := a.Run(t.Context())
		require.NoError(t, err)
		require.Len(t, results, 1)
		assert.Len(t, results[0].Checks, tc.checks, "%v", tc)
		assert.Equal(t, tc.merged, results[0].MergedBy == "automerge", "%v", tc)
		pull, err := r.Pull(number)
		require.NoError(t, err)
		assert.Equal(t, tc.merged, pull.Merged, "%v", tc)
	}
}

func TestAConflictHasNoChecks(t *testing.T) {
	t.Parallel()
	a, r := runner(t, map[string]string{"steps.yml": steps})
	_, err := r.Push("topic", "ana", "feat: the same line", map[string]string{"main.txt": "3\n"})
	require.NoError(t, err)
	_, err = r.Open("topic", "main", "feat: topic", "ana")
	require.NoError(t, err)
	results, err := a.Run(t.Context())
	require.NoError(t, err)
	assert.Empty(t, results)
}

func TestWhatCannotRunIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name: x\non: pull_request\njobs:\n  a: {needs: b, steps: []}\n":                              "job a needs a job that does not exist",
		"name: x\non: pull_request\njobs:\n  a: {steps: [{run: 'echo ${{ ( }}'}]}\n":                  "something is missing",
		"name: x\non: pull_request\njobs:\n  a: {steps: [{run: 'gh repo delete'}]}\n":                 "gh repo delete: nothing stands in for this command",
		"name: x\non: pull_request\njobs:\n  a: {strategy: {matrix: {include: [{x: 1}]}}, steps: []}": "matrix: include is not a list of values",
	} {
		a, r := runner(t, map[string]string{"x.yml": text})
		_, err := r.Open("topic", "main", "feat: topic", "ana")
		require.NoError(t, err)
		_, err = a.Run(t.Context())
		assert.ErrorContains(t, err, want)
	}
}
