package cepler

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// document is a YAML file that is being read, for the errors about it.
type document struct{ path string }

// faultf is an error about the file at a line; 0 is the file as a whole.
func (d document) faultf(line int, format string, args ...any) error {
	where := d.path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", d.path, line)
	}
	return fmt.Errorf(where+": "+format, args...)
}

// root parses data, which must be one document of at most limit bytes, and
// returns its top node.
func (d document) root(data []byte, limit int) (*yaml.Node, error) {
	if len(data) > limit {
		return nil, d.faultf(0, "the file has %d bytes, at most %d are read", len(data), limit)
	}
	if err := strict.Few(data); err != nil {
		return nil, d.faultf(0, "%v", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(withoutVersion(data)))
	var top yaml.Node
	err := decoder.Decode(&top)
	if errors.Is(err, io.EOF) || err == nil && len(top.Content) == 0 {
		return nil, d.faultf(0, "the file is empty")
	}
	if err != nil {
		return nil, d.syntax(err)
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case errors.Is(err, io.EOF):
		return resolve(top.Content[0]), nil
	case err != nil:
		return nil, d.syntax(err)
	}
	return nil, d.faultf(more.Line, "a second document begins; the file must have only one")
}

// withoutVersion makes a comment of a directive %YAML 1.2 in the first line,
// which yaml.v3 refuses though nothing read here depends on it.
func withoutVersion(data []byte) []byte {
	rest, found := bytes.CutPrefix(data, []byte("%YAML 1."))
	if !found {
		return data
	}
	return append([]byte("#YAML 1."), rest...)
}

// yamlLine is where yaml.v3 puts the line in its errors.
var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: line (\d+): `) })

func (d document) syntax(err error) error {
	text := err.Error()
	if at := yamlLine().FindStringSubmatch(text); at != nil {
		return fmt.Errorf("%s:%s: not YAML: %s", d.path, at[1], text[len(at[0]):])
	}
	return fmt.Errorf("%s: not YAML: %s", d.path, strings.TrimPrefix(text, "yaml: "))
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// field is one entry of a mapping.
type field struct {
	name  string
	line  int
	value *yaml.Node
}

// fields are the entries of a mapping in order, twice the same key included;
// what names it in the error if it is none. Merge keys are keys like others.
func (d document) fields(n *yaml.Node, what string) ([]field, error) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil, d.faultf(n.Line, "%s: want a mapping, got %s", what, describe(n))
	}
	out := make([]field, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return nil, d.faultf(key.Line, "%s: want a plain key, got %s", what, describe(key))
		}
		out = append(out, field{name: text(key), line: n.Content[i].Line, value: n.Content[i+1]})
	}
	return out, nil
}

// scalar is the text of a scalar, whatever YAML takes it for.
func (d document) scalar(n *yaml.Node, what string) (string, error) {
	line := n.Line
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		return "", d.faultf(line, "%s: want a text, got %s", what, describe(n))
	}
	return text(n), nil
}

// text is how cepler reads a scalar where it wants a text: as it is written,
// and "~" where nothing is.
func text(n *yaml.Node) string {
	if n.Value == "" && isPlain(n) {
		return "~"
	}
	return n.Value
}

func isPlain(n *yaml.Node) bool {
	const other = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&other == 0
}

// isNull reports whether nothing is given. Other spellings of null, and those
// with a tag of their own, are texts to cepler.
func isNull(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == yaml.ScalarNode && isPlain(n) && (n.Style&yaml.TaggedStyle == 0 || n.ShortTag() == "!!null") && (text(n) == "~" || n.Value == "null")
}

// boolean is true or false and none of YAML's other words for them.
func (d document) boolean(n *yaml.Node, what string) (bool, error) {
	line := n.Line
	n = resolve(n)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		switch n.Value {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, d.faultf(line, "%s: want true or false, got %s", what, describe(n))
}

// describe says what a node is, in a few words.
func describe(n *yaml.Node) string {
	n = resolve(n)
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	const most = 40
	if value := []rune(n.Value); len(value) > most {
		return fmt.Sprintf("%q…", string(value[:most]))
	}
	return fmt.Sprintf("%q", n.Value)
}

// didYouMean suggests the name that was meant, or lists those there are.
func didYouMean(got string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	best := nearest.Of(got, known)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there are none"
	}
	const most = 20
	if len(known) > most {
		return fmt.Sprintf("known are %s and %d more", strings.Join(known[:most], ", "), len(known)-most)
	}
	return "known are " + strings.Join(known, ", ")
}
