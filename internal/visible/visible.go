// Package visible makes text from outside safe to show: commit subjects, file
// names and the words of servers can hold bytes that move a terminal's cursor,
// set its title or clipboard, hide what stands before them, or reverse the order
// of letters. The result has no such bytes; each one is written as an escape,
// so that a reader sees that it was there. Beside that it words numbers of things and lists that are cut.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line: line breaks and tabs become blanks, and every other
// character that [Text] replaces is replaced. It is for cells of tables, names
// and subjects.
func Line(s string) string {
	if harmless(s) {
		return s
	}
	return write(s, func(r rune) string {
		switch r {
		case '\n', '\r', '\t', '\v', '\f', '\u0085', '\u2028', '\u2029':
			return " "
		}
		return escaped(r)
	})
}

// Text returns s with its line breaks and tabs, and with every other control
// character written as an escape such as \x1b. A carriage return ends a line, as
// it does in the progress of a git server. Bytes that are not UTF-8 become U+FFFD.
func Text(s string) string {
	if harmless(s) {
		return s
	}
	return write(strings.ReplaceAll(s, "\r\n", "\n"), func(r rune) string {
		switch r {
		case '\n', '\t':
			return string(r)
		case '\r':
			return "\n"
		}
		return escaped(r)
	})
}

// harmless is the usual case: printable ASCII alone.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func write(s string, replace func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			b.WriteString(replace(r))
			continue
		}
		b.WriteRune(r) // U+FFFD for a byte that is not UTF-8
	}
	return b.String()
}

// hidden reports whether a character acts instead of being seen: control
// characters (C0, DEL, C1), line separators, and those that change the
// direction of text, see https://www.unicode.org/reports/tr9/; and those that are not seen at all, but for
// the joiners that scripts and emoji need and the space without width that package markdown writes.
func hidden(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	case r == '\u061c', r == '\u200e', r == '\u200f':
		return true
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	case r == '\u00ad', r == '\u180e', r >= '\u2060' && r <= '\u2064', r == '\ufeff', r >= '\ufff9' && r <= '\ufffb', r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

func escaped(r rune) string {
	if r < utf8.RuneSelf || r <= 0xff {
		return fmt.Sprintf(`\x%02x`, r)
	}
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// Count is a number of things: "1 file", "2 files".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// List names the first items of a list, and how many more there are.
func List(items []string, most int) string {
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), len(items)-most)
}

// CutMark stands at the end of a text that was cut. Package secret masks the beginning of a secret before it.
const CutMark = "…"

// Cut is the beginning of a text: that many characters at most, the [CutMark] among them.
func Cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + CutMark
	}
	return s
}
