// Package doctor looks whether everything is there that pipelines will ask of their repositories: branches, files, gates, the
// entries of vendir.yml, permissions. What they will ask it reads from the pipelines themselves, with the resource types' own Go
// types. Each finding comes with what mends it.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	Error   Level = "error"   // a job will fail, or will never run
	Warning Level = "warning" // it may be meant so
)

// Finding is something that is not as the pipelines need it.
type Finding struct {
	// Rule is the finding's name, such as branch-missing.
	Rule  string `json:"rule"`
	Level Level  `json:"level"`
	// Place is the repository, branch and file, and Asked what asks for it.
	Place string `json:"place"`
	Asked string `json:"asked,omitempty"`
	Text  string `json:"text"`
	// Command is a shell command that mends it, or begins to; without one, Advice says what to do.
	Command string `json:"command,omitempty"`
	Advice  string `json:"advice,omitempty"`
}

// Pipeline is a pipeline that was read.
type Pipeline struct {
	File string
	*pipeline.Pipeline
}

// Question is what to look at.
type Question struct {
	Pipelines []Pipeline
	// Clones are clones on this machine, by the last part of their repository's address; "" is for the only repository. Other
	// repositories are read at their addresses.
	Clones map[string]string
	// Vars are the values of ((references)), as far as they are known.
	Vars pipeline.Lookup
	// Forges says that the forges are asked what the credentials among Vars may do.
	Forges bool
	// Logf tells what takes time.
	Logf func(format string, args ...any)
}

// Report is what was found.
type Report struct {
	Findings []Finding `json:"findings"`
	// Looked are the repositories that were looked at, with where they were read.
	Looked []string `json:"looked"`
}

// Errors counts the findings that are errors.
func (r Report) Errors() int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == Error {
			n++
		}
	}
	return n
}

// Examine looks at everything that the pipelines ask for. Its error says that it could not look; what is missing is a finding.
func Examine(ctx context.Context, q Question) (Report, error) {
	if q.Logf == nil {
		q.Logf = func(string, ...any) {}
	}
	d := &doctor{Question: q, repositories: map[string]*repository{}, forges: map[string]bool{}}
	defer d.close()
	for _, p := range q.Pipelines {
		d.pipeline = p
		if err := d.examine(ctx); err != nil {
			return Report{}, err
		}
	}
	d.report.Looked = d.looked()
	slices.SortStableFunc(d.report.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(string(a.Level), string(b.Level)), strings.Compare(a.Place, b.Place))
	})
	return d.report, ctx.Err()
}

// doctor looks at one pipeline after the other.
type doctor struct {
	Question

	pipeline     Pipeline
	repositories map[string]*repository // by name
	forges       map[string]bool        // those that were asked, by repository and credentials
	report       Report
}

// examine looks at what one pipeline asks for.
func (d *doctor) examine(ctx context.Context) error {
	for _, r := range d.pipeline.Resources {
		if err := d.resource(ctx, r); err != nil {
			return fmt.Errorf("resource %s of %s: %w", r.Name, d.pipeline.File, err)
		}
	}
	for _, job := range d.pipeline.Jobs {
		if err := d.job(ctx, job); err != nil {
			return fmt.Errorf("job %s of %s: %w", job.Name, d.pipeline.File, err)
		}
	}
	return nil
}

// find adds a finding, once.
func (d *doctor) find(f Finding) {
	for i, known := range d.report.Findings {
		if known.Rule == f.Rule && known.Place == f.Place && known.Text == f.Text {
			if !strings.Contains(known.Asked, f.Asked) && strings.Count(known.Asked, ",") < maxAsked {
				d.report.Findings[i].Asked += ", " + f.Asked
			}
			return
		}
	}
	d.report.Findings = append(d.report.Findings, f)
}

// maxAsked bounds how many that ask for the same are named.
const maxAsked = 3

// filled is a value with the references that are known filled in. The others stay as they are written.
func (d *doctor) filled(v pipeline.Value) (pipeline.Value, error) {
	out, err := v.Interpolate(d.Vars)
	if errors.Is(err, pipeline.ErrUndefined) {
		err = nil
	}
	return out, err
}

// Quote writes a word for a POSIX shell.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@+,=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command is a shell command with quoted words for its verbs %s.
func command(format string, words ...string) string {
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = Quote(w)
	}
	return fmt.Sprintf(format, args...)
}
