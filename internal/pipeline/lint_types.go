package pipeline

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// schemas holds source and params of the types that are known from inside against what their programs accept.
func (l *linter) schemas() {
	for _, r := range l.p.Resources {
		if schema := l.types[l.known(r.Type)]; schema != nil {
			l.accepts("resource "+quote(r.Name), r.Line, l.source(r), schema.Source)
		}
	}
	for _, s := range l.p.AllSteps() {
		l.stepSchema(s)
	}
}

func (l *linter) stepSchema(s Step) {
	switch s.Kind {
	case KindGet:
		if schema := l.types[l.typeOf(s.Get.Resource)]; schema != nil {
			l.accepts("get "+quote(s.Get.Name), s.Line, s.Get.Params, schema.GetParams)
		}
	case KindPut:
		schema := l.types[l.typeOf(s.Put.Resource)]
		if schema == nil {
			return
		}
		l.accepts("put "+quote(s.Put.Name), s.Line, s.Put.Params, schema.PutParams)
		if !s.Put.GetParams.IsZero() {
			l.accepts("get_params of put "+quote(s.Put.Name), s.Line, s.Put.GetParams, schema.GetParams)
		}
	default:
	}
}

// source is what the resource's programs get: the type's defaults with the resource's own keys over them.
func (l *linter) source(r Resource) Value {
	t, ok := l.p.ResourceType(r.Type)
	if !ok || t.Defaults.IsZero() {
		return r.Source
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: r.Source.Line()}
	if r.Source.IsMapping() {
		out.Content = append(out.Content, r.Source.node.Content...)
	}
	if err := merge(out, t.Defaults.node); err != nil {
		return r.Source
	}
	return Value{out}
}

func (l *linter) accepts(what string, line int, v Value, check func([]byte) error) {
	if !v.IsZero() && !v.IsMapping() {
		return // one ((reference)) for everything: only the server knows what is behind it
	}
	data, err := v.JSON()
	if err == nil {
		if v.IsZero() {
			data = []byte("{}")
		}
		err = check(data)
	}
	if err == nil {
		return
	}
	for _, fault := range faults(err) {
		at := line
		if key := mentioned(v, fault.Error()); key > 0 {
			at = key
		}
		l.errorf(at, "schema", "", "%s: %v", what, fault)
	}
}

// faults takes an error apart.
func faults(err error) []error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}

// mentioned is the line of the key that an error text is about: the first one that it names, quoted or after a dot.
func mentioned(v Value, text string) int {
	best, line := len(text), 0
	for _, f := range v.Fields() {
		at := regexp.MustCompile(`["'.\s]` + regexp.QuoteMeta(f.Name) + `(["'.:,\s]|$)`).FindStringIndex(" " + text)
		if len(at) == 0 || at[0] >= best {
			continue
		}
		best, line = at[0], f.Line
		if deeper := mentioned(f.Value, text[at[0]:]); deeper > 0 && strings.Contains(text, f.Name+".") {
			line = deeper
		}
	}
	return line
}
