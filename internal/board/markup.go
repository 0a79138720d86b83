package board

import (
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

// markup is HTML. A constant is markup by itself and a text is not, so a text from outside gets into the page through fill alone.
type markup string

// fill replaces each {} of the markup by the next value: markup as it is, and everything else as one line of visible text that has no meaning
// in an element and between the quotes of an attribute. A whole address in an href is of the web, or it is left out; what follows a # there is a name.
//
// It is not html/template because that calls methods by names that the linker does not know: with it, a program keeps every exported
// method of every type in it, which is a fifth of the board's.
func fill(m markup, values ...any) markup {
	var out strings.Builder
	rest := string(m)
	for _, value := range values {
		before, after, _ := strings.Cut(rest, "{}")
		out.WriteString(before)
		rest = after
		if inner, ok := value.(markup); ok {
			out.WriteString(string(inner))
			continue
		}
		text := visible.Line(fmt.Sprint(value))
		switch {
		case strings.HasSuffix(before, `href="#`):
			text = url.PathEscape(text)
		case strings.HasSuffix(before, `href="`) && !isWeb(text):
			text = "#"
		}
		out.WriteString(html.EscapeString(text))
	}
	out.WriteString(rest)
	return markup(out.String())
}

// each is the markup of all of them.
func each[T any](all []T, one func(T) markup) markup {
	var out strings.Builder
	for _, x := range all {
		out.WriteString(string(one(x)))
	}
	return markup(out.String())
}

// when is the filled markup, or nothing.
func when(so bool, m markup, values ...any) markup {
	if !so {
		return ""
	}
	return fill(m, values...)
}
