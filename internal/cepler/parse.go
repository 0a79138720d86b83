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
	d := &edited{document{path: path}}
	state := d.state(data)
	if d.err != nil {
		return nil, fmt.Errorf("%w: %w; `git log -p -- %s` shows who changed it", d.err, ErrState, path)
	}
	return state, nil
}

// edited reads state files of any form, such as people make of them.
type edited struct{ document }

func (d *edited) state(data []byte) *State {
	root := d.root(hide(data), 2*maxState)
	fields := d.known(root, "the state", "version", "current", "propagated_from", "propagation_queue")
	if d.err != nil {
		return nil
	}
	s := &State{Version: d.version(fields["version"])}
	current, ok := fields["current"]
	if !ok {
		d.failf(root.Line, "the state has no field current")
	}
	s.Current = d.snapshot(current, "current")
	s.PropagatedFrom = d.optional(fields["propagated_from"], "propagated_from")
	s.Queue = d.queue(fields["propagation_queue"])
	return s
}

// known are the fields with those names; others are ignored, unless they are a misspelt one.
func (d *edited) known(n *yaml.Node, what string, names ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for _, f := range d.fields(n, what) {
		best := nearest.Of(f.name, names)
		switch {
		case best == "":
		case best != f.name:
			d.failf(f.line, "%s: unknown key %q; did you mean %q?", what, f.name, best)
		case out[best] != nil:
			d.failf(f.line, "%s has %s twice", what, best)
		default:
			out[best] = f.value
		}
	}
	return out
}

func (d *edited) version(n *yaml.Node) uint64 {
	if n == nil {
		return 0
	}
	version, err := strconv.ParseUint(d.scalar(n, "version"), 10, 64)
	if err != nil || !isPlain(resolve(n)) {
		d.failf(n.Line, "version: want a whole number, got %s", describe(n))
	}
	if version > lastVersion {
		d.failf(n.Line, "version: %d is the largest number that can be recorded; write the number of the environment's deployments", version)
	}
	return version
}

// text is a text that must be there.
func (d *edited) text(fields map[string]*yaml.Node, in *yaml.Node, what, name string) string {
	if d.err != nil {
		return ""
	}
	n := fields[name]
	if n == nil {
		d.failf(resolve(in).Line, "%s has no field %s", what, name)
		return ""
	}
	return show(d.scalar(n, what+"."+name))
}

// optional is a text that may be missing or null.
func (d *edited) optional(n *yaml.Node, what string) string {
	if n == nil || isNull(n) {
		return ""
	}
	return show(d.scalar(n, what))
}

func (d *edited) flag(n *yaml.Node, what string) bool { return n != nil && d.boolean(n, what) }

func (d *edited) queue(n *yaml.Node) (queue []Snapshot) {
	if n == nil {
		return nil
	}
	line := n.Line
	if n = resolve(n); n.Kind != yaml.SequenceNode {
		d.failf(line, "propagation_queue: want a list, got %s", describe(n))
		return nil
	}
	for i, item := range n.Content {
		queue = append(queue, d.snapshot(item, fmt.Sprintf("propagation_queue[%d]", i)))
	}
	return queue
}

func (d *edited) snapshot(n *yaml.Node, what string) Snapshot {
	fields := d.known(n, what, "head_commit", "propagated_head", "any_dirty", "files")
	s := Snapshot{
		Head:           d.text(fields, n, what, "head_commit"),
		PropagatedHead: d.optional(fields["propagated_head"], what+".propagated_head"),
		AnyDirty:       d.flag(fields["any_dirty"], what+".any_dirty"),
		Files:          map[string]File{},
	}
	if fields["files"] == nil {
		return s
	}
	for _, f := range d.fields(fields["files"], what+".files") {
		key := show(f.name)
		s.Files[key] = d.file(f.value, what+".files."+key)
	}
	return s
}

func (d *edited) file(n *yaml.Node, what string) File {
	fields := d.known(n, what, "file_hash", "dirty", "from_commit", "message")
	return File{
		Hash:    d.optional(fields["file_hash"], what+".file_hash"),
		Dirty:   d.flag(fields["dirty"], what+".dirty"),
		From:    d.text(fields, n, what, "from_commit"),
		Message: d.text(fields, n, what, "message"),
	}
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
