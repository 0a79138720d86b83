package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Ref is what stands between (( and )): an optional source, a name and fields of it, as in ((vault:db.password)).
type Ref struct {
	Source string   // the var source; "." for a local variable (load_var, across); "" for none
	Path   string   // the variable's name
	Fields []string // picks inside the variable's value
}

// String is the reference without its parentheses.
func (r Ref) String() string {
	var b strings.Builder
	if r.Source != "" {
		b.WriteString(r.Source + ":")
	}
	b.WriteString(segment(r.Path))
	for _, f := range r.Fields {
		b.WriteString("." + segment(f))
	}
	return b.String()
}

// Local tells whether the reference is to a variable that a step of the same build sets.
func (r Ref) Local() bool { return r.Source == "." }

func segment(s string) string {
	if strings.ContainsAny(s, ".:") {
		return `"` + s + `"`
	}
	return s
}

// Lookup finds the value of a reference: any of the types that Value.Data returns.
type Lookup func(Ref) (any, bool)

// Vars looks references without a source up in a map, with dotted fields: ((db.password)) is vars["db"]["password"].
func Vars(vars map[string]any) Lookup { return lookup("", vars) }

// LocalVars looks ((.:name)) references up, the ones that load_var and across set.
func LocalVars(vars map[string]any) Lookup { return lookup(".", vars) }

func lookup(source string, vars map[string]any) Lookup {
	return func(r Ref) (any, bool) {
		if r.Source != source {
			return nil, false
		}
		value, ok := vars[r.Path]
		for _, f := range r.Fields {
			fields, isMap := value.(map[string]any)
			if !ok || !isMap {
				return nil, false
			}
			value, ok = fields[f]
		}
		return value, ok
	}
}

// FirstOf asks several look-ups in turn.
func FirstOf(lookups ...Lookup) Lookup {
	return func(r Ref) (any, bool) {
		for _, l := range lookups {
			if v, ok := l(r); ok {
				return v, true
			}
		}
		return nil, false
	}
}

// ErrUndefined is wrapped by the errors about references that no look-up knows.
var ErrUndefined = errors.New("undefined variable")

// reference is Concourse's own pattern (vars/template.go): anything else between parentheses is plain text.
var reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\(\(((?:[-/.\w\pL]+:)?[-/.:@"\w\pL]+)\)\)`) })

// Refs are the references in a text, in order, repeated ones included. Malformed ones are left out.
func Refs(text string) []Ref {
	if !strings.Contains(text, "((") {
		return nil
	}
	var refs []Ref
	for _, m := range reference().FindAllStringSubmatch(text, -1) {
		if r, err := ParseRef(m[1]); err == nil {
			refs = append(refs, r)
		}
	}
	return refs
}

// HasRef tells whether a text holds a reference.
func HasRef(text string) bool {
	return strings.Contains(text, "((") && reference().MatchString(text)
}

// IsRef tells whether a text is one reference and nothing else, so that its value may be of any type.
func IsRef(text string) bool {
	return strings.HasPrefix(text, "((") && reference().FindString(text) == text
}

// ParseRef reads the text between (( and )). Quotes keep dots and colons inside one part: (("a.b".c)).
func ParseRef(text string) (Ref, error) {
	source, rest := "", text
	if i := indexOutside(text, ':'); i >= 0 {
		source, rest = text[:i], text[i+1:]
		if source == "" || strings.Contains(source, `"`) {
			return Ref{}, fmt.Errorf("read variable ((%s)): no name of a source stands before the colon", text)
		}
	}
	var parts []string
	for {
		i := indexOutside(rest, '.')
		part := rest
		if i >= 0 {
			part = rest[:i]
		}
		if len(part) > 1 && part[0] == '"' && part[len(part)-1] == '"' {
			part = part[1 : len(part)-1]
		}
		if part == "" || strings.Contains(part, `"`) {
			return Ref{}, fmt.Errorf("read variable ((%s)): a part of the name is empty or has a quote inside", text)
		}
		parts = append(parts, part)
		if i < 0 {
			return Ref{Source: source, Path: parts[0], Fields: parts[1:]}, nil
		}
		rest = rest[i+1:]
	}
}

// indexOutside finds a byte outside of double quotes.
func indexOutside(text string, b byte) int {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == b && !quoted:
			return i
		}
	}
	return -1
}

// Refs are the references anywhere inside the value.
func (v Value) Refs() []Ref {
	var refs []Ref
	if v.node != nil {
		walk(v.node, func(n *yaml.Node) { refs = append(refs, Refs(n.Value)...) })
	}
	return refs
}

// Interpolate fills every reference of the value in; one that the look-up does not know is ErrUndefined.
// A text that is nothing but a reference takes the type of what it refers to.
func (v Value) Interpolate(l Lookup) (Value, error) {
	if v.node == nil {
		return v, nil
	}
	in := interpolator{l, map[string]bool{}}
	n, err := in.node(v.node)
	if err != nil {
		return Value{}, err
	}
	return Value{n}, in.missing()
}

// InterpolateText fills the references of a text in and returns a text; numbers are written as they are.
func InterpolateText(text string, l Lookup) (string, error) {
	v, err := Value{&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}}.Interpolate(l)
	if err != nil {
		return "", err
	}
	if v.node.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("fill in %s: the value is a %s, and a text is wanted here", text, kindName(v.node))
	}
	return v.node.Value, nil
}

// interpolator copies a tree with references filled in, and remembers those it could not.
type interpolator struct {
	lookup  Lookup
	unknown map[string]bool
}

func (in *interpolator) missing() error {
	if len(in.unknown) == 0 {
		return nil
	}
	return fmt.Errorf("%w: ((%s))", ErrUndefined, strings.Join(slices.Sorted(maps.Keys(in.unknown)), ")), (("))
}

func (in *interpolator) node(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind == yaml.ScalarNode {
		return in.scalar(n)
	}
	out := *n
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		filled, err := in.node(c)
		if err != nil {
			return nil, err
		}
		out.Content[i] = filled
	}
	return &out, nil
}

func (in *interpolator) scalar(n *yaml.Node) (*yaml.Node, error) {
	if !strings.Contains(n.Value, "((") {
		return n, nil
	}
	if IsRef(n.Value) {
		data, ok, err := in.find(n.Value[2 : len(n.Value)-2])
		if err != nil || !ok {
			return n, err
		}
		v, err := valueOf(data, n.Line)
		if err != nil {
			return nil, fmt.Errorf("line %d: fill in %s: %w", n.Line, n.Value, err)
		}
		return v.node, nil
	}
	var failed error
	filled := reference().ReplaceAllStringFunc(n.Value, func(m string) string {
		data, ok, err := in.find(m[2 : len(m)-2])
		if err == nil && ok {
			switch data.(type) {
			case string, int, int64, uint64, float64, bool:
				return fmt.Sprint(data)
			default:
				err = fmt.Errorf("the value is not text or number and cannot stand inside a text")
			}
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("line %d: fill in %s: %w", n.Line, m, err)
		}
		return m
	})
	if failed != nil {
		return nil, failed
	}
	out := *n
	out.Value = filled
	return &out, nil
}

func (in *interpolator) find(text string) (value any, known bool, err error) {
	ref, err := ParseRef(text)
	if err != nil {
		return nil, false, err
	}
	if value, known = in.lookup(ref); known {
		return value, true, nil
	}
	in.unknown[ref.String()] = true
	return nil, false, nil
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}

// localRefs are the names of the ((.:name)) references inside a value, with their lines.
func localRefs(v Value) []Text {
	var names []Text
	walk(v.node, func(n *yaml.Node) {
		for _, r := range Refs(n.Value) {
			if r.Local() {
				names = append(names, Text{Line: n.Line, Value: r.Path})
			}
		}
	})
	return names
}
