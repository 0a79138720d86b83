package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// documents parses all documents of a file.
func documents(data []byte) ([]*yaml.Node, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("it is UTF-16: save it as UTF-8: %w", ErrSyntax)
	}
	if err := strict.Few(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	var out []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		out = append(out, &n)
	}
}

// same compares two trees: everything but the wanted edits must be equal.
func same(a, b *yaml.Node, wanted map[*yaml.Node]edit) error {
	if e, ok := wanted[a]; ok {
		if e.adds != nil {
			return e.added(a, b, wanted)
		}
		return e.replaced(a, b)
	}
	return equal(a, b, wanted)
}

// replaced compares a value with what an edit wants it to be.
func (e edit) replaced(a, b *yaml.Node) error {
	if e.becomes != nil {
		return equal(e.becomes, b, nil)
	}
	if b.Kind != yaml.ScalarNode || b.Tag != "!!str" || b.Value != e.text || b.Anchor != a.Anchor {
		return fmt.Errorf("line %d: it would be read as %s %s: %w", a.Line, b.Tag, quoteShort(b.Value), ErrUnsafe)
	}
	return nil
}

// added compares a collection with what it is to be with further entries.
func (e edit) added(a, b *yaml.Node, wanted map[*yaml.Node]edit) error {
	want := *a
	want.Content = slices.Concat(e.adds, a.Content)
	if e.last {
		want.Content = slices.Concat(a.Content, e.adds)
	}
	return equal(&want, b, wanted)
}

func equal(a, b *yaml.Node, wanted map[*yaml.Node]edit) error {
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return fmt.Errorf("line %d: %s would become %s: %w", a.Line, quoteShort(a.Value), quoteShort(b.Value), ErrUnsafe)
	}
	for i := range a.Content {
		if err := same(a.Content[i], b.Content[i], wanted); err != nil {
			return err
		}
	}
	return nil
}

// aliasOf finds the first alias of one of the nodes.
func aliasOf(root *yaml.Node, nodes []*yaml.Node) *yaml.Node {
	if root.Kind == yaml.AliasNode {
		if slices.Contains(nodes, root.Alias) {
			return root
		}
		return nil
	}
	for _, child := range root.Content {
		if found := aliasOf(child, nodes); found != nil {
			return found
		}
	}
	return nil
}
