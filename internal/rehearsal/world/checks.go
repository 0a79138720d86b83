package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/standin/actions"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// Checks are what GitHub runs for the pull requests of a repository, and what it asks of a merge.
type Checks struct {
	// Workflows by the names of their files.
	Workflows map[string][]byte
	// Ruleset is the text of a ruleset, as GitHub imports it.
	Ruleset []byte
}

// robots are what acts on the forge besides people, once the pipelines rest.
func (p Play) robots(w *World) (func(ctx context.Context) (bool, error), error) {
	if err := p.linkSelf(w); err != nil {
		return nil, err
	}
	var runners []*actions.Runner
	for _, name := range slices.Sorted(maps.Keys(p.Checks)) {
		r := w.forge.Repository(name)
		if err := enforce(r, p.Checks[name].Ruleset); err != nil {
			return nil, err
		}
		stepPath := w.tools.Path() + string(os.PathListSeparator) + os.Getenv("PATH")
		runner, err := actions.New(r, p.Checks[name].Workflows, filepath.Join(w.dir, "actions", filepath.FromSlash(name)), stepPath)
		if err != nil {
			return nil, fmt.Errorf("rehearse: %w", err)
		}
		runners = append(runners, runner)
	}
	w.checked = p.Checks
	return func(ctx context.Context) (bool, error) {
		merged := false
		for _, runner := range runners {
			did, err := w.check(ctx, runner)
			if err != nil {
				return false, err
			}
			merged = merged || did
		}
		return merged, nil
	}, nil
}

// linkSelf makes steps find the program taxiway, which is this one.
func (p Play) linkSelf(w *World) error {
	link := filepath.Join(w.dir, "self", "taxiway")
	if err := os.MkdirAll(filepath.Dir(link), 0o750); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	if err := os.Symlink(p.Program, link); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	return w.tools.Real("taxiway", link)
}

// ruled reports whether a ruleset guards the repository.
func (w *World) ruled(r *github.Repository) bool { return w.checked[r.Name()].Ruleset != nil }

// enforce makes the rules hold.
func enforce(r *github.Repository, ruleset []byte) error {
	rules, err := workflow.ParseRuleset(r.Name(), ruleset)
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	r.Set(func(s *github.Settings) {
		s.RequiredApprovals = rules.Approvals
		for _, ref := range rules.Branches {
			s.Protected = append(s.Protected, strings.TrimPrefix(ref, "refs/heads/"))
		}
		s.AllowMerge, s.AllowSquash, s.AllowRebase = slices.Contains(rules.Methods, "merge"), slices.Contains(rules.Methods, "squash"), slices.Contains(rules.Methods, "rebase")
		for _, check := range rules.Required {
			if check.App != 0 {
				s.RequiredJobs = append(s.RequiredJobs, check.Context)
			} else {
				s.RequiredChecks = append(s.RequiredChecks, check.Context)
			}
		}
	})
	return nil
}

// check runs the workflows of what is new, tells what they came to, and reports whether one has merged something.
func (w *World) check(ctx context.Context, runner *actions.Runner) (merged bool, err error) {
	results, err := runner.Run(ctx)
	if err != nil {
		return false, fmt.Errorf("rehearse: %w", err)
	}
	for _, result := range results {
		var failed []string
		for _, c := range result.Checks {
			if c.Conclusion == "failure" {
				failed = append(failed, c.Name)
			}
		}
		what := fmt.Sprintf("pull request #%d of %s", result.Pull, path.Base(runner.Repository()))
		text := fmt.Sprintf("all %d checks of %s are green", len(result.Checks), what)
		switch {
		case len(result.Checks) == 1 && len(failed) == 0:
			text = "the one check of " + what + " is green"
		case len(failed) > 0:
			text = fmt.Sprintf("%d of %d checks of %s fail: %s", len(failed), len(result.Checks), what, strings.Join(failed, ", "))
		}
		w.show.Did(text)
		if result.MergedBy != "" {
			merged = true
			w.show.Did(fmt.Sprintf("the workflow %s merges %s", result.MergedBy, what))
		}
	}
	return merged, nil
}
