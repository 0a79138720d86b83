package concourse

import "strings"

// Problem is one thing wrong with a request: a key that is unknown, missing or
// of the wrong type.
type Problem struct {
	// Path names the value: "source", "source.branch", "params.labels[2]".
	Path string
	// Key is the unknown key in that value. It is empty for other problems.
	Key string
	// Text says what is wrong and what to do.
	Text string
}

// Error is the path and the text.
func (p *Problem) Error() string { return p.Path + ": " + p.Text }

// Problems are all the things wrong with a request. As an error it matches, with
// errors.As, its first [Problem] too.
type Problems []*Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// err is nil when there are no problems.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
