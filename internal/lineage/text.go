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
func (t *Trace) JSON(w io.Writer) error { return writeJSON(w, t, "trace") }

func writeJSON(w io.Writer, value any, what string) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("write the %s: %w", what, err)
	}
	return nil
}

// Text writes the trace for people, in lines of usually at most 110 characters: a table, and below it each environment.
func (t *Trace) Text(w io.Writer) error { return t.TextIn(w, textWidth) }

// TextIn is Text in lines of another width. A table that is wider loses the columns that the environments below it repeat.
func (t *Trace) TextIn(w io.Writer, width int) error {
	b := linedText{width: width}
	writeWrapped(&b, "", fmt.Sprintf("%s, branch %s at %s, %s", t.Repository, t.Branch, t.Head.Short(), moment(t.At)))
	b.text.WriteString("\n" + t.table(width))
	for _, e := range t.Environments {
		fmt.Fprintf(&b.text, "\n%s", visible.Line(e.Key()))
		if e.Passed != "" {
			fmt.Fprintf(&b.text, " (after %s)", visible.Line(e.Passed))
		}
		b.text.WriteByte('\n')
		for _, f := range e.facts() {
			writeFact(&b, f)
		}
	}
	b.notes(t.NotAsked)
	return b.to(w, "trace")
}

// JSON writes the difference for programs.
func (d *Difference) JSON(w io.Writer) error { return writeJSON(w, d, "difference") }

// TextIn writes the difference for people, in lines of usually at most so many characters.
func (d *Difference) TextIn(w io.Writer, width int) error {
	b := linedText{width: width}
	switch {
	case d.Has.Version == 0:
		writeWrapped(&b, "", d.Has.Environment+" runs nothing yet.")
	case d.IsEmpty():
		writeWrapped(&b, "", fmt.Sprintf("%s has nothing that %s does not have.", d.Has, d.Lacks))
	default:
		writeWrapped(&b, "", fmt.Sprintf("%s has what %s does not have:", d.Has, d.Lacks))
	}
	for _, f := range d.facts() {
		writeFact(&b, f)
	}
	if n := d.Own.Has + d.Own.Lacks; n > 0 {
		writeWrapped(&b, "  ", fmt.Sprintf("Not compared: %d files of %s and %d of %s that only they have.", d.Own.Has, d.Has.Environment, d.Own.Lacks, d.Lacks.Environment))
	}
	b.notes(d.NotAsked)
	return b.to(w, "difference")
}

// String is the environment with the number of its record.
func (s Side) String() string {
	if s.Version == 0 {
		return s.Environment
	}
	return fmt.Sprintf("%s (#%d, %s)", s.Environment, s.Version, moment(s.Since))
}

// linedText is text that is set in lines of a width.
type linedText struct {
	text  strings.Builder
	width int
}

// notes lists what was not looked at.
func (b *linedText) notes(all []string) {
	for i, note := range all {
		if i == 0 {
			b.text.WriteString("\nnot looked at:\n")
		}
		writeWrapped(b, "  - ", note)
	}
}

func (b *linedText) to(w io.Writer, what string) error {
	if _, err := io.WriteString(w, b.text.String()); err != nil {
		return fmt.Errorf("write the %s: %w", what, err)
	}
	return nil
}

// table is the overview, with as many columns as fit.
func (t *Trace) table(width int) string {
	rows := [][]string{header()}
	for _, e := range t.Environments {
		cells := make([]string, 0, len(header()))
		for _, cell := range e.summary() {
			cells = append(cells, visible.Line(strings.Join(cell, ", ")))
		}
		rows = append(rows, cells)
	}
	last := len(header()) - 1
	text := ""
	for _, columns := range [][]int{{0, 1, 2, 3, 4, 5, last}, {0, 1, 3, 4, 5, last}, {0, 1, 5, last}, {0, 1, last}} {
		if text = setTable(rows, columns); widest(text) <= width {
			return text
		}
	}
	return cutLines(text, width)
}

func setTable(rows [][]string, columns []int) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = row[column]
		}
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) // a builder takes everything
	}
	_ = table.Flush() // see above
	return b.String()
}

func widest(text string) (width int) {
	for line := range strings.Lines(text) {
		width = max(width, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
	}
	return width
}

// cutLines ends lines that are too long with an ellipsis.
func cutLines(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if runes := []rune(strings.TrimRight(line, "\n")); len(runes) > width {
			line = string(runes[:width-1]) + "…\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

const (
	textWidth = 110
	nameWidth = 14
)

// writeFact writes the name once, and each line beside it.
func writeFact(b *linedText, f fact) {
	name := f.Name
	for _, line := range f.Lines {
		writeWrapped(b, fmt.Sprintf("  %-*s", nameWidth, name), strings.Join(line, "  "))
		name = ""
	}
}

// writeWrapped writes text behind a lead, in as many lines as that needs.
func writeWrapped(b *linedText, lead, text string) {
	width := b.width - utf8.RuneCountInString(lead)
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	line := ""
	flush := func() {
		b.text.WriteString(strings.TrimRight(lead+line, " ") + "\n")
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
