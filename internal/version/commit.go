package version

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// ErrNotConventional says that a message does not follow the specification.
var ErrNotConventional = errors.New("not a conventional commit")

// Commit is a commit as history gives it.
type Commit struct {
	Hash    string `json:"hash"` // 40 hex digits
	Message string `json:"message"`
	// Merge says that it has more than one parent.
	Merge  bool      `json:"merge,omitempty"`
	Author string    `json:"author,omitempty"` // the name only
	When   time.Time `json:"when,omitzero"`    // of the committer: when it became part of its history
}

// Conventional is a message that follows Conventional Commits 1.0.0.
type Conventional struct {
	// Type is in lower case: the specification makes no difference.
	Type, Scope string
	// Breaking is the mark or the footer.
	Breaking bool
	// Subject is the description, without the type.
	Subject, Body string
	Footers       []Footer
}

// Footer is one line at the end, with those that belong to it.
type Footer struct {
	Token, Value string
	// Number says that " #" stood between them, as in "Closes #12".
	Number bool
}

// IsBreaking reports a footer that declares a breaking change. Only capital
// letters count.
func (f Footer) IsBreaking() bool {
	return !f.Number && (f.Token == "BREAKING CHANGE" || f.Token == "BREAKING-CHANGE")
}

// Subject is the first line of a message, without white space around it.
func (c Commit) Subject() string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	return strings.TrimSpace(line)
}

// ParseCommit reads a message. Where the specification leaves it open, nothing
// that was declared is lost: text right below the first line is the body, and a
// BREAKING CHANGE at the beginning of a line is a footer also without an empty
// line above it. Everything else is [ErrNotConventional].
func ParseCommit(message string) (Conventional, error) {
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(message), "\r\n", "\n"), "\n")
	c, ok := parseHeader(strings.TrimSpace(lines[0]))
	if !ok {
		return Conventional{}, fmt.Errorf("%w: %s, write it like \"feat(scope): what is new\"", ErrNotConventional, shown(lines[0]))
	}
	body, footers := splitFooters(lines[1:])
	c.Body = strings.TrimSpace(strings.Join(body, "\n"))
	c.Footers = parseFooters(footers)
	for _, f := range c.Footers {
		c.Breaking = c.Breaking || f.IsBreaking()
	}
	return c, nil
}

// parseHeader reads type, scope, mark and description.
func parseHeader(line string) (c Conventional, ok bool) {
	prefix, subject, ok := strings.Cut(line, ": ")
	if c.Subject = strings.TrimSpace(subject); !ok || c.Subject == "" {
		return c, false
	}
	prefix, c.Breaking = strings.CutSuffix(prefix, "!")
	if scoped, ok := strings.CutSuffix(prefix, ")"); ok {
		prefix, c.Scope, ok = strings.Cut(scoped, "(")
		if c.Scope = strings.TrimSpace(c.Scope); !ok || c.Scope == "" || strings.ContainsAny(c.Scope, "()") {
			return c, false
		}
	}
	c.Type = strings.ToLower(prefix)
	return c, isType(prefix)
}

// isType admits what can pass for a noun.
func isType(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./+", r)
	}) < 0
}

// splitFooters finds the first line that begins a footer.
func splitFooters(lines []string) (body, footers []string) {
	for i, line := range lines {
		f, ok := parseFooter(line)
		afterBlank := i > 0 && strings.TrimSpace(lines[i-1]) == ""
		if ok && (afterBlank || f.IsBreaking()) {
			return lines[:i], lines[i:]
		}
	}
	return lines, nil
}

func parseFooters(lines []string) []Footer {
	var all []Footer
	for _, line := range lines {
		if f, ok := parseFooter(line); ok {
			all = append(all, f)
			continue
		}
		all[len(all)-1].Value += "\n" + line
	}
	for i := range all {
		all[i].Value = strings.TrimSpace(all[i].Value)
	}
	return all
}

// parseFooter reads "Token: value" and "Token #value".
func parseFooter(line string) (f Footer, ok bool) {
	end := strings.IndexFunc(line, func(r rune) bool { return !isIdentifierRune(r) })
	if rest, special := strings.CutPrefix(line, "BREAKING CHANGE"); special {
		end = len(line) - len(rest)
	}
	if end <= 0 || line[0] == '-' {
		return f, false
	}
	value, ok := strings.CutPrefix(line[end:], ": ")
	if !ok {
		value, f.Number = strings.CutPrefix(line[end:], " #")
		ok = f.Number
	}
	f.Token, f.Value = line[:end], strings.TrimSpace(value)
	return f, ok && f.Value != ""
}
