package github

import (
	"fmt"
	"slices"
	"strings"
)

// checkRun is what a job of GitHub Actions reports. Nobody else can.
type checkRun struct{ commit, name, conclusion, text string }

// Report is a job of GitHub Actions that has ended for a commit: success, failure, cancelled or skipped. A later one of the
// same name takes its place.
func (r *Repository) Report(commit, name, conclusion, text string) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if err := r.refresh(); err != nil {
		return err
	}
	r.checks = slices.DeleteFunc(r.checks, func(c checkRun) bool { return c.commit == commit && c.name == name })
	r.checks = append(r.checks, checkRun{commit, name, conclusion, text})
	for _, p := range r.pulls {
		if err := r.autoMerge(p); err != nil {
			return err
		}
	}
	return nil
}

// Checks are what jobs of GitHub Actions have reported for a commit, by their names.
func (r *Repository) Checks(commit string) map[string]Status {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	out := map[string]Status{}
	for _, c := range r.checks {
		if c.commit == commit {
			out[c.name] = Status{Context: c.name, State: c.conclusion, Description: c.text}
		}
	}
	return out
}

// violations are the rules that a pull request does not meet, in GitHub's words.
func (r *Repository) violations(p *pull) []string {
	if len(r.settings.Protected) > 0 && !slices.Contains(r.settings.Protected, p.base) {
		return nil
	}
	var all []string
	if missing := r.settings.RequiredApprovals - len(p.approvals); missing > 0 {
		all = append(all, fmt.Sprintf("At least %d approving review is required by reviewers with write access.", r.settings.RequiredApprovals))
	}
	for _, name := range r.settings.RequiredChecks {
		all = append(all, r.violation(p, name, true)...)
	}
	for _, name := range r.settings.RequiredJobs {
		all = append(all, r.violation(p, name, false)...)
	}
	return all
}

// violation is what a required check lacks. Where a check and a status have its name, both must be green; anybody says whether a
// status counts at all.
func (r *Repository) violation(p *pull, name string, anybody bool) []string {
	reported, green := false, true
	for _, c := range r.checks {
		if c.commit == p.headCommit && c.name == name {
			reported, green = true, green && (c.conclusion == "success" || c.conclusion == "skipped")
		}
	}
	for _, s := range r.latest(p.headCommit) {
		if s.context == name && anybody {
			reported, green = true, green && s.state == "success"
		}
	}
	switch {
	case !reported:
		return []string{fmt.Sprintf("Required status check %q is expected.", name)}
	case !green:
		return []string{fmt.Sprintf("Required status check %q is failing.", name)}
	}
	return nil
}

// MergeWhenReady merges a pull request if its rules are met, and else as soon as they are, by "merge", "squash" or "rebase". The
// head must be that commit.
func (r *Repository) MergeWhenReady(number int, method, head, by string) error {
	return r.do(number, func(p *pull) error {
		if r.state(p) == "blocked" {
			if why := r.noAutoMerge(p, method, head); why != "" {
				return fmt.Errorf("pull request %s", why)
			}
			p.auto, p.autoBy, p.updated = method, by, r.server.now()
			p.events = append(p.events, "auto-merge")
			return nil
		}
		if err := r.mayMerge(p, method, head); err != nil {
			return err
		}
		return r.merge(p, method, by)
	})
}

func ruleText(violations []string) string {
	return "Repository rule violations found\n\n" + strings.Join(violations, "\n")
}
