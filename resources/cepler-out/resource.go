// Package ceplerout is the resource type that records what was deployed to an
// environment, so that the next one may have it. README.md lists its source,
// params and files.
package ceplerout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Resource is cepler-out.
type Resource struct{}

// getParams are the params of the get that follows a put.
type getParams struct {
	// Prepare is accepted for the sake of the Rust resource's pipelines.
	Prepare *bool `json:"prepare"`
	// Message delivers a sentence about the deployment, in place of the files.
	Message bool `json:"message"`
}

// putParams are the params of a put step.
type putParams struct {
	// Repository is the folder that a get of cepler-in filled and the
	// deployment was made from.
	Repository string `json:"repository" concourse:"required"`
	// Environment is recorded instead of the source's.
	Environment string `json:"environment"`
}

// Source is what a pipeline says under "source".
type Source struct{ deployments.Source }

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	if err := s.Source.Validate(); err != nil {
		return err
	}
	return signing.Check(s.Access)
}

type (
	// Version is a state of an environment.
	Version = deployments.Version
	// Result is the answer of a get or put.
	Result = concourse.Result[Version]
)

// Check answers what it was given: versions come from puts alone.
func (Resource) Check(_ context.Context, _ concourse.Step, _ Source, given *Version) ([]Version, error) {
	if given == nil {
		return []Version{}, nil
	}
	return []Version{*given}, nil
}

// In delivers what the version recorded, as a get of cepler-in would.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, p getParams) (Result, error) {
	out := Result{Version: v}
	if src.Environment == "" && v.Environment == "" {
		step.Logf("recorded version %s; its environment is not known, so no files are delivered", v.Version)
		return out, nil
	}
	conn, err := deployments.Connect(src.Source, git.Open, step.Logf)
	if err != nil {
		return out, err
	}
	defer func() { _ = conn.Close() }()
	if p.Message {
		return out, announce(ctx, step, conn, v, cmp.Or(v.Environment, src.Environment))
	}
	_, err = conn.Get(ctx, v, step.Dir, true)
	return out, err
}

// Out records the deployed folder. It succeeds only when the remote has it.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (Result, error) {
	dir, err := step.Artifacts().Path(p.Repository)
	if err != nil {
		return Result{}, fmt.Errorf("params.repository: %w", err)
	}
	delivered, err := deployments.ReadDelivered(dir)
	if err != nil {
		return Result{}, fmt.Errorf("params.repository: %s %w", p.Repository, err)
	}
	if src.Environment, err = environment(src, p, delivered); err != nil {
		return Result{}, err
	}
	conn, err := deployments.Connect(src.Source, signing.Open, step.Logf)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = conn.Close() }()
	conn.Remote.ExpectPush()
	restored, err := conn.Restore(ctx, delivered.Version, src.Environment)
	if err != nil {
		return Result{}, err
	}
	gate, err := conn.GateNow(ctx, src.Environment)
	if err != nil {
		step.Logf("the commit will not name the gate: %v", err)
	}
	recorded, err := conn.Record(ctx, deployments.Recording{
		Restored: restored, Dir: dir, Now: time.Now(), Trailers: trailers(step.Build, gate),
	})
	if err != nil {
		return Result{}, err
	}
	if p.Environment != "" {
		recorded.Version.Environment = p.Environment
	}
	return answer(ctx, step, conn, restored, recorded), nil
}

// environment is the one to record: it must be the one that was deployed.
func environment(src Source, p putParams, delivered deployments.Delivered) (string, error) {
	name := src.Environment
	if p.Environment != "" {
		name = p.Environment
	}
	if name == "" {
		return "", errors.New("params.environment: is required, unless source.environment names the environment that was deployed")
	}
	if delivered.Environment != name {
		return "", fmt.Errorf("params.repository: %s holds the files of %s, but %s is to be recorded: put the folder of the get that was deployed", p.Repository, delivered.Environment, name)
	}
	return name, nil
}

// trailers say in the commit which build recorded it and which gate it had.
func trailers(build concourse.Build, gate string) []string {
	lines := build.Trailers()
	if gate != "" {
		lines = append(lines, "Gate: "+visible.Line(gate))
	}
	return lines
}

// answer tells what was recorded.
func answer(ctx context.Context, step concourse.Step, conn *deployments.Connection, restored *deployments.Restored, recorded *deployments.Recorded) Result {
	out := Result{Version: recorded.Version}
	if recorded.Commit == nil {
		step.Logf("%s has this state recorded already, as version %s", restored.Environment.Name, recorded.Version.Version)
		out.Metadata.Add("recorded", "already, as version %s", recorded.Version.Version)
		return out
	}
	step.Logf("%s is recorded as version %s in commit %.7s", restored.Environment.Name, recorded.Version.Version, recorded.Commit.Hash.String())
	out.Metadata.Add("commit", "%s", recorded.Commit.Hash)
	if web := conn.Remote.WebURL(); web != "" {
		out.Metadata.Add("url", "%s/commit/%s", web, recorded.Commit.Hash)
	}
	if recorded.RollbackOf > 0 {
		step.Logf("it takes back #%d", recorded.RollbackOf)
		out.Metadata.Add("rollback", "takes back #%d", recorded.RollbackOf)
	}
	notes, err := conn.ChangeNotes(ctx, restored, recorded.Changes)
	if err != nil {
		step.Logf("the changed files can't be listed: %v", err)
	}
	for _, note := range notes {
		out.Metadata.Add(note.Name, "%s", note.Value)
	}
	return out
}
