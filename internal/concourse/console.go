package concourse

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Colours as Concourse's web interface and terminals show them.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[36m"
	grey   = "\x1b[90m"
	reset  = "\x1b[0m"
	// rewind goes to the start of the line and erases it.
	rewind = "\r\x1b[2K"
)

// maxLabel is the length in bytes up to which the words before a colon are taken
// for a label.
const maxLabel = 40

// console writes lines for people. Its methods are safe for concurrent use.
type console struct {
	mu       sync.Mutex
	w        io.Writer
	plain    bool // no colours, see https://no-color.org
	mask     secret.Mask
	progress string // the line that the next progress replaces
	closed   bool
}

func newConsole(p Process) *console {
	return &console{w: p.Stderr, plain: p.Getenv("NO_COLOR") != "" || p.Getenv("TERM") == "dumb"}
}

func (c *console) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	text := strings.TrimRight(c.shown(format, args), " \n")
	var b strings.Builder
	c.keepProgress(&b)
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(c.paint(line) + "\n")
	}
	c.write(b.String())
}

func (c *console) progressf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := visible.Line(strings.TrimSpace(c.shown(format, args)))
	if c.closed || text == c.progress {
		return
	}
	c.progress = text
	if c.plain {
		c.write(text + "\n")
		return
	}
	c.write(rewind + c.paint(text))
}

// shown is a formatted text as people may see it: without secrets, and without
// what acts on a terminal.
func (c *console) shown(format string, args []any) string {
	inside := make([]any, len(args))
	for i, arg := range args {
		switch arg.(type) {
		case string, error, fmt.Stringer:
			arg = indented{arg, &c.mask}
		}
		inside[i] = arg
	}
	return visible.Text(c.mask.Text(fmt.Sprintf(format, inside...)))
}

// indented is a value whose further lines are indented, so that a text from
// outside can't look like a line of this program. Secrets of several lines are
// masked before.
type indented struct {
	value any
	mask  *secret.Mask
}

// Format writes the value as the verb asks.
func (v indented) Format(s fmt.State, verb rune) {
	text := fmt.Sprintf(fmt.FormatString(s, verb), v.value)
	_, _ = io.WriteString(s, strings.ReplaceAll(visible.Text(v.mask.Text(text)), "\n", "\n  "))
}

// fail is the last thing that is written: the error, and nothing after it.
func (c *console) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(visible.Text(c.mask.Text(err.Error()))), "\n")
	var b strings.Builder
	c.keepProgress(&b)
	b.WriteString(c.colour(red, "error:") + " " + strings.Join(lines, "\n  ") + "\n")
	c.write(b.String())
	c.closed = true
}

// close ends an open progress line.
func (c *console) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	c.keepProgress(&b)
	c.write(b.String())
	c.closed = true
}

// keepProgress leaves the current progress line where it is.
func (c *console) keepProgress(b *strings.Builder) {
	if c.progress != "" && !c.plain {
		b.WriteString("\n")
	}
	c.progress = ""
}

// write can't report anything: there is no other place for people to look at.
func (c *console) write(s string) { _, _ = io.WriteString(c.w, s) }

func (c *console) paint(line string) string {
	if rest, ok := strings.CutPrefix(line, "warning:"); ok {
		return c.colour(yellow, "warning:") + rest
	}
	if strings.HasPrefix(line, "  ") {
		return c.colour(grey, line)
	}
	if label, rest, ok := strings.Cut(line, ": "); ok && len(label) <= maxLabel {
		return c.colour(cyan, label+":") + " " + rest
	}
	return line
}

func (c *console) colour(code, text string) string {
	if c.plain {
		return text
	}
	return code + text + reset
}
