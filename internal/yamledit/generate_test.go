package yamledit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// generated is a YAML file of which it is known where each value stands.
type generated struct {
	text     string
	document int // to choose; 0 for the only one
	tokens   []tok
}

// tok is a value of the generated file.
type tok struct {
	path       yamledit.Path
	start, end int // of the value with its quotes
	quote      string
	value      string
	// comment is where the comment of its line is, with its #; an empty span at the
	// line's end when there is none.
	commentStart, commentEnd int
	// refuse is why it can't be set; nil when it can.
	refuse error
	anchor []string // anchors on the way to it
	gap    bool     // there is nothing yet, not even a blank
}

// generator writes YAML in every manner it can think of.
type generator struct {
	r      *rand.Rand
	b      strings.Builder
	nl     string
	tokens []tok
	line   int // index of the first token on the present line
	// anchors of maps and of scalars that are complete, and those that are used.
	maps, scalars []string
	used          map[string]bool
	open          []string
	count         int
}

// generate makes a file; the same seed makes the same one.
func generate(seed uint64) generated {
	g := &generator{r: rand.New(rand.NewPCG(seed, 77)), nl: "\n", used: map[string]bool{}}
	if g.one(6) {
		g.nl = "\r\n"
	}
	if g.one(10) {
		g.b.WriteString("\xef\xbb\xbf")
	}
	document := 0
	if g.one(8) {
		document = 1 + g.r.IntN(2)
		if document == 2 {
			g.put("--- # first" + g.nl + "other: {a: 1}" + g.nl + "---" + g.nl)
		}
	} else if g.one(6) {
		g.put("---" + g.nl)
	}
	g.line = len(g.tokens)
	g.mapping(0, nil, 0)
	if document == 1 {
		g.put("---" + g.nl + "lanaBank: \"x\" # not this one" + g.nl)
	}
	out := generated{text: g.b.String(), document: document, tokens: g.tokens}
	if g.one(12) && document == 0 {
		out.text = strings.TrimSuffix(out.text, g.nl)
	}
	for i := range out.tokens {
		t := &out.tokens[i]
		t.commentStart, t.commentEnd = min(t.commentStart, len(out.text)), min(t.commentEnd, len(out.text))
		if t.refuse == nil && slices.ContainsFunc(t.anchor, func(a string) bool { return g.used[a] }) {
			t.refuse = yamledit.ErrShared
		}
	}
	return out
}

func (g *generator) one(in int) bool { return g.r.IntN(in) == 0 }

func (g *generator) put(s string) { g.b.WriteString(s) }

func pick[T any](g *generator, of ...T) T { return of[g.r.IntN(len(of))] }

// key gives a key and how it is written.
func (g *generator) key(taken map[string]bool) (key, written string) {
	for {
		key = pick(g, "image", "digest", "tag", "a", "b-c", "x_y", "Größe", "日本", "app.kubernetes.io/name", "with space", "10", "a:b", "it's", "-x", "name", "{{x}}")
		if g.one(4) {
			key += fmt.Sprint(g.r.IntN(9))
		}
		if !taken[key] {
			break
		}
	}
	taken[key] = true
	if strings.HasPrefix(key, "{") || g.one(6) {
		return key, pick(g, `"`+key+`"`, "'"+strings.ReplaceAll(key, "'", "''")+"'")
	}
	return key, key
}

// mapping writes the entries of a block map.
func (g *generator) mapping(indent int, path yamledit.Path, depth int) {
	taken := map[string]bool{}
	for i := range 1 + g.r.IntN(4) {
		if i > 0 || depth == 0 {
			g.between(indent)
			g.put(strings.Repeat(" ", indent))
		}
		key, written := g.key(taken)
		g.put(written + pick(g, "", "", "", " ") + ":")
		g.value(indent, append(slices.Clone(path), yamledit.Step{Key: key}), depth, true)
	}
	if len(g.maps) > 0 && g.one(4) {
		name := pick(g, g.maps...)
		g.used[name] = true
		g.put(strings.Repeat(" ", indent) + "<<: *" + name + g.nl)
	}
}

// between writes what may be between two lines.
func (g *generator) between(indent int) {
	switch {
	case g.one(6):
		g.put(g.nl)
	case g.one(8):
		g.put(strings.Repeat(" ", indent) + "# a person's: \"note\" {[" + g.nl)
	case g.one(20):
		g.put("   " + g.nl + g.nl)
	}
}

// value writes a value behind a key or dash, and ends the line.
func (g *generator) value(indent int, path yamledit.Path, depth int, behindKey bool) {
	g.line = len(g.tokens)
	anchor := ""
	if g.one(9) {
		g.count++
		anchor = fmt.Sprintf("x%d", g.count)
		g.open = append(g.open, anchor)
	}
	mark := ""
	if anchor != "" {
		mark = " &" + anchor
	}
	kind, deeper := g.r.IntN(20), depth < 4
	isMap, isScalar := false, false
	switch {
	case kind < 3 && deeper && (behindKey || mark == ""):
		isMap = true
		if behindKey {
			g.put(mark)
			g.eol()
			g.put(strings.Repeat(" ", indent+2+2*g.r.IntN(2)))
			g.nested(path, depth)
		} else {
			g.put(" ")
			g.mapping(indent+2, path, depth+1)
		}
	case kind < 6 && deeper && behindKey:
		g.put(mark)
		g.eol()
		g.sequence(indent+pick(g, 0, 2), path, depth+1)
	case kind < 8:
		g.put(mark + " ")
		g.flow(path, depth, false)
		g.eol()
	case kind < 9 && behindKey:
		g.put(mark + " ")
		g.flow(path, depth, true)
		g.eol()
	case kind < 10 && behindKey:
		g.refused(path, yamledit.ErrForm)
		g.put(mark + " " + pick(g, "|", ">", "|-", ">+") + g.nl)
		for range 1 + g.r.IntN(3) {
			g.put(strings.Repeat(" ", indent+3) + pick(g, "lanaBank: \"x\" # text", "- 'text", "text") + g.nl)
		}
	case kind < 11 && behindKey:
		g.refused(path, yamledit.ErrForm)
		g.put(mark + " " + pick(g, "\"one", "'one", "one") + g.nl)
		switch g.b.String()[strings.LastIndexAny(g.b.String(), "\"' ")] {
		case '"':
			g.put(strings.Repeat(" ", indent+2) + "two\"" + g.nl)
		case '\'':
			g.put(strings.Repeat(" ", indent+2) + "# two'" + g.nl)
		default:
			g.put(strings.Repeat(" ", indent+2) + "two" + g.nl)
		}
	case kind < 12 && len(g.scalars)+len(g.maps) > 0 && anchor == "":
		name := pick(g, slices.Concat(g.scalars, g.maps)...)
		g.used[name] = true
		g.refused(path, yamledit.ErrShared)
		g.put(" *" + name)
		g.eol()
	case kind < 13 && behindKey && anchor == "":
		at := g.b.Len()
		g.tokens = append(g.tokens, tok{path: path, start: at, end: at, gap: true, anchor: slices.Clone(g.open)})
		g.eol()
	default:
		isScalar = true
		g.put(mark + strings.Repeat(" ", 1+g.r.IntN(3)))
		if g.one(12) {
			g.put("!!str ")
		}
		g.scalar(path, false)
		g.eol()
	}
	if anchor == "" {
		return
	}
	g.open = slices.DeleteFunc(g.open, func(a string) bool { return a == anchor })
	switch {
	case isMap:
		g.maps = append(g.maps, anchor)
	case isScalar:
		g.scalars = append(g.scalars, anchor)
	}
}

// nested writes a map whose first indentation is written.
func (g *generator) nested(path yamledit.Path, depth int) {
	text := g.b.String()
	indent := len(text) - strings.LastIndexByte(text, '\n') - 1
	g.mapping(indent, path, depth+1)
}

func (g *generator) refused(path yamledit.Path, why error) {
	g.tokens = append(g.tokens, tok{path: path, refuse: why})
	g.line = len(g.tokens)
}

// sequence writes the items of a block list.
func (g *generator) sequence(indent int, path yamledit.Path, depth int) {
	for i := range 1 + g.r.IntN(3) {
		g.between(indent)
		g.put(strings.Repeat(" ", indent) + "-")
		g.value(indent, append(slices.Clone(path), yamledit.Step{Item: true, Index: i}), depth, false)
	}
}

// flow writes a flow collection on one line or on several.
func (g *generator) flow(path yamledit.Path, depth int, lines bool) {
	isMap := g.one(2)
	open, shut := "[", "]"
	if isMap {
		open, shut = "{", "}"
	}
	g.put(open + pick(g, "", " "))
	taken := map[string]bool{}
	n := 1 + g.r.IntN(3)
	for i := range n {
		if lines {
			g.eol()
			g.put(strings.Repeat(" ", 12))
		}
		here := append(slices.Clone(path), yamledit.Step{Item: true, Index: i})
		if isMap {
			key, written := g.key(taken)
			if strings.HasPrefix(written, "-") {
				written = `"` + written + `"`
			}
			here[len(here)-1] = yamledit.Step{Key: key}
			g.put(written + ": ")
		}
		if depth < 4 && g.one(4) {
			g.flow(here, depth+1, false)
		} else {
			g.scalar(here, true)
		}
		if i < n-1 {
			g.put("," + pick(g, " ", "  "))
		}
	}
	if lines {
		g.eol()
		g.put(strings.Repeat(" ", 10))
	}
	g.put(pick(g, "", " ") + shut)
}

// scalar writes a value on one line.
func (g *generator) scalar(path yamledit.Path, flow bool) {
	value := pick(g, digest(1), "v1.2.3@"+digest(2), "ghcr.io/acme/bank:1.2@"+digest(3), "0.41.0", "12", "1.5", "true", "text", "two words", "it's", "ü日", "x#y", "a:b", "http://x/y?z=1")
	if flow {
		value = strings.ReplaceAll(value, "?", "&") // which the parser wants quoted there
	}
	quote := pick(g, "", `"`, "'")
	written := quote + value + quote
	if quote == "'" {
		written = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	if quote != "" && g.one(6) {
		value, written = "", quote+quote
	} else if quote == `"` && g.one(5) {
		value, written = value+"\t\"# {", quote+value+`\t\"\x23 {`+quote
	} else if quote == "'" && g.one(5) {
		value, written = value+"' # [", quote+strings.ReplaceAll(value, "'", "''")+"'' # ["+quote
	}
	at := g.b.Len()
	g.put(written)
	g.tokens = append(g.tokens, tok{path: path, start: at, end: g.b.Len(), quote: quote, value: value, anchor: slices.Clone(g.open)})
}

// eol ends a line, perhaps with a comment, which belongs to the values on it.
func (g *generator) eol() {
	comment := ""
	switch g.r.IntN(8) {
	case 0:
		g.put(pick(g, " ", "   ", "\t", " \t "))
		comment = pick(g, "# note", "#note", "# METADATA:: repository=https://github.com/acme/bank;commit_ref=1234567;app=bank; # more", "# tab\there \"quoted\" {[", "#")
	case 1:
		g.put(pick(g, " ", "  "))
	}
	at := g.b.Len()
	g.put(comment)
	for i := g.line; i < len(g.tokens); i++ {
		g.tokens[i].commentStart, g.tokens[i].commentEnd = at, g.b.Len()
	}
	g.line = len(g.tokens)
	g.put(g.nl)
}

func digest(n int) string { return "sha256:" + strings.Repeat(fmt.Sprintf("%x", n%16), 64) }
