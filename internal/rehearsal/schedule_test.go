package rehearsal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// inputs are the numbers that a job's last build had, by step.
func inputs(t *testing.T, r *rehearsal.Rehearsal, job string) map[string]string {
	t.Helper()
	builds := r.Builds(job)
	require.NotEmpty(t, builds, job)
	out := map[string]string{}
	for name, use := range builds[len(builds)-1].Inputs {
		out[name] = use.Version["n"]
	}
	return out
}

const resources = `
resources:
- {name: a, type: shelf, source: {name: a}}
- {name: b, type: shelf, source: {name: b}}
`

func TestTriggers(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := rehearse(t, s, resources+`
jobs:
- name: j
  plan: [{get: a, trigger: true}, {get: b}]
`)
	assert.Empty(t, settled(t, r), "nothing there yet")
	s.add("a", "1")
	assert.Empty(t, settled(t, r), "b has no version")
	s.add("b", "1")
	assert.Equal(t, []string{"j#1 succeeded"}, settled(t, r))
	s.add("b", "2")
	assert.Empty(t, settled(t, r), "b does not trigger")
	s.add("a", "2", "3")
	assert.Equal(t, []string{"j#2 succeeded"}, settled(t, r), "the newest is enough")
	assert.Equal(t, map[string]string{"a": "3", "b": "2"}, inputs(t, r, "j"))
}

func TestCheckIsGivenTheLatestVersion(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}]}]")
	settled(t, r)
	s.add("a", "2")
	settled(t, r)
	assert.Equal(t, []string{"", "1", "1", "2"}, s.given)
}

func TestAFailedBuildIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}, "+sh("bad", "false")+"]}]")
	assert.Equal(t, []string{"j#1 failed"}, settled(t, r))
	assert.Empty(t, settled(t, r))
	b, err := r.Trigger(t.Context(), "j", "ana")
	require.NoError(t, err)
	assert.Equal(t, "ana", b.By)
	assert.Equal(t, 2, b.Number)
}

func TestEvery(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true, version: every}]}]")
	settled(t, r)
	s.add("a", "2", "3", "4")
	assert.Equal(t, []string{"j#2 succeeded", "j#3 succeeded", "j#4 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"a": "4"}, inputs(t, r, "j"))
}

func TestPassed(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+`
jobs:
- name: test
  plan:
  - {get: a, trigger: true}
  - task: t
    config: {platform: linux, inputs: [{name: a}], run: {path: sh, args: [-c, 'test $(cat a/n) != 2']}}
- name: ship
  plan: [{get: it, resource: a, trigger: true, passed: [test]}]
`)
	assert.Equal(t, []string{"test#1 succeeded", "ship#1 succeeded"}, settled(t, r))
	s.add("a", "2")
	assert.Equal(t, []string{"test#2 failed"}, settled(t, r))
	s.add("a", "3")
	assert.Equal(t, []string{"test#3 succeeded", "ship#2 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"it": "3"}, inputs(t, r, "ship"))
}

// Two resources that pass two jobs: the last job may only have a pair that went
// through each of them in one build.
func TestPassedTogether(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	s.add("b", "1")
	r := rehearse(t, s, resources+`
jobs:
- name: one
  plan:
  - {get: a, trigger: true}
  - {get: b, trigger: true}
  - task: t
    config: {platform: linux, inputs: [{name: a}, {name: b}], run: {path: sh, args: [-c, 'test "$(cat a/n)$(cat b/n)" != 22']}}
- name: two
  plan: [{get: a, passed: [one], trigger: true}, {get: b, passed: [one]}]
- name: end
  plan: [{get: b, passed: [one, two], trigger: true}, {get: a, passed: [one, two], trigger: true}]
`)
	assert.Equal(t, []string{"one#1 succeeded", "two#1 succeeded", "end#1 succeeded"}, settled(t, r))
	s.add("a", "2")
	s.add("b", "2")
	assert.Equal(t, []string{"one#2 failed"}, settled(t, r), "2 and 2 do not go together")
	s.add("b", "3")
	assert.Equal(t, []string{"one#3 succeeded", "two#2 succeeded", "end#2 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"a": "2", "b": "3"}, inputs(t, r, "end"))
}

// a passed p with 2 and q with 1 only: no pair of b and a has gone together.
func TestPassedApart(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	s.add("b", "1")
	r := rehearse(t, s, resources+`
jobs:
- name: p
  plan: [{get: a, trigger: true}, {get: b}]
- name: q
  plan: [{get: a}, {get: b, trigger: true}]
- name: end
  plan: [{get: a, passed: [p, q], trigger: true}, {get: b, passed: [p]}]
`)
	settled(t, r)
	assert.Equal(t, map[string]string{"a": "1", "b": "1"}, inputs(t, r, "end"))
	s.add("a", "2")
	assert.Equal(t, []string{"p#2 succeeded"}, settled(t, r), "q has not had a 2")
	s.add("b", "2")
	assert.Equal(t, []string{"q#2 succeeded", "end#2 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"a": "2", "b": "1"}, inputs(t, r, "end"), "the b that went through p with this a")
}

func TestAPutPasses(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, `
resources:
- {name: a, type: shelf, source: {name: a}}
- {name: b, type: shelf, check_every: never, source: {name: b}}
jobs:
- name: make
  plan: [{get: a, trigger: true}, {put: b, params: {file: a/n}}]
- name: use
  plan: [{get: b, trigger: true, passed: [make]}]
`)
	assert.Equal(t, []string{"make#1 succeeded", "use#1 succeeded"}, settled(t, r))
	s.add("b", "elsewhere")
	assert.Empty(t, settled(t, r), "b is never checked")
	versions, err := r.Versions("b")
	require.NoError(t, err)
	assert.Equal(t, []rehearsal.Version{{"n": "1"}}, versions)
}

func TestPinnedStep(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, version: {'n': '2'}, trigger: true}]}]")
	assert.Empty(t, settled(t, r))
	_, err := r.Trigger(t.Context(), "j", "ana")
	require.ErrorContains(t, err, "the pinned version n:2 is not there")
	s.add("a", "2", "3")
	assert.Equal(t, []string{"j#1 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"a": "2"}, inputs(t, r, "j"))
}

func TestRollbackByPinning(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}]}]")
	settled(t, r)
	s.add("a", "2")
	settled(t, r)
	require.ErrorContains(t, r.Pin("a", map[string]string{"n": "9"}), "it never had such a version")
	require.NoError(t, r.Pin("a", map[string]string{"n": "1"}))
	assert.Equal(t, rehearsal.Version{"n": "1"}, r.Pinned("a"))
	assert.Empty(t, settled(t, r), "a pin starts nothing by itself")
	_, err := r.Trigger(t.Context(), "j", "ana")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "1"}, inputs(t, r, "j"))
	s.add("a", "3")
	assert.Empty(t, settled(t, r), "the pin holds")
	assert.Equal(t, "1", s.given[len(s.given)-1], "a pinned resource is checked from the pin")
	require.NoError(t, r.Unpin("a"))
	assert.Equal(t, []string{"j#4 succeeded"}, settled(t, r))
	assert.Equal(t, map[string]string{"a": "3"}, inputs(t, r, "j"))
}

// A source that changes has a history of its own: the next check is given nothing, and a version that the
// job had starts nothing.
func TestForgottenVersions(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}]}]")
	settled(t, r)
	require.NoError(t, r.Forget("a"))
	versions, err := r.Versions("a")
	require.NoError(t, err)
	assert.Empty(t, versions)
	assert.Empty(t, settled(t, r), "the job had that version")
	assert.Empty(t, s.given[len(s.given)-1], "the check is given no version")
	require.Error(t, r.Forget("nothing"))
}

// A version that was seen before does not become the latest again.
func TestKnownVersionsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "1")
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}]}]")
	settled(t, r)
	s.add("a", "2")
	settled(t, r)
	s.lists["a"] = []string{"1"}
	assert.Empty(t, settled(t, r))
	versions, err := r.Versions("a")
	require.NoError(t, err)
	assert.Equal(t, []rehearsal.Version{{"n": "1"}, {"n": "2"}}, versions)
}

func TestACheckThatFails(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.fail[rehearsal.Check] = true
	r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}]}]")
	assert.Empty(t, settled(t, r))
	require.ErrorIs(t, r.CheckErrors()["a"], rehearsal.ErrScript)
	s.fail[rehearsal.Check] = false
	settled(t, r)
	assert.Empty(t, r.CheckErrors())
}

func TestAGetOrPutThatFailsFailsTheBuild(t *testing.T) {
	t.Parallel()
	for _, verb := range []rehearsal.Verb{rehearsal.In, rehearsal.Out} {
		s := newShelf()
		s.add("a", "1")
		s.fail[verb] = true
		r := rehearse(t, s, resources+"jobs: [{name: j, plan: [{get: a, trigger: true}, {put: b, no_get: true, params: {'n': '1'}}]}]")
		assert.Equal(t, []string{"j#1 failed"}, settled(t, r), verb)
	}
}

func TestAPipelineThatMakesItsOwnNewsIsStopped(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", "x")
	r := rehearse(t, s, resources+`
jobs:
- name: j
  plan:
  - {get: a, trigger: true}
  - task: t
    config: {platform: linux, inputs: [{name: a}], outputs: [{name: out}], run: {path: sh, args: [-c, 'echo $(cat a/n)x > out/n']}}
  - {put: a, no_get: true, params: {file: out/n}}
`)
	_, err := r.Settle(t.Context())
	require.ErrorIs(t, err, rehearsal.ErrRestless)
}

func TestWorldsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"resources: [{name: a, type: git, source: {uri: x}}]":                                   "nothing here stands in for the type git; there are: shelf",
		"resources: [{name: a, type: shelf, source: {uri: 'git@x:y'}}]":                         "resource a uses git@x:y, and nothing here stands in for it",
		"resources: [{name: a, type: shelf, source: {key: ((secret))}}]":                        "((secret))",
		"jobs: [{name: j, plan: [{get: a}]}]":                                                   "there is no such resource",
		"resources: [{name: a, type: shelf}]\njobs: [{name: j, plan: [{get: a, passed: [i]}]}]": "there is no such job",
	} {
		_, err := tryRehearse(t, newShelf(), text)
		assert.ErrorContains(t, err, want, text)
	}
}

// A program gets what the protocol says and nothing of this process's
// environment; its folder for checks is the same every time.
func TestProgram(t *testing.T) {
	t.Setenv("FROM_OUTSIDE", "1")
	dir := t.TempDir()
	script := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nset -eu\n"+text), 0o755))
	}
	script("check", `test -z "${FROM_OUTSIDE-}${BUILD_ID-}"
test $# = 0
request=$(cat)
echo "$request" | grep -q '"uri":"http://127.0.0.1/x"'
case $request in *private_key*|*defaults*) exit 1;; esac
echo x >> "$TMPDIR/checks"
printf '[{"n":"%s"}]' "$(grep -c x "$TMPDIR/checks")"`)
	script("in", `cat > "$1/request"; test "$BUILD_JOB_NAME" = j; test -w "$HOME"; echo '{"version":{"n":"1"},"metadata":[{"name":"k","value":"v"}]}'`)
	script("out", `echo "push refused" >&2; exit 1`)
	p, err := pipeline.Parse("p.yml", []byte(`
resource_types: [{name: tool, type: registry-image, source: {repository: x}, defaults: {extra: 1}}]
resources: [{name: a, type: tool, source: {uri: 'git@host:x', private_key: ((key))}}]
jobs: [{name: j, plan: [{get: a, params: {p: ((word))}}, {put: a}]}]
`))
	require.NoError(t, err)
	r, err := rehearsal.New(rehearsal.Options{
		Pipeline: p, Types: map[string]rehearsal.Type{"tool": rehearsal.Program{Dir: dir}}, Vars: map[string]any{"word": "hello"},
		StandIns: map[string]rehearsal.StandIn{"git@host:x": {URI: "http://127.0.0.1/x", Without: []string{"private_key"}}},
		Dir:      t.TempDir(), TaskPath: os.Getenv("PATH"),
	})
	require.NoError(t, err)
	b, err := r.Trigger(t.Context(), "j", "ana")
	require.NoError(t, err)
	require.Empty(t, r.CheckErrors())
	assert.Equal(t, []string{"a succeeded", "a failed"}, steps(b))
	assert.Equal(t, []rehearsal.MetadataField{{Name: "k", Value: "v"}}, b.Steps[0].Metadata)
	assert.Contains(t, b.Steps[1].Log, "push refused")
	b, err = r.Trigger(t.Context(), "j", "ana")
	require.NoError(t, err)
	assert.Equal(t, rehearsal.Version{"n": "2"}, b.Inputs["a"].Version, "the folder of the check was kept")
}
