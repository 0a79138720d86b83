package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// BrokenError names the expectations of an act that do not hold.
type BrokenError struct{ Broken []string }

// Error lists them.
func (e *BrokenError) Error() string {
	if len(e.Broken) == 1 {
		return "not as expected: " + e.Broken[0]
	}
	return fmt.Sprintf("%d things are not as expected:\n- %s", len(e.Broken), strings.Join(e.Broken, "\n- "))
}

// verdict collects what does not hold.
type verdict struct{ broken []string }

func (v *verdict) add(format string, args ...any) {
	v.broken = append(v.broken, fmt.Sprintf(format, args...))
}

func (v *verdict) err() error {
	if len(v.broken) == 0 {
		return nil
	}
	return &BrokenError{v.broken}
}

// check compares what happened with what was expected. Where the builds are
// wrong, nothing else can be right, so only they are reported.
func (p player) check(ctx context.Context, e Expect, ran []*rehearsal.Build, sent []rehearsal.Message) error {
	v := &verdict{}
	p.checks(v)
	p.builds(v, e, ran)
	if err := v.err(); err != nil {
		return err
	}
	if err := p.outside(ctx, v, e); err != nil {
		return err
	}
	if err := p.saw(ctx, v, e); err != nil {
		return err
	}
	p.tries(v, e)
	e.messages(v, sent)
	if len(e.Runs)+len(e.Waits)+len(e.Traces) > 0 {
		w, err := p.environments(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(p.runs(ctx, v, e, w), p.waits(ctx, v, e, w), p.traces(ctx, v, e, w), w.reader.Close()); err != nil {
			return err
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	p.stage.Audience.Held(e.summary())
	return nil
}

// checks: no resource may be out of order, whatever the act is about.
func (p player) checks(v *verdict) {
	for _, r := range p.stage.Pipelines {
		failed := r.CheckErrors()
		for _, name := range slices.Sorted(maps.Keys(failed)) {
			v.add("the check of %s fails: %v", name, failed[name])
		}
	}
}

func (p player) builds(v *verdict, e Expect, ran []*rehearsal.Build) {
	var want, got []string
	for _, b := range e.Builds {
		for job, result := range b {
			if r, name, err := p.stage.Pipelines.WithJob(job); err != nil {
				v.add("%v", err)
			} else {
				want = append(want, p.job(r.Name(), name)+" "+result)
			}
		}
	}
	why := map[string]string{}
	for _, b := range ran {
		line := p.job(b.Pipeline, b.Job) + " " + string(b.Status)
		got = append(got, line)
		why[line] = b.Why()
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, w := range want {
		if i := slices.Index(got, w); i >= 0 {
			got = slices.Delete(got, i, i+1)
			continue
		}
		v.add("no build of %s", w)
	}
	for _, g := range got {
		v.add("%s", strings.TrimSuffix("a build that nobody expected: "+g+": "+why[g], ": "))
	}
}

// job names a job for people, with its pipeline where several have one of that
// name.
func (p player) job(of, job string) string {
	if _, _, err := p.stage.Pipelines.WithJob(job); err != nil {
		return of + "/" + job
	}
	return job
}

// last is the job's last build, nil when it had none.
func (p player) last(job string) (*rehearsal.Build, error) {
	r, name, err := p.stage.Pipelines.WithJob(job)
	if err != nil {
		return nil, err
	}
	builds := r.Builds(name)
	if len(builds) == 0 {
		return nil, nil //nolint:nilnil // it had none: documented
	}
	return builds[len(builds)-1], nil
}

// watch is where to look for environments.
type watch struct {
	reader  *lineage.Reader
	sources map[string]deployments.Source // by "deployment/environment"
}

func (p player) environments(ctx context.Context) (watch, error) {
	repository, err := p.stage.repository("")
	if err != nil {
		return watch{}, err
	}
	w := watch{p.stage.lineage(repository), map[string]deployments.Source{}}
	var sources []deployments.Source
	if p.stage.Sources != nil {
		if sources, err = p.stage.Sources(); err != nil {
			return w, err
		}
	}
	for _, src := range sources {
		key, err := w.reader.Key(ctx, src)
		if err != nil {
			return w, err
		}
		w.sources[key] = src
	}
	return w, nil
}

func (w watch) unknown(key string) error {
	return fmt.Errorf("there is no environment %s; there are: %s", key, strings.Join(slices.Sorted(maps.Keys(w.sources)), ", "))
}

func (w watch) find(ctx context.Context, key string) (deployments.Source, lineage.Environment, error) {
	src, ok := w.sources[key]
	if !ok {
		return src, lineage.Environment{}, w.unknown(key)
	}
	row, err := w.reader.Recorded(ctx, src)
	return src, row, err
}

func (p player) runs(ctx context.Context, v *verdict, e Expect, w watch) error {
	for _, key := range slices.Sorted(maps.Keys(e.Runs)) {
		want, ok := p.commits[e.Runs[key]]
		if !ok {
			return fmt.Errorf("expect runs %s: no commit has the name %q", key, e.Runs[key])
		}
		_, row, err := w.find(ctx, key)
		if err != nil {
			return err
		}
		if row.Change.Hash != want {
			v.add("%s runs %.7s %s, and should run %.7s (%s)", key, cmp.Or(row.Change.Hash, "nothing"), row.Change.Subject, want, e.Runs[key])
		}
	}
	return nil
}

func (p player) waits(ctx context.Context, v *verdict, e Expect, w watch) error {
	for _, key := range slices.Sorted(maps.Keys(e.Waits)) {
		src, row, err := w.find(ctx, key)
		if err == nil {
			err = w.reader.Next(ctx, &row, src, p.stage.Now())
		}
		if err != nil {
			return err
		}
		want, got := e.Waits[key], strings.Join(row.Waits, "; ")
		if got != "" {
			p.stage.Audience.Waits(row)
		}
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			v.add("%s should wait with %q, and says %q", key, want, got)
		}
	}
	return nil
}

// saw looks into the folder that the last build's first task was run in.
func (p player) saw(ctx context.Context, v *verdict, e Expect) error {
	for _, job := range slices.Sorted(maps.Keys(e.Saw)) {
		build, err := p.last(job)
		if err != nil {
			v.add("%v", err)
			continue
		}
		dir := taskFolder(build)
		if dir == "" {
			v.add("%s has run no task", job)
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(e.Saw[job])) {
			want, err := p.fill(ctx, e.Saw[job][path])
			if err != nil {
				return err
			}
			text, err := os.ReadFile(filepath.Join(dir, "repo", filepath.FromSlash(path)))
			if err != nil {
				v.add("%s did not have %s: %v", job, path, err)
			} else if !strings.Contains(string(text), want) {
				v.add("%s deployed a %s without %q", job, path, want)
			}
		}
	}
	return nil
}

func taskFolder(b *rehearsal.Build) string {
	if b == nil {
		return ""
	}
	for _, s := range b.Steps {
		if s.Kind == pipeline.KindTask {
			return s.Dir
		}
	}
	return ""
}

func (p player) tries(v *verdict, e Expect) {
	for _, job := range slices.Sorted(maps.Keys(e.Tries)) {
		got := map[string]int{}
		build, err := p.last(job)
		if err != nil {
			v.add("%v", err)
			continue
		}
		if build != nil {
			for _, s := range build.Steps {
				got[s.Name]++
			}
		}
		for step, want := range e.Tries[job] {
			if got[step] != want {
				v.add("step %s of %s was tried %d times, and should have been %d times", step, job, got[step], want)
			}
		}
	}
}

func (e Expect) messages(v *verdict, sent []rehearsal.Message) {
	for i, m := range sent {
		text := m.Text()
		if i >= len(e.Messages) {
			v.add("a message that nobody expected: %s", text)
		} else if !strings.Contains(text, e.Messages[i]) {
			v.add("message %d says %q, and should say %q", i+1, text, e.Messages[i])
		}
	}
	if len(sent) < len(e.Messages) {
		v.add("%d messages were sent, and should have been %d", len(sent), len(e.Messages))
	}
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
	if n := len(e.Traces); n > 0 {
		parts = append(parts, "where that comes from in "+count(n, "environment", "environments"))
	}
	if n := len(e.Saw); n > 0 {
		parts = append(parts, "the files of "+count(n, "deployment", "deployments"))
	}
	for _, n := range []struct {
		count     int
		one, many string
	}{
		{len(e.Pulls), "pull request", "pull requests"},
		{sizes(e.Tags), "tag", "tags"},
		{len(e.Releases), "release", "releases"},
		{len(e.Images), "image", "images"},
		{len(e.Files), "repository's files", "repositories' files"},
		{len(e.Copies), "copy", "copies"},
		{len(e.Statuses), "commit's statuses", "commits' statuses"},
	} {
		if n.count > 0 {
			parts = append(parts, count(n.count, n.one, n.many))
		}
	}
	if n := len(e.Messages); n > 0 {
		parts = append(parts, count(n, "message", "messages"))
	}
	return "as it must be: " + strings.Join(parts, ", ")
}

func sizes(m map[string]map[string]string) int {
	n := 0
	for _, inner := range m {
		n += len(inner)
	}
	return n
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
