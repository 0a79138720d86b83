package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// self is the name by which a set_pipeline step means the pipeline that it is in.
const self = "self"

// setPipeline sets the pipeline to what a file of an artifact says. As in Concourse, the step's team and instance_vars do not
// count for the pipeline itself, which stays the instance that it is. A pipeline that is not valid fails the step, and the
// one that is set goes on.
func (r *run) setPipeline(_ context.Context, s pipeline.Step, at where, rec *StepRecord) (bool, error) {
	log := &Log{}
	defer func() { rec.Log = log.String() }()
	known, err := r.staticVars(s.SetPipeline, at)
	if err != nil {
		return false, err
	}
	name, text, err := r.read(s.SetPipeline.File, at)
	if err != nil {
		return false, err
	}
	next, err := r.options.become(name, text, known)
	if invalid, ok := errors.AsType[*pipeline.InvalidError](err); ok {
		_, _ = fmt.Fprintf(log, "invalid pipeline:\n%v\n", invalid)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, _ = fmt.Fprintf(log, "setting pipeline: %s\n", r.build.Pipeline)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set = true
	return true, r.rehearsal.become(next, r.build.Job, log)
}

// staticVars are the values that references of the new pipeline are filled in with: those of vars, of the files in var_files and
// of the pipeline's instance, the first that has one. Other references stay, for the server.
func (r *run) staticVars(s *pipeline.SetPipeline, at where) (pipeline.Lookup, error) {
	filled, err := s.Vars.Interpolate(r.lookup(at.scope))
	if err != nil {
		return nil, err
	}
	vars, _ := filled.Data().(map[string]any)
	all := []pipeline.Lookup{pipeline.Vars(vars)}
	for _, f := range s.VarFiles {
		name, text, err := r.read(f.Value, at)
		if err != nil {
			return nil, err
		}
		values := map[string]any{}
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, fmt.Errorf("read %s, which must be a mapping of names to values: %w", name, err)
		}
		all = append(all, pipeline.Vars(values))
	}
	return pipeline.FirstOf(append(all, pipeline.Vars(r.options.InstanceVars))...), nil
}

// read reads a file of an artifact, whose path may have references.
func (r *run) read(path string, at where) (name string, text []byte, err error) {
	if name, err = r.filled(path, at); err != nil {
		return "", nil, err
	}
	file, err := at.scope.file(name)
	if err != nil {
		return name, nil, err
	}
	if text, err = os.ReadFile(file); err != nil {
		return name, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return name, text, nil
}

// become are the options of a pipeline that takes the place of the one that is set.
func (o Options) become(file string, text []byte, known pipeline.Lookup) (Options, error) {
	if o.Set != nil {
		return o.Set(file, text, known)
	}
	p, err := pipeline.ParseWith(file, text, known)
	o.Pipeline = p
	return o, err
}

// become sets a pipeline in the place of this one. A resource with the same type and source keeps its versions, and one that a
// person has pinned stays pinned; a job keeps its builds. What is gone is not looked at and does not start any more.
func (r *Rehearsal) become(o Options, by string, log *Log) error {
	next, err := New(o)
	if err != nil {
		return err
	}
	for _, name := range next.order {
		if err := r.handOn(next, name); err != nil {
			return err
		}
	}
	for name, j := range next.jobs {
		if old, ok := r.jobs[old(j.config.OldName, name, r.jobs)]; ok {
			j.builds = old.builds
		}
	}
	told(log, "job", r.jobs, next.jobs)
	told(log, "resource", r.resources, next.resources)
	if _, ok := next.jobs[by]; !ok {
		_, _ = fmt.Fprintf(log, "Concourse archives the pipeline now: job %s, which has set it, is gone\n", by)
	}
	r.options, r.resources, r.order, r.jobs, r.setBy = next.options, next.resources, next.order, next.jobs, by
	return nil
}

// handOn gives a resource of the next pipeline what this one knows of it.
func (r *Rehearsal) handOn(next *Rehearsal, name string) error {
	to := next.resources[name]
	from, ok := r.resources[old(to.config.OldName, name, r.resources)]
	if !ok {
		return nil
	}
	if to.pin == nil && !from.config.Version.IsMapping() {
		to.pin = from.pin
	}
	before, err := r.options.source(from)
	if err != nil {
		return err
	}
	after, err := next.options.source(to)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(before, after) && reflect.DeepEqual(r.options.image(from), next.options.image(to)) {
		to.history, to.temp, to.stamp, to.said, to.err = from.history, from.temp, from.stamp, from.said, from.err
	}
	return nil
}

// image is where the type of a resource comes from, nil for a type of Concourse's own.
func (o Options) image(res *resource) any {
	t, _ := o.Pipeline.ResourceType(res.config.Type)
	return t.Source.Data()
}

// old is the name that something had in the pipeline before: its old_name if there is such a one.
func old[T any](oldName, name string, before map[string]T) string {
	if _, ok := before[oldName]; ok {
		return oldName
	}
	return name
}

// told says what was added and removed.
func told[T any](log *Log, kind string, before, after map[string]T) {
	for _, change := range []struct {
		from, to map[string]T
		what     string
	}{{after, before, "added"}, {before, after, "removed"}} {
		for _, name := range slices.Sorted(maps.Keys(change.from)) {
			if _, ok := change.to[name]; !ok {
				_, _ = fmt.Fprintf(log, "%s %s has been %s\n", kind, name, change.what)
			}
		}
	}
}

// abandon archives the pipeline, which ends it, as Concourse does when the job that has set it is gone or succeeds without
// setting it.
func (r *Rehearsal) abandon(one *run) {
	if r.setBy == "" {
		return
	}
	_, there := r.jobs[r.setBy]
	if !there || one.build.Job == r.setBy && one.build.Status == Succeeded && !one.set {
		r.archived = true
	}
}
