package rehearsal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// sh is a task that runs a line of shell.
func sh(name, script string) string {
	return fmt.Sprintf("{task: %s, config: {platform: linux, run: {path: sh, args: [-c, %q]}}}", name, script)
}

// shWith is sh with modifiers.
func shWith(name, script, more string) string {
	task := sh(name, script)
	return task[:len(task)-1] + ", " + more + "}"
}

func TestHowStepsEnd(t *testing.T) {
	t.Parallel()
	good, bad, broken := sh("good", "true"), sh("bad", "exit 3"), "{task: broken, config: {platform: linux, run: {path: no-such-program}}}"
	cases := map[string]struct {
		job    string
		status rehearsal.Status
		steps  []string
	}{
		"a plan stops at the first failure": {
			"plan: [" + good + ", " + bad + ", " + good + "]", rehearsal.Failed, []string{"good succeeded", "bad failed"},
		},
		"what cannot be run is an error": {
			"plan: [" + broken + ", " + good + "]", rehearsal.Errored, []string{"broken errored"},
		},
		"try makes a success of a failure": {
			"plan: [{try: " + bad + "}, " + good + "]", rehearsal.Succeeded, []string{"bad failed", "good succeeded"},
		},
		"try makes a success of an error": {
			"plan: [{try: " + broken + "}, " + good + "]", rehearsal.Succeeded, []string{"broken errored", "good succeeded"},
		},
		"do is a plan": {
			"plan: [{do: [" + good + ", " + bad + ", " + good + "]}]", rehearsal.Failed, []string{"good succeeded", "bad failed"},
		},
		"hooks of a success": {
			"plan: [" + shWith("it", "true", "on_success: "+sh("s", "true")+", on_failure: "+sh("f", "true")+", on_error: "+sh("x", "true")+", on_abort: "+sh("a", "true")+", ensure: "+sh("e", "true")) + "]",
			rehearsal.Succeeded,
			[]string{"it succeeded", "s succeeded", "e succeeded"},
		},
		"hooks of a failure": {
			"plan: [" + shWith("it", "false", "on_success: "+sh("s", "true")+", on_failure: "+sh("f", "true")+", on_error: "+sh("x", "true")+", ensure: "+sh("e", "true")) + "]",
			rehearsal.Failed,
			[]string{"it failed", "f succeeded", "e succeeded"},
		},
		"hooks of an error": {
			"plan: [{task: it, config: {platform: linux, run: {path: no-such-program}}, on_failure: " + sh("f", "true") + ", on_error: " + sh("x", "true") + ", ensure: " + sh("e", "true") + "}]",
			rehearsal.Errored,
			[]string{"it errored", "x succeeded", "e succeeded"},
		},
		"on_failure sees the failure of on_success": {
			"plan: [" + shWith("it", "true", "on_success: "+sh("s", "false")+", on_failure: "+sh("f", "true")) + "]",
			rehearsal.Failed,
			[]string{"it succeeded", "s failed", "f succeeded"},
		},
		"a failing ensure fails the step": {
			"plan: [" + shWith("it", "true", "ensure: "+sh("e", "false")) + "]", rehearsal.Failed, []string{"it succeeded", "e failed"},
		},
		"a failing on_failure changes nothing": {
			"plan: [" + shWith("it", "false", "on_failure: "+sh("f", "true")) + "]", rehearsal.Failed, []string{"it failed", "f succeeded"},
		},
		"hooks of the job come after its plan": {
			"plan: [" + good + ", " + bad + "]\non_failure: " + sh("f", "true") + "\nensure: " + sh("e", "true"),
			rehearsal.Failed,
			[]string{"good succeeded", "bad failed", "f succeeded", "e succeeded"},
		},
		"attempts end with the first success": {
			"plan: [" + shWith("it", "test -e $FLAG || { touch $FLAG; exit 1; }", "attempts: 3, params: {FLAG: '((flag))'}") + "]",
			rehearsal.Succeeded,
			[]string{"it failed", "it succeeded"},
		},
		"attempts are bounded": {
			"plan: [" + shWith("it", "false", "attempts: 3") + "]", rehearsal.Failed, []string{"it failed", "it failed", "it failed"},
		},
		"an error is tried again": {
			"plan: [{task: it, config: {platform: linux, run: {path: no-such-program}}, attempts: 2}]", rehearsal.Errored, []string{"it errored", "it errored"},
		},
		"a hook comes after all attempts": {
			"plan: [" + shWith("it", "false", "attempts: 2, on_failure: "+sh("f", "true")) + "]", rehearsal.Failed, []string{"it failed", "it failed", "f succeeded"},
		},
		"a timeout is a failure": {
			"plan: [" + shWith("it", "sleep 60", "timeout: 20ms, on_failure: "+sh("f", "true")+", on_error: "+sh("x", "true")) + "]",
			rehearsal.Failed,
			[]string{"it failed", "f succeeded"},
		},
		"in_parallel waits for all": {
			"plan: [{in_parallel: {limit: 1, steps: [" + bad + ", " + good + "]}}, " + good + "]", rehearsal.Failed, []string{"bad failed", "good succeeded"},
		},
		"in_parallel with fail_fast starts no more": {
			"plan: [{in_parallel: {limit: 1, fail_fast: true, steps: [" + bad + ", " + good + "]}}]", rehearsal.Failed, []string{"bad failed"},
		},
		"in_parallel as a list": {
			"plan: [{in_parallel: [" + good + "]}, " + good + "]", rehearsal.Succeeded, []string{"good succeeded", "good succeeded"},
		},
		"an empty in_parallel is a success": {
			"plan: [{in_parallel: []}, " + good + "]", rehearsal.Succeeded, []string{"good succeeded"},
		},
		"across runs every combination": {
			"plan: [" + shWith("it", "test $X$Y != b2", "across: [{var: x, values: [a, b]}, {var: 'y', values: [1, 2]}], params: {X: '((.:x))', 'Y': '((.:y))'}") + "]",
			rehearsal.Failed,
			[]string{"it succeeded", "it succeeded", "it succeeded", "it failed"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := pipeline.Parse("p.yml", []byte("jobs:\n- name: j\n"+indent(c.job)))
			require.NoError(t, err)
			dir := t.TempDir()
			r, err := rehearsal.New(rehearsal.Options{
				Pipeline: p, TaskPath: os.Getenv("PATH"), Dir: dir, Vars: map[string]any{"flag": filepath.Join(dir, "flag")},
			})
			require.NoError(t, err)
			b, err := r.Trigger(t.Context(), "j", "tester")
			require.NoError(t, err)
			assert.Equal(t, c.status, b.Status, "%v", b.Err)
			assert.Equal(t, c.steps, steps(b))
		})
	}
}

func TestFailFastEndsWhatRuns(t *testing.T) {
	t.Parallel()
	b := plan(t, "plan: [{in_parallel: {fail_fast: true, steps: ["+
		shWith("slow", "sleep 600", "on_abort: "+sh("cleanup", "true")+", on_failure: "+sh("f", "true"))+", "+sh("bad", "false")+"]}}]")
	assert.Equal(t, rehearsal.Failed, b.Status)
	assert.ElementsMatch(t, []string{"bad failed", "slow aborted", "cleanup succeeded"}, steps(b))
}

func TestAbort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := pipeline.Parse("p.yml", []byte("jobs:\n- name: j\n"+indent("plan: ["+
		shWith("slow", "touch $FLAG; sleep 600", "params: {FLAG: '((flag))'}, on_abort: "+sh("a", "true")+", on_failure: "+sh("f", "true")+", ensure: "+sh("e", "true"))+"]")))
	require.NoError(t, err)
	flag := filepath.Join(t.TempDir(), "flag")
	r, err := rehearsal.New(rehearsal.Options{Pipeline: p, TaskPath: os.Getenv("PATH"), Dir: t.TempDir(), Vars: map[string]any{"flag": flag}})
	require.NoError(t, err)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(flag); err == nil {
				return
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // waits for another process
		}
	}()
	b, err := r.Trigger(ctx, "j", "tester")
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, rehearsal.Aborted, b.Status)
	assert.Equal(t, []string{"slow aborted", "a succeeded", "e succeeded"}, steps(b))
}

func TestUnknownStepIsRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	_, err := tryRehearse(t, newShelf(), "jobs:\n- name: j\n  plan:\n  - try:\n      do:\n      - "+sh("a", "true")+"\n      - {set_pipeline: other, file: a/b.yml}\n")
	require.ErrorIs(t, err, rehearsal.ErrUnknownStep)
	assert.ErrorContains(t, err, "job j, line 7")
	assert.ErrorContains(t, err, "set_pipeline")
}

func TestTaskSeesCopiesAndParams(t *testing.T) {
	t.Parallel()
	b := plan(t, `
plan:
- task: make
  config:
    platform: linux
    outputs: [{name: made, path: some/where}]
    run: {path: sh, args: [-ec, 'echo one > some/where/f; ln -s f some/where/l; chmod 755 some/where/f; printf "\"n\": 5\n" > some/where/v.yml']}
- task: change
  input_mapping: {in: made}
  output_mapping: {out: changed}
  config:
    platform: linux
    inputs: [{name: in, path: got}, {name: absent, optional: true}]
    outputs: [{name: out}]
    params: {A: config, B: '((word))', C: 5, D: {x: [1]}, E: ~}
    run: {path: sh, dir: got, args: [-ec, 'echo two > f; echo "$A $B $C $D [$E]" > ../out/env; exit 1']}
  params: {A: step}
  on_failure:
    do:
    - load_var: v
      file: made/v.yml
    - task: look
      config:
        platform: linux
        inputs: [{name: made}, {name: changed}]
        run:
          path: sh
          args: [-ec, 'test "$(cat made/f)" = one; test -x made/f; test -L made/l; test "$N" = 5; test "$M" = "7/hello"; test "$(cat changed/env)" = "step hello 5 {\"x\":[1]} []"; test -z "${A-}"']
      params: {"N": '((.:v.n))', M: '((deep.n))/((word))'}
`)
	require.Equal(t, []string{"make succeeded", "change failed", "v succeeded", "look succeeded"}, steps(b), "%v", b)
}

func TestTaskFromFile(t *testing.T) {
	t.Parallel()
	b := plan(t, `
plan:
- task: make
  config: {platform: linux, outputs: [{name: ci}], run: {path: sh, args: [-c, 'printf "platform: linux\nrun: {path: test, args: [%swho)), =, me]}\n" "((" > ci/t.yml']}}
- {task: it, file: ci/t.yml, vars: {who: me}}
- {task: other, file: ci/t.yml, vars: {who: you}}
`)
	assert.Equal(t, []string{"make succeeded", "it succeeded", "other failed"}, steps(b))
}

func TestWhatAStepLacksIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{task: t, config: {platform: linux, inputs: [{name: src}], run: {path: sh}}}": `no step has made its input "src"`,
		"{task: t, config: {platform: linux, run: {path: sh, dir: ../..}}}":            "leads out of the build's folder",
		"{task: t, file: ci/t.yml}": `no step has made the artifact "ci"`,
		"{task: t, config: {platform: linux, params: {A: ((nope))}, run: {path: sh}}}": "((nope))",
		"{load_var: v, file: x}":                                                                      `"x" names no file of an artifact`,
		"{put: a, inputs: [b], params: {'n': '1'}}":                                                   `no step has made the artifact "b"`,
		"{task: t, timeout: ((word)), config: {platform: linux, run: {path: sh}}}":                    `timeout "hello" is not a valid duration`,
		"{task: t, across: [{var: x, values: ((word))}], config: {platform: linux, run: {path: sh}}}": "are not a list",
	} {
		b := plan(t, "plan: ["+text+"]")
		assert.Equal(t, rehearsal.Errored, b.Status, text)
		assert.ErrorContains(t, b.Err, want, text)
	}
}
