package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a finding stops the pipeline from being set.
type Severity int

// The severities: a Warning is reported, an Error also makes the caller fail.
const (
	Error Severity = iota
	Warning
)

// String is the word used in reports.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one fault of a pipeline file.
type Finding struct {
	File     string // as the caller named it
	Line     int    // 1-based; 0 when the fault has no place of its own
	Severity Severity
	Rule     string // short stable name of the rule, such as "unknown-key"
	Text     string // what is wrong, in one line
	Mend     string // what to do about it; may be empty
}

// String is the finding as a compiler would print it: file:line: what, and how to fix it.
func (f Finding) String() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d", f.Line)
	}
	if f.Severity == Warning {
		text += ": warning"
	}
	text += ": " + f.Text
	if f.Mend != "" {
		text += "; " + f.Mend
	}
	return text
}

// Findings are the faults of one file, in the order of their lines.
type Findings []Finding

// InvalidError is what a file that cannot be understood is answered with.
type InvalidError struct{ Findings Findings }

// Error lists the findings, one a line.
func (e *InvalidError) Error() string { return e.Findings.String() }

// String lists the findings, one a line.
func (fs Findings) String() string {
	return strings.Join(namesOf(fs, Finding.String), "\n")
}

// Errors counts the findings that are not mere warnings.
func (fs Findings) Errors() int {
	n := 0
	for _, f := range fs {
		if f.Severity == Error {
			n++
		}
	}
	return n
}

// sorted orders findings by line, then text, and drops repeated ones.
func sorted(fs Findings) Findings {
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, strings.Compare(a.Text, b.Text)) })
	return slices.Compact(fs)
}

// report collects findings of one file.
type report struct {
	file     string
	findings Findings
	read     map[string]*mapping // the last mapping of each kind; nil when nobody wants to know
}

// noteRead keeps a mapping after all of its keys were read.
func (r *report) noteRead(m *mapping) {
	if r.read != nil {
		r.read[m.what] = m
	}
}

func (r *report) errorf(line int, rule, mend, format string, args ...any) {
	r.add(Error, line, rule, mend, fmt.Sprintf(format, args...))
}

func (r *report) warnf(line int, rule, mend, format string, args ...any) {
	r.add(Warning, line, rule, mend, fmt.Sprintf(format, args...))
}

func (r *report) add(s Severity, line int, rule, mend, text string) {
	r.findings = append(r.findings, Finding{File: r.file, Line: line, Severity: s, Rule: rule, Text: text, Mend: mend})
}
