package pipeline

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// maxNodes bounds a document after its aliases are written out: a file of a few hundred bytes can ask for billions.
// The largest real pipelines have some ten thousand nodes.
const maxNodes = 120_000

// maxDepth bounds nesting; the parser's recursion and everyone else's follow it.
const maxDepth = 200

var (
	errTooLarge = errors.New("the document is too large once its aliases are written out")
	errTooDeep  = errors.New("the document is nested too deeply")
	errMerge    = errors.New("only a mapping, or a list of mappings, can be merged with <<")

	errMergeTwice = errors.New("a mapping has << twice, which fly refuses; write one << with a list")
)

// load returns the first YAML document of a file with its aliases and merge keys written out, so that readers
// meet plain trees; nil after an error, which it reports. fly and Concourse read no further document either.
func (r *report) load(data []byte) *yaml.Node {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.errorf(1, "yaml", "", "the file is empty")
		return nil
	case err != nil:
		r.errorf(lineOf(err), "yaml", "", "read YAML: %v", err)
		return nil
	}
	e := expander{left: maxNodes}
	root, err := e.expand(doc.Content[0], 0)
	if err != nil {
		r.errorf(e.line, "yaml", "", "%v", err)
		return nil
	}
	r.oddKeys(e.odd)
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		line := more.Line
		if err != nil {
			line = lineOf(err)
		}
		r.warnf(line, "documents", "give each document a file of its own", "the file holds more than one YAML document; fly and Concourse read only the first")
	}
	return root
}

// oddKeys reports the keys that are no text, most of them of a {{name}}, which stood for a value before fly 6.
func (r *report) oddKeys(keys []*yaml.Node) {
	for _, k := range keys {
		if name, ok := oldRef(k); ok {
			r.errorf(k.Line, "variables", "write (("+name+"))", "{{%s}} is of an older fly, for the present one it is a mapping with a mapping as its key", name)
			continue
		}
		r.errorf(k.Line, "wrong-type", "", "the key of a mapping must be a string, this is a %s", kindName(k))
	}
}

// oldRef is the name in the inner braces of a {{name}}.
func oldRef(key *yaml.Node) (name string, ok bool) {
	if key.Kind != yaml.MappingNode || key.Style&yaml.FlowStyle == 0 || len(key.Content) != 2 || !isNull(key.Content[1]) {
		return "", false
	}
	return key.Content[0].Value, key.Content[0].Kind == yaml.ScalarNode
}

var lineInText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`line (\d+)`) })

// lineOf finds the line in the YAML parser's message, which is the only place it is in.
func lineOf(err error) int {
	m := lineInText().FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, convErr := strconv.Atoi(m[1])
	if convErr != nil {
		return 0
	}
	return n
}

// expander copies a tree with its aliases and merges written out. Lines stay those of the original text.
type expander struct {
	left int
	line int // where it gave up

	odd  []*yaml.Node // keys that are mappings or lists, each once
	seen map[*yaml.Node]bool
}

// key notes a key that is no text; its entry is left out.
func (e *expander) key(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		return true
	}
	if !e.seen[n] {
		if e.seen == nil {
			e.seen = map[*yaml.Node]bool{}
		}
		e.seen[n] = true
		e.odd = append(e.odd, n)
	}
	return false
}

func (e *expander) expand(n *yaml.Node, depth int) (*yaml.Node, error) {
	e.line = n.Line
	e.left--
	if e.left < 0 {
		return nil, errTooLarge
	}
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if n.Kind == yaml.AliasNode {
		return e.expand(n.Alias, depth+1)
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	if n.Kind == yaml.MappingNode {
		if len(n.Content) == 2 && isNull(n.Content[1]) {
			if name, old := oldRef(n.Content[0]); old {
				e.key(n.Content[0])
				return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "((" + name + "))", Line: n.Line, Column: n.Column}, nil
			}
		}
		return out, e.mapping(out, n, depth)
	}
	if word, ok := oldBoolean(n); ok {
		out.Tag, out.Value = "!!bool", word
	}
	for _, c := range n.Content {
		copied, err := e.expand(c, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, copied)
	}
	return out, nil
}

// oldBoolean is what fly, which reads YAML 1.1, makes of the words for true and false that YAML 1.2 does not
// have.
func oldBoolean(n *yaml.Node) (word string, ok bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Style != 0 {
		return "", false
	}
	switch n.Value {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return "true", true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return "false", true
	}
	return "", false
}

// mapping copies entries; what << brings in comes after them and never replaces one.
func (e *expander) mapping(out, n *yaml.Node, depth int) error {
	var merges []*yaml.Node
	for k, v := range strict.Pairs(n) {
		if !e.key(k) {
			continue
		}
		key, err := e.expand(k, depth+1)
		if err != nil {
			return err
		}
		value, err := e.expand(v, depth+1)
		if err != nil {
			return err
		}
		if key.ShortTag() == "!!merge" {
			if len(merges) > 0 {
				e.line = key.Line
				return errMergeTwice
			}
			merges = append(merges, value)
			continue
		}
		out.Content = append(out.Content, key, value)
	}
	for _, m := range merges {
		if err := merge(out, m); err != nil {
			e.line = m.Line
			return err
		}
	}
	return nil
}

func merge(out, from *yaml.Node) error {
	switch from.Kind {
	case yaml.MappingNode:
		have := map[string]bool{}
		for key := range strict.Pairs(out) {
			have[key.Value] = true
		}
		for key, value := range strict.Pairs(from) {
			if !have[key.Value] {
				out.Content = append(out.Content, key, value)
			}
		}
		return nil
	case yaml.SequenceNode:
		for _, m := range from.Content {
			if m.Kind != yaml.MappingNode {
				return errMerge
			}
			if err := merge(out, m); err != nil {
				return err
			}
		}
		return nil
	default:
		return errMerge
	}
}
