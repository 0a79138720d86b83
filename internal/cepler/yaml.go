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

// document is a YAML file that is being read. err is the first fault in it: nothing is read any more after that.
type document struct {
	path string
	err  error
}

// failf notes a fault of the file at a line.
func (d *document) failf(line int, format string, args ...any) {
	if d.err == nil {
		d.err = d.faultf(line, format, args...)
	}
}

// faultf is an error about the file at a line; 0 is the file as a whole.
func (d *document) faultf(line int, format string, args ...any) error {
	where := d.path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", d.path, line)
	}
	return fmt.Errorf(where+": "+format, args...)
}

// root parses data, which must be one document of at most limit bytes, and
// returns its top node; nil after a fault.
func (d *document) root(data []byte, limit int) *yaml.Node {
	if len(data) > limit {
		d.failf(0, "the file has %d bytes, at most %d are read", len(data), limit)
		return nil
	}
	if d.err = strict.Few(data); d.err != nil {
		d.err = d.faultf(0, "%v", d.err)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(withoutVersion(data)))
	var top, more yaml.Node
	err := decoder.Decode(&top)
	if errors.Is(err, io.EOF) || err == nil && len(top.Content) == 0 {
		d.failf(0, "the file is empty")
		return nil
	}
	if err == nil {
		err = decoder.Decode(&more)
	}
	switch {
	case err == nil:
		d.failf(more.Line, "a second document begins; the file must have only one")
	case errors.Is(err, io.EOF):
		return resolve(top.Content[0])
	default:
		d.err = d.syntax(err)
	}
	return nil
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

func (d *document) syntax(err error) error {
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
func (d *document) fields(n *yaml.Node, what string) []field {
	if d.err != nil {
		return nil
	}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		d.failf(n.Line, "%s: want a mapping, got %s", what, describe(n))
		return nil
	}
	out := make([]field, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			d.failf(key.Line, "%s: want a plain key, got %s", what, describe(key))
			return nil
		}
		out = append(out, field{name: text(key), line: n.Content[i].Line, value: n.Content[i+1]})
	}
	return out
}

// scalar is the text of a scalar, whatever YAML takes it for.
func (d *document) scalar(n *yaml.Node, what string) string {
	if resolve(n).Kind != yaml.ScalarNode {
		d.failf(n.Line, "%s: want a text, got %s", what, describe(n))
	}
	if d.err != nil {
		return ""
	}
	return text(resolve(n))
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
func (d *document) boolean(n *yaml.Node, what string) bool {
	is := resolve(n)
	if is.Kind == yaml.ScalarNode && is.ShortTag() == "!!bool" && (is.Value == "true" || is.Value == "false") {
		return is.Value == "true"
	}
	d.failf(n.Line, "%s: want true or false, got %s", what, describe(n))
	return false
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
