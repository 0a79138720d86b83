// Package strict compares the keys of a configuration file with those that are known, so that a
// misspelt key is an error and not a setting that has no effect.
package strict

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// Shape says which keys the mappings of a file may have. A nil Shape is any value.
type Shape struct {
	// Keys are the known keys of a mapping, with the shapes of their values.
	Keys map[string]*Shape
	// Each is the shape of every item of a list, and of every value of a mapping without Keys, whose
	// keys are names that people choose.
	Each *Shape
}

// Keys is a mapping with those keys, whose values may be anything.
func Keys(names ...string) *Shape {
	s := &Shape{Keys: make(map[string]*Shape, len(names))}
	for _, name := range names {
		s.Keys[name] = nil
	}
	return s
}

// With is the mapping with one more key.
func (s *Shape) With(name string, value *Shape) *Shape {
	out := &Shape{Keys: maps.Clone(s.Keys), Each: s.Each}
	out.Keys[name] = value
	return out
}

// Finding is a key that should not be where it is.
type Finding struct {
	// Line is where the key is, from 1; 0 when that is not known.
	Line int
	// Path leads to the mapping with the key, like environments.qa; "" is the file as a whole.
	Path string
	// Text says what is wrong and what to do.
	Text string
}

// String is the finding without its line.
func (f Finding) String() string {
	if f.Path == "" {
		return f.Text
	}
	return f.Path + ": " + f.Text
}

// Judge compares a file with its shape. Mistakes are keys that are nearly a known one, and keys that a
// mapping has twice, wherever it is; doubts are keys that resemble no known one, such as a newer program may
// have. Both are in the order of the file.
func (s *Shape) Judge(root *yaml.Node) (mistakes, doubts []Finding) {
	j := judge{seen: map[visit]bool{}}
	j.twice(root, "")
	j.keys(root, s, "")
	for _, all := range [][]Finding{j.mistakes, j.doubts} {
		sort.SliceStable(all, func(i, j int) bool { return all[i].Line < all[j].Line })
	}
	return j.mistakes, j.doubts
}

// Twice returns the first key that a mapping of a YAML document has twice, wherever it is, as an error with its line: programs
// that read YAML take the last one, or none, most of them without a word. What is not YAML is for its reader to report. A file
// that [Few] refuses, or whose aliases stand for too much, is an error as well.
func Twice(data []byte) error {
	if err := Few(data); err != nil {
		return err
	}
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil {
		return nil //nolint:nilerr // documented
	}
	if bytes.IndexByte(data, '*') >= 0 { // an alias, perhaps
		if err := root.Decode(new(any)); err != nil && strings.Contains(err.Error(), "excessive aliasing") {
			return err
		}
	}
	var anything *Shape
	mistakes, _ := anything.Judge(&root)
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("line %d: %s", mistakes[0].Line, mistakes[0])
}

type judge struct {
	mistakes, doubts []Finding
	// seen keeps what aliases repeat from being judged again.
	seen map[visit]bool
}

type visit struct {
	node  *yaml.Node
	shape *Shape
}

// twice looks for keys that are there twice. It does not follow aliases: what they stand for is part of
// the file elsewhere.
func (j *judge) twice(n *yaml.Node, at string) {
	if n.Kind != yaml.MappingNode {
		for i, item := range n.Content {
			below := at
			if n.Kind == yaml.SequenceNode {
				below = fmt.Sprintf("%s[%d]", at, i)
			}
			j.twice(item, below)
		}
		return
	}
	first := map[string]int{}
	for written, value := range Pairs(n) {
		key := resolve(written)
		line, again := first[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
		case again:
			j.mistakes = append(j.mistakes, Finding{written.Line, at, fmt.Sprintf("the key %q is there twice, first in line %d; remove one", key.Value, line)})
		default:
			first[key.Value] = written.Line
		}
		j.twice(value, join(at, key.Value))
	}
}

func (j *judge) keys(n *yaml.Node, s *Shape, at string) {
	n = resolve(n)
	if s == nil || j.seen[visit{n, s}] {
		return
	}
	j.seen[visit{n, s}] = true
	switch n.Kind {
	case yaml.DocumentNode:
		j.keys(n.Content[0], s, at)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			j.keys(item, s.Each, fmt.Sprintf("%s[%d]", at, i))
		}
	case yaml.MappingNode:
		for key, value := range Pairs(n) {
			j.key(key, value, s, at)
		}
	default:
	}
}

func (j *judge) key(key, value *yaml.Node, s *Shape, at string) {
	name := resolve(key).Value
	if s.Keys == nil {
		j.keys(value, s.Each, join(at, name))
		return
	}
	below, known := s.Keys[name]
	if known {
		j.keys(value, below, join(at, name))
		return
	}
	f := Finding{Line: key.Line, Path: at}
	names := slices.Sorted(maps.Keys(s.Keys))
	if best := nearest.Of(name, names); best != "" {
		f.Text = fmt.Sprintf("unknown key %q; did you mean %q?", name, best)
		j.mistakes = append(j.mistakes, f)
		return
	}
	f.Text = fmt.Sprintf("unknown key %q has no effect; known are %s", name, strings.Join(names, ", "))
	j.doubts = append(j.doubts, f)
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// Pairs are the keys and values of a mapping, in the order of the file; none of anything else.
func Pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// Member is the value of a mapping's first key with a name, nil if the mapping lacks it.
func Member(n *yaml.Node, name string) *yaml.Node {
	for key, value := range Pairs(n) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
