package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// Options say what a pipeline is rehearsed with.
type Options struct {
	// Pipeline was parsed, and linted, by internal/pipeline.
	Pipeline *pipeline.Pipeline
	// Types are the resource types by the name that the pipeline has for them.
	Types map[string]Type
	// Vars are the values of ((references)).
	Vars map[string]any
	// StandIns say, by the uri in a resource's source, what is used instead. A
	// resource with another uri is refused: a rehearsal stays on this machine.
	StandIns map[string]StandIn
	// TaskPath is the PATH of tasks, the stand-ins for tools first.
	TaskPath string
	// TaskDoubles stand in for programs of tasks, by the path that the task has
	// for them.
	TaskDoubles map[string]TaskDouble
	// Local changes what a source names outside of this machine, in other keys
	// than uri, to what stands in for it; nil for nothing. The map is its own.
	Local func(typ string, source map[string]any) error
	// Dir is scratch space that the caller removes.
	Dir string
	// Stamp says in what state that is which a source names, in any text that
	// changes with it; "" when that cannot be known. A check whose source was in
	// the same state the last time is not run again. Nil: nothing is known.
	Stamp func(source map[string]any) string
	// Programs are programs of images that tasks run, by their path there: where they are on this machine.
	Programs map[string]string
	// LocalTask changes what a task's program is told of the outside of this machine to what stands in for it; nil for nothing.
	LocalTask func(call *TaskCall) error
	// Set reads a pipeline that a step "set_pipeline: self" sets, with the references that are known then, and returns the options
	// for it. An error that is a *pipeline.InvalidError refuses it. Nil: the options stay, with the new pipeline.
	Set func(file string, text []byte, known pipeline.Lookup) (Options, error)
	// Name is the pipeline's name, Team its team; for BUILD_… and links. InstanceVars make it one of several instances.
	Name, Team   string
	InstanceVars map[string]any
	// URL is what builds see as the server's address.
	URL string
	// Observer is told what happens; nil for nobody.
	Observer Observer
}

// StandIn takes the place of something remote.
type StandIn struct {
	// URI is the address to use.
	URI string
	// Without are keys of the source that the stand-in has no use for, such as
	// the credentials of the real thing.
	Without []string
}

// Rehearsal is a pipeline with what it has done so far.
type Rehearsal struct {
	options   Options
	resources map[string]*resource
	order     []string // of the resources in the file
	jobs      map[string]*job
	builds    []*Build
	observer  Observer
	// setBy is the job that has set the pipeline, "" as long as a person has. archived: it was abandoned by that job.
	setBy    string
	archived bool
}

// New prepares a rehearsal; nothing runs yet.
func New(o Options) (*Rehearsal, error) {
	r := &Rehearsal{options: o, resources: map[string]*resource{}, jobs: map[string]*job{}, observer: o.Observer}
	if r.observer == nil {
		r.observer = observers{}
	}
	if r.options.URL == "" {
		r.options.URL = "https://concourse.example"
	}
	for _, c := range o.Pipeline.Resources {
		if err := r.addResource(c); err != nil {
			return nil, err
		}
	}
	for _, c := range o.Pipeline.Jobs {
		if err := r.addJob(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Rehearsal) addResource(c pipeline.Resource) error {
	typ, ok := r.options.Types[c.Type]
	if !ok {
		return fmt.Errorf("resource %s: nothing here stands in for the type %s; there are: %s", c.Name, c.Type, names(r.options.Types))
	}
	res := &resource{config: c, typ: typ, source: c.Source, history: &history{}}
	if t, ok := r.options.Pipeline.ResourceType(c.Type); ok {
		res.defaults = t.Defaults
	}
	if c.Version.IsMapping() {
		pin := map[string]string{}
		for _, f := range c.Version.Fields() {
			pin[f.Name] = fmt.Sprint(f.Value.Data())
		}
		res.pin = pin
	}
	if _, err := r.options.source(res); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(r.options.Dir, "check-")
	if err != nil {
		return fmt.Errorf("make the folder of the check container of %s: %w", c.Name, err)
	}
	res.temp = temp
	r.resources[c.Name], r.order = res, append(r.order, c.Name)
	return nil
}

func (r *Rehearsal) addJob(c pipeline.Job) error {
	whole := c.Steps()
	if err := understood(&whole, c.Name); err != nil {
		return err
	}
	j := &job{config: c, inputs: gets(&whole)}
	for _, g := range j.inputs {
		res, ok := r.resources[g.Resource]
		if !ok {
			return fmt.Errorf("job %s gets %s, and there is no such resource", c.Name, g.Resource)
		}
		res.input = true
		for _, p := range g.Passed {
			if _, ok := r.options.Pipeline.Job(p.Value); !ok {
				return fmt.Errorf("job %s gets %s passed %s, and there is no such job", c.Name, g.Name, p.Value)
			}
		}
	}
	r.jobs[c.Name] = j
	return nil
}

// understood refuses a plan with a step that cannot be run before any of it is.
func understood(s *pipeline.Step, job string) error {
	switch s.Kind {
	case pipeline.KindGet, pipeline.KindPut, pipeline.KindTask, pipeline.KindLoadVar, pipeline.KindDo, pipeline.KindTry, pipeline.KindInParallel:
	case pipeline.KindSetPipeline:
		if s.SetPipeline.Name != self {
			return fmt.Errorf("job %s, line %d: %w: set_pipeline of %s; only a pipeline that sets itself can be rehearsed", job, s.Line, ErrUnknownStep, s.SetPipeline.Name)
		}
	default:
		return fmt.Errorf("job %s, line %d: %w: %q", job, s.Line, ErrUnknownStep, s.Kind)
	}
	for _, inner := range children(s) {
		if err := understood(inner, job); err != nil {
			return err
		}
	}
	return nil
}

// source is a resource's source with references filled in, over the defaults of
// its type, and with the stand-in in place of what is remote.
func (o Options) source(res *resource) (map[string]any, error) {
	merged := map[string]any{}
	for _, v := range []pipeline.Value{res.defaults, res.source} {
		filled, err := v.Interpolate(o.known())
		if err != nil {
			return nil, fmt.Errorf("source of %s: %w", res.config.Name, err)
		}
		data, _ := filled.Data().(map[string]any)
		maps.Copy(merged, data)
	}
	if uri, ok := merged["uri"].(string); ok {
		in, ok := o.StandIns[uri]
		if !ok {
			return nil, fmt.Errorf("resource %s uses %s, and nothing here stands in for it; there are stand-ins for: %s", res.config.Name, uri, names(o.StandIns))
		}
		merged["uri"] = in.URI
		for _, key := range in.Without {
			delete(merged, key)
		}
	}
	if o.Local != nil {
		if err := o.Local(res.config.Type, merged); err != nil {
			return nil, fmt.Errorf("source of %s: %w", res.config.Name, err)
		}
	}
	if left := unfilled(merged); left != "" {
		return nil, fmt.Errorf("source of %s: %w: %s", res.config.Name, pipeline.ErrUndefined, left)
	}
	return merged, nil
}

// known fills references in and leaves those be that have no value: they may be
// credentials of something that is replaced.
func (o Options) known() pipeline.Lookup {
	return pipeline.FirstOf(pipeline.Vars(o.Vars), func(ref pipeline.Ref) (any, bool) { return "((" + ref.String() + "))", true })
}

// unfilled is a text with a reference that was not filled in, or "".
func unfilled(data any) string {
	for _, text := range texts(data) {
		if pipeline.HasRef(text) {
			return text
		}
	}
	return ""
}

// maxRounds bounds Settle: a pipeline that makes its own news never rests.
const maxRounds = 100

// ErrRestless means that a pipeline keeps starting builds on its own.
var ErrRestless = errors.New("the pipeline does not come to rest")

// Settle looks at every resource and runs what that triggers, again and again,
// until nothing is left to do. It returns the builds that ran. What fails is in
// them; the error is about the rehearsal itself.
func (r *Rehearsal) Settle(ctx context.Context) ([]*Build, error) {
	var ran []*Build
	for range maxRounds {
		if r.archived {
			return ran, nil
		}
		if err := r.checkAll(ctx); err != nil {
			return ran, err
		}
		before := len(ran)
		for _, c := range r.options.Pipeline.Jobs {
			b, err := r.triggered(ctx, c.Name)
			if err != nil {
				return ran, err
			}
			if b != nil {
				ran = append(ran, b)
			}
		}
		if len(ran) == before {
			return ran, nil
		}
	}
	return ran, fmt.Errorf("%w: %d builds ran, the last one of %s", ErrRestless, len(ran), ran[len(ran)-1].Job)
}

// triggered runs the job when it has something new, unless a build has removed it from the pipeline meanwhile.
func (r *Rehearsal) triggered(ctx context.Context, name string) (*Build, error) {
	if _, ok := r.jobs[name]; !ok || r.archived {
		return nil, nil //nolint:nilnil // nothing triggers it: documented
	}
	s := r.scheduler(name)
	inputs, _ := s.next()
	if inputs == nil || !s.triggers(inputs) {
		return nil, nil //nolint:nilnil // nothing triggers it: documented
	}
	return r.start(ctx, name, inputs, "")
}

// Trigger starts a build by hand, as "fly trigger-job" does: with the versions
// that the job would have now, new ones or not.
func (r *Rehearsal) Trigger(ctx context.Context, name, by string) (*Build, error) {
	if _, ok := r.jobs[name]; !ok {
		return nil, fmt.Errorf("there is no job %q; there are: %s", name, names(r.jobs))
	}
	if r.archived {
		return nil, fmt.Errorf("job %s cannot start: the pipeline is archived, because job %s, which has set it, does not set it any more", name, r.setBy)
	}
	if err := r.checkAll(ctx); err != nil {
		return nil, err
	}
	inputs, why := r.scheduler(name).next()
	if inputs == nil {
		return nil, fmt.Errorf("job %s cannot start: %s", name, why)
	}
	return r.start(ctx, name, inputs, by)
}

func (r *Rehearsal) scheduler(name string) scheduler {
	return scheduler{job: r.jobs[name], jobs: r.jobs, resources: r.resources}
}

// Pipeline is the pipeline as it is set now.
func (r *Rehearsal) Pipeline() *pipeline.Pipeline { return r.options.Pipeline }

// Name is the pipeline's name.
func (r *Rehearsal) Name() string { return cmp.Or(r.options.Name, "rehearsal") }

// Pin holds a resource at a version that it has had; the pin may name only some
// of the version's fields.
func (r *Rehearsal) Pin(resource string, pin map[string]string) error {
	res, err := r.resource(resource)
	if err != nil {
		return err
	}
	return res.setPin(pin)
}

// Unpin lets a resource go on.
func (r *Rehearsal) Unpin(resource string) error {
	res, err := r.resource(resource)
	if err != nil {
		return err
	}
	res.pin = nil
	return nil
}

// Forget takes a resource's versions away, as a server does when the source or the type of a resource
// changes: the next check is given none. What builds had of it is kept, and so is a pin.
func (r *Rehearsal) Forget(resource string) error {
	res, err := r.resource(resource)
	if err != nil {
		return err
	}
	res.versions, res.stamp = nil, ""
	return nil
}

// Pinned is the version that a resource is held at; nil when it is not.
func (r *Rehearsal) Pinned(resource string) Version {
	res, ok := r.resources[resource]
	if !ok || res.pin == nil {
		return nil
	}
	v, _ := res.find(res.pin)
	return v
}

// Source is a resource's source as its program gets it: filled in, and with the
// stand-in in place of what is remote.
func (r *Rehearsal) Source(resource string) (map[string]any, error) {
	res, err := r.resource(resource)
	if err != nil {
		return nil, err
	}
	return r.options.source(res)
}

// Versions are a resource's versions so far, oldest first.
func (r *Rehearsal) Versions(resource string) ([]Version, error) {
	res, err := r.resource(resource)
	if err != nil {
		return nil, err
	}
	return slices.Clone(res.versions), nil
}

// CheckLog is what a resource's last check said: usually why there is nothing
// new.
func (r *Rehearsal) CheckLog(resource string) string {
	res, ok := r.resources[resource]
	if !ok || res.said == nil {
		return ""
	}
	return res.said.String()
}

// CheckErrors are the resources whose last check failed, and why.
func (r *Rehearsal) CheckErrors() map[string]error {
	failed := map[string]error{}
	for name, res := range r.resources {
		if res.err != nil {
			failed[name] = res.err
		}
	}
	return failed
}

// Builds are a job's builds so far, oldest first.
func (r *Rehearsal) Builds(job string) []*Build {
	j, ok := r.jobs[job]
	if !ok {
		return nil
	}
	return slices.Clone(j.builds)
}

func (r *Rehearsal) resource(name string) (*resource, error) {
	res, ok := r.resources[name]
	if !ok {
		return nil, fmt.Errorf("there is no resource %q; there are: %s", name, names(r.resources))
	}
	return res, nil
}

// checkAll looks at every resource that some job gets, a few at a time, unless
// it is never to be checked. One with a webhook is looked at: whoever has news
// would call it. The error is only about being stopped.
func (r *Rehearsal) checkAll(ctx context.Context) error {
	var due []*resource
	for _, name := range r.order {
		if res := r.resources[name]; res.input && (res.config.CheckEvery != "never" || res.config.WebhookToken != "") {
			due = append(due, res)
		}
	}
	found := make([][]Version, len(due))
	slots, wg := make(chan struct{}, runtime.NumCPU()), sync.WaitGroup{}
	for i, res := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			found[i], res.err = r.check(ctx, res)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, res := range due {
		if res.err != nil {
			r.observer.CheckFailed(res.config.Name, res.err)
			continue
		}
		if fresh := res.saveChecked(found[i]); len(fresh) > 0 {
			r.observer.Found(res.config.Name, fresh)
		}
	}
	return nil
}

func (r *Rehearsal) check(ctx context.Context, res *resource) ([]Version, error) {
	source, err := r.options.source(res)
	if err != nil {
		return nil, err
	}
	stamp := ""
	if r.options.Stamp != nil {
		if stamp = r.options.Stamp(source); stamp != "" {
			stamp += " " + res.from().key()
		}
	}
	if stamp != "" && stamp == res.stamp {
		return nil, res.err
	}
	req, err := json.Marshal(request{Source: source, Version: res.from()})
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	log := &Log{}
	res.said, res.stamp = log, ""
	out, err := res.typ.Run(ctx, Call{Verb: Check, Request: req, Temp: res.temp, Log: log})
	if err != nil {
		if said := strings.TrimSpace(Plain(log.String())); said != "" && errors.Is(err, ErrScript) {
			return nil, fmt.Errorf("%w: %s", ErrScript, said)
		}
		return nil, err
	}
	found, err := decodeVersions(out)
	if err == nil {
		res.stamp = stamp
	}
	return found, err
}

// start runs one build of a job.
func (r *Rehearsal) start(ctx context.Context, name string, inputs map[string]Use, by string) (*Build, error) {
	j := r.jobs[name]
	b := &Build{ID: len(r.builds) + 1, Number: len(j.builds) + 1, Pipeline: r.Name(), Job: name, By: by, Inputs: inputs, Started: time.Now()}
	dir := filepath.Join(r.options.Dir, fmt.Sprintf("build-%d", b.ID))
	if err := os.Mkdir(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the build's folder: %w", err)
	}
	r.builds, j.builds = append(r.builds, b), append(j.builds, b)
	r.observer.Started(b)
	one := &run{rehearsal: r, options: r.options, resources: r.resources, build: b, dir: dir, env: r.buildEnv(b)}
	ok, err := one.step(j.config.Steps(), where{scope: newScope(nil)})(ctx)
	b.Took = time.Since(b.Started)
	b.Status = status(ok, err)
	if b.Status == Errored {
		b.Err = err
	}
	r.observer.Ended(b)
	r.abandon(one)
	return b, ctx.Err()
}

// buildEnv is what the programs of get and put learn about the build.
func (r *Rehearsal) buildEnv(b *Build) []string {
	team := cmp.Or(r.options.Team, "main")
	name := r.Name()
	env := []string{
		fmt.Sprintf("BUILD_ID=%d", b.ID), fmt.Sprintf("BUILD_NAME=%d", b.Number), "BUILD_JOB_NAME=" + b.Job,
		"BUILD_PIPELINE_NAME=" + name, "BUILD_TEAM_NAME=" + team, "ATC_EXTERNAL_URL=" + r.options.URL,
		fmt.Sprintf("BUILD_URL=%s/teams/%s/pipelines/%s/jobs/%s/builds/%d", r.options.URL, team, name, b.Job, b.Number),
		fmt.Sprintf("BUILD_URL_SHORT=%s/builds/%d", r.options.URL, b.ID),
	}
	if text, err := json.Marshal(r.options.InstanceVars); err == nil && len(r.options.InstanceVars) > 0 {
		env = append(env, "BUILD_PIPELINE_INSTANCE_VARS="+string(text))
	}
	return env
}

// run is a build that is under way: with the pipeline as it was when the build began, also when it sets the pipeline.
type run struct {
	rehearsal *Rehearsal
	options   Options
	resources map[string]*resource
	set       bool // a step has set the pipeline
	build     *Build
	dir       string
	env       []string
	mu        sync.Mutex
}

// lookup finds the pipeline's variables and those that steps have set.
func (r *run) lookup(s *scope) pipeline.Lookup {
	return pipeline.FirstOf(s.lookup(), pipeline.Vars(r.options.Vars))
}

// add keeps a step that has ended.
func (r *run) add(s StepRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.build.Steps = append(r.build.Steps, s)
	r.rehearsal.observer.Step(r.build, s)
}

// output keeps a version that a put has made. As with a check, one that is
// known stays where it is.
func (r *run) output(u Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.build.Outputs = append(r.build.Outputs, u)
	r.resources[u.Resource].saveChecked([]Version{u.Version})
}

func names[T any](m map[string]T) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
