package yamledit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// scalar writes a text in the style of what it replaces, or in the nearest style
// in which it is read as this text.
func scalar(text string, style yaml.Style) string {
	switch {
	case !printable(text):
		return doubleQuoted(text)
	case style == yaml.SingleQuotedStyle:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case style == yaml.DoubleQuotedStyle || !plain(text):
		return doubleQuoted(text)
	}
	return text
}

// printable reports whether a text can stand on a line as it is.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) || r == utf8.RuneError || r == '\ufeff'
	})
}

// plain reports whether a text without quotes is read as this text by every
// YAML parser. It is strict: quotes never hurt.
func plain(text string) bool {
	if !plainForm().MatchString(text) || strings.HasSuffix(text, ":") || slices.Contains(words11(), strings.ToLower(text)) {
		return false
	}
	if likeNumber().MatchString(text) {
		return false
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil || len(n.Content) != 1 {
		return false
	}
	n = *n.Content[0]
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Value == text
}

// plainForm are words of harmless characters with single spaces between them.
var plainForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_./]([A-Za-z0-9_./:@+=~-]|[A-Za-z0-9_./@+=~-] [A-Za-z0-9_./@+=~-])*$`)
})

// likeNumber are the numbers and times of YAML 1.1 and 1.2, and more.
var likeNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[-+]?(\.[0-9_]+|[0-9][0-9_,]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$|` +
		`^[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?$|^0[xXoObB][0-9a-fA-F_]+$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$`)
})

// words11 are words that some parser does not take for a text.
func words11() []string {
	return []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".inf", ".nan"}
}

// doubleQuoted writes a text between double quotes.
func doubleQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r) && r != '\ufeff':
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
