package yamledit

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// span is a part of the file: bytes start to end.
type span struct{ start, end int }

// token is a scalar in the file.
type token struct {
	span
	style yaml.Style
	// space is written before a value where there was none.
	space bool
}

// lines knows where each line of the file starts. Lines end where the YAML
// parser says so, as its line numbers count.
type lines []int

const bom = "\xef\xbb\xbf"

func newLines(data []byte) lines {
	start := 0
	if bytes.HasPrefix(data, []byte(bom)) {
		start = len(bom)
	}
	out := lines{start}
	for i := start; i < len(data); {
		n := breakAt(data, i)
		if n == 0 {
			i++
			continue
		}
		i += n
		out = append(out, i)
	}
	return out
}

// breakAt is the length of the line break at an offset, 0 when there is none:
// CR LF, LF, CR, and as YAML 1.1 has it NEL, LS and PS.
func breakAt(data []byte, i int) int {
	switch c := data[i]; {
	case c > '\r' && c < 0xc2: // nearly all
		return 0
	case c == '\n':
		return 1
	case c == '\r':
		if i+1 < len(data) && data[i+1] == '\n' {
			return 2
		}
		return 1
	case c == 0xc2 && bytes.HasPrefix(data[i:], []byte("\u0085")):
		return 2
	case c == 0xe2 && (bytes.HasPrefix(data[i:], []byte("\u2028")) || bytes.HasPrefix(data[i:], []byte("\u2029"))):
		return 3
	}
	return 0
}

// offset is where a node starts; its column counts characters from 1.
func (l lines) offset(data []byte, n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(l) || n.Column < 1 {
		return 0, fmt.Errorf("line %d is not in the file: %w", n.Line, ErrUnsafe)
	}
	at := l[n.Line-1]
	for range n.Column - 1 {
		if at >= len(data) {
			return 0, fmt.Errorf("line %d has no column %d: %w", n.Line, n.Column, ErrUnsafe)
		}
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return at, nil
}

// scan finds the bytes of a scalar node that is written on one line.
func (l lines) scan(data []byte, p place) (token, error) {
	n := p.node
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return token{}, fmt.Errorf("line %d: it is a block (| or >): write it on one line: %w", n.Line, ErrForm)
	}
	if n.Tag == "!!null" && n.Value == "" {
		return l.empty(data, p)
	}
	at, err := l.offset(data, n)
	if err != nil {
		return token{}, err
	}
	if at, err = skipProperties(data, at); err != nil {
		return token{}, fmt.Errorf("line %d: %w", n.Line, err)
	}
	end, ok := scalarEnd(data, at, n)
	if !ok {
		return token{}, fmt.Errorf("line %d: it goes on over several lines: write it on one: %w", n.Line, ErrForm)
	}
	return token{span: span{at, end}, style: n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)}, nil
}

// empty finds the place for a value after "key:".
func (l lines) empty(data []byte, p place) (token, error) {
	none := fmt.Errorf("line %d: there is no value to replace: write \"\" in its place: %w", p.node.Line, ErrForm)
	if p.key == nil || p.flow || p.key.Kind != yaml.ScalarNode || p.node.Anchor != "" || p.node.Style&yaml.TaggedStyle != 0 {
		return token{}, none
	}
	at, err := l.offset(data, p.key)
	if err != nil {
		return token{}, err
	}
	at, err = skipProperties(data, at)
	end, ok := scalarEnd(data, at, p.key)
	if end = skipBlanks(data, end); err != nil || !ok || end >= len(data) || data[end] != ':' {
		return token{}, none
	}
	return token{span: span{end + 1, end + 1}, space: true}, nil
}

// skipProperties goes over the anchor and the tag before a scalar.
func skipProperties(data []byte, at int) (int, error) {
	for at < len(data) && (data[at] == '&' || data[at] == '!') {
		end := at
		for end < len(data) && !blank(data[end]) && breakAt(data, end) == 0 {
			end++
		}
		if tag := string(data[at:end]); tag[0] == '!' && tag != "!!str" && tag != "!" {
			return at, fmt.Errorf("it has the tag %s: %w", tag, ErrForm)
		}
		at = skipBlanks(data, end)
	}
	return at, nil
}

// scalarEnd is where the scalar that starts at an offset ends, if that is on the
// same line.
func scalarEnd(data []byte, at int, n *yaml.Node) (end int, ok bool) {
	switch {
	case at >= len(data):
		return 0, false
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return quotedEnd(data, at, '"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return quotedEnd(data, at, '\'')
	}
	// A plain scalar on one line is written as it is.
	if n.Value == "" || !bytes.HasPrefix(data[at:], []byte(n.Value)) {
		return 0, false
	}
	end = at + len(n.Value)
	if end < len(data) && !blank(data[end]) && breakAt(data, end) == 0 && !strings.ContainsRune(",]}:[{", rune(data[end])) {
		return 0, false
	}
	return end, true
}

// quotedEnd goes from one quote to the closing one on the same line.
func quotedEnd(data []byte, at int, quote byte) (end int, ok bool) {
	if at >= len(data) || data[at] != quote {
		return 0, false
	}
	for i := at + 1; i < len(data); i++ {
		switch {
		case breakAt(data, i) != 0:
			return 0, false
		case data[i] == '\\' && quote == '"':
			i++
			if i < len(data) && breakAt(data, i) != 0 {
				return 0, false
			}
		case data[i] == quote && quote == '\'' && i+1 < len(data) && data[i+1] == quote:
			i++
		case data[i] == quote:
			return i + 1, true
		}
	}
	return 0, false
}

// commentAt finds the comment at the end of the line on which a value ends; one
// that is not there is an empty span at the end of the line.
func commentAt(data []byte, at int) (span, error) {
	for at < len(data) {
		c := data[at]
		switch {
		case breakAt(data, at) != 0:
			return span{at, at}, nil
		case c == '#' && blank(data[at-1]):
			return span{at, lineEnd(data, at)}, nil
		case c == '"' || c == '\'':
			end, ok := quotedEnd(data, at, c)
			if !ok {
				return span{}, fmt.Errorf("the line goes on in the next one, so it can't have a comment: %w", ErrForm)
			}
			at = end
		case blank(c) || strings.IndexByte(",:[]{}?-", c) >= 0:
			at++
		default:
			at = plainEnd(data, at)
		}
	}
	return span{at, at}, nil
}

// plainEnd goes over a plain scalar, an anchor, a tag or an alias of a flow
// collection.
func plainEnd(data []byte, at int) int {
	for at++; at < len(data); at++ {
		if breakAt(data, at) != 0 || strings.IndexByte(",[]{}", data[at]) >= 0 || data[at] == '#' && blank(data[at-1]) {
			break
		}
		if data[at] == ':' && at+1 < len(data) && (blank(data[at+1]) || breakAt(data, at+1) != 0) {
			break
		}
		if blank(data[at]) && (data[at-1] == '*' || isProperty(data, at)) {
			break
		}
	}
	return at
}

// isProperty reports whether the word before an offset is an anchor or tag.
func isProperty(data []byte, at int) bool {
	start := at
	for start > 0 && !blank(data[start-1]) && breakAt(data, start-1) == 0 && strings.IndexByte(",[]{}", data[start-1]) < 0 {
		start--
	}
	return start < at && (data[start] == '&' || data[start] == '!')
}

func lineEnd(data []byte, at int) int {
	for at < len(data) && breakAt(data, at) == 0 {
		at++
	}
	return at
}

func skipBlanks(data []byte, at int) int {
	for at < len(data) && blank(data[at]) {
		at++
	}
	return at
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
