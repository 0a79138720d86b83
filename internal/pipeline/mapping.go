package pipeline

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// mapping reads the entries of a YAML mapping by name and reports those that nobody asked for.
type mapping struct {
	r     *report
	what  string // what the mapping is, for messages: "a get step"
	node  *yaml.Node
	order []string
	field map[string]*yaml.Node
	key   map[string]*yaml.Node
	asked map[string]holds
	must  []string // keys that must be there
}

// holds says what a key holds, for the schema; the reader itself says what is wrong with a value.
type holds string

const (
	holdsAny     holds = ""
	holdsText    holds = "string"
	holdsBoolean holds = "boolean"
	holdsNumber  holds = "integer"
	holdsTexts   holds = "texts"
	holdsMapping holds = "object"
	holdsStep    holds = "step"
)

// mapping starts reading; the result is never nil and empty when the node is something else, which is reported.
func (r *report) mapping(n *yaml.Node, what string) *mapping {
	m := &mapping{
		r: r, what: what, node: n,
		field: map[string]*yaml.Node{}, key: map[string]*yaml.Node{}, asked: map[string]holds{},
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n.Line, "wrong-type", "", "%s must be a mapping, this is a %s", what, kindName(n))
		return m
	}
	for k, value := range strict.Pairs(n) {
		if first, twice := m.key[k.Value]; twice {
			r.errorf(k.Line, "duplicate-key", "keep one of them", "%s has %s twice, first in line %d", what, quote(k.Value), first.Line)
			continue
		}
		m.order = append(m.order, k.Value)
		m.key[k.Value], m.field[k.Value] = k, value
	}
	return m
}

// has tells whether the key is there, with null or not, without reading it.
func (m *mapping) has(key string) bool {
	_, ok := m.field[key]
	return ok
}

// get is the node of a key; nil when absent or null.
func (m *mapping) get(key string) *yaml.Node { return m.ask(key, holdsAny) }

// ask is get by a reader that knows what the key holds.
func (m *mapping) ask(key string, what holds) *yaml.Node {
	if m.asked[key] == holdsAny {
		m.asked[key] = what
	}
	n := m.field[key]
	if n == nil || isNull(n) {
		return nil
	}
	return n
}

// line is where the key stands; the mapping's own line when it is absent.
func (m *mapping) line(key string) int {
	if k := m.key[key]; k != nil {
		return k.Line
	}
	return m.node.Line
}

// done reports the keys that nobody asked for.
func (m *mapping) done() {
	m.r.noteRead(m)
	known := slices.Sorted(maps.Keys(m.asked))
	for _, k := range m.order {
		if _, asked := m.asked[k]; !asked {
			m.r.errorf(m.key[k].Line, "unknown-key", didYouMean(k, known), "%s has no key %s", m.what, quote(k))
		}
	}
}

func (m *mapping) wrong(key, want string, n *yaml.Node) {
	m.r.errorf(n.Line, "wrong-type", "", "%s of %s must be %s, this is a %s", quote(key), m.what, want, kindName(n))
}

// text reads a string.
func (m *mapping) text(key string) string {
	n := m.ask(key, holdsText)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		m.wrong(key, "a string", n)
		return ""
	}
	return n.Value
}

// required reads a string that must be there and not be empty.
func (m *mapping) required(key string) string {
	m.must = append(m.must, key)
	s := m.text(key)
	if s == "" && m.node.Kind == yaml.MappingNode && (m.get(key) == nil || m.field[key].Value == "") {
		m.r.errorf(m.line(key), "missing-key", "add it", "%s has no %s", m.what, quote(key))
	}
	return s
}

// boolean reads true or false.
func (m *mapping) boolean(key string) bool {
	n := m.ask(key, holdsBoolean)
	if n == nil {
		return false
	}
	if n.ShortTag() != "!!bool" {
		m.wrong(key, "true or false", n)
	}
	return n.ShortTag() == "!!bool" && strings.EqualFold(n.Value, "true")
}

// number reads a whole number that fits an int.
func (m *mapping) number(key string) int {
	n := m.ask(key, holdsNumber)
	if n == nil {
		return 0
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
	if n.ShortTag() != "!!int" || err != nil || i > math.MaxInt32 || i < math.MinInt32 {
		m.wrong(key, "a whole number", n)
		return 0
	}
	return int(i)
}

// value hands out whatever is there.
func (m *mapping) value(key string) Value { return Value{m.get(key)} }

// mappingValue hands out a mapping of any content.
func (m *mapping) mappingValue(key string) Value {
	n := m.ask(key, holdsMapping)
	if n == nil {
		return Value{}
	}
	if n.Kind == yaml.ScalarNode && IsRef(n.Value) {
		m.r.errorf(n.Line, "wrong-type", "let it stand for the values inside, or give it to fly with --yaml-var or --load-vars-from",
			"%s of %s must be a mapping, and Concourse refuses %s in its place", quote(key), m.what, n.Value)
		return Value{n}
	}
	if n.Kind != yaml.MappingNode {
		m.wrong(key, "a mapping", n)
		return Value{}
	}
	m.r.repeated(n, quote(key)+" of "+m.what)
	return Value{n}
}

// repeated reports keys that free-form YAML has twice: the parser of fly silently drops all but the last.
func (r *report) repeated(n *yaml.Node, what string) {
	walk(n, func(n *yaml.Node) {
		first := map[string]int{}
		for k := range strict.Pairs(n) {
			if line, twice := first[k.Value]; twice {
				r.errorf(k.Line, "duplicate-key", "keep one of them", "%s has %s twice, first in line %d", what, quote(k.Value), line)
				continue
			}
			first[k.Value] = k.Line
		}
	})
}

// list hands out the elements of a list.
func (m *mapping) list(key string) []*yaml.Node {
	n := m.get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		m.wrong(key, "a list", n)
		return nil
	}
	return n.Content
}

// texts reads a list of strings.
func (m *mapping) texts(key string) []Text {
	m.ask(key, holdsTexts)
	nodes := m.list(key)
	texts := make([]Text, 0, len(nodes))
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			m.wrong(key, "a list of strings", n)
			continue
		}
		texts = append(texts, Text{Line: n.Line, Value: n.Value})
	}
	if len(texts) == 0 {
		return nil
	}
	return texts
}

// strings reads a list of strings whose lines nobody needs.
func (m *mapping) strings(key string) []string {
	var out []string
	for _, t := range m.texts(key) {
		out = append(out, t.Value)
	}
	return out
}

// stringMap reads a mapping of strings.
func (m *mapping) stringMap(key string) map[string]string {
	v := m.mappingValue(key)
	if !v.IsMapping() {
		return nil
	}
	out := map[string]string{}
	for _, f := range v.Fields() {
		s, ok := f.Value.Text()
		if !ok {
			m.wrong(key, "a mapping of strings", f.Value.node)
			continue
		}
		out[f.Name] = s
	}
	return out
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	default:
	}
	switch n.ShortTag() {
	case "!!null":
		return "null"
	case "!!bool":
		return "boolean"
	case "!!int", "!!float":
		return "number"
	case "!!str":
		return "string"
	default:
		return "scalar " + n.ShortTag()
	}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
