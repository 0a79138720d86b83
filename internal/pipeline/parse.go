package pipeline

import (
	"maps"
	"net/url"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// Parse reads a pipeline. The file name is only for messages. The error is an *InvalidError with everything that Concourse
// would refuse, and the warnings beside it; the pipeline then holds the rest, and is nil only when the file is not a YAML mapping.
func Parse(file string, data []byte) (*Pipeline, error) { return ParseWith(file, data, nil) }

// ParseWith is Parse with the ((references)) that the look-up knows filled in first, as fly does with -v and -l.
// The others stay, for the server to fill in at run time. A nil look-up knows none.
func ParseWith(file string, data []byte, l Lookup) (*Pipeline, error) {
	r := report{file: file}
	p := r.parse(data, l)
	if r.findings.Errors() > 0 {
		return p, &InvalidError{sorted(r.findings)}
	}
	return p, nil
}

func (r *report) parse(data []byte, l Lookup) *Pipeline {
	root := r.load(data)
	if root == nil {
		return nil
	}
	if l != nil {
		in := interpolator{l, map[string]bool{}}
		var err error
		if root, err = in.node(root); err != nil {
			r.errorf(0, "variables", "", "%v", err)
			return nil
		}
	}
	if root.Kind != yaml.MappingNode {
		r.errorf(root.Line, "wrong-type", "", "a pipeline must be a mapping, this is a %s", kindName(root))
		return nil
	}
	return r.pipeline(root)
}

func (r *report) pipeline(root *yaml.Node) *Pipeline {
	m := r.mapping(root, "a pipeline")
	p := &Pipeline{File: r.file}
	for _, n := range m.list("resource_types") {
		p.ResourceTypes = append(p.ResourceTypes, r.resourceType(n))
	}
	for _, n := range m.list("resources") {
		p.Resources = append(p.Resources, r.resource(n))
	}
	for _, n := range m.list("jobs") {
		p.Jobs = append(p.Jobs, r.job(n))
	}
	for _, n := range m.list("groups") {
		p.Groups = append(p.Groups, r.group(n))
	}
	for _, n := range m.list("var_sources") {
		p.VarSources = append(p.VarSources, r.varSource(n))
	}
	if n := m.get("display"); n != nil {
		r.display(n)
	}
	if n := m.get("prototypes"); n != nil {
		r.errorf(m.line("prototypes"), "unknown-step", "use a resource or a task", "prototypes are an experiment of Concourse and are not understood here")
	}
	m.get("user_data")
	r.topLevel(m)
	return p
}

// topLevel reports keys that Concourse drops without a word: a misspelt section would be an empty one.
// Others usually hold YAML anchors: a server ignores them, and fly validate-pipeline --strict refuses them.
func (r *report) topLevel(m *mapping) {
	r.noteRead(m)
	known := slices.Sorted(maps.Keys(m.asked))
	for _, k := range m.order {
		if _, asked := m.asked[k]; asked {
			continue
		}
		if n := nearest.Of(k, known); n != "" {
			r.errorf(m.key[k].Line, "unknown-key", "did you mean "+quote(n)+"?", "a pipeline has no key %s, Concourse would ignore it", quote(k))
			continue
		}
		r.errorf(m.key[k].Line, "unknown-key", "anchors can stand where they are used first", "a pipeline has no key %s, Concourse ignores it and fly validate-pipeline --strict refuses it", quote(k))
	}
}

func (r *report) resourceType(n *yaml.Node) ResourceType {
	m := r.mapping(n, "a resource type")
	t := ResourceType{
		Line: n.Line, Name: m.required("name"), Type: m.required("type"),
		Source: m.mappingValue("source"), Defaults: m.mappingValue("defaults"), Params: m.mappingValue("params"),
		Privileged: m.boolean("privileged"), CheckEvery: m.text("check_every"), Tags: m.strings("tags"),
	}
	r.checkEvery(m, t.CheckEvery)
	m.done()
	return t
}

func (r *report) resource(n *yaml.Node) Resource {
	m := r.mapping(n, "a resource")
	res := Resource{
		Line: n.Line, Name: m.required("name"), OldName: m.text("old_name"), Type: m.required("type"),
		Source: m.mappingValue("source"), Version: r.pinned(m),
		CheckEvery: m.text("check_every"), CheckTimeout: m.text("check_timeout"), WebhookToken: m.text("webhook_token"),
		Icon: m.text("icon"), Tags: m.strings("tags"), Public: m.boolean("public"),
		ExposeBuildCreatedBy: m.boolean("expose_build_created_by"),
	}
	r.checkEvery(m, res.CheckEvery)
	r.interval(m, "check_timeout", res.CheckTimeout)
	m.done()
	return res
}

// checkEvery is an interval that fly reads when the pipeline is set: no variable of the server can stand for it.
func (r *report) checkEvery(m *mapping, text string) {
	if HasRef(text) {
		r.errorf(m.line("check_every"), "duration", "write it like 90s, 10m or 1h30m, or give it to fly with --var", "%s of %s cannot be a variable of the server", quote("check_every"), m.what)
		return
	}
	r.interval(m, "check_every", text, "never")
}

// pinned is the version of a resource, of texts only.
func (r *report) pinned(m *mapping) Value {
	v := m.mappingValue("version")
	for _, f := range v.Fields() {
		if f.Value.node.Kind != yaml.ScalarNode {
			r.errorf(f.Line, "wrong-type", "", "%s of the version of %s must be a string, this is a %s", quote(f.Name), m.what, kindName(f.Value.node))
		}
	}
	return v
}

func (r *report) job(n *yaml.Node) Job {
	m := r.mapping(n, "a job")
	j := Job{
		Line: n.Line, Name: m.required("name"), OldName: m.text("old_name"),
		Serial: m.boolean("serial"), SerialGroups: m.strings("serial_groups"), MaxInFlight: m.number("max_in_flight"),
		Public: m.boolean("public"), Interruptible: m.boolean("interruptible"),
		DisableManualTrigger: m.boolean("disable_manual_trigger"), DisableReruns: m.boolean("disable_reruns"),
		Tags: m.strings("tags"), BuildLogRetention: m.mappingValue("build_log_retention"),
		BuildLogsToRetain: m.value("build_logs_to_retain"), Hooks: r.hooks(m), hasPlan: m.has("plan"),
	}
	for _, s := range m.list("plan") {
		j.Plan = append(j.Plan, r.step(s))
	}
	m.done()
	return j
}

func (r *report) group(n *yaml.Node) Group {
	m := r.mapping(n, "a group")
	g := Group{Line: n.Line, Name: m.required("name"), Jobs: m.texts("jobs"), Resources: m.texts("resources")}
	m.done()
	return g
}

func (r *report) varSource(n *yaml.Node) VarSource {
	m := r.mapping(n, "a var source")
	v := VarSource{Line: n.Line, Name: m.required("name"), Type: m.required("type"), Config: m.value("config")}
	m.done()
	return v
}

// display reads how the web view looks, which counts nowhere else.
func (r *report) display(n *yaml.Node) {
	m := r.mapping(n, "display")
	m.text("background_filter")
	if u, err := url.Parse(m.text("background_image")); err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		r.errorf(m.line("background_image"), "display", "", "background_image must be an http or https address, or a path on the server")
	}
	m.done()
}
