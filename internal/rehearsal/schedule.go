package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// job is a job and what it has done.
type job struct {
	config pipeline.Job
	inputs []*pipeline.Get
	builds []*Build
}

// succeeded are the job's successful builds, newest first.
func (j *job) succeeded() []*Build {
	var good []*Build
	for _, b := range slices.Backward(j.builds) {
		if b.Status == Succeeded {
			good = append(good, b)
		}
	}
	return good
}

// ran tells whether any build of the job, however it ended, had the version.
func (j *job) ran(u Use) bool {
	return slices.ContainsFunc(j.builds, func(b *Build) bool {
		for _, in := range b.Inputs {
			if in.Resource == u.Resource && in.Version.key() == u.Version.key() {
				return true
			}
		}
		return false
	})
}

// scheduler works out which versions a job may have.
type scheduler struct {
	job       *job
	jobs      map[string]*job
	resources map[string]*resource
}

// choice is one input with the versions it may have, best first.
type choice struct {
	get        *pipeline.Get
	candidates []Version
}

// next are the versions for the job's next build, by the name of the get step.
// Without them, why says what is missing.
func (s scheduler) next() (inputs map[string]Use, why string) {
	choices := make([]choice, 0, len(s.job.inputs))
	for _, get := range s.job.inputs {
		candidates, why := s.candidates(get)
		if len(candidates) == 0 {
			return nil, why
		}
		choices = append(choices, choice{get, candidates})
	}
	inputs = map[string]Use{}
	if !s.assign(choices, inputs) {
		return nil, "no set of versions passed together through the jobs it names in passed"
	}
	return inputs, ""
}

// triggers tells whether the inputs hold something that starts a build: a
// version for a trigger step that the job has not had.
func (s scheduler) triggers(inputs map[string]Use) bool {
	return slices.ContainsFunc(s.job.inputs, func(g *pipeline.Get) bool {
		return g.Trigger && !s.job.ran(inputs[g.Name])
	})
}

// candidates are the versions a get step may have, best first, each for itself.
func (s scheduler) candidates(get *pipeline.Get) (versions []Version, why string) {
	r := s.resources[get.Resource]
	all := s.known(get)
	if len(all) == 0 {
		if len(get.Passed) > 0 {
			return nil, fmt.Sprintf("%s: no version has passed %s", get.Name, passedNames(get))
		}
		return nil, get.Resource + " has no versions"
	}
	pin := r.pin
	if pin == nil {
		pin = get.Version.Pinned
	}
	if pin != nil {
		pinned := slices.DeleteFunc(slices.Clone(all), func(v Version) bool { return !v.has(pin) })
		return pinned, fmt.Sprintf("%s: the pinned version %s is not there", get.Name, Version(pin))
	}
	if get.Version.Every {
		return s.every(get, all), ""
	}
	return all, ""
}

// known are the versions of the step's resource, newest first. With passed, a
// version counts as old as the build of the first job that it passed in.
func (s scheduler) known(get *pipeline.Get) []Version {
	if len(get.Passed) == 0 {
		all := slices.Clone(s.resources[get.Resource].versions)
		slices.Reverse(all)
		return all
	}
	var all []Version
	for _, b := range s.jobs[get.Passed[0].Value].succeeded() {
		for _, v := range b.of(get.Resource) {
			if !slices.ContainsFunc(all, func(have Version) bool { return have.key() == v.key() }) {
				all = append(all, v)
			}
		}
	}
	return all
}

// every begins with the oldest version after the one that the job had last; a
// job without builds begins with the newest, and one that has had all of them
// stays where it is.
func (s scheduler) every(get *pipeline.Get, newestFirst []Version) []Version {
	last := -1
	for i, v := range newestFirst {
		if s.job.ran(Use{get.Resource, v}) {
			last = i
			break
		}
	}
	if last < 0 {
		return newestFirst
	}
	if last == 0 {
		return newestFirst[:1]
	}
	later := slices.Clone(newestFirst[:last])
	slices.Reverse(later)
	return later
}

// assign takes the best version for each choice such that, for every job that
// is named in passed, there is one successful build that had all the versions
// which are to have passed it. It tries the first input's versions last to
// first, so that no later input can talk an earlier one out of its best.
func (s scheduler) assign(choices []choice, inputs map[string]Use) bool {
	if len(choices) == 0 {
		return true
	}
	get := choices[0].get
	for _, v := range choices[0].candidates {
		inputs[get.Name] = Use{get.Resource, v}
		if s.together(inputs) && s.assign(choices[1:], inputs) {
			return true
		}
	}
	delete(inputs, get.Name)
	return false
}

// together tells whether what is assigned so far passed together.
func (s scheduler) together(inputs map[string]Use) bool {
	wanted := map[string][]Use{}
	for _, get := range s.job.inputs {
		use, ok := inputs[get.Name]
		if !ok {
			continue
		}
		for _, p := range get.Passed {
			wanted[p.Value] = append(wanted[p.Value], use)
		}
	}
	for name, uses := range wanted {
		if !slices.ContainsFunc(s.jobs[name].succeeded(), func(b *Build) bool { return hasAll(b, uses) }) {
			return false
		}
	}
	return true
}

func hasAll(b *Build, uses []Use) bool {
	for _, u := range uses {
		if !b.uses(u) {
			return false
		}
	}
	return true
}

func passedNames(get *pipeline.Get) string {
	names := make([]string, len(get.Passed))
	for i, p := range get.Passed {
		names[i] = p.Value
	}
	return strings.Join(names, " and ")
}

// gets are the get steps anywhere in a step, hooks included.
func gets(s *pipeline.Step) []*pipeline.Get {
	if s == nil {
		return nil
	}
	var found []*pipeline.Get
	if s.Kind == pipeline.KindGet {
		found = append(found, s.Get)
	}
	for _, inner := range children(s) {
		found = append(found, gets(inner)...)
	}
	return found
}

// Inputs are the resources that some job of the pipeline gets, in the order of
// the file.
func Inputs(p *pipeline.Pipeline) []string {
	got := map[string]bool{}
	for _, j := range p.Jobs {
		whole := j.Steps()
		for _, g := range gets(&whole) {
			got[g.Resource] = true
		}
	}
	var names []string
	for _, r := range p.Resources {
		if got[r.Name] {
			names = append(names, r.Name)
		}
	}
	return names
}

// children are the steps directly inside a step, its hooks last.
func children(s *pipeline.Step) []*pipeline.Step {
	var all []*pipeline.Step
	for i := range s.Do {
		all = append(all, &s.Do[i])
	}
	if s.InParallel != nil {
		for i := range s.InParallel.Steps {
			all = append(all, &s.InParallel.Steps[i])
		}
	}
	if s.Try != nil {
		all = append(all, s.Try)
	}
	for _, hook := range []*pipeline.Step{s.OnSuccess, s.OnFailure, s.OnError, s.OnAbort, s.Ensure} {
		if hook != nil {
			all = append(all, hook)
		}
	}
	return all
}
