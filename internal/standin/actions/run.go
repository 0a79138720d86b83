package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// run is one workflow for one pull request.
type run struct {
	runner   *Runner
	event    event
	workflow *workflow.Workflow
	clone    *gittest.Repository
	folder   string
	trees    int
	results  map[string]string // of the jobs that have ended, by id
	merges   bool              // a step has the pull request merged
}

// jobs runs all jobs, those that others need first.
func (r *run) jobs(ctx context.Context) ([]Check, error) {
	var checks []Check
	waiting := slices.Clone(r.workflow.Jobs)
	for len(waiting) > 0 {
		i := slices.IndexFunc(waiting, r.ready)
		if i < 0 {
			return nil, fmt.Errorf("job %s needs a job that does not exist, or waits for itself", waiting[0].ID)
		}
		job := waiting[i]
		waiting = slices.Delete(waiting, i, i+1)
		ended, err := r.job(ctx, job)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", job.ID, err)
		}
		checks = append(checks, ended...)
	}
	return checks, nil
}

func (r *run) ready(j workflow.Job) bool {
	return !slices.ContainsFunc(j.Needs, func(id string) bool { return r.results[id] == "" })
}

// job runs a job once for each combination of its matrix.
func (r *run) job(ctx context.Context, j workflow.Job) ([]Check, error) {
	passed := !slices.ContainsFunc(j.Needs, func(id string) bool { return r.results[id] != success })
	runs, err := workflow.Condition(j.If, r.scope(nil, nil, passed))
	if err != nil {
		return nil, err
	}
	if !runs.True() {
		r.results[j.ID] = skipped
		return []Check{{Name: j.Check(), Conclusion: skipped}}, nil
	}
	combinations, err := j.Combinations()
	if err != nil {
		return nil, err
	}
	r.results[j.ID] = success
	var checks []Check
	for _, matrix := range combinations {
		check, err := r.one(ctx, j, matrix)
		if err != nil {
			return nil, err
		}
		if check.Conclusion != success {
			r.results[j.ID] = failure
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// one runs the steps of a job in a tree of its own.
func (r *run) one(ctx context.Context, j workflow.Job, matrix map[string]any) (Check, error) {
	name, err := workflow.Interpolate(j.Title(matrix), r.scope(matrix, nil, true))
	if err != nil {
		return Check{}, err
	}
	check := Check{Name: name.Text(), Conclusion: success}
	r.trees++
	work := &work{run: r, job: j, matrix: matrix, steps: map[string]any{}, tree: filepath.Join(r.folder, fmt.Sprint(r.trees))}
	for _, s := range j.Steps {
		text, err := work.step(ctx, s)
		if err != nil {
			return check, fmt.Errorf("step %q: %w", s.Name+s.Uses, err)
		}
		if check.Conclusion == success && work.failed {
			check.Conclusion, check.Text = failure, text
		}
	}
	return check, nil
}

// work is a job under way.
type work struct {
	run    *run
	job    workflow.Job
	matrix map[string]any
	steps  map[string]any // outcome and outputs of the steps that have an id
	tree   string
	failed bool
}

func (w *work) temp() string { return w.tree + "-temp" }

// checkout makes the tree for the first step that needs one.
func (w *work) checkout() error {
	if _, err := os.Stat(w.tree); err == nil {
		return nil
	}
	if err := os.MkdirAll(w.temp(), 0o750); err != nil {
		return err
	}
	return w.run.clone.Worktree(w.tree)
}

// root matches a script that wants to be root, for which this machine is not the place.
var root = regexp.MustCompile(`(?m)(^|[;&|(]|\s)sudo\s`)

// step runs a step, if its condition holds, and returns what it printed.
func (w *work) step(ctx context.Context, s workflow.Step) (text string, err error) {
	scope := w.run.scope(w.matrix, w.steps, !w.failed)
	runs, err := workflow.Condition(s.If, scope)
	if err != nil {
		return "", err
	}
	outcome, outputs := skipped, map[string]any{}
	if runs.True() {
		outcome = success
		if s.Run != "" && !root.MatchString(s.Run) {
			if text, outcome, outputs, err = w.script(ctx, s, scope); err != nil {
				return text, err
			}
		}
	}
	if s.ID != "" {
		w.steps[s.ID] = map[string]any{"outcome": outcome, "outputs": outputs}
	}
	w.failed = w.failed || outcome == failure && s.ContinueOnError != "true"
	return text, nil
}

// script runs a step's command as GitHub does.
func (w *work) script(ctx context.Context, s workflow.Step, scope workflow.Scope) (text, outcome string, outputs map[string]any, err error) {
	command, err := workflow.Interpolate(s.Run, scope)
	if err == nil {
		err = w.checkout()
	}
	if err != nil {
		return "", "", nil, err
	}
	output := filepath.Join(w.temp(), "output")
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command.Text())
	cmd.Dir = w.tree
	if cmd.Env, err = w.env(s, scope, output); err != nil {
		return "", "", nil, err
	}
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	err = cmd.Run()
	if err == nil {
		err = w.run.asked(filepath.Join(w.temp(), ghRequests))
		if err != nil {
			return "", "", nil, err
		}
	}
	exited := &exec.ExitError{}
	if err != nil && (!errors.As(err, &exited) || ctx.Err() != nil) {
		return "", "", nil, fmt.Errorf("run bash: %w", err)
	}
	outcome = success
	if err != nil {
		outcome = failure
	}
	outputs, err = readOutputs(output)
	return ending(printed.String()), outcome, outputs, err
}

// env is the environment of a step, which writes its outputs to a file.
func (w *work) env(s workflow.Step, scope workflow.Scope, output string) ([]string, error) {
	env := []string{
		"PATH=" + w.run.runner.path, "HOME=" + w.temp(), "RUNNER_TEMP=" + w.temp(), "GITHUB_OUTPUT=" + output, "CI=true",
		"GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C", "TZ=UTC",
	}
	for _, vars := range []map[string]string{w.job.Env, s.Env} {
		for name, value := range vars {
			v, err := workflow.Interpolate(value, scope)
			if err != nil {
				return nil, err
			}
			env = append(env, name+"="+v.Text())
		}
	}
	return env, nil
}

// shownText is how much of what a failed step printed is kept: its end.
const shownText = 2000

func ending(text string) string {
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-shownText):]
}

// readOutputs reads the lines NAME=VALUE that a step has left, and removes them.
func readOutputs(file string) (map[string]any, error) {
	outputs := map[string]any{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return outputs, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			outputs[name] = value
		}
	}
	return outputs, os.Remove(file)
}
