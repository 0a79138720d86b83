package lineage

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

// JSON writes the trace for programs.
func (t *Trace) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}

// Text writes the trace for people: a table, and below it each environment.
func (t *Trace) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, branch %s at %s, %s\n\n", t.Repository, t.Branch, t.Head.Short(), moment(t.At))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	writeRow(table, header())
	for _, e := range t.Environments {
		cells := make([]string, 0, len(header()))
		for _, cell := range e.summary() {
			cells = append(cells, visible.Line(joined(cell, ", ")))
		}
		writeRow(table, cells)
	}
	_ = table.Flush() // a builder takes everything
	for _, e := range t.Environments {
		fmt.Fprintf(&b, "\n%s", visible.Line(e.Key()))
		if e.Passed != "" {
			fmt.Fprintf(&b, " (after %s)", visible.Line(e.Passed))
		}
		b.WriteByte('\n')
		for _, f := range e.facts() {
			writeFact(&b, f)
		}
	}
	for i, note := range t.NotAsked {
		if i == 0 {
			b.WriteString("\nnot looked at:\n")
		}
		writeWrapped(&b, "  - ", note)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}

func writeRow(w io.Writer, cells []string) {
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a builder takes everything
}

const (
	textWidth = 110
	nameWidth = 14
)

// writeFact writes the name once, and each line beside it.
func writeFact(b *strings.Builder, f fact) {
	name := f.Name
	for _, line := range f.Lines {
		writeWrapped(b, fmt.Sprintf("  %-*s", nameWidth, name), joined(line, "  "))
		name = ""
	}
}

// writeWrapped writes text behind a lead, in as many lines as that needs.
func writeWrapped(b *strings.Builder, lead, text string) {
	width := textWidth - utf8.RuneCountInString(lead)
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	line := ""
	flush := func() {
		b.WriteString(strings.TrimRight(lead+line, " ") + "\n")
		lead, line = indent, ""
	}
	for i, word := range strings.Split(visible.Line(text), " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			flush()
		}
		if line != "" || i > 0 && word == "" {
			line += " "
		}
		line += word
	}
	flush()
}

func joined(spans []span, by string) string {
	texts := make([]string, len(spans))
	for i, s := range spans {
		texts[i] = s.Text
	}
	return strings.Join(texts, by)
}
