// Package fault makes errors that lead a program to a decision and a person to the remedy. A sentinel that
// is wrapped with %w puts its own words into the sentence; these errors match it and read as they are written.
package fault

import "fmt"

// Of is an error with the formatted text alone. errors.Is(err, kind) is true.
func Of(kind error, format string, args ...any) error {
	return &fault{kind, fmt.Sprintf(format, args...)}
}

type fault struct {
	kind error
	text string
}

// Error is the text for people.
func (f *fault) Error() string { return f.text }

// Unwrap gives the decision.
func (f *fault) Unwrap() error { return f.kind }
