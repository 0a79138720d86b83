package yamledit

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Replace puts a piece of YAML in flow style, such as "{commit: HEAD, resume: 3}", in the place of the
// single value at a path. A comment behind the value stays.
func (f *File) Replace(path, piece string) error {
	_, p, t, err := f.locate(path)
	if err != nil {
		return err
	}
	if err := f.unshared(path, p); err != nil {
		return err
	}
	is, err := parsePiece(piece)
	if err != nil {
		return fmt.Errorf("path %s: %w", path, err)
	}
	with := piece
	if t.space {
		with = " " + with
	}
	f.values[p.node] = edit{span: t.span, with: with, becomes: is}
	return nil
}

// Insert adds a piece of YAML in flow style to the map or list at a path: "commit: HEAD" to a map, or
// "{by: ana, commit: 1f3c2aa}" to a list. It becomes the first entry, except that one for the top of a
// file goes to the end of the file.
func (f *File) Insert(path, piece string) error {
	steps := Path{}
	if path != "" {
		var err error
		if steps, err = ParsePath(path); err != nil {
			return err
		}
	}
	p, err := walk(f.root, steps)
	if err != nil {
		return fmt.Errorf("path %s: %w", path, err)
	}
	if err := f.unshared(path, p); err != nil {
		return err
	}
	e, err := f.insertion(p, piece)
	if err != nil {
		return fmt.Errorf("path %s: %w", path, err)
	}
	f.values[p.node] = e
	return nil
}

// insertion is the edit that adds a piece to a collection.
func (f *File) insertion(p place, piece string) (edit, error) {
	open, end := "{", "}"
	switch p.node.Kind {
	case yaml.MappingNode:
	case yaml.SequenceNode:
		open, end = "[", "]"
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
		return edit{}, fmt.Errorf("it is %s, which has no entries: %w", kind(p.node), ErrMissing)
	}
	entries, err := parsePiece(open + piece + end)
	if err != nil {
		return edit{}, err
	}
	at, err := f.lines.offset(f.data, p.node)
	if err != nil {
		return edit{}, err
	}
	if p.node.Style&yaml.FlowStyle != 0 {
		if at, err = skipProperties(f.data, at); err != nil {
			return edit{}, err
		}
		with := piece
		if len(p.node.Content) > 0 {
			with += ", "
		}
		return edit{span: span{at + 1, at + 1}, with: with, adds: entries.Content}, nil
	}
	if p.node == f.root && p.node.Kind == yaml.MappingNode {
		return f.atEnd(piece, entries), nil
	}
	return f.beforeFirst(p.node, piece, entries)
}

// atEnd adds a line to the file.
func (f *File) atEnd(piece string, entries *yaml.Node) edit {
	with, last := piece+f.newline(), len(f.data)
	if last > 0 && f.data[last-1] != '\n' {
		with = f.newline() + with
	}
	return edit{span: span{last, last}, with: with, adds: entries.Content, last: true}
}

// beforeFirst adds a line before the first entry of a collection in block style.
func (f *File) beforeFirst(n *yaml.Node, piece string, entries *yaml.Node) (edit, error) {
	first := n
	if n.Kind == yaml.MappingNode {
		first = n.Content[0]
	}
	at, err := f.lines.offset(f.data, first)
	if err != nil {
		return edit{}, err
	}
	if n.Kind == yaml.SequenceNode {
		piece = "- " + piece
	}
	return edit{span: span{at, at}, with: piece + f.newline() + strings.Repeat(" ", first.Column-1), adds: entries.Content}, nil
}

// newline is the line break that the file uses.
func (f *File) newline() string {
	if strings.Contains(string(f.data), "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// parsePiece reads a piece of YAML on one line.
func parsePiece(piece string) (*yaml.Node, error) {
	if !printable(piece) {
		return nil, fmt.Errorf("%s is more than a line of text: %w", quoteShort(piece), ErrForm)
	}
	docs, err := documents([]byte(piece))
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("%s is not one value: %w", quoteShort(piece), ErrSyntax)
	}
	return docs[0].Content[0], nil
}

// Quote writes a text so that it is read as this text, in quotes where that needs them.
func Quote(text string) string { return scalar(text, 0) }
