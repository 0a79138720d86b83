package pipeline

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// artifact is a folder that steps of one build hand on to each other.
type artifact struct {
	sure     bool   // made on every way here; otherwise only when something else succeeded
	resource string // of the get that made it, "" for anything else
	deployed bool   // a step that must succeed has taken it in since
}

// scope is what a step finds when it begins.
type scope struct {
	artifacts map[string]artifact
	vars      map[string]bool // local variables, of load_var, across and each get; true when set on every way here
	open      bool            // a task from a file ran, which may have made anything
}

func (s scope) clone() scope {
	return scope{artifacts: maps.Clone(s.artifacts), vars: maps.Clone(s.vars), open: s.open}
}

// join adds what another branch, which ran too, has made.
func (s scope) join(other scope) scope {
	out := s.clone()
	for name, a := range other.artifacts {
		have := out.artifacts[name]
		a.sure, a.deployed = a.sure || have.sure, a.deployed || have.deployed
		out.artifacts[name] = a
	}
	for name, sure := range other.vars {
		out.vars[name] = sure || out.vars[name]
	}
	out.open = out.open || other.open
	return out
}

// perhaps is the scope before a step that may or may not have got to its end.
func (s scope) perhaps(after scope) scope {
	out := s.clone()
	for name, a := range after.artifacts {
		if have, ok := out.artifacts[name]; !ok || !have.sure {
			a.sure, a.deployed = false, false
			out.artifacts[name] = a
		}
	}
	for name := range after.vars {
		if !out.vars[name] {
			out.vars[name] = false
		}
	}
	out.open = out.open || after.open
	return out
}

// flow follows one job and holds what each step wants against what the steps before it have made.
func (l *linter) flow(j Job) {
	f := &flow{linter: l, makers: map[string]int{}}
	for _, s := range j.AllSteps() {
		for _, name := range s.makes() {
			if f.makers[name] == 0 {
				f.makers[name] = s.Line
			}
		}
	}
	f.step(j.Steps(), scope{artifacts: map[string]artifact{}, vars: map[string]bool{}}, place{})
}

type flow struct {
	*linter
	makers map[string]int // artifact -> line of the step that makes it, anywhere in the job
}

// place says around what a step stands.
type place struct {
	try  bool
	hook string // on_failure, on_error, on_abort or ensure; "" outside of them
}

// step returns the scope after the step has succeeded.
func (f *flow) step(s Step, before scope, at place) scope {
	body := s
	body.Hooks = Hooks{}
	after := f.across(body, before, at)
	failed := before.perhaps(after)
	if s.OnSuccess != nil {
		after = f.step(*s.OnSuccess, after, at)
	}
	for name, hook := range map[string]*Step{"on_failure": s.OnFailure, "on_error": s.OnError, "on_abort": s.OnAbort} {
		if hook != nil {
			f.step(*hook, failed, place{try: at.try, hook: name})
		}
	}
	if s.Ensure != nil {
		made := f.step(*s.Ensure, failed, place{try: at.try, hook: "ensure"})
		after = after.join(made)
	}
	return after
}

// across runs its step in a room of its own: what is made there is not seen afterwards.
func (f *flow) across(s Step, before scope, at place) scope {
	if s.Across == nil {
		return f.body(s, before, at)
	}
	inner := before.clone()
	for _, v := range s.Across.Vars {
		f.refs(v.Values, before, at.hook != "" || at.try, "across "+quote(v.Var))
		inner.vars[v.Var] = true
	}
	f.body(s, inner, at)
	return before
}

func (f *flow) body(s Step, before scope, at place) scope {
	switch s.Kind {
	case KindDo:
		after := before
		for _, inner := range s.Do {
			after = f.step(inner, after, at)
		}
		return after
	case KindInParallel:
		after := before
		for _, inner := range s.InParallel.Steps {
			after = after.join(f.step(inner, before, at))
		}
		return after
	case KindTry:
		if s.Try == nil {
			return before
		}
		after := before.perhaps(f.step(*s.Try, before, place{try: true, hook: at.hook}))
		for _, name := range leftByFailure(*s.Try) {
			a := after.artifacts[name]
			a.sure = true
			after.artifacts[name] = a
		}
		return after
	case "":
		return before
	default:
		return f.leaf(s, before, at)
	}
}

// leftByFailure are the artifacts that a step leaves even if it fails. Concourse registers the outputs of a task before
// it looks at the exit status; a get or put that fails leaves nothing.
func leftByFailure(s Step) []string {
	var begun []Step // the steps inside that begin in any case
	switch {
	case s.Across != nil:
	case s.Kind == KindTask:
		return s.Task.makes()
	case s.Kind == KindTry && s.Try != nil:
		begun = []Step{*s.Try}
	case s.Kind == KindDo && len(s.Do) > 0:
		begun = s.Do[:1]
	case s.Kind == KindInParallel && !s.InParallel.FailFast:
		begun = s.InParallel.Steps
	}
	var names []string
	for _, inner := range begun {
		names = append(names, leftByFailure(inner)...)
	}
	return names
}

// leaf is a step without steps inside: it wants artifacts and makes some.
func (f *flow) leaf(s Step, before scope, at place) scope {
	w := wants{flow: f, step: s, before: before, at: at, after: before.clone()}
	f.refs(Value{withoutHooks(s)}, before, at.hook != "" || at.try, string(s.Kind)+" "+quote(s.Name()))
	switch s.Kind {
	case KindGet:
	case KindTask:
		w.task()
	case KindPut:
		w.put()
	case KindLoadVar:
		w.file("file", s.LoadVar.File)
		w.after.vars[s.LoadVar.Name] = true
	case KindSetPipeline:
		if s.SetPipeline.File != "" {
			w.file("file", s.SetPipeline.File)
		}
		for _, v := range s.SetPipeline.VarFiles {
			w.file("var_files", v.Value)
		}
	default:
	}
	for _, name := range s.makes() {
		made := artifact{sure: true}
		if s.Kind == KindGet {
			made.resource = s.Get.Resource
		}
		w.after.artifacts[name] = made
		if s.Kind != KindTask {
			w.after.vars[name] = true // the metadata, as in ((.:name.key))
		}
	}
	return w.after
}

// makes are the artifacts that a step leaves.
func (s Step) makes() []string {
	switch s.Kind {
	case KindGet:
		return []string{s.Get.Name}
	case KindPut:
		if s.Put.NoGet {
			return nil
		}
		return []string{s.Put.Name}
	case KindTask:
		return s.Task.makes()
	default:
		return nil
	}
}

func (t *Task) makes() []string {
	var names []string
	if t.Config == nil {
		for _, to := range t.OutputMapping {
			names = append(names, to)
		}
		return names
	}
	for _, o := range t.Config.Outputs {
		name := o.Name
		if to, ok := t.OutputMapping[name]; ok {
			name = to
		}
		names = append(names, name)
	}
	return names
}

// refs holds ((.:local)) references against the variables that are set by then.
func (f *flow) refs(v Value, s scope, lenient bool, what string) {
	if v.node == nil {
		return
	}
	for _, line := range localRefs(v) {
		sure, known := s.vars[line.Value]
		switch {
		case known && lenient:
		case !known:
			f.errorf(line.Line, "local-var", didYouMean(line.Value, slices.Collect(maps.Keys(s.vars))), "%s uses ((.:%s)), which no step before it sets", what, line.Value)
		case !sure:
			f.errorf(line.Line, "local-var", "set it outside of the try", "%s uses ((.:%s)), which may not have been set", what, line.Value)
		}
	}
}

// wants checks one step.
type wants struct {
	*flow
	step   Step
	before scope
	at     place
	after  scope
}

func (w *wants) label() string { return string(w.step.Kind) + " " + quote(w.step.Name()) }

// artifact reports a name that nothing has made by now.
func (w *wants) artifact(line int, name, why string) {
	if name == "" || HasRef(name) {
		return
	}
	a, known := w.before.artifacts[name]
	switch {
	case known && (a.sure || w.at.hook != "" || w.at.try): // a hook that lacks it fails too, in a build that has already failed; a try may fail
	case known:
		w.errorf(line, "missing-artifact", "take it out of the try", "%s %s %s, which is made inside a try that may have failed", w.label(), why, quote(name))
	case w.before.open:
	case w.makers[name] != 0 && w.makers[name] != w.step.Line:
		w.errorf(line, "missing-artifact", "change the order", "%s %s %s, which is made by the step in line %d: not before this one on every way", w.label(), why, quote(name), w.makers[name])
	default:
		mend := "make it in an earlier step"
		if near := nearest.Of(name, slices.Sorted(maps.Keys(w.before.artifacts))); near != "" {
			mend = "did you mean " + quote(near) + "?"
		}
		w.errorf(line, "missing-artifact", mend, "%s %s %s, which no step before it makes", w.label(), why, quote(name))
	}
}

// file reports a path whose first part is not an artifact.
func (w *wants) file(key, file string) {
	first, _, ok := strings.Cut(file, "/")
	if HasRef(first) || file == "" {
		return
	}
	if !ok {
		w.errorf(w.step.Line, "missing-artifact", "write it as artifact/path", "%s: %s %s names no artifact", w.label(), key, quote(file))
		return
	}
	w.artifact(w.step.Line, first, "reads "+quote(file)+" of")
}

func (w *wants) task() {
	t := w.step.Task
	if t.File != "" {
		w.file("file", t.File)
		w.after.open = true
	}
	if t.Image != "" {
		w.artifact(w.step.Line, t.Image, "runs in the image")
	}
	if t.Config == nil {
		for name, a := range w.after.artifacts { // the file says which it takes in; it may be any
			w.after.artifacts[name] = w.taken(a)
		}
		for _, from := range slices.Sorted(maps.Values(t.InputMapping)) {
			w.artifact(w.step.Line, from, "takes in")
		}
		return
	}
	w.mapped("input_mapping", t.InputMapping, namesOf(t.Config.Inputs, func(in Input) string { return in.Name }))
	w.mapped("output_mapping", t.OutputMapping, namesOf(t.Config.Outputs, func(out Output) string { return out.Name }))
	for _, in := range t.Config.Inputs {
		name := in.Name
		if from, ok := t.InputMapping[name]; ok {
			name = from
		}
		if !in.Optional {
			w.artifact(in.Line, name, "takes in")
		}
		w.take(name)
	}
}

// taken is an artifact after a step that must succeed had it.
func (w *wants) taken(a artifact) artifact {
	a.deployed = a.deployed || !w.at.try && w.at.hook == ""
	return a
}

func (w *wants) take(name string) {
	if a, ok := w.after.artifacts[name]; ok {
		w.after.artifacts[name] = w.taken(a)
	}
}

// mapped reports mappings of inputs and outputs that the task does not have: Concourse ignores them.
func (w *wants) mapped(key string, mapping map[string]string, names []string) {
	for _, from := range slices.Sorted(maps.Keys(mapping)) {
		if !slices.Contains(names, from) {
			w.errorf(w.step.Line, "mapping", didYouMean(from, names), "%s: %s names %s, which its config does not have", w.label(), key, quote(from))
		}
	}
}

// put checks the artifacts that a put sees, and what cepler-out records.
func (w *wants) put() {
	p := w.step.Put
	kind := w.typeOf(p.Resource)
	if kind == ceplerOut && w.at.hook != "" {
		w.errorf(w.step.Line, "records", "put it into the plan, after the deployment", "%s stands in %s and would record a deployment that did not succeed", w.label(), w.at.hook)
		return
	}
	listed := len(w.findings)
	for _, name := range p.Inputs.Names {
		w.artifact(name.Line, name.Value, "takes in")
		w.take(name.Value)
	}
	complete := listed == len(w.findings)
	for _, file := range pathParams(kind, p.Params) {
		name, _, _ := strings.Cut(strings.TrimPrefix(file.Value, "./"), "/")
		if HasRef(name) || name == "" {
			continue
		}
		w.artifact(file.Line, name, "reads")
		if complete && len(p.Inputs.Names) > 0 && !slices.ContainsFunc(p.Inputs.Names, func(t Text) bool { return t.Value == name }) {
			w.errorf(file.Line, "missing-artifact", "add it to inputs", "%s reads %s, which its inputs do not list", w.label(), quote(name))
		}
	}
	if kind == ceplerOut {
		w.recorded()
		return
	}
	for _, name := range detected(p.Params) {
		w.take(name)
	}
}

// recorded: cepler-out says that an environment runs what cepler-in delivered, so that must be true by then.
func (w *wants) recorded() {
	p := w.step.Put
	repository := p.Params.Field("repository")
	name, ok := repository.Text()
	if !ok || HasRef(name) {
		return
	}
	line := repository.Line()
	if w.at.try {
		w.errorf(w.step.Line, "records", "take it out of the try", "%s stands in a try: a record that fails would go unnoticed", w.label())
	}
	a, known := w.before.artifacts[name]
	if !known {
		return // reported as missing
	}
	if w.typeOf(a.resource) != ceplerIn {
		w.errorf(line, "records", "name the artifact of the get of the environment's cepler-in resource", "%s records %s, which no cepler-in resource delivered", w.label(), quote(name))
		return
	}
	if !a.deployed {
		w.errorf(line, "records", "add a task that takes it in and deploys it", "%s records %s as deployed, but no step between the get and this put deploys it", w.label(), quote(name))
	}
	w.sameEnvironment(line, a.resource)
}

// sameEnvironment compares the two sources: what is recorded must be what was delivered.
func (w *wants) sameEnvironment(line int, delivered string) {
	in, okIn := w.p.Resource(delivered)
	out, okOut := w.p.Resource(w.step.Put.Resource)
	if !okIn || !okOut {
		return
	}
	from, to := w.source(in), w.source(out)
	if own, ok := w.step.Put.Params.Field("environment").Text(); ok && own != textOf(from.Field("environment")) {
		w.errorf(line, "records", "", "%s records environment %s, but %s delivers %s", w.label(), quote(own), quote(delivered), quote(textOf(from.Field("environment"))))
	}
	for _, key := range []string{"uri", "branch", "config", "environment"} {
		a, b := textOf(from.Field(key)), textOf(to.Field(key))
		if a != "" && b != "" && a != b && !HasRef(a) && !HasRef(b) {
			w.errorf(w.step.Line, "records", "give both the same source", "%s has the %s %s, but %s, which delivers what it records, has %s", w.label(), key, quote(b), quote(delivered), quote(a))
		}
	}
}

// pathParams are the params of a put that are paths below an artifact, for the types whose params are known.
func pathParams(kind string, params Value) []Text {
	known := map[string][]string{
		ceplerOut:            {"repository"},
		chartBump:            {"images.*", "images.*.digest_file", "version_file", "source_repository", "copy.from"},
		promoteRC:            {"version_file", "repository", "extra_files.from"},
		semverGit:            {"file", "repository"},
		cachixPaths:          {"paths_file"},
		pullRequestBuilds:    {"path"},
		vendirBump:           {"repository", "ref"},
		"git":                {"repository"},
		"registry-image":     {"image", "additional_tags"},
		"docker-image":       {"build", "load", "load_base", "load_file", "import_file", "tag_file", "additional_tags"},
		"github-release":     {"name", "tag", "body", "commitish", "globs"},
		"s3":                 {"file"},
		"semver":             {"file"},
		"pool":               {"add", "add_claimed", "release", "remove"},
		"pull-request":       {"path"},
		"slack-notification": {"text_file", "attachments_file"},
	}
	var paths []Text
	for _, key := range known[kind] {
		paths = append(paths, textsAt(params, strings.Split(key, "."))...)
	}
	return paths
}

// textsAt are the texts below a path of keys; * is any key, and a list stands for each of its items.
func textsAt(v Value, keys []string) []Text {
	var texts []Text
	for _, item := range v.Items() {
		texts = append(texts, textsAt(item, keys)...)
	}
	if len(keys) == 0 {
		if text, ok := v.Text(); ok {
			texts = append(texts, Text{Line: v.Line(), Value: text})
		}
		return texts
	}
	for _, f := range v.Fields() {
		if keys[0] == "*" || keys[0] == f.Name {
			texts = append(texts, textsAt(f.Value, keys[1:])...)
		}
	}
	return texts
}

// detected are the names that Concourse tries as artifacts of a put: the first part of every text in its params.
func detected(v Value) []string {
	if text, ok := v.Text(); ok {
		first, _, _ := strings.Cut(strings.TrimPrefix(text, "./"), "/")
		return []string{first}
	}
	var names []string
	for _, f := range v.Fields() {
		names = append(names, detected(f.Value)...)
	}
	for _, item := range v.Items() {
		names = append(names, detected(item)...)
	}
	return names
}

// withoutHooks is the step's own text: its hooks are steps of their own.
func withoutHooks(s Step) *yaml.Node {
	if s.node == nil {
		return nil
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: s.node.Line}
	hooks := []string{"on_success", "on_failure", "on_error", "on_abort", "ensure", "across"}
	for key, value := range strict.Pairs(s.node) {
		if !slices.Contains(hooks, key.Value) {
			out.Content = append(out.Content, key, value)
		}
	}
	return out
}
