// Package timeline shows a rehearsal on a terminal while it runs, and at its end
// what every environment runs. On anything but a terminal it is plain text.
package timeline

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

// Timeline writes lines. It is a rehearsal.Observer and a scenario.Audience, of
// several pipelines at once if need be.
type Timeline struct {
	colour bool

	mu  sync.Mutex // guards what follows
	w   io.Writer
	err error
}

// New writes to w, with colours where that is asked for.
func New(w io.Writer, colour bool) *Timeline { return &Timeline{w: w, colour: colour} }

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

// Line writes one line of text.
func (t *Timeline) Line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := fmt.Fprintf(t.w, format+"\n", args...); err != nil && t.err == nil {
		t.err = fmt.Errorf("show the timeline: %w", err)
	}
}

// Title writes the heading of everything.
func (t *Timeline) Title(title, about string) {
	t.Line("%s", t.paint(bold, title))
	for _, line := range wrap(about, textWidth) {
		t.Line("%s", line)
	}
}

// textWidth is how wide prose is set.
const textWidth = 96

// Act writes an act's heading.
func (t *Timeline) Act(number, of int, a scenario.Act) {
	t.Line("")
	t.Line("%s", t.paint(bold, fmt.Sprintf("Act %d of %d: %s", number, of, a.Title)))
	for _, line := range wrap(a.Shows, textWidth) {
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
	for _, line := range wrap(what, textWidth-noteIndent) {
		t.Line("%s%s", strings.Repeat(" ", noteIndent), line)
	}
}

const noteIndent = 6

// Held writes that an act went as expected.
func (t *Timeline) Held(text string) { t.Line("  %s %s", t.paint(green, "✓"), t.paint(green, text)) }

// Found writes nothing: the build that a version starts is on the next line.
func (t *Timeline) Found(string, []rehearsal.Version) {}

// CheckFailed writes why a resource cannot be looked at.
func (t *Timeline) CheckFailed(resource string, err error) {
	t.Line("  %s check of %s: %v", t.paint(red, "✗"), resource, err)
}

// Started writes a build's heading.
func (t *Timeline) Started(b *rehearsal.Build) {
	by := ""
	if b.Pipeline != "" {
		by = t.paint(dim, " of "+b.Pipeline)
	}
	if b.By != "" {
		by += t.paint(dim, " started by "+b.By)
	}
	t.Line("  %s%s", t.paint(bold, fmt.Sprintf("%s #%d", b.Job, b.Number)), by)
}

// Step writes one step, and the end of its log when it did not go well.
func (t *Timeline) Step(_ *rehearsal.Build, s rehearsal.StepRecord) {
	what := version(s)
	if s.Status != rehearsal.Succeeded {
		what = t.paint(red, string(s.Status))
	}
	name := s.Name
	if s.Attempt > 1 {
		name += fmt.Sprintf(" (try %d)", s.Attempt)
	}
	t.Line("    %-5s %-38s %s  %s", s.Kind, name, pad(what, versionWidth), t.paint(dim, duration(s.Took)))
	if s.Status == rehearsal.Succeeded {
		return
	}
	log := s.Log
	if !t.colour {
		log = plain(log)
	}
	for _, line := range tail(log, logLines) {
		t.Line("          %s %s", t.paint(red, "|"), line)
	}
	if s.Err != nil {
		t.Line("          %s %v", t.paint(red, "|"), s.Err)
	}
}

const (
	versionWidth = 28
	logLines     = 6
)

// Ended writes how a build ended.
func (t *Timeline) Ended(b *rehearsal.Build) {
	colour := red
	if b.Status == rehearsal.Succeeded {
		colour = green
	}
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
		return v.String()
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
func plainWidth(s string) int { return utf8.RuneCountInString(plain(s)) }

// plain is a text without colours.
func plain(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}

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
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
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
