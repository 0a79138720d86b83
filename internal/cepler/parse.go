package cepler

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// ParseState reads the state file that is at path. Unknown fields are ignored,
// as cepler does, and the next record drops them; one that is nearly a known one is a mistake. The error of a file that does
// not parse is ErrState and names the line.
func ParseState(path string, data []byte) (*State, error) {
	if len(data) > maxState {
		return nil, fmt.Errorf("%s: %w: it has %d bytes, at most %d are read", path, ErrState, len(data), maxState)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: %w: it is not UTF-8", path, ErrState)
	}
	if state, ok := scanState(string(data)); ok {
		return state, nil
	}
	state, err := edited{document{path}}.state(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; `git log -p -- %s` shows who changed it", err, ErrState, path)
	}
	return state, nil
}

// edited reads state files of any form, such as people make of them.
type edited struct{ document }

func (d edited) state(data []byte) (*State, error) {
	root, err := d.root(hide(data), 2*maxState)
	if err != nil {
		return nil, err
	}
	fields, err := d.known(root, "the state", "version", "current", "propagated_from", "propagation_queue")
	if err != nil {
		return nil, err
	}
	s := &State{}
	if s.Version, err = d.version(fields["version"]); err != nil {
		return nil, err
	}
	current, ok := fields["current"]
	if !ok {
		return nil, d.faultf(root.Line, "the state has no field current")
	}
	if s.Current, err = d.snapshot(current, "current"); err != nil {
		return nil, err
	}
	if s.PropagatedFrom, err = d.optional(fields["propagated_from"], "propagated_from"); err != nil {
		return nil, err
	}
	s.Queue, err = d.queue(fields["propagation_queue"])
	return s, err
}

// known are the fields with those names; others are ignored, unless they are a misspelt one.
func (d edited) known(n *yaml.Node, what string, names ...string) (map[string]*yaml.Node, error) {
	all, err := d.fields(n, what)
	if err != nil {
		return nil, err
	}
	out := map[string]*yaml.Node{}
	for _, f := range all {
		if best := nearest.Of(f.name, names); best != "" && best != f.name {
			return nil, d.faultf(f.line, "%s: unknown key %q; did you mean %q?", what, f.name, best)
		}
		for _, name := range names {
			if f.name != name {
				continue
			}
			if out[name] != nil {
				return nil, d.faultf(f.line, "%s has %s twice", what, name)
			}
			out[name] = f.value
		}
	}
	return out, nil
}

func (d edited) version(n *yaml.Node) (uint64, error) {
	if n == nil {
		return 0, nil
	}
	value, err := d.scalar(n, "version")
	if err != nil {
		return 0, err
	}
	version, err := strconv.ParseUint(value, 10, 64)
	if err != nil || !isPlain(resolve(n)) {
		return 0, d.faultf(n.Line, "version: want a whole number, got %s", describe(n))
	}
	if version > lastVersion {
		return 0, d.faultf(n.Line, "version: %d is the largest number that can be recorded; write the number of the environment's deployments", version)
	}
	return version, nil
}

// text is a text that must be there.
func (d edited) text(fields map[string]*yaml.Node, in *yaml.Node, what, name string) (string, error) {
	n := fields[name]
	if n == nil {
		return "", d.faultf(resolve(in).Line, "%s has no field %s", what, name)
	}
	value, err := d.scalar(n, what+"."+name)
	return show(value), err
}

// optional is a text that may be missing or null.
func (d edited) optional(n *yaml.Node, what string) (string, error) {
	if n == nil || isNull(n) {
		return "", nil
	}
	value, err := d.scalar(n, what)
	return show(value), err
}

func (d edited) flag(n *yaml.Node, what string) (bool, error) {
	if n == nil {
		return false, nil
	}
	return d.boolean(n, what)
}

func (d edited) queue(n *yaml.Node) ([]Snapshot, error) {
	if n == nil {
		return nil, nil
	}
	line := n.Line
	if n = resolve(n); n.Kind != yaml.SequenceNode {
		return nil, d.faultf(line, "propagation_queue: want a list, got %s", describe(n))
	}
	var queue []Snapshot
	for i, item := range n.Content {
		s, err := d.snapshot(item, fmt.Sprintf("propagation_queue[%d]", i))
		if err != nil {
			return nil, err
		}
		queue = append(queue, s)
	}
	return queue, nil
}

func (d edited) snapshot(n *yaml.Node, what string) (Snapshot, error) {
	s := Snapshot{Files: map[string]File{}}
	fields, err := d.known(n, what, "head_commit", "propagated_head", "any_dirty", "files")
	if err != nil {
		return s, err
	}
	if s.Head, err = d.text(fields, n, what, "head_commit"); err != nil {
		return s, err
	}
	if s.PropagatedHead, err = d.optional(fields["propagated_head"], what+".propagated_head"); err != nil {
		return s, err
	}
	if s.AnyDirty, err = d.flag(fields["any_dirty"], what+".any_dirty"); err != nil {
		return s, err
	}
	if fields["files"] == nil {
		return s, nil
	}
	files, err := d.fields(fields["files"], what+".files")
	if err != nil {
		return s, err
	}
	for _, f := range files {
		key := show(f.name)
		if s.Files[key], err = d.file(f.value, what+".files."+key); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (d edited) file(n *yaml.Node, what string) (File, error) {
	var f File
	fields, err := d.known(n, what, "file_hash", "dirty", "from_commit", "message")
	if err != nil {
		return f, err
	}
	if f.Hash, err = d.optional(fields["file_hash"], what+".file_hash"); err != nil {
		return f, err
	}
	if f.Dirty, err = d.flag(fields["dirty"], what+".dirty"); err != nil {
		return f, err
	}
	if f.From, err = d.text(fields, n, what, "from_commit"); err != nil {
		return f, err
	}
	f.Message, err = d.text(fields, n, what, "message")
	return f, err
}

// Characters that cepler writes as they are, and that its reader takes for
// text, but that yaml.v3 refuses or takes for line breaks. They are hidden
// from it: each becomes marker and a character of Unicode's private area.
const (
	marker     = '\uF8FF'
	hiddenBase = '\uE000'
)

// odd are the hidden characters beyond Latin-1, in the order of their stand-ins
// from hiddenBase + 0x100.
const odd = "\u2028\u2029\uFEFF\uFFFE\uFFFF" + string(marker)

// standIn is what stands for c, 0 if c is not hidden.
func standIn(c rune) rune {
	switch {
	case c == '\t' || c == '\n' || c == '\r':
		return 0
	case c < ' ' || 0x7f <= c && c < 0xa0:
		return hiddenBase + c
	case c < '\u2028':
		return 0
	}
	for i, other := range []rune(odd) {
		if c == other {
			return hiddenBase + 0x100 + rune(i)
		}
	}
	return 0
}

// hide puts stand-ins for the characters that yaml.v3 would not read.
func hide(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for _, c := range string(data) {
		if s := standIn(c); s != 0 {
			out = utf8.AppendRune(out, marker)
			c = s
		}
		out = utf8.AppendRune(out, c)
	}
	return out
}

// show is the reverse of hide.
func show(s string) string {
	before, rest, found := strings.Cut(s, string(marker))
	if !found {
		return s
	}
	var out strings.Builder
	for found {
		out.WriteString(before)
		c, size := utf8.DecodeRuneInString(rest)
		if c -= hiddenBase; c >= 0x100 {
			c = []rune(odd)[c-0x100]
		}
		out.WriteRune(c)
		before, rest, found = strings.Cut(rest[size:], string(marker))
	}
	return out.String() + before
}
