// Package ceplerin is the resource type that offers an environment the next
// state it may deploy, and delivers its files. README.md lists its source,
// params and files.
package ceplerin

import (
	"context"
	"errors"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Resource is cepler-in.
type Resource struct{}

// Source is what a pipeline says under "source".
type Source struct{ deployments.Source }

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	if s.Environment == "" {
		return errors.New("environment: is required, but missing: name an environment of the config; a put that has it in its params is one of cepler-out")
	}
	return s.Source.Validate()
}

// getParams are the params of a get step.
type getParams struct {
	// Prepare false delivers what was recorded for the version instead of what
	// it deploys. Default true.
	Prepare *bool `json:"prepare"`
}

// putParams are those of a put of cepler-out, which one image does in older pipelines.
type putParams struct {
	Repository  string `json:"repository"`
	Environment string `json:"environment"`
}

type (
	// Version is a state of an environment.
	Version = deployments.Version
	// Result is the answer of a get or put.
	Result = concourse.Result[Version]
)

// In fills the step's folder with the version's files and nothing else.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, p getParams) (Result, error) {
	out := Result{Version: v}
	conn, err := deployments.Connect(src.Source, git.Open, step.Logf)
	if err != nil {
		return out, err
	}
	defer func() { _ = conn.Close() }()
	restored, err := conn.Get(ctx, v, step.Dir, p.Prepare == nil || *p.Prepare)
	if err != nil {
		return out, err
	}
	notes, err := conn.Describe(ctx, restored, conn.Remote.WebURL())
	if err != nil {
		return out, err
	}
	gate, err := conn.GateNotes(ctx, src.Environment)
	if err != nil {
		step.Logf("the gate can't be shown: %v", err)
	}
	for _, note := range append(notes, gate...) {
		out.Metadata.Add(note.Name, "%s", note.Value)
		step.Logf("%s: %s", note.Name, note.Value)
	}
	return out, nil
}

// Out refuses: what was deployed is recorded by cepler-out.
func (Resource) Out(context.Context, concourse.Step, Source, putParams) (Result, error) {
	return Result{}, errors.New("cepler-in can't be put to: put cepler-out, a resource with the same source whose type has the image cepler-out")
}
