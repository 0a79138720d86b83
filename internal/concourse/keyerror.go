package concourse

import "strings"

// KeyError is one thing wrong with a request: a key that is unknown, missing or
// of the wrong type.
type KeyError struct {
	// Path names the value: "source", "source.branch", "params.labels[2]".
	Path string
	// Key is the unknown key in that value. It is empty for other problems.
	Key string
	// Text says what is wrong and what to do.
	Text string
}

// Error is the path and the text.
func (e *KeyError) Error() string { return e.Path + ": " + e.Text }

// KeyErrors are all the things wrong with a request. As an error it matches, with
// errors.As, its first [KeyError] too.
type KeyErrors []*KeyError

// Error has one line per problem.
func (e KeyErrors) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one.
func (e KeyErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, problem := range e {
		errs[i] = problem
	}
	return errs
}

// err is nil when there are no problems.
func (e KeyErrors) err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
