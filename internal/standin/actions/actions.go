// Package actions stands in for GitHub Actions: it runs the workflows of a repository for its open pull requests on this machine
// and reports the result of each job to the stand-in for GitHub. The commands of the steps run really, with bash, in a checkout
// of what a merge would make; expressions, conditions, needs, matrices and outputs are evaluated. Actions of others are left
// out, and so are steps that want root, since the machine is not a runner that is thrown away.
package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// Runner runs the workflows of one repository.
type Runner struct {
	repository *github.Repository
	workflows  []*workflow.Workflow
	dir, path  string
	done       map[string]bool // pull requests at a commit
	runs       int
}

// Repository is the name of the repository, owner/name.
func (r *Runner) Repository() string { return r.repository.Name() }

// Result is what the workflows came to for a pull request.
type Result struct {
	Pull   int
	Checks []Check
	// MergedBy is the workflow that has merged it, at once or when its checks were green; empty when it is not merged.
	MergedBy string
}

// Check is a job that has ended. Text has the end of what its failed step printed.
type Check struct{ Name, Conclusion, Text string }

// What a job comes to.
const (
	success = "success"
	failure = "failure"
	skipped = "skipped"
)

// New makes a runner for the workflows of a repository, by the names of their files. It works in dir, and steps find their
// programs on path.
func New(r *github.Repository, files map[string][]byte, dir, path string) (*Runner, error) {
	runner := &Runner{repository: r, dir: dir, path: filepath.Join(dir, "bin") + string(os.PathListSeparator) + path, done: map[string]bool{}}
	for name, data := range files {
		w, err := workflow.Parse(name, data)
		if err != nil {
			return nil, err
		}
		if _, ok := w.Events["pull_request"]; ok {
			runner.workflows = append(runner.workflows, w)
		}
	}
	slices.SortFunc(runner.workflows, func(a, b *workflow.Workflow) int { return strings.Compare(a.File, b.File) })
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o750); err != nil {
		return nil, err
	}
	return runner, os.WriteFile(filepath.Join(dir, "bin", "gh"), []byte(ghScript), 0o755)
}

// Run runs the workflows for every open pull request with a commit that they have not run for. One that conflicts with its base
// branch has no checks, as on GitHub.
func (r *Runner) Run(ctx context.Context) ([]Result, error) {
	pulls, err := r.repository.Pulls()
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, pull := range pulls {
		key := strconv.Itoa(pull.Number) + " " + pull.HeadCommit
		if !pull.Open || r.done[key] {
			continue
		}
		r.done[key] = true
		result, err := r.pull(ctx, pull)
		if err != nil {
			return nil, fmt.Errorf("run the workflows of %s for pull request #%d: %w", r.repository.Name(), pull.Number, err)
		}
		if len(result.Checks) > 0 {
			results = append(results, result)
		}
	}
	return results, nil
}

func (r *Runner) pull(ctx context.Context, pull github.Pull) (Result, error) {
	result := Result{Pull: pull.Number}
	r.runs++
	folder := filepath.Join(r.dir, strconv.Itoa(r.runs))
	event, err := r.event(pull)
	if err != nil {
		return result, err
	}
	clone, merged, err := r.checkout(ctx, pull, event.base, folder)
	if err != nil || !merged {
		return result, errors.Join(err, os.RemoveAll(folder))
	}
	for _, w := range r.workflows {
		if !w.RunsFor(pull.Base) {
			continue
		}
		run := &run{runner: r, event: event, workflow: w, clone: clone, folder: filepath.Join(folder, w.Name), results: map[string]string{}}
		checks, err := run.jobs(ctx)
		if err != nil {
			return result, fmt.Errorf("workflow %s: %w", w.Name, err)
		}
		result.Checks = append(result.Checks, checks...)
		if run.merges {
			result.MergedBy = w.Name
		}
	}
	for _, c := range result.Checks {
		if err := r.repository.Report(pull.HeadCommit, c.Name, c.Conclusion, c.Text); err != nil {
			return result, err
		}
	}
	now, err := r.repository.Pull(pull.Number)
	if !now.Merged {
		result.MergedBy = ""
	}
	return result, errors.Join(err, os.RemoveAll(folder))
}

// checkout clones the repository and merges the pull request into its base branch there.
func (r *Runner) checkout(ctx context.Context, pull github.Pull, base, folder string) (clone *gittest.Repository, merged bool, err error) {
	source := r.repository.Git()
	clone = gittest.Open(filepath.Join(folder, "clone"))
	if _, err := source.Git("clone", "--quiet", "--no-checkout", "-c", "maintenance.auto=false", "-c", "core.checkStat=minimal", "-c", "core.trustctime=false", source.Dir, clone.Dir); err != nil {
		return nil, false, err
	}
	if _, err := clone.Git("checkout", "--quiet", "--detach", base); err != nil {
		return nil, false, err
	}
	message := fmt.Sprintf("Merge %s into %s", pull.HeadCommit, base)
	_, err = clone.Git("merge", "--quiet", "--no-ff", "-m", message, pull.HeadCommit)
	return clone, err == nil, ctx.Err() // a merge that fails is a conflict
}
