package yamledit

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// place is where a path leads.
type place struct {
	node *yaml.Node
	key  *yaml.Node // of the map that holds node; nil in a list
	flow bool       // inside of {} or []
	// chain are the nodes from the top to this one.
	chain []*yaml.Node
}

// find follows a path to a single value.
func find(root *yaml.Node, path Path) (place, error) {
	at, err := walk(root, path)
	if err == nil && at.node.Kind != yaml.ScalarNode {
		err = fmt.Errorf("%s is %s: %w%s", where(path), kind(at.node), ErrNotScalar, inside(at.node))
	}
	return at, err
}

// walk follows a path. Its errors name the path so far.
func walk(root *yaml.Node, path Path) (place, error) {
	at := place{node: root, chain: []*yaml.Node{root}}
	for i, step := range path {
		if err := direct(at.node); err != nil {
			return place{}, fmt.Errorf("%s %w", where(path[:i]), err)
		}
		at.flow = at.flow || at.node.Style&yaml.FlowStyle != 0
		var err error
		if step.Item {
			at.node, err = item(at.node, step)
			at.key = nil
		} else {
			at.key, at.node, err = entry(at.node, step.Key)
		}
		if err != nil {
			return place{}, fmt.Errorf("%s %w", where(path[:i]), err)
		}
		at.chain = append(at.chain, at.node)
	}
	if err := direct(at.node); err != nil {
		return place{}, fmt.Errorf("%s %w", where(path), err)
	}
	return at, nil
}

// where names the place of a path in a sentence.
func where(path Path) string {
	if len(path) == 0 {
		return "the top"
	}
	return path.String()
}

// direct refuses aliases.
func direct(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("is the alias *%s (line %d): set the value where &%s is: %w", n.Value, n.Line, n.Value, ErrShared)
	}
	return nil
}

// entry gives a map's value.
func entry(m *yaml.Node, name string) (key, value *yaml.Node, err error) {
	if m.Kind != yaml.MappingNode {
		return nil, nil, fault.Of(ErrMissing, "is %s and has no key %s", kind(m), word(name))
	}
	var merge *yaml.Node
	for k, v := range strict.Pairs(m) {
		switch {
		case k.Kind != yaml.ScalarNode:
		case k.Tag == "!!merge":
			merge = k
		case k.Value != name:
		case key != nil:
			return nil, nil, fmt.Errorf("has the key %s twice, on lines %d and %d: %w", word(name), key.Line, k.Line, ErrAmbiguous)
		default:
			key, value = k, v
		}
	}
	if key != nil {
		return key, value, nil
	}
	if merge != nil {
		return nil, nil, fmt.Errorf("has no key %s of its own, only what << on line %d brings: set the value there: %w", word(name), merge.Line, ErrShared)
	}
	return nil, nil, fault.Of(ErrMissing, "has no key %s%s", word(name), suggest(name, keys(m)))
}

func keys(m *yaml.Node) []string {
	var out []string
	for k := range strict.Pairs(m) {
		if k.Kind == yaml.ScalarNode && k.Tag != "!!merge" {
			out = append(out, k.Value)
		}
	}
	return unique(out)
}

// item gives a list's item.
func item(list *yaml.Node, step Step) (*yaml.Node, error) {
	if list.Kind != yaml.SequenceNode {
		return nil, fault.Of(ErrMissing, "is %s and has no items%s", kind(list), inside(list))
	}
	if step.Key == "" {
		if step.Index >= len(list.Content) {
			return nil, fault.Of(ErrMissing, "has no item [%d]: it has %d items, numbered from 0", step.Index, len(list.Content))
		}
		return list.Content[step.Index], nil
	}
	var found []*yaml.Node
	var values []string
	for _, it := range list.Content {
		got := valuesOf(it, step.Key)
		if slices.Contains(got, step.Equals) {
			found = append(found, it)
		}
		values = append(values, got...)
	}
	choice := Path{step}.String()
	switch {
	case len(found) == 1:
		if len(valuesOf(found[0], step.Key)) > 1 {
			return nil, fmt.Errorf("has %s, whose key %s appears twice (line %d): %w", choice, word(step.Key), found[0].Line, ErrAmbiguous)
		}
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("has %d items %s, on lines %d and %d: %w", len(found), choice, found[0].Line, found[1].Line, ErrAmbiguous)
	}
	return nil, fault.Of(ErrMissing, "has no item %s%s", choice, suggest(step.Equals, unique(values)))
}

// valuesOf are the values that an item has under a key: none, one, or more when
// the key is there more than once.
func valuesOf(n *yaml.Node, name string) []string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var out []string
	for k, v := range strict.Pairs(n) {
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if k.Kind == yaml.ScalarNode && k.Value == name && v.Kind == yaml.ScalarNode {
			out = append(out, v.Value)
		}
	}
	return out
}

// kind names a node for people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return fmt.Sprintf("a map (line %d)", n.Line)
	case n.Kind == yaml.SequenceNode:
		return fmt.Sprintf("a list (line %d)", n.Line)
	case n.Tag == "!!null":
		return fmt.Sprintf("empty (line %d)", n.Line)
	}
	return fmt.Sprintf("a single value (line %d)", n.Line)
}

// inside says what a path could go on with.
func inside(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return suggest("", keys(n))
	}
	if n.Kind == yaml.SequenceNode {
		return fmt.Sprintf("; choose an item, as in [0] or [name=value]; there are %d", len(n.Content))
	}
	return ""
}
