// Package timeline shows a rehearsal on a terminal while it runs, and at its end
// what every environment runs. On anything but a terminal it is plain text.
package timeline

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Timeline writes lines. It is a rehearsal.Observer and a scenario.Audience, of
// several pipelines at once if need be.
type Timeline struct {
	colour bool
	width  int // of a line

	mu  sync.Mutex // guards what follows
	w   io.Writer
	err error
	// under is the build whose heading or step was written last; failed is what each check failed with the last time.
	under  *rehearsal.Build
	failed map[string]string
}

// defaultWidth is how many columns a line has where nobody says it.
const defaultWidth = 80

// New writes to w lines of a width, 0 for [defaultWidth], with colours or without.
func New(w io.Writer, width int, colour bool) *Timeline {
	if width == 0 {
		width = defaultWidth
	}
	return &Timeline{w: w, width: width, colour: colour, failed: map[string]string{}}
}

// Width is how many columns a line has.
func (t *Timeline) Width() int { return t.width }

// Err is the first fault of writing.
func (t *Timeline) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Colours, as ANSI parameters.
const (
	bold, dim, red, green, yellow, cyan = "1", "2", "31", "32", "33", "36"
)

func (t *Timeline) paint(colour, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Line writes a line of text; what does not fit goes on below it, indented.
func (t *Timeline) Line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range t.fit(fmt.Sprintf(format, args...)) {
		if _, err := io.WriteString(t.w, line+"\n"); err != nil && t.err == nil {
			t.err = fmt.Errorf("show the timeline: %w", err)
		}
	}
}

// fit breaks a line that is too wide between words.
func (t *Timeline) fit(line string) []string {
	if plainWidth(line) <= t.width {
		return []string{line}
	}
	rest := strings.TrimLeft(line, " ")
	indent := len(line) - len(rest)
	var lines []string
	for i, part := range wrap(rest, t.width-indent-continued) {
		if i > 0 {
			indent = len(line) - len(rest) + continued
		}
		lines = append(lines, strings.Repeat(" ", indent)+part)
	}
	return lines
}

// continued is how much further the rest of a line is indented.
const continued = 2

// Title writes the heading of everything.
func (t *Timeline) Title(title, about string) {
	t.Line("%s", t.paint(bold, title))
	for _, line := range wrap(about, t.prose()) {
		t.Line("%s", line)
	}
}

// prose is how wide prose is set: longer lines are hard to read.
func (t *Timeline) prose() int { return min(t.width-2, maxProse) }

const maxProse = 96

// Act writes an act's heading.
func (t *Timeline) Act(number, of int, a scenario.Act) {
	t.Line("")
	t.Line("%s", t.paint(bold, fmt.Sprintf("Act %d of %d: %s", number, of, a.Title)))
	for _, line := range wrap(a.Shows, t.prose()) {
		t.Line("  %s", t.paint(dim, line))
	}
}

// Did writes what somebody did.
func (t *Timeline) Did(text string) { t.Line("  %s %s", t.paint(cyan, "*"), text) }

// Waits writes why an environment waits.
func (t *Timeline) Waits(e lineage.Environment) {
	for _, why := range e.Waits {
		t.wrapped(e.Key()+" waits", why)
	}
}

// wrapped writes who, and below it what, in as many lines as that needs.
func (t *Timeline) wrapped(who, what string) {
	t.Line("  %s %s:", t.paint(yellow, "…"), who)
	for _, line := range wrap(what, t.prose()-noteIndent) {
		t.Line("%s%s", strings.Repeat(" ", noteIndent), line)
	}
}

const noteIndent = 6

// Held writes that an act went as expected.
func (t *Timeline) Held(text string) { t.Line("  %s %s", t.paint(green, "✓"), t.paint(green, text)) }

// Found writes nothing: the build that a version starts is on the next line.
func (t *Timeline) Found(string, []rehearsal.Version) {}

// CheckFailed writes why a resource cannot be checked, once for each reason.
func (t *Timeline) CheckFailed(resource string, err error) {
	text := err.Error()
	if t.failed[resource] == text {
		return
	}
	t.failed[resource] = text
	for _, other := range slices.Sorted(maps.Keys(t.failed)) {
		if other != resource && t.failed[other] == text {
			text = "as that of " + other
		}
	}
	t.Line("  %s check of %s: %s", t.paint(red, "✗"), resource, text)
}

// Started writes a build's heading.
func (t *Timeline) Started(b *rehearsal.Build) {
	by := ""
	if b.By != "" {
		by = t.paint(dim, " started by "+b.By)
	}
	t.heading(b, by)
}

// heading says which build the lines below it belong to.
func (t *Timeline) heading(b *rehearsal.Build, more string) {
	t.under = b
	of := ""
	if b.Pipeline != "" {
		of = t.paint(dim, " of "+b.Pipeline)
	}
	t.Line("  %s%s%s", t.paint(bold, fmt.Sprintf("%s #%d", b.Job, b.Number)), of, more)
}

// at repeats the heading of a build after lines of another one.
func (t *Timeline) at(b *rehearsal.Build) {
	if t.under != b {
		t.heading(b, t.paint(dim, ", continued"))
	}
}

// Step writes one step, and the end of its log when it did not go well.
func (t *Timeline) Step(b *rehearsal.Build, s rehearsal.StepRecord) {
	t.at(b)
	t.Line("%s", t.step(s))
	if s.Status == rehearsal.Succeeded {
		return
	}
	log := s.Log
	if !t.colour {
		log = rehearsal.Plain(log)
	}
	for _, line := range tail(log, logLines) {
		t.logged(line)
	}
	if s.Err != nil {
		t.logged(s.Err.Error())
	}
}

// step is the line of a step: what it is, what came of it, how long it took.
func (t *Timeline) step(s rehearsal.StepRecord) string {
	what := version(s)
	if s.Status != rehearsal.Succeeded {
		what = t.paint(red, string(s.Status))
	}
	name := s.Name
	if s.Attempt > 1 {
		name += fmt.Sprintf(" (try %d)", s.Attempt)
	}
	nameWidth := min(t.width-stepMargins-versionWidth, maxName)
	both := nameWidth + versionWidth
	// what needs more than its column takes it from the other one
	nameWidth = max(plainWidth(name), min(nameWidth, both-plainWidth(what)))
	return fmt.Sprintf("    %-5s %s %s  %s", s.Kind, pad(name, nameWidth), pad(what, both-nameWidth), t.paint(dim, duration(s.Took)))
}

// logged writes a line of a log, in as many lines as it needs.
func (t *Timeline) logged(line string) {
	const lead = 12                                                   // columns before the text
	if plain := rehearsal.Plain(line); plain != visible.Line(plain) { // only colours may act
		line = visible.Line(plain)
	}
	for _, part := range cut(line, t.width-lead) {
		t.Line("          %s %s", t.paint(red, "|"), part)
	}
}

// cut takes a text apart in pieces of a width, colours and spaces as they are.
func cut(text string, width int) []string {
	if plainWidth(text) <= width || text != rehearsal.Plain(text) {
		return []string{text}
	}
	var parts []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(width, len(runes))
		parts, runes = append(parts, string(runes[:n])), runes[n:]
	}
	return parts
}

// Columns of a step's line.
const (
	versionWidth = 28
	maxName      = 38
	stepMargins  = 4 + 5 + 1 + 1 + 2 + 7 // indentation, kind, spaces, duration
	logLines     = 6
)

// Ended writes how a build ended.
func (t *Timeline) Ended(b *rehearsal.Build) {
	colour := red
	if b.Status == rehearsal.Succeeded {
		colour = green
	}
	t.at(b)
	t.Line("    %s in %s", t.paint(colour, string(b.Status)), duration(b.Took))
}

// version names a step's version by the fields that people know things by.
func version(s rehearsal.StepRecord) string {
	if s.Version == nil {
		return "ok"
	}
	return "version " + short(s.Version)
}

func short(v rehearsal.Version) string {
	var known []string
	for _, field := range []string{"version", "number", "tag", "ref", "pr", "trigger", "digest", "commit"} {
		if value, ok := v[field]; ok {
			known = append(known, hash(value))
		}
	}
	if len(known) == 0 {
		for _, field := range slices.Sorted(maps.Keys(v)) {
			known = append(known, field+":"+hash(v[field]))
		}
		return strings.Join(known, ",")
	}
	return strings.Join(known, " from ")
}

// hash shortens what looks like one, of a commit or an image.
func hash(s string) string {
	const full, shown = 40, 7
	digits, image := strings.CutPrefix(s, "sha256:")
	if len(digits) < full || strings.Trim(digits, "0123456789abcdef") != "" {
		return s
	}
	if image {
		return s[:len(s)-len(digits)+shown]
	}
	return digits[:shown]
}

func duration(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// pad makes a text at least so wide; colours take no room.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-plainWidth(s)))
}

// plainWidth is how wide a text is on a terminal.
func plainWidth(s string) int { return utf8.RuneCountInString(rehearsal.Plain(s)) }

// tail is the last n lines of a text.
func tail(s string, n int) []string {
	s = strings.TrimRight(s, "\n")
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	return lines[max(0, len(lines)-n):]
}

// wrap sets prose in lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range slices.Values(strings.Fields(text)) {
		if line != "" && plainWidth(line)+1+plainWidth(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
