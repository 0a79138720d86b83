package pipeline

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// kinds are the step kinds in the order in which Concourse looks for them (atc/steps.go, StepPrecedence).
func kinds() []Kind {
	return []Kind{KindTask, KindPut, KindGet, KindSetPipeline, KindLoadVar, KindTry, KindDo, KindInParallel}
}

// modifierKeys may stand on any step.
func modifierKeys() []string {
	return []string{"on_success", "on_failure", "on_error", "on_abort", "ensure", "attempts", "timeout", "across", "fail_fast", "tags"}
}

// step reads one step of a plan.
func (r *report) step(n *yaml.Node) Step {
	m := r.mapping(n, "a step")
	s := Step{Line: n.Line, node: n}
	kind, ok := r.kind(m)
	if !ok {
		return s
	}
	s.Kind, s.Line = kind, m.line(string(kind))
	m.what = "a " + string(kind) + " step"
	if kind == KindInParallel {
		m.what = "an in_parallel step"
	}
	r.modifiers(m, &s)
	m.get(string(kind))
	switch kind {
	case KindGet:
		s.Get = r.get(m)
	case KindPut:
		s.Put = r.put(m)
	case KindTask:
		s.Task = r.task(m)
	case KindSetPipeline:
		s.SetPipeline = &SetPipeline{
			Name: m.required("set_pipeline"), File: m.required("file"), Team: m.text("team"), Vars: m.mappingValue("vars"),
			VarFiles: m.texts("var_files"), InstanceVars: m.mappingValue("instance_vars"),
		}
	case KindLoadVar:
		s.LoadVar = r.loadVar(m)
	case KindTry:
		s.Try = r.inner(m, "try")
	case KindDo:
		s.Do = r.steps(m.list("do"))
	case KindInParallel:
		s.InParallel = r.inParallel(m)
	}
	m.done()
	return s
}

// kind finds what the step does; none and more than one are reported.
func (r *report) kind(m *mapping) (Kind, bool) {
	var found []Kind
	for _, k := range kinds() {
		if m.has(string(k)) {
			found = append(found, k)
		}
	}
	switch {
	case len(found) > 1:
		r.errorf(m.line(string(found[1])), "step-kinds", "make two steps of it", "one step cannot be both %s and %s", quote(string(found[0])), quote(string(found[1])))
		return "", false
	case len(found) == 1:
		return found[0], true
	case m.has("run"):
		r.errorf(m.line("run"), "unknown-step", "use a resource or a task", "run steps need prototypes, an experiment of Concourse that is not understood here")
	case m.node.Kind == yaml.MappingNode:
		r.unknownKind(m)
	}
	return "", false
}

func (r *report) unknownKind(m *mapping) {
	var names []string
	for _, k := range kinds() {
		names = append(names, string(k))
	}
	slices.Sort(names)
	for _, key := range m.order {
		if n := nearest.Of(key, names); n != "" && !slices.Contains(modifierKeys(), key) {
			r.errorf(m.line(key), "unknown-step", "did you mean "+quote(n)+"?", "there is no step kind %s", quote(key))
			return
		}
	}
	r.errorf(m.node.Line, "unknown-step", "give it one of: "+strings.Join(names, ", "), "this step says nothing to do")
}

func (r *report) modifiers(m *mapping, s *Step) {
	s.Hooks = r.hooks(m)
	s.Attempts = m.number("attempts")
	if m.has("attempts") && s.Attempts < 1 && (isNull(m.field["attempts"]) || m.field["attempts"].ShortTag() == "!!int") {
		r.errorf(m.line("attempts"), "attempts", "", "attempts must be greater than 0")
	}
	s.Timeout = m.text("timeout")
	r.interval(m, "timeout", s.Timeout)
	if takesTags(s.Kind) {
		s.Tags = m.strings("tags")
	}
	if m.has("across") {
		s.Across = &Across{FailFast: m.boolean("fail_fast")}
		for _, v := range m.list("across") {
			s.Across.Vars = append(s.Across.Vars, r.acrossVar(v))
		}
		if len(s.Across.Vars) == 0 {
			r.errorf(m.line("across"), "across", "", "across names no variables")
		}
	}
}

// takesTags: the steps that run somewhere, or hand tags to those inside them.
func takesTags(k Kind) bool {
	return slices.Contains([]Kind{KindGet, KindPut, KindTask, KindDo, KindInParallel}, k)
}

func (r *report) acrossVar(n *yaml.Node) AcrossVar {
	m := r.mapping(n, "an across variable")
	v := AcrossVar{Line: n.Line, Var: m.required("var"), Values: m.value("values")}
	if s, ok := (Value{m.field["max_in_flight"]}).Text(); ok {
		m.get("max_in_flight")
		v.MaxInFlightAll = s == "all"
		if !v.MaxInFlightAll {
			r.errorf(m.line("max_in_flight"), "across", "", "max_in_flight must be a number or all")
		}
	} else if v.MaxInFlight = m.number("max_in_flight"); m.has("max_in_flight") && v.MaxInFlight < 1 {
		r.errorf(m.line("max_in_flight"), "across", "", "max_in_flight must be greater than 0")
	}
	m.done()
	return v
}

func (r *report) hooks(m *mapping) Hooks {
	return Hooks{
		OnSuccess: r.inner(m, "on_success"), OnFailure: r.inner(m, "on_failure"), OnError: r.inner(m, "on_error"),
		OnAbort: r.inner(m, "on_abort"), Ensure: r.inner(m, "ensure"),
	}
}

// inner reads a key that holds a step; nil when it is absent.
func (r *report) inner(m *mapping, key string) *Step {
	n := m.ask(key, holdsStep)
	if !m.has(key) {
		return nil
	}
	if n == nil {
		r.errorf(m.line(key), "unknown-step", "give it a step or remove it", "%s of %s is empty", quote(key), m.what)
		return nil
	}
	s := r.step(n)
	return &s
}

func (r *report) steps(nodes []*yaml.Node) []Step {
	steps := make([]Step, 0, len(nodes))
	for _, n := range nodes {
		steps = append(steps, r.step(n))
	}
	return steps
}

func (r *report) get(m *mapping) *Get {
	g := &Get{
		Name: m.required("get"), Resource: m.text("resource"), Version: r.version(m), Params: m.mappingValue("params"),
		Passed: m.texts("passed"), Trigger: m.boolean("trigger"),
	}
	if g.Resource == "" {
		g.Resource = g.Name
	}
	return g
}

func (r *report) version(m *mapping) Version {
	v := m.value("version")
	if v.IsZero() {
		return Version{}
	}
	if v.IsMapping() {
		return Version{Pinned: m.stringMap("version")}
	}
	s, ok := v.Text()
	if !ok || s != "every" && s != "latest" {
		r.errorf(v.Line(), "wrong-type", "", "\"version\" of a get step must be latest, every or a mapping")
	}
	return Version{Every: s == "every"}
}

func (r *report) put(m *mapping) *Put {
	p := &Put{
		Name: m.required("put"), Resource: m.text("resource"), Params: m.mappingValue("params"),
		GetParams: m.mappingValue("get_params"), Inputs: r.inputs(m), NoGet: m.boolean("no_get"),
	}
	if p.Resource == "" {
		p.Resource = p.Name
	}
	return p
}

func (r *report) inputs(m *mapping) Inputs {
	v := m.value("inputs")
	if v.IsZero() {
		return Inputs{}
	}
	if s, ok := v.Text(); ok {
		if s != "all" && s != "detect" {
			r.errorf(v.Line(), "wrong-type", "", "\"inputs\" of a put step must be all, detect or a list of artifacts")
		}
		return Inputs{Given: true, All: s == "all", Detect: s == "detect"}
	}
	return Inputs{Given: true, Names: m.texts("inputs")}
}

func (r *report) loadVar(m *mapping) *LoadVar {
	l := &LoadVar{Name: m.required("load_var"), File: m.required("file"), Format: m.text("format"), Reveal: m.boolean("reveal")}
	formats := []string{"json", "yaml", "yml", "trim", "raw"}
	if l.Format != "" && !slices.Contains(formats, l.Format) && !HasRef(l.Format) {
		r.errorf(m.line("format"), "load-var", didYouMean(l.Format, formats), "load_var knows no format %s", quote(l.Format))
	}
	return l
}

func (r *report) inParallel(m *mapping) *InParallel {
	n := m.get("in_parallel")
	if n == nil {
		return &InParallel{}
	}
	if n.Kind == yaml.SequenceNode {
		return &InParallel{Steps: r.steps(n.Content)}
	}
	in := r.mapping(n, "in_parallel")
	p := &InParallel{Steps: r.steps(in.list("steps")), Limit: in.number("limit"), FailFast: in.boolean("fail_fast")}
	in.done()
	return p
}

// interval reports a duration that Go cannot read; the words are accepted too.
func (r *report) interval(m *mapping, key, text string, words ...string) {
	if text == "" || HasRef(text) || slices.Contains(words, text) {
		return
	}
	if _, err := time.ParseDuration(text); err != nil {
		r.errorf(m.line(key), "duration", "write it like 90s, 10m or 1h30m", "%s of %s is not a valid duration: %s", quote(key), m.what, quote(text))
	}
}
