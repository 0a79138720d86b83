package yamledit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Path leads from the top of a document to a value.
type Path []Step

// Step is one step of a path. It is a key of a map, unless Item is set.
type Step struct {
	Key string
	// Item chooses an item of a list: the one whose value of Key is Equals, or the
	// one with the number Index, from 0, when Key is empty.
	Item   bool
	Index  int
	Equals string
}

// ParsePath reads a path as the package comment describes. A dot before the
// first key is passed over.
func ParsePath(text string) (Path, error) {
	p := pathParser{text: text, rest: text}
	path, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("path %s: %w: %w", quoteShort(text), ErrPath, err)
	}
	return path, nil
}

// String writes the path so that ParsePath reads the same.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.Item && s.Key == "":
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		case s.Item:
			b.WriteString("[" + word(s.Key) + "=" + word(s.Equals) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(word(s.Key))
		}
	}
	return b.String()
}

// word quotes what would not be read as one word.
func word(s string) string {
	if s == "" || strings.ContainsAny(s, special) || strings.ContainsFunc(s, unicode.IsControl) || strings.TrimSpace(s) != s {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

const special = `.[]="'\`

type pathParser struct{ text, rest string }

func (p *pathParser) parse() (Path, error) {
	var path Path
	p.accept('.')
	for p.rest != "" || len(path) == 0 {
		if p.accept('[') {
			s, err := p.bracket()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
			continue
		}
		if len(path) > 0 && !p.accept('.') {
			return nil, fmt.Errorf("a dot or [ is wanted before %s", quoteShort(p.rest))
		}
		if len(path) > 0 && p.accept('[') { // as yq writes it: a.[0]
			p.rest = "[" + p.rest
			continue
		}
		key, err := p.word("key", special)
		if err != nil {
			return nil, err
		}
		path = append(path, Step{Key: key})
	}
	return path, nil
}

// bracket reads what is between [ and ].
func (p *pathParser) bracket() (Step, error) {
	quoted := p.rest != "" && strings.ContainsRune(`"'`, rune(p.rest[0]))
	key, err := p.word("number or key", `[]="'\`)
	if err != nil {
		return Step{}, err
	}
	if p.accept('=') {
		value, err := p.word("value", `[]"'\`)
		if err == nil && !p.accept(']') {
			err = p.unclosed()
		}
		return Step{Item: true, Key: key, Equals: value}, err
	}
	if !p.accept(']') {
		return Step{}, p.unclosed()
	}
	if quoted {
		return Step{Key: key}, nil
	}
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 {
		return Step{}, fmt.Errorf("[%s] is not a number: write [0], [name=value] or [\"key\"]", key)
	}
	return Step{Item: true, Index: n}, nil
}

func (p *pathParser) unclosed() error { return fmt.Errorf("a ] is missing in %s", quoteShort(p.text)) }

// word reads a quoted word, or one without the characters of stop.
func (p *pathParser) word(what, stop string) (string, error) {
	if p.accept('"') {
		return p.quoted('"')
	}
	if p.accept('\'') {
		return p.quoted('\'')
	}
	end := strings.IndexAny(p.rest, stop)
	if end < 0 {
		end = len(p.rest)
	}
	out := p.rest[:end]
	if out == "" {
		if p.rest == "" {
			return "", fmt.Errorf("a %s is missing at the end", what)
		}
		return "", fmt.Errorf("a %s is missing before %s", what, quoteShort(p.rest))
	}
	if strings.TrimSpace(out) != out || strings.ContainsFunc(out, unicode.IsControl) {
		return "", fmt.Errorf("the %s %s has blanks around it or control characters: quote it if it is so", what, quoteShort(out))
	}
	p.rest = p.rest[end:]
	return out, nil
}

// quoted reads up to the closing quote; a backslash takes the next character as
// it is between double quotes.
func (p *pathParser) quoted(quote byte) (string, error) {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == quote:
			p.rest = p.rest[i+1:]
			if b.Len() == 0 {
				return "", fmt.Errorf("%c%c is empty", quote, quote)
			}
			return b.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("a closing %c is missing", quote)
}

func (p *pathParser) accept(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// quoteShort shows a text of any length.
func quoteShort(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
