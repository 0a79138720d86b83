package pipeline

import (
	"slices"
	"strings"
)

// Schema is what one resource type accepts. The JSON given to it may hold ((references)) where values will be.
// An error names the key and says what is wrong with it.
//
// An error that has several faults in it says so with Unwrap() []error; each becomes a finding.
type Schema interface {
	Source(source []byte) error
	GetParams(params []byte) error
	PutParams(params []byte) error
}

// Types are the schemas of the resource types that are known from inside, by the last part of their image's repository:
// ghcr.io/taxiway-ci/cepler-in is cepler-in. A type that a file does not list is looked up by its own name.
type Types map[string]Schema

// Options change what Lint looks at.
type Options struct {
	Types Types
	// Vars has the values of ((references)) that are given to fly with --var and --load-vars-from; nil for none.
	Vars Lookup
	// Allow names rules that find nothing.
	Allow []string
}

// Lint says what is wrong with a pipeline. The file name is only for messages.
func Lint(file string, data []byte, types Types) Findings {
	return LintWith(file, data, Options{Types: types})
}

// LintWith is Lint with options. Comments in the file, as "# taxiway: allow RULE because REASON", allow what one rule
// finds in their line or in the line below.
func LintWith(file string, data []byte, o Options) Findings {
	r := &report{file: file}
	if !r.templateSource(data) {
		r.lint(data, o)
	}
	allowed := r.allowances(data)
	r.allow(allowed)
	r.findings = slices.DeleteFunc(r.findings, func(f Finding) bool { return slices.Contains(o.Allow, f.Rule) })
	return sorted(r.findings)
}

func (r *report) lint(data []byte, o Options) {
	p := r.parse(data, o.Vars)
	if p == nil {
		return
	}
	l := &linter{report: r, p: p, types: o.Types}
	l.names()
	l.groups()
	l.varSources()
	l.resourceTypes()
	l.uses()
	l.order()
	l.retention()
	l.schemas()
	l.images()
	l.versions()
	l.suiteRules()
	for _, j := range p.Jobs {
		if !j.broken() {
			l.flow(j)
		}
	}
	// what fly fills in is not in the file
	if o.Vars != nil {
		l.p = (&report{}).parse(data, nil)
	}
	l.secrets()
}

// linter checks what has been parsed.
type linter struct {
	*report
	p        *Pipeline
	types    Types
	unpinned map[string]bool // images that have been reported
}

// known is the name under which a resource's type is known from inside: that of its image, else its own.
func (l *linter) known(name string) string {
	t, ok := l.p.ResourceType(name)
	if !ok {
		return name
	}
	repository, ok := t.Source.Field("repository").Text()
	if !ok {
		return name
	}
	image := repository[strings.LastIndex(repository, "/")+1:]
	if _, ours := l.types[image]; ours || slices.Contains(suite(), image) {
		return image
	}
	return name
}

// typeOf is known for the type of a resource; "" when there is no such resource.
func (l *linter) typeOf(resource string) string {
	res, ok := l.p.Resource(resource)
	if !ok {
		return ""
	}
	return l.known(res.Type)
}

// into appends a step and all steps inside it, hooks included.
func (s Step) into(all []Step) []Step {
	all = append(all, s)
	for _, inner := range s.inner() {
		all = inner.into(all)
	}
	return all
}

// inner are the steps directly inside a step: its body and its hooks.
func (s Step) inner() []Step {
	steps := slices.Clone(s.Do)
	if s.Try != nil {
		steps = append(steps, *s.Try)
	}
	if s.InParallel != nil {
		steps = append(steps, s.InParallel.Steps...)
	}
	for _, h := range s.all() {
		steps = append(steps, *h)
	}
	return steps
}

func (h Hooks) all() []*Step {
	var out []*Step
	for _, s := range []*Step{h.OnSuccess, h.OnFailure, h.OnAbort, h.OnError, h.Ensure} {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// broken tells whether a step could not be understood: what it makes and uses is then unknown.
func (j Job) broken() bool {
	return slices.ContainsFunc(j.Steps().into(nil), func(s Step) bool { return s.Kind == "" })
}

// Tasks are the tasks of a job that have their config in the pipeline, those in hooks included.
func (j Job) Tasks() []*Task {
	var tasks []*Task
	for _, s := range j.AllSteps() {
		if s.Kind == KindTask && s.Task.Config != nil {
			tasks = append(tasks, s.Task)
		}
	}
	return tasks
}

// AllSteps are the steps of a job that say what they do, those inside others and in hooks included.
func (j Job) AllSteps() []Step {
	return slices.DeleteFunc(j.Steps().into(nil), func(s Step) bool { return s.Kind == "" })
}

// AllSteps are those of all jobs.
func (p *Pipeline) AllSteps() []Step {
	var all []Step
	for _, j := range p.Jobs {
		all = append(all, j.AllSteps()...)
	}
	return all
}
