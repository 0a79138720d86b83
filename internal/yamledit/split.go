package yamledit

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// section is one entry of the map at the top of a file, with what follows it up
// to the next one.
type section struct {
	span
	key  string
	line int // from 0
}

// split cuts a file into the entries of its top map without parsing it, so that
// a long file need not be parsed whole for one value. It reads line by line and
// is sure of each cut: it gives up (ok is false) on whatever could hide the start
// of a line, like a value of several lines in quotes or brackets, and on whatever
// is seldom.
func split(data []byte, l lines) (out []section, ok bool) {
	s := splitter{data: data}
	for i, start := range l {
		end := len(data)
		if i+1 < len(l) {
			end = l[i+1]
		}
		key, found, ok := s.line(start)
		if !ok {
			return nil, false
		}
		if !found {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].end = start
		}
		out = append(out, section{span: span{start, end}, key: key, line: i})
		s.begun = true
	}
	if len(out) == 0 {
		return nil, false
	}
	out[len(out)-1].end = len(data)
	return out, true
}

type splitter struct {
	data  []byte
	begun bool // the first entry has been seen
	block bool // the lines are a block scalar's as long as they are indented by
	than  int  // more than this
}

// line reads one line, and reports the key of an entry that starts on it.
func (s *splitter) line(start int) (key string, found, ok bool) {
	at := start
	for at < len(s.data) && s.data[at] == ' ' {
		at++
	}
	if s.ends(at) {
		return "", false, true
	}
	if s.block && at-start > s.than {
		return "", false, true
	}
	s.block = false
	if s.data[at] == '#' {
		return "", false, true
	}
	if at == start {
		return s.top(at)
	}
	_, ok = s.content(start, at)
	return "", false, ok && s.begun
}

// top reads a line that is not indented.
func (s *splitter) top(at int) (key string, found, ok bool) {
	rest := s.data[at:lineEnd(s.data, at)]
	switch {
	case bytes.Equal(bytes.TrimRight(rest, " \t"), []byte("---")):
		return "", false, !s.begun
	case bytes.HasPrefix(rest, []byte("---")), bytes.HasPrefix(rest, []byte("...")), rest[0] == '%':
		return "", false, false
	case rest[0] == '-':
		_, ok = s.content(at, at)
		return "", false, ok && s.begun
	}
	key, ok = s.content(at, at)
	return key, ok, ok && key != ""
}

// content reads the tokens of a line of a block collection: dashes, a key and a
// value. It gives the key.
func (s *splitter) content(start, at int) (key string, ok bool) {
	parent := -1 // column of the innermost dash or key
	for s.is(at, '-') && s.gap(at+1) {
		parent = at - start
		at = skipBlanks(s.data, at+1)
	}
	for !s.ends(at) {
		switch c := s.data[at]; {
		case c == '#':
			return key, blank(s.data[at-1])
		case c == '|' || c == '>':
			return key, parent >= 0 && s.header(at, parent)
		case c == '&' || c == '!' || c == '*':
			at = skipBlanks(s.data, s.word(at))
			if c == '*' && !s.rest(at) {
				return "", false
			}
		case c == '[' || c == '{':
			end, ok := flowEnd(s.data, at)
			return key, ok && s.rest(end)
		case strings.IndexByte("?,]}%@`\t", c) >= 0 || c == '-' && s.gap(at+1):
			return "", false
		default:
			end, text, ok := s.scalar(at)
			if !ok {
				return "", false
			}
			end = skipBlanks(s.data, end)
			if !s.is(end, ':') || !s.gap(end+1) {
				return key, s.rest(end)
			}
			if key != "" {
				return "", false
			}
			key, parent = text, at-start
			at = skipBlanks(s.data, end+1)
		}
	}
	return key, true
}

// scalar reads a quoted scalar, or a plain one up to a colon, a comment or the
// end of the line.
func (s *splitter) scalar(at int) (end int, text string, ok bool) {
	if c := s.data[at]; c == '"' || c == '\'' {
		end, ok = quotedEnd(s.data, at, c)
		if !ok {
			return 0, "", false
		}
		text = string(s.data[at+1 : end-1])
		return end, text, text != "" && !strings.ContainsAny(text, `\'"`) || !s.is(skipBlanks(s.data, end), ':')
	}
	for end = at + 1; !s.ends(end); end++ {
		if s.is(end, ':') && s.gap(end+1) || s.data[end] == '#' && blank(s.data[end-1]) {
			break
		}
	}
	return end, strings.TrimRight(string(s.data[at:end]), " \t"), true
}

// header reads what stands behind | or >.
func (s *splitter) header(at, parent int) bool {
	at++
	if s.is(at, '-') || s.is(at, '+') {
		at++
	}
	s.block, s.than = true, parent
	return s.gap(at) && s.rest(skipBlanks(s.data, at))
}

// rest reports whether there is nothing more on a line but a comment.
func (s *splitter) rest(at int) bool {
	at = skipBlanks(s.data, at)
	return s.ends(at) || s.data[at] == '#' && blank(s.data[at-1])
}

func (s *splitter) word(at int) int {
	for !s.ends(at) && !blank(s.data[at]) {
		at++
	}
	return at
}

func (s *splitter) ends(at int) bool       { return at >= len(s.data) || breakAt(s.data, at) != 0 }
func (s *splitter) is(at int, c byte) bool { return at < len(s.data) && s.data[at] == c }
func (s *splitter) gap(at int) bool        { return s.ends(at) || blank(s.data[at]) }

// flowEnd is where a flow collection ends, if that is on the same line.
func flowEnd(data []byte, at int) (end int, ok bool) {
	depth := 0
	for at < len(data) && breakAt(data, at) == 0 {
		switch c := data[at]; {
		case c == '#' && blank(data[at-1]):
			return 0, false
		case c == '"' || c == '\'':
			if at, ok = quotedEnd(data, at, c); !ok {
				return 0, false
			}
		case c == '[' || c == '{':
			depth++
			at++
		case c == ']' || c == '}':
			depth--
			at++
			if depth == 0 {
				return at, true
			}
		case blank(c) || strings.IndexByte(",:?-", c) >= 0:
			at++
		default:
			at = plainEnd(data, at)
		}
	}
	return 0, false
}

// parse reads one entry as a file of its own, with the lines of the whole file.
func (s section) parse(data []byte) (*yaml.Node, bool) {
	docs, err := documents(data[s.start:s.end])
	if err != nil || len(docs) != 1 {
		return nil, false
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode || len(root.Content) != 2 || root.Content[0].Kind != yaml.ScalarNode || root.Content[0].Value != s.key {
		return nil, false
	}
	shift(docs[0], s.line)
	return docs[0], true
}

func shift(n *yaml.Node, by int) {
	n.Line += by
	for _, child := range n.Content {
		shift(child, by)
	}
}
