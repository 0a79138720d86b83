package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/fault"
)

// Options say which part of a file is meant.
type Options struct {
	// Document is the number, from 1, of the document in a file of several. 0 is
	// the only one: ErrAmbiguous when several have content.
	Document int
	// Shared also changes values that aliases and merge keys use elsewhere, which
	// is otherwise ErrShared. Values on the way may never come through an alias.
	Shared bool
}

// File is a YAML file with the edits that it is to have.
type File struct {
	data   []byte
	opts   Options
	lines  lines
	docs   []*yaml.Node
	root   *yaml.Node // of the document that is meant
	values map[*yaml.Node]edit
	// comments are by their places. asked are those that values on a place's line
	// asked for, by the ends of the values.
	comments map[int]edit
	asked    map[int]map[int]string
}

// edit replaces a part of the file.
type edit struct {
	span
	with string
	text string // that a value has afterwards
	// becomes is the value afterwards, if it is not a text; adds are what a collection has in addition,
	// as its first entries or, if last, behind all others.
	becomes *yaml.Node
	adds    []*yaml.Node
	last    bool
}

// Value is a single value of the file as it was parsed.
type Value struct {
	Text string
	Line int // from 1
	// Comment is what stands at the end of the value's line, from its # on; empty
	// for none.
	Comment string
}

// Parse reads a file. Data must not be changed afterwards.
func Parse(data []byte, o Options) (*File, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	root, err := choose(docs, o.Document)
	if err != nil {
		return nil, err
	}
	return &File{
		data: data, opts: o, lines: newLines(data), docs: docs, root: root,
		values: map[*yaml.Node]edit{}, comments: map[int]edit{}, asked: map[int]map[int]string{},
	}, nil
}

// choose gives the content of the document that is meant.
func choose(docs []*yaml.Node, number int) (*yaml.Node, error) {
	if number != 0 {
		if number < 1 || number > len(docs) {
			return nil, fault.Of(ErrMissing, "there is no document %d: the file has %d, numbered from 1", number, len(docs))
		}
		return docs[number-1].Content[0], nil
	}
	var found []*yaml.Node
	for _, d := range docs {
		if root := d.Content[0]; root.Tag != "!!null" {
			found = append(found, root)
		}
	}
	switch len(found) {
	case 0:
		return nil, fault.Of(ErrMissing, "the file is empty")
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("the file has %d documents, the second from line %d: choose one with its number: %w", len(found), found[1].Line, ErrAmbiguous)
}

// Scalar reads the value at a path.
func (f *File) Scalar(path string) (Value, error) {
	v, _, _, err := f.locate(path)
	return v, err
}

// Set makes the value at a path be a text. It keeps its quotes; a value without
// quotes gets them where the text would otherwise be read as a number or worse.
func (f *File) Set(path, text string) error {
	v, p, t, err := f.locate(path)
	if err != nil {
		return err
	}
	if text == v.Text {
		delete(f.values, p.node)
		return nil
	}
	if err := f.unshared(path, p); err != nil {
		return err
	}
	with := scalar(text, t.style)
	if t.space {
		with = " " + with
	}
	f.values[p.node] = edit{span: t.span, with: with, text: text}
	return nil
}

// SetComment makes the comment at the end of the value's line be this one, with
// or without its #; an empty one is none.
func (f *File) SetComment(path, comment string) error {
	v, p, t, err := f.locate(path)
	if err != nil {
		return err
	}
	if !printable(strings.ReplaceAll(comment, "\t", "")) {
		return fmt.Errorf("%s: the comment %s is more than a line of text: %w", path, quoteShort(comment), ErrForm)
	}
	if comment != "" && comment[0] != '#' {
		comment = "# " + comment
	}
	where, err := commentAt(f.data, t.end)
	if err != nil {
		return fmt.Errorf("%s: line %d: %w", path, p.node.Line, err)
	}
	for end, other := range f.asked[where.start] {
		if end != t.end && other != comment {
			return fmt.Errorf("%s: line %d has another value with another comment: put each on its own line: %w", path, p.node.Line, ErrForm)
		}
	}
	if f.asked[where.start] == nil {
		f.asked[where.start] = map[int]string{}
	}
	f.asked[where.start][t.end] = comment
	if comment == v.Comment {
		delete(f.comments, where.start)
		return nil
	}
	e := edit{span: where, with: comment}
	switch {
	case comment == "": // with the blanks before it
		for e.start > 0 && blank(f.data[e.start-1]) {
			e.start--
		}
	case where.start == where.end && !blank(f.data[where.start-1]):
		e.with = " " + comment
	}
	f.comments[where.start] = e
	return nil
}

// Changed reports whether there is anything to change.
func (f *File) Changed() bool { return len(f.values)+len(f.comments) > 0 }

// Bytes is the file with the edits. It has been parsed again: every value but
// those that were set is what it was.
func (f *File) Bytes() ([]byte, error) {
	if !f.Changed() {
		return f.data, nil
	}
	var edits []edit // those of values first
	for _, e := range f.values {
		edits = append(edits, e)
	}
	for _, e := range f.comments {
		edits = append(edits, e)
	}
	out := apply(f.data, edits)
	if err := f.verify(out); err != nil {
		return nil, err
	}
	return out, nil
}

// verify parses what the file would become.
func (f *File) verify(data []byte) error {
	after, err := documents(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	if len(after) != len(f.docs) {
		return fmt.Errorf("%d documents would become %d: %w", len(f.docs), len(after), ErrUnsafe)
	}
	for i := range after {
		if err := same(f.docs[i], after[i], f.values); err != nil {
			return err
		}
	}
	return nil
}

// apply makes the edits, which do not overlap. Of two at one place the first one
// is written first.
func apply(data []byte, edits []edit) []byte {
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].start < edits[j].start })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(data[at:e.start])
		out.WriteString(e.with)
		at = e.end
	}
	out.Write(data[at:])
	return out.Bytes()
}

// locate finds the value of a path in the tree and in the file.
func (f *File) locate(text string) (Value, place, token, error) {
	path, err := ParsePath(text)
	if err != nil {
		return Value{}, place{}, token{}, err
	}
	var t token
	p, err := find(f.root, path)
	if err == nil {
		t, err = f.lines.scan(f.data, p)
	}
	if err != nil {
		return Value{}, place{}, token{}, fmt.Errorf("path %s: %w", text, err)
	}
	v := Value{Text: p.node.Value, Line: p.node.Line}
	if where, err := commentAt(f.data, t.end); err == nil {
		v.Comment = string(f.data[where.start:where.end])
	}
	return v, p, t, nil
}

// unshared refuses a value that other places use through an alias.
func (f *File) unshared(path string, p place) error {
	if f.opts.Shared {
		return nil
	}
	anchored := slices.DeleteFunc(slices.Clone(p.chain), func(n *yaml.Node) bool { return n.Anchor == "" })
	if len(anchored) == 0 {
		return nil
	}
	if alias := aliasOf(f.root, anchored); alias != nil {
		return fmt.Errorf("%s: line %d: the alias *%s on line %d uses it too, so both would change: %w", path, p.node.Line, alias.Value, alias.Line, ErrShared)
	}
	return nil
}
