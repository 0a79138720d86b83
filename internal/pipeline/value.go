package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Value is a piece of free-form YAML inside a pipeline (source, params, version …) that still knows its lines.
// The zero Value is an absent one.
type Value struct {
	node *yaml.Node
}

// Field is one entry of a mapping.
type Field struct {
	Name  string
	Line  int // of the key
	Value Value
}

// IsZero tells whether the value is absent or null.
func (v Value) IsZero() bool { return v.node == nil || isNull(v.node) }

// Line is where the value begins, 0 when it is absent.
func (v Value) Line() int {
	if v.node == nil {
		return 0
	}
	return v.node.Line
}

// Fields are the entries of a mapping in the order of the file; nil for anything else.
func (v Value) Fields() []Field {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return nil
	}
	fields := make([]Field, 0, len(v.node.Content)/2)
	for key, value := range strict.Pairs(v.node) {
		fields = append(fields, Field{Name: key.Value, Line: key.Line, Value: Value{value}})
	}
	return fields
}

// Field is the entry of that name, or the absent Value.
func (v Value) Field(name string) Value {
	return Value{strict.Member(v.node, name)}
}

// Items are the elements of a list; nil for anything else.
func (v Value) Items() []Value {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = Value{n}
	}
	return items
}

// IsMapping tells whether the value is a mapping, an empty one included.
func (v Value) IsMapping() bool { return v.node != nil && v.node.Kind == yaml.MappingNode }

// Text is the string that the value is; false when it is not a string.
func (v Value) Text() (string, bool) {
	if v.node == nil || v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!str" {
		return "", false
	}
	return v.node.Value, true
}

// Data is the value as plain Go: map[string]any, []any, string, bool, int64, uint64, float64 or nil.
// Dates and anything else that JSON lacks stay the text that the file has.
func (v Value) Data() any {
	if v.node == nil {
		return nil
	}
	switch v.node.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(v.node.Content)/2)
		for _, f := range v.Fields() {
			out[f.Name] = f.Value.Data()
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(v.node.Content))
		for _, item := range v.Items() {
			out = append(out, item.Data())
		}
		return out
	default:
		return scalar(v.node)
	}
}

// JSON is the value as a resource program receives it; null for an absent one.
func (v Value) JSON() ([]byte, error) {
	data, err := json.Marshal(v.Data())
	if err != nil {
		return nil, fmt.Errorf("write line %d as JSON: %w", v.Line(), err)
	}
	return data, nil
}

// scalar is the Go value of a scalar node. A number that JSON cannot hold (infinite, not a number) stays text.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		return integer(n)
	case "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	return n.Value
}

// integer keeps 64 bits of either sign; a longer number stays text.
func integer(n *yaml.Node) any {
	text := strings.ReplaceAll(n.Value, "_", "")
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(text, 0, 64); err == nil {
		return u
	}
	return n.Value
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// valueOf makes a Value of plain Go data, with every line set to the given one.
func valueOf(data any, line int) (Value, error) {
	var n yaml.Node
	if err := n.Encode(data); err != nil {
		return Value{}, fmt.Errorf("write a variable's value as YAML: %w", err)
	}
	setLine(&n, line)
	return Value{&n}, nil
}

func setLine(n *yaml.Node, line int) {
	n.Line = line
	for _, c := range n.Content {
		setLine(c, line)
	}
}
