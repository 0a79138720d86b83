package cepler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Glob is one pattern of cepler's dialect, which is that of the glob crate for
// Rust with literal separators and literal leading dots:
//
//   - `?`, `*` and `[…]` match within one part of a path (what lies between two
//     slashes) and never the dot that a part begins with;
//   - `**` is a whole part; it stands for any number of parts, none of which
//     begins with a dot; at the end it stands for at least one;
//   - `[!a]` is a negation, `[^a]` is not; `]` first, and `-` first or last, are
//     themselves;
//   - braces, backslashes and a leading `!` are literal, and case counts.
//
// Matching is done here and not by doublestar, as that differs in six ways
// (leading dots, braces, backslashes, sets, what `a/**` matches, what it
// accepts): translating each pattern and each answer takes more code than this
// matcher, and more to trust.
type Glob struct {
	pattern string
	parts   []part
	// folder is what every match begins with: the parts before the first
	// wildcard, or before the last part, with a slash behind each.
	folder string
}

// part is what a pattern has between two slashes.
type part struct {
	// deep is `**`.
	deep bool
	// literal is the text of a part without wildcards; tokens is nil then.
	literal string
	tokens  []token
}

type kind uint8

const (
	char kind = iota // one given character
	anyChar
	anyRun  // *
	within  // [a-z]
	without // [!a-z]
)

type token struct {
	kind   kind
	char   rune
	ranges []runeRange
}

type runeRange struct{ from, to rune }

// notUTF8 stands for a byte that is not a part of a character. No pattern can
// spell it.
const notUTF8 rune = -1

// Why a pattern is refused.
var (
	errBadSet    = errors.New("a set that begins with [ has no end; write [[] for the character itself")
	errManyStars = errors.New("more than two stars in a row; use * within a part of the path, or ** for any number of parts")
	errDeepPart  = errors.New("** must be a whole part of the path, as in a/**/b; use * within a part")
)

// ParseGlob compiles a pattern. Those that make cepler panic are refused.
func ParseGlob(pattern string) (Glob, error) {
	p := globParser{chars: []rune(pattern)}
	if err := p.parse(); err != nil {
		return Glob{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	g := Glob{pattern: pattern, parts: p.parts}
	for _, part := range g.parts[:len(g.parts)-1] {
		if part.deep || part.tokens != nil {
			break
		}
		g.folder += part.literal + "/"
	}
	return g, nil
}

// globParser cuts a pattern into parts of tokens.
type globParser struct {
	chars []rune
	at    int
	parts []part
	part  []token // the part being read
}

func (p *globParser) parse() error {
	for p.at < len(p.chars) {
		if err := p.next(); err != nil {
			return err
		}
	}
	if p.part != nil || !p.endsDeep() {
		p.endPart()
	}
	return nil
}

func (p *globParser) next() error {
	switch c := p.chars[p.at]; c {
	case '/':
		p.endPart()
	case '?':
		p.add(token{kind: anyChar})
	case '*':
		return p.stars()
	case '[':
		return p.set()
	default:
		p.add(token{kind: char, char: c})
	}
	p.at++
	return nil
}

func (p *globParser) add(t token) { p.part = append(p.part, t) }

// endsDeep reports whether the last finished part is `**`: that one has eaten
// the slash behind it, so nothing need follow.
func (p *globParser) endsDeep() bool {
	return len(p.parts) > 0 && p.parts[len(p.parts)-1].deep
}

func (p *globParser) endPart() {
	var literal strings.Builder
	for _, t := range p.part {
		if t.kind != char {
			p.parts = append(p.parts, part{tokens: p.part})
			p.part = nil
			return
		}
		literal.WriteRune(t.char)
	}
	p.parts = append(p.parts, part{literal: literal.String()})
	p.part = nil
}

// stars reads a run of stars; `**` takes the slash behind it with it.
func (p *globParser) stars() error {
	start := p.at
	for p.at < len(p.chars) && p.chars[p.at] == '*' {
		p.at++
	}
	switch p.at - start {
	case 1:
		p.add(token{kind: anyRun})
		return nil
	case 2:
	default:
		return errManyStars
	}
	if start > 0 && p.chars[start-1] != '/' || p.at < len(p.chars) && p.chars[p.at] != '/' {
		return errDeepPart
	}
	p.at++ // the slash, or one behind the end
	if !p.endsDeep() {
		p.parts = append(p.parts, part{deep: true})
	}
	return nil
}

// set reads `[…]`. The first character inside never ends it.
func (p *globParser) set() error {
	rest := p.chars[p.at+1:]
	t := token{kind: within}
	used := 1
	if len(rest) > 0 && rest[0] == '!' {
		t.kind, rest, used = without, rest[1:], 2
	}
	end := 1
	for end < len(rest) && rest[end] != ']' {
		end++
	}
	if end >= len(rest) {
		return errBadSet
	}
	t.ranges = ranges(rest[:end])
	p.add(t)
	p.at += used + end + 1
	return nil
}

func ranges(set []rune) []runeRange {
	var out []runeRange
	for i := 0; i < len(set); {
		if i+2 < len(set) && set[i+1] == '-' {
			out = append(out, runeRange{set[i], set[i+2]})
			i += 3
			continue
		}
		out = append(out, runeRange{set[i], set[i]})
		i++
	}
	return out
}

// String is the pattern as it was written.
func (g Glob) String() string { return g.pattern }

// Match reports whether the file at path, from the repository's root, is meant.
// A path that is not UTF-8 is never meant, as no state file can name it.
func (g Glob) Match(path string) bool {
	if !strings.HasPrefix(path, g.folder) || !utf8.ValidString(path) {
		return false
	}
	var room [reachRoom]bool
	r := g.start(room[:0])
	for more := true; more; {
		var name string
		name, path, more = strings.Cut(path, "/")
		if !g.step(r, name, !more) {
			return false
		}
	}
	return r[len(g.parts)]
}

// Descend reports whether a file somewhere below the folder dir could match.
// It is true for the root, which is "".
func (g Glob) Descend(dir string) bool {
	if common := min(len(dir), len(g.folder)); dir[:common] != g.folder[:common] || !utf8.ValidString(dir) {
		return false
	}
	var room [reachRoom]bool
	r := g.start(room[:0])
	for more := dir != ""; more; {
		var name string
		name, dir, more = strings.Cut(dir, "/")
		if !g.step(r, name, false) {
			return false
		}
	}
	return true
}

// reachRoom is how many parts a pattern may have before matching allocates.
const reachRoom = 24

// start is the set of parts that may come first: element i says that the parts
// before i are used up. A part `**` may stand for nothing, so what is behind
// it may come first too.
func (g Glob) start(room []bool) []bool {
	r := slices.Grow(room, len(g.parts)+1)[:len(g.parts)+1]
	clear(r)
	r[0] = true
	g.skipDeep(r)
	return r
}

func (g Glob) skipDeep(r []bool) {
	for i, p := range g.parts {
		// at the end of a pattern ** stands for at least one part
		if p.deep && r[i] && i+1 < len(g.parts) {
			r[i+1] = true
		}
	}
}

// step moves the set over one part of a path, and reports whether it may still
// lead to a match. Only the last part may use up the pattern.
func (g Glob) step(r []bool, name string, last bool) bool {
	alive := false
	// backwards, so that no part is moved over twice
	for i := len(g.parts); i >= 0; i-- {
		now := r[i]
		r[i] = false
		if !now || i == len(g.parts) {
			continue
		}
		p := &g.parts[i]
		switch {
		case p.deep && !strings.HasPrefix(name, "."):
			r[i] = true
			if i+1 == len(g.parts) && last {
				r[i+1] = true
			}
		case !p.deep && p.match(name):
			r[i+1] = true
		}
	}
	g.skipDeep(r)
	for i, now := range r {
		alive = alive || now && (last == (i == len(g.parts)))
	}
	return alive
}

// match reports whether the part matches one name of a path.
func (p *part) match(name string) bool {
	if p.tokens == nil {
		return p.literal == name
	}
	// When the rest does not fit, the last star takes one character more;
	// stars before it never need to.
	star, resume := -1, 0
	at := 0
	for i := 0; ; {
		switch {
		case i < len(p.tokens) && p.tokens[i].kind == anyRun:
			star, resume = i, at
			i++
			continue
		case i == len(p.tokens) && at == len(name):
			return true
		case i < len(p.tokens) && at < len(name):
			c, size := decode(name[at:])
			if p.tokens[i].match(c, at == 0) {
				i, at = i+1, at+size
				continue
			}
		}
		if star < 0 || resume == len(name) || resume == 0 && name[0] == '.' {
			return false
		}
		_, size := decode(name[resume:])
		resume += size
		i, at = star+1, resume
	}
}

func decode(s string) (c rune, size int) {
	c, size = utf8.DecodeRuneInString(s)
	if c == utf8.RuneError && size == 1 {
		return notUTF8, 1
	}
	return c, size
}

// match reports whether the token, which is not a run, matches the character.
func (t token) match(c rune, leading bool) bool {
	if t.kind == char {
		return c == t.char
	}
	if leading && c == '.' {
		return false
	}
	if t.kind == anyChar {
		return true
	}
	found := false
	for _, r := range t.ranges {
		found = found || r.from <= c && c <= r.to
	}
	return found == (t.kind == within)
}

// Globs are patterns of which any may match.
type Globs []Glob

// Match reports whether any pattern matches the file at path.
func (g Globs) Match(path string) bool {
	for i := range g {
		if g[i].Match(path) {
			return true
		}
	}
	return false
}

// Descend reports whether any pattern could match a file below the folder dir.
func (g Globs) Descend(dir string) bool {
	for i := range g {
		if g[i].Descend(dir) {
			return true
		}
	}
	return false
}
