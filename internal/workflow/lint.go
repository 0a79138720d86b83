package workflow

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Rules are what Lint looks for.
func Rules() []pipeline.Rule {
	return []pipeline.Rule{
		{Name: "cache-writer", Finds: "a workflow of pull requests that writes to a binary cache"},
		{Name: "fork-secret", Finds: "a secret that reaches a pull request of a fork"},
		{Name: "fork-trusted", Finds: "a workflow that runs with the secrets and rights of the base repository for a pull request of a fork"},
		{Name: "kept-credentials", Finds: "a checkout that leaves its token to what runs later"},
		{Name: "no-concurrency", Finds: "a workflow of pull requests whose outdated runs go on"},
		{Name: "no-permissions", Finds: "a job that has more permissions than the file says, or fewer than its actions need"},
		{Name: "no-time-limit", Finds: "a job without timeout-minutes"},
		{Name: "required-check", Finds: "a required check that does not report, or is green without having run"},
		{Name: "unpinned-action", Finds: "an action or a reusable workflow that is not pinned by its commit"},
		{Name: "workflow", Finds: "a workflow or a ruleset that cannot be read"},
	}
}

// linter collects findings.
type linter struct {
	file     string
	findings pipeline.Findings
}

func (l *linter) add(line int, rule, text, mend string) {
	l.findings = append(l.findings, pipeline.Finding{File: l.file, Line: line, Rule: rule, Text: text, Mend: mend})
}

// Lint says what is unsafe in workflows, and which required checks of the rulesets they do not report. What cannot be parsed
// is a finding too. Files are by their names.
func Lint(files map[string][]byte) pipeline.Findings {
	l := &linter{}
	var workflows []*Workflow
	var rulesets []*Ruleset
	for _, name := range slices.Sorted(maps.Keys(files)) {
		l.file = name
		if strings.HasSuffix(name, ".json") {
			r, err := ParseRuleset(name, files[name])
			if err != nil {
				l.add(0, "workflow", err.Error(), "")
				continue
			}
			rulesets = append(rulesets, r)
			continue
		}
		w, err := Parse(name, files[name])
		if err != nil {
			l.add(0, "workflow", err.Error(), "")
			continue
		}
		workflows = append(workflows, w)
		l.workflow(w)
	}
	for _, r := range rulesets {
		l.file = r.File
		l.ruleset(r, workflows)
	}
	slices.SortStableFunc(l.findings, func(a, b pipeline.Finding) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
	return l.findings
}

func (l *linter) workflow(w *Workflow) {
	_, pulls := w.Events["pull_request"]
	_, called := w.Events["workflow_call"]
	if target, ok := w.Events["pull_request_target"]; ok {
		l.add(target.Line, "fork-trusted", "pull_request_target runs with the secrets and rights of this repository, for everybody's pull request", "use pull_request")
	}
	if pulls && !stopsOutdated(w) {
		l.findings = append(l.findings, pipeline.Finding{
			File: l.file, Severity: pipeline.Warning, Rule: "no-concurrency", Text: "runs for outdated commits of a pull request go on",
			Mend: "set concurrency with a group of the pull request and cancel-in-progress",
		})
	}
	top := strict.Member(w.root, "permissions")
	for _, j := range w.Jobs {
		l.job(j, top, pulls)
	}
	if pulls || called {
		l.forks(w)
	}
}

// stopsOutdated reports whether the runs of one pull request are in one group. The file says whether they are cancelled or end
// first.
func stopsOutdated(w *Workflow) bool {
	concurrency := strict.Member(w.root, "concurrency")
	group := strict.Member(concurrency, "group")
	return group != nil && regexp.MustCompile(`pull_request\.number|github\.(head_)?ref\b`).MatchString(group.Value) && strict.Member(concurrency, "cancel-in-progress") != nil
}

func (l *linter) job(j Job, top *yaml.Node, pulls bool) {
	if j.Permissions.IsZero() && !onlyReads(top) {
		l.add(j.line, "no-permissions", "job "+j.ID+" does not say which permissions it needs", "set permissions: {} for the workflow, and those of the job in the job")
	}
	if j.Permissions.Kind == yaml.ScalarNode {
		l.add(j.Permissions.Line, "no-permissions", "job "+j.ID+" has the permissions "+j.Permissions.Value, "list those that it needs, such as contents: read")
	}
	l.needed(j, top)
	if j.Timeout.IsZero() && j.Uses == "" {
		l.add(j.line, "no-time-limit", "job "+j.ID+" may run for six hours", "set timeout-minutes")
	}
	l.pinned(j.Uses, j.line)
	for _, s := range j.Steps {
		l.pinned(s.Uses, s.node.Line)
		if !pulls {
			continue
		}
		action, _, _ := strings.Cut(s.Uses, "@")
		if action == "actions/checkout" && s.With["persist-credentials"] != "false" {
			l.add(s.node.Line, "kept-credentials", "the checkout of job "+j.ID+" leaves the token of the job to everything that runs later", "set persist-credentials: false")
		}
		if action == "cachix/cachix-action" && s.With["skipPush"] != "true" {
			l.add(s.node.Line, "cache-writer", "job "+j.ID+" writes what a pull request builds to the binary cache", "set skipPush: true")
		}
	}
}

// needed looks for actions that need a permission which the job does not have.
func (l *linter) needed(j Job, top *yaml.Node) {
	has := &j.Permissions
	if has.IsZero() {
		has = top
	}
	if has == nil || has.Kind != yaml.MappingNode {
		return
	}
	for _, s := range j.Steps {
		action, _, _ := strings.Cut(s.Uses, "@")
		scope := map[string]string{"actions/checkout": "contents", "github/codeql-action/analyze": "security-events"}[action]
		if scope == "" {
			continue
		}
		level := map[string]string{"contents": "read", "security-events": "write"}[scope]
		if given := strict.Member(has, scope); given == nil || given.Value != level && given.Value != "write" {
			l.add(s.node.Line, "no-permissions", "job "+j.ID+" lacks the permission "+scope+": "+level+" that "+action+" needs", "add it to the permissions of the job")
		}
	}
}

// onlyReads reports whether the permissions of a workflow, which its jobs have unless they say otherwise, let nothing be written.
func onlyReads(permissions *yaml.Node) bool {
	if permissions == nil || permissions.Kind != yaml.MappingNode {
		return false
	}
	return !slices.ContainsFunc(permissions.Content, func(n *yaml.Node) bool { return n.Value == "write" })
}

var pinned = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\./.*|[^@]+@[0-9a-f]{40}|docker://.+@sha256:[0-9a-f]{64})$`)
})

func (l *linter) pinned(uses string, line int) {
	if uses != "" && !pinned().MatchString(uses) {
		l.add(line, "unpinned-action", uses+" is not pinned: who can move the tag can run anything here", "use the commit with all 40 digits, and the version as a comment")
	}
}

// forks looks for secrets in everything that runs for a pull request of a fork.
func (l *linter) forks(w *Workflow) {
	for key, value := range strict.Pairs(w.root) {
		if key.Value != "jobs" && key.Value != "on" {
			l.leaks(value, nil)
		}
	}
	for _, j := range w.Jobs {
		if l.skipped(j.If, j.line) {
			continue
		}
		if inherited := strict.Member(j.node, "secrets"); inherited != nil && inherited.Value == "inherit" {
			l.add(inherited.Line, "fork-secret", "job "+j.ID+" hands on all secrets, also for a pull request of a fork", "name the secrets, each empty for a fork")
		}
		skip := []*yaml.Node{}
		for _, s := range j.Steps {
			if l.skipped(s.If, s.node.Line) {
				skip = append(skip, s.node)
			}
		}
		l.leaks(j.node, skip)
	}
}

// skipped reports whether something surely does not run for a fork.
func (l *linter) skipped(condition string, line int) bool {
	v, err := Condition(condition, fork())
	if err != nil {
		l.add(line, "workflow", err.Error(), "")
		return false
	}
	return v.truth() == no
}

func (l *linter) leaks(n *yaml.Node, skip []*yaml.Node) {
	if slices.Contains(skip, n) {
		return
	}
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "${{") {
		v, err := Interpolate(n.Value, fork())
		switch {
		case err != nil:
			l.add(n.Line, "workflow", err.Error(), "")
		case v.Secret:
			l.add(n.Line, "fork-secret", "a secret reaches the code of a fork: "+n.Value,
				"make it empty there: ${{ (!github.event.pull_request || github.event.pull_request.head.repo.full_name == github.repository) && secrets.NAME || '' }}")
		}
	}
	for _, c := range n.Content {
		l.leaks(c, skip)
	}
}

// fork is what expressions see for a pull request of a fork in a repository where every secret is set.
func fork() Scope {
	head := open{"repo": open{"full_name": "somebody/fork", "fork": true}}
	event := map[string]any{"action": open{}, "number": open{}, "repository": open{}, "sender": open{}, "pull_request": open{
		"head": head, "base": open{"repo": open{"full_name": "owner/name"}},
	}}
	github := open{"event_name": "pull_request", "repository": "owner/name", "event": event}
	secrets := Members(func(key string) Value {
		if strings.EqualFold(key, "GITHUB_TOKEN") {
			return Value{Unknown: true} // it has the job's permissions, and for a fork it can only read
		}
		return Value{Data: "a secret", Secret: true}
	})
	return Scope{
		Context: func(name string) Value {
			switch name {
			case "github":
				return Value{Data: github}
			case "secrets":
				return Value{Data: secrets, Secret: true}
			}
			return Value{Unknown: true}
		},
		Status: func(string) Value { return Value{Unknown: true} },
	}
}

// ruleset looks for required checks that would hang or mean nothing.
func (l *linter) ruleset(r *Ruleset, workflows []*Workflow) {
	for _, required := range r.Required {
		found := false
		for _, w := range workflows {
			for _, j := range w.Jobs {
				if j.Check() == required.Context && j.Strategy.Matrix.IsZero() {
					found = true
					l.reports(r, w, j)
				}
			}
		}
		if !found && required.App != 0 {
			l.add(0, "required-check", "no job of the workflows reports the required check "+required.Context+": no pull request could be merged", "give a job this name, or remove the check")
		}
	}
}

// reports looks at the one job that reports a required check.
func (l *linter) reports(r *Ruleset, w *Workflow, j Job) {
	pull, ok := w.Events["pull_request"]
	queue := w.Events["merge_group"]
	name := j.Check() + " of " + w.File
	switch {
	case !ok:
		l.add(0, "required-check", "the required check "+name+" does not run for pull requests", "add pull_request to its events")
	case strict.Member(pull, "paths") != nil || strict.Member(pull, "paths-ignore") != nil:
		l.add(0, "required-check", "the required check "+name+" does not report for a pull request that touches other files", "remove paths, and skip steps instead")
	case r.Queue && queue == nil:
		l.add(0, "required-check", "the required check "+name+" does not report in the merge queue", "add merge_group to its events")
	}
	if len(j.Needs) > 0 && !strings.Contains(j.If, "always()") {
		l.add(0, "required-check", "the required check "+name+" is skipped when a job that it needs fails, and a skipped job counts as green", "set if: ${{ always() }}, and look at the results of the jobs that it needs")
	}
}
