package scenario_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "scenario s.yml is empty",
		"title: x":                     "has no acts",
		"acts: [{do: []}]":             "act 1: it has no title",
		"acts: [{titel: a}]":           "titel",
		"acts: [{title: a, do: [{}]}]": "deed 1 says 0 things",
		"acts: [{title: a, do: [{mend: x, unpin: {resource: y}}]}]":       "deed 1 says 2 things",
		"acts: [{title: a, do: [{commit: {message: m}}]}]":                "needs a message and files",
		"acts: [{title: a, expect: {builds: [{a: succeeded, b: x}]}}]":    "one \"job: result\"",
		"acts: [{title: a, do: [{commit: {message: m, files: {f: 1}}}]}]": "scenario s.yml",
	} {
		_, err := scenario.Parse("s.yml", []byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}

// notes is an audience that remembers.
type notes struct{ did, held []string }

func (*notes) Act(int, int, scenario.Act) {}
func (n *notes) Did(text string)          { n.did = append(n.did, text) }
func (*notes) Waits(lineage.Environment)  {}
func (n *notes) Held(text string)         { n.held = append(n.held, text) }

// stage has one job for each way to end, and a repository with one file.
func stage(t *testing.T) (scenario.Stage, *notes) {
	t.Helper()
	repository, err := gittest.Init(filepath.Join(t.TempDir(), "repository.git"))
	require.NoError(t, err)
	_, err = repository.Commit("main", "first", map[string]string{"repo/f": "one\n", "gates.yml": "# gates\nqa: HEAD\n'prod': 1234 # closed\n"})
	require.NoError(t, err)
	folder, err := tools.New(t.TempDir(), "tofu")
	require.NoError(t, err)
	p, err := pipeline.Parse("p.yml", []byte(`
resources:
- {name: chat, type: chat, source: {url: x}}
jobs:
- name: good
  plan:
  - {task: t, attempts: 2, config: {platform: linux, run: {path: tofu, args: [apply]}}}
  on_failure: {put: chat, params: {text: "good failed in $BUILD_JOB_NAME #$BUILD_NAME"}}
- name: bad
  plan: [{task: t, config: {platform: linux, run: {path: sh, args: [-c, "echo no luck; exit 1"]}}}]
`))
	require.NoError(t, err)
	mailbox := &rehearsal.Mailbox{}
	r, err := rehearsal.New(rehearsal.Options{
		Pipeline: p, Types: map[string]rehearsal.Type{"chat": mailbox}, Dir: t.TempDir(),
		TaskPath: folder.Path() + string(os.PathListSeparator) + os.Getenv("PATH"),
	})
	require.NoError(t, err)
	n := &notes{}
	return scenario.Stage{
		Pipelines: rehearsal.Together{r}, Repositories: map[string]*gittest.Repository{"deployments": repository}, Deployments: "deployments", Tools: folder, Messages: mailbox, Audience: n,
		Now: func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) },
	}, n
}

func play(t *testing.T, s scenario.Stage, text string) error {
	t.Helper()
	sc, err := scenario.Parse("s.yml", []byte(text))
	require.NoError(t, err)
	return sc.Play(context.WithoutCancel(t.Context()), s, nil)
}

func TestDeeds(t *testing.T) {
	t.Parallel()
	s, n := stage(t)
	require.NoError(t, play(t, s, `
acts:
- title: edits
  do:
  - commit:
      by: Ben <ben@example.com>
      message: "feat: two\n\nbody"
      as: two
      files:
        repo/f: {replace: one, with: two}
        new: {content: "x"}
  - commit: {message: more, files: {new: {append: "y\n"}, gone: {content: z}}}
  - commit: {message: less, files: {gone: {delete: true}}}
  - gate: {file: gates.yml, environment: prod, to: two}
- title: a tool that fails once
  do:
  - break: {tool: tofu, command: apply, times: 1, says: "Error: quota"}
  - trigger: {job: good, by: Ana}
  expect:
    builds: [{good: succeeded}]
    tries: {good: {t: 2}}
- title: a tool that fails
  do:
  - break: {tool: tofu, says: "Error: quota"}
  - trigger: {job: good}
  expect:
    builds: [{good: failed}]
    messages: ["good failed in good #2"]
- title: the mend
  do: [{mend: tofu}, {trigger: {job: good}}]
  expect:
    builds: [{good: succeeded}]
`))
	content, err := s.Repositories["deployments"].Show("main", "repo/f")
	require.NoError(t, err)
	assert.Equal(t, "two\n", content)
	content, err = s.Repositories["deployments"].Show("main", "new")
	require.NoError(t, err)
	assert.Equal(t, "xy\n", content)
	two, err := s.Repositories["deployments"].RevParse("main~3")
	require.NoError(t, err)
	content, err = s.Repositories["deployments"].Show("main", "gates.yml")
	require.NoError(t, err)
	assert.Equal(t, "# gates\nqa: HEAD\n'prod': "+two+" # closed\n", content)
	log, err := s.Repositories["deployments"].Log("%an %as %s", "main~2")
	require.NoError(t, err)
	assert.Equal(t, "Ben 2030-01-01 feat: two", log[1])
	assert.Equal(t, "Ben pushes "+two[:7]+" to main: feat: two", n.did[0])
	assert.Len(t, n.held, 4)
}

func TestWhatDoesNotHoldIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"do: [{trigger: {job: bad}}]":                                                                "act 1 (a): not as expected: a build that nobody expected: bad failed: task t: no luck",
		"expect: {builds: [{good: succeeded}]}":                                                      "no build of good succeeded",
		"do: [{trigger: {job: good}}]\n  expect: {builds: [{good: failed}]}":                         "2 things are not as expected",
		"expect: {saw: {good: {f: x}}}":                                                              "good has run no task",
		"do: [{trigger: {job: good}}]\n  expect: {builds: [{good: succeeded}], saw: {good: {f: x}}}": "good did not have f",
		"expect: {tries: {good: {t: 2}}}":                                                            "step t of good was tried 0 times, and should have been 2 times",
		"expect: {messages: [hello]}":                                                                "0 messages were sent, and should have been 1",
		"expect: {runs: {a/b: nobody}}":                                                              `no commit has the name "nobody"`,
		"expect: {waits: {a/b: ''}}":                                                                 "there is no environment a/b",
		"do: [{trigger: {job: gud}}]":                                                                `there is no job "gud"`,
		"do: [{mend: tofu}]":                                                                         "it is not broken",
		"do: [{pin: {resource: chat, job: good, build: 1}}]":                                         "build 1 of good did not get it",
		"do: [{commit: {message: m, files: {repo/f: {replace: none}}}}]":                             "0 times, not once",
		"do: [{commit: {message: m, files: {repo/f: {}}}}]":                                          "the edit says nothing",
		"do: [{gate: {file: gates.yml, environment: nobody, to: HEAD}}]":                             "has no line for nobody",
		"do: [{gate: {file: gates.yml, environment: qa, to: nowhere}}]":                              `no commit or branch named "nowhere"`,
	} {
		s, _ := stage(t)
		assert.ErrorContains(t, play(t, s, "acts:\n- title: a\n  "+text), want, text)
	}
}

func TestGateResume(t *testing.T) {
	t.Parallel()
	s, _ := stage(t)
	gates := func() string {
		text, err := s.Repositories["deployments"].Show("main", "gates.yml")
		require.NoError(t, err)
		return text
	}
	require.NoError(t, play(t, s, `acts: [{title: a, do: [{gate: {file: gates.yml, environment: prod, to: HEAD, resume: 3}}]}]`))
	assert.Equal(t, "# gates\nqa: HEAD\n'prod': {commit: HEAD, resume: 3} # closed\n", gates())
	require.NoError(t, play(t, s, `acts: [{title: a, do: [{gate: {file: gates.yml, environment: prod, to: HEAD}}]}]`))
	assert.Equal(t, "# gates\nqa: HEAD\n'prod': HEAD # closed\n", gates())
}

func TestMisspeltKeysOfAScenario(t *testing.T) {
	for text, want := range map[string]string{
		"doo: []":             `scenario s.yml: line 3: acts[0]: unknown key "doo"; did you mean "do"?`,
		"expect: {build: []}": `scenario s.yml: line 3: acts[0].expect: unknown key "build"; did you mean "builds"?`,
		"do: []\n  do: []":    `scenario s.yml: line 4: acts[0]: the key "do" is there twice, first in line 3; remove one`,
		"weather: sunny":      `scenario s.yml: line 3: acts[0]: unknown key "weather"`,
	} {
		_, err := scenario.Parse("s.yml", []byte("acts:\n- title: a\n  "+text))
		assert.ErrorContains(t, err, want, text)
	}
}
