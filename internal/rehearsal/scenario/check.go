package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/lineage"
)

// ErrBroken is wrapped by the error about an expectation that does not hold.
var ErrBroken = errors.New("not as expected")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBroken, fmt.Sprintf(format, args...))
}

// check compares what happened with what was expected; the error has every
// difference.
func (p player) check(ctx context.Context, e Expect, ran []*rehearsal.Build, sent []rehearsal.Message) error {
	errs := []error{p.checks(), e.builds(ran), p.saw(e), p.tries(e), e.messages(sent)}
	if len(e.Runs)+len(e.Waits) > 0 {
		rows, err := lineage.Read(ctx, p.stage.Repository, p.stage.Sources, p.stage.Now())
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, p.runs(e, rows), p.waits(e, rows))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p.stage.Audience.Held(e.summary())
	return nil
}

// checks: no resource may be out of order, whatever the act is about.
func (p player) checks() error {
	var errs []error
	failed := p.stage.Rehearsal.CheckErrors()
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, broken("the check of %s fails: %v", name, failed[name]))
	}
	return errors.Join(errs...)
}

func (e Expect) builds(ran []*rehearsal.Build) error {
	var want, got []string
	for _, b := range e.Builds {
		for job, result := range b {
			want = append(want, job+" "+result)
		}
	}
	why := map[string]error{}
	for _, b := range ran {
		line := b.Job + " " + string(b.Status)
		got = append(got, line)
		if b.Err != nil {
			why[line] = b.Err
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	var errs []error
	for _, w := range want {
		if i := slices.Index(got, w); i >= 0 {
			got = slices.Delete(got, i, i+1)
			continue
		}
		errs = append(errs, broken("no build of %s", w))
	}
	for _, g := range got {
		text := "a build that nobody expected: " + g
		if why[g] != nil {
			text += ": " + why[g].Error()
		}
		errs = append(errs, broken("%s", text))
	}
	return errors.Join(errs...)
}

func (p player) runs(e Expect, rows []lineage.Environment) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(e.Runs)) {
		want, ok := p.commits[e.Runs[key]]
		if !ok {
			return fmt.Errorf("expect runs %s: no commit has the name %q", key, e.Runs[key])
		}
		row, err := find(rows, key)
		if err != nil {
			return err
		}
		if row.Change.Hash != want {
			errs = append(errs, broken("%s runs %.7s %s, and should run %.7s (%s)", key, or(row.Change.Hash, "nothing"), row.Change.Subject, want, e.Runs[key]))
		}
	}
	return errors.Join(errs...)
}

func (p player) waits(e Expect, rows []lineage.Environment) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(e.Waits)) {
		row, err := find(rows, key)
		if err != nil {
			return err
		}
		want, got := e.Waits[key], strings.Join(row.Waits, "; ")
		if got != "" {
			p.stage.Audience.Waits(row)
		}
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			errs = append(errs, broken("%s should wait with %q, and says %q", key, want, got))
		}
	}
	return errors.Join(errs...)
}

func find(rows []lineage.Environment, key string) (lineage.Environment, error) {
	var keys []string
	for _, row := range rows {
		if row.Key() == key {
			return row, nil
		}
		keys = append(keys, row.Key())
	}
	return lineage.Environment{}, fmt.Errorf("there is no environment %s; there are: %s", key, strings.Join(keys, ", "))
}

// saw looks into the folder that the last build's first task was run in.
func (p player) saw(e Expect) error {
	var errs []error
	for _, job := range slices.Sorted(maps.Keys(e.Saw)) {
		dir := taskFolder(p.stage.Rehearsal.Builds(job))
		if dir == "" {
			errs = append(errs, broken("%s has run no task", job))
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(e.Saw[job])) {
			text, err := os.ReadFile(filepath.Join(dir, "repo", filepath.FromSlash(path)))
			if err != nil {
				errs = append(errs, broken("%s did not have %s: %v", job, path, err))
			} else if want := e.Saw[job][path]; !strings.Contains(string(text), want) {
				errs = append(errs, broken("%s deployed a %s without %q", job, path, want))
			}
		}
	}
	return errors.Join(errs...)
}

func taskFolder(builds []*rehearsal.Build) string {
	if len(builds) == 0 {
		return ""
	}
	for _, s := range builds[len(builds)-1].Steps {
		if s.Kind == pipeline.KindTask {
			return s.Dir
		}
	}
	return ""
}

func (p player) tries(e Expect) error {
	var errs []error
	for _, job := range slices.Sorted(maps.Keys(e.Tries)) {
		got := map[string]int{}
		if builds := p.stage.Rehearsal.Builds(job); len(builds) > 0 {
			for _, s := range builds[len(builds)-1].Steps {
				got[s.Name]++
			}
		}
		for step, want := range e.Tries[job] {
			if got[step] != want {
				errs = append(errs, broken("step %s of %s was tried %d times, and should have been %d times", step, job, got[step], want))
			}
		}
	}
	return errors.Join(errs...)
}

func (e Expect) messages(sent []rehearsal.Message) error {
	var errs []error
	for i, m := range sent {
		text := fmt.Sprint(m.Params["text"])
		if i >= len(e.Messages) {
			errs = append(errs, broken("a message that nobody expected: %s", text))
		} else if !strings.Contains(text, e.Messages[i]) {
			errs = append(errs, broken("message %d says %q, and should say %q", i+1, text, e.Messages[i]))
		}
	}
	if len(sent) < len(e.Messages) {
		errs = append(errs, broken("%d messages were sent, and should have been %d", len(sent), len(e.Messages)))
	}
	return errors.Join(errs...)
}

// summary counts what was looked at.
func (e Expect) summary() string {
	parts := []string{count(len(e.Builds), "build", "builds")}
	if len(e.Builds) == 0 {
		parts[0] = "no build"
	}
	if n := len(e.Runs); n > 0 {
		parts = append(parts, "what "+count(n, "environment runs", "environments run"))
	}
	if n := len(e.Waits); n > 0 {
		parts = append(parts, "why "+count(n, "environment waits", "environments wait"))
	}
	if n := len(e.Saw); n > 0 {
		parts = append(parts, "the files of "+count(n, "deployment", "deployments"))
	}
	if n := len(e.Messages); n > 0 {
		parts = append(parts, count(n, "message", "messages"))
	}
	return "as it must be: " + strings.Join(parts, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
