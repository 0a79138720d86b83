package rehearsal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// Status is how something ended.
type Status string

// The ends of steps and builds. A step failed when its program said so; it
// errored when it could not be run.
const (
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Errored   Status = "errored"
	Aborted   Status = "aborted"
)

// Build is one run of a job.
type Build struct {
	ID       int // across all jobs of the pipeline, from 1
	Number   int // of its job, from 1
	Pipeline string
	Job      string
	// By is who started it by hand; empty when a new version did.
	By     string
	Status Status
	// Inputs are the versions that its get steps were given, by the step's name.
	Inputs map[string]Use
	// Outputs are the versions that its put steps made.
	Outputs []Use
	Started time.Time
	Took    time.Duration
	// Steps are the steps that ran, in the order in which they ended.
	Steps []StepRecord
	// Err is why it errored.
	Err error
}

// Use is a version of a resource in a build.
type Use struct {
	Resource string
	Version  Version
}

// StepRecord is one step of a build that did something outside: a get, put,
// task or load_var; once for each attempt.
type StepRecord struct {
	Kind     pipeline.Kind
	Name     string
	Resource string // of a get or put
	Attempt  int    // from 1
	Hook     bool   // ran because of how another step ended
	Status   Status
	Version  Version // of a get or put
	Metadata []MetadataField
	// Dir is the folder of a task as the task left it, until the rehearsal is
	// closed.
	Dir  string
	Took time.Duration
	// Log is what it said; Err is what is wrong with it besides.
	Log string
	Err error
}

// uses tells whether the build had the version of the resource, as an input or
// as an output.
func (b *Build) uses(u Use) bool {
	for _, have := range b.of(u.Resource) {
		if have.key() == u.Version.key() {
			return true
		}
	}
	return false
}

// of are the versions of a resource in the build, outputs after inputs.
func (b *Build) of(resource string) []Version {
	var versions []Version
	for _, in := range b.Inputs {
		if in.Resource == resource {
			versions = append(versions, in.Version)
		}
	}
	for _, out := range b.Outputs {
		if out.Resource == resource {
			versions = append(versions, out.Version)
		}
	}
	return versions
}

// Why says in a line why a build did not succeed: the last step that did not,
// hooks left aside, and the last thing it said.
func (b *Build) Why() string {
	if b.Err != nil {
		return b.Err.Error()
	}
	for _, s := range slices.Backward(b.Steps) {
		if s.Status == Succeeded || s.Hook {
			continue
		}
		lines := strings.Split(strings.TrimSpace(s.Log), "\n")
		return strings.TrimSuffix(fmt.Sprintf("%s %s: %s", s.Kind, s.Name, lines[len(lines)-1]), ": ")
	}
	return ""
}
