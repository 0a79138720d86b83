// Package markdown writes text from outside into Markdown that people read at a forge: subjects of
// commits, names, file names, words of servers. Such text shows as it was written and does nothing:
// it opens no HTML comment, makes no heading, list or masked link, closes no issue and notifies
// nobody. Ordinary text comes out byte for byte as it went in.
//
// What counts is how GitHub reads Markdown: CommonMark with GitHub's extensions
// (https://github.github.com/gfm/), mentions, references, and the keywords that close issues
// (https://docs.github.com/en/issues/tracking-your-work-with-issues/linking-a-pull-request-to-an-issue).
package markdown

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Text is one line of text in the repository that it comes from. Code spans and emphasis stay what
// they are, and so do references such as #7, which lead to that repository's own issues.
func Text(s string) string { return inline(quiet(clean(s), false)) }

// Elsewhere is one line of text that comes from another repository, where a number means another
// issue: references to issues are plain text.
func Elsewhere(s string) string { return inline(quiet(clean(s), true)) }

// Verbatim is one line of text in which no character is markup, for names and for the text of links.
func Verbatim(s string) string {
	var b strings.Builder
	for _, r := range quiet(clean(s), false) {
		if r < unicode.MaxASCII && strings.ContainsRune("\\`*_~[]<&|", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return escapeStart(b.String())
}

// Message is one line of text for the message of a commit in another repository, where forges act
// on mentions, references and closing keywords as well, and git on trailers such as Signed-off-by. Markup means nothing there.
func Message(s string) string {
	return trailer().ReplaceAllString(quiet(clean(s), true), "${1}"+gap+"${2}")
}

// Code is a code span; empty for an empty text.
func Code(s string) string {
	s = clean(s)
	if s == "" {
		return ""
	}
	longest := 0
	for run := range strings.FieldsFuncSeq(s, func(r rune) bool { return r != '`' }) {
		longest = max(longest, len(run))
	}
	fence := strings.Repeat("`", longest+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Cell is a piece of Markdown as it stands in a cell of a table.
func Cell(markdown string) string { return strings.ReplaceAll(markdown, "|", `\|`) }

// Link leads to an address. What could end the link early is escaped in both.
func Link(text, address string) string { return "[" + Verbatim(text) + "](" + URL(address) + ")" }

// URL is an address as it stands in a link or by itself in a text. It mentions nobody: the @ of a user stands behind a name.
func URL(address string) string {
	var b strings.Builder
	for i := range len(address) {
		mentions := address[i] == '@' && (i == 0 || isPunctuation(address[i-1]))
		if c := address[i]; mentions || c <= ' ' || c >= 0x7f || strings.IndexByte("()<>[]\\\"`|*~", c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// clean leaves one line of printable text.
func clean(s string) string { return strings.TrimSpace(visible.Line(s)) }

// gap is a space without width: it is not seen, and ends what a forge looks for.
const gap = "\u200b"

var (
	// A mention is an @ that no letter or digit precedes, before a name in whatever markup.
	mention = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(^|[^0-9A-Za-z])@([*_~`\\\\]*[0-9A-Za-z])") })
	// A closing keyword counts before a reference, with or without a colon and whatever markup.
	closing = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("(?i)\\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)([\\s:*_~`\\[\\\\" + gap + "]*(?:(?:[\\w.-]+/[\\w.-]+)?#[0-9]|GH-[0-9]|https?://\\S+/(?:issues|pull)/[0-9]))")
	})
	// The name of a trailer has a hyphen, as in Signed-off-by. The type of a conventional commit has none, and stays as it is.
	trailer = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9A-Za-z]+(?:-[0-9A-Za-z]+)+)(\s*:)`) })
	// A reference is the number of an issue.
	reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)(#|\bGH-)(\d)`) })
)

// quiet makes mentions and closing keywords text like any other, and references too.
func quiet(s string, references bool) string {
	s = closing().ReplaceAllString(s, "${1}"+gap+"${2}")
	for range 2 { // neighbours share the character between them
		s = mention().ReplaceAllString(s, "${1}@"+gap+"${2}")
	}
	if references {
		s = reference().ReplaceAllString(s, "${1}"+gap+"${2}")
	}
	return s
}

// inline escapes what would be more than emphasis or a code span.
func inline(s string) string {
	var b strings.Builder
	last := lastRuns(s)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '`':
			n := run(s[i:])
			if last[n] > i {
				end := i + n + closer(s[i+n:], n)
				b.WriteString(s[i:end])
				i = end
			} else {
				b.WriteString(strings.Repeat("\\`", n))
				i += n
			}
			continue
		case c == '\\' && (i+1 == len(s) || isPunctuation(s[i+1])):
			b.WriteByte('\\')
		case c == ']' && i+1 < len(s) && strings.IndexByte("([:", s[i+1]) >= 0:
			b.WriteByte('\\')
		case c == '<' && (i+1 == len(s) || opensTag(s[i+1])):
			b.WriteString("&lt;")
			i++
			continue
		case c == '&' && entity().MatchString(s[i:]):
			b.WriteString("&amp;")
			i++
			continue
		}
		b.WriteByte(s[i])
		i++
	}
	return escapeStart(b.String())
}

// run is the number of backticks at the beginning.
func run(s string) int { return len(s) - len(strings.TrimLeft(s, "`")) }

// lastRuns is where the last run of each length is.
func lastRuns(s string) map[int]int {
	last := map[int]int{}
	for i := strings.IndexByte(s, '`'); i >= 0 && i < len(s); {
		n := run(s[i:])
		last[n] = i
		next := strings.IndexByte(s[i+n:], '`')
		if next < 0 {
			break
		}
		i += n + next
	}
	return last
}

// closer is where the code span of n backticks ends in what follows them; there is such a run.
func closer(s string, n int) int {
	for i := 0; ; {
		if i += strings.IndexByte(s[i:], '`'); run(s[i:]) == n {
			return i + n
		}
		i += run(s[i:])
	}
}

// opensTag reports what makes a tag, a comment or an address of a < before it.
func opensTag(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("/!?", c) >= 0
}

func isPunctuation(c byte) bool {
	return c > ' ' && c < 0x7f && (('0' > c || c > '9') && ('A' > c || c > 'Z') && ('a' > c || c > 'z'))
}

var entity = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);`)
})

var (
	// What begins something else than a paragraph where a line or an item of a list begins: a heading,
	// a quotation, a list, a block of code, a rule or the underline of a heading, a box to tick, a table.
	block = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:#{1,6}(?: |$)|>|[-+*](?: |$)|~~~|(?:\* *){3,}$|(?:_ *){3,}$|(?:- *)+$|=+$|\[[ xX]\]|\|)`)
	})
	// A numbered list.
	numbered = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{1,9}([.)](?: |$))`) })
)

func escapeStart(s string) string {
	if block().MatchString(s) {
		return `\` + s
	}
	return numbered().ReplaceAllStringFunc(s, func(start string) string {
		mark := strings.IndexAny(start, ".)")
		return start[:mark] + `\` + start[mark:]
	})
}
