package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// prose is text for people in lines of a width.
type prose struct {
	text  strings.Builder
	width int
}

// String is the text so far.
func (p *prose) String() string { return p.text.String() }

// line adds a text behind a lead. Where it is wider it goes on in further lines, below its beginning. What acts on a terminal is
// written as an escape.
func (p *prose) line(lead, format string, args ...any) {
	room := max(p.width-utf8.RuneCountInString(lead), minColumns/2) //nolint:mnd // half of the narrowest terminal
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	line := ""
	flush := func() {
		p.text.WriteString(strings.TrimRight(lead+line, " ") + "\n")
		lead, line = indent, ""
	}
	for word := range strings.FieldsSeq(visible.Line(fmt.Sprintf(format, args...))) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}

// say writes a line.
func say(w io.Writer, format string, args ...any) error {
	p := prose{width: columns(w)}
	p.line("", format, args...)
	_, err := io.WriteString(w, p.String())
	return err
}

// logTo writes lines of a log as they may be shown. There is no other place to say that it fails.
func logTo(w io.Writer) func(format string, args ...any) {
	return func(format string, args ...any) {
		_, _ = fmt.Fprintln(w, visible.Text(fmt.Sprintf(format, args...)))
	}
}

// logMasked is logTo for what works with credentials: those that are registered with the context are masked.
func logMasked(ctx context.Context, w io.Writer) func(format string, args ...any) {
	log := logTo(w)
	return func(format string, args ...any) { log("%s", secret.Text(ctx, fmt.Sprintf(format, args...))) }
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// writeJSON writes a value for programs.
func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}
