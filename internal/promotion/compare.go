// Package promotion says what opening the gate of an environment lets through, and makes of a gates file what a person does to a
// gate. The resource type cepler-gate and the command line show and do the same by it.
package promotion

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// Comparison is what an environment has, and what it would get if its gate were opened as far as it goes.
type Comparison struct {
	Environment, Deployment string
	// Passed is the environment before it, "" without one.
	Passed  string
	Opening *deployments.Opening
	// Runs is what it has recorded, and Upstream what the environment before it has; nil without a record.
	Runs, Upstream *deployments.Running
	// Back and UpstreamBack are rollbacks that these records are; nil for ordinary ones.
	Back, UpstreamBack *deployments.Rollback
	// Gate is the gate as it is written now; "" without one.
	Gate string
	// Plan is what the environment would deploy next with its gate open.
	Plan          *deployments.Plan
	Before, After lineage.Contents
	Spans         []lineage.SourceSpan
	// NotAsked says what was not looked at, except registries.
	NotAsked []string
}

// Compare works out what opening the gate of the source's environment means. gatesFile is the gates file in which it is open.
func Compare(ctx context.Context, r *deployments.Repository, reader *lineage.Reader, src deployments.Source, view *deployments.View, o *deployments.Opening, gatesFile []byte) (*Comparison, error) {
	c := &Comparison{Environment: src.Environment, Deployment: view.Config.Deployment, Passed: view.Config.Environments[src.Environment].Passed, Opening: o}
	if o.Gate != nil {
		c.Gate = o.Gate.Gate.Commit
	}
	if err := c.records(ctx, r, view); err != nil {
		return nil, err
	}
	parsed, err := cepler.ParseGates(src.GatesFile, gatesFile)
	if err != nil {
		return nil, err
	}
	if c.Plan, err = r.Plan(ctx, view.WithGates(parsed), src.Environment, time.Now()); err != nil {
		return nil, err
	}
	if err := c.contents(ctx, reader); err != nil {
		return nil, err
	}
	return c, nil
}

// records reads what the environment and the one before it have recorded.
func (c *Comparison) records(ctx context.Context, r *deployments.Repository, view *deployments.View) error {
	var own, passed *cepler.State
	var err error
	if c.Runs, own, err = r.RunningNow(ctx, view, c.Environment); err != nil {
		return err
	}
	if c.Back, err = r.RolledBack(ctx, view, c.Environment, own); err != nil || c.Passed == "" {
		return err
	}
	if c.Upstream, passed, err = r.RunningNow(ctx, view, c.Passed); err != nil {
		return err
	}
	c.UpstreamBack, err = r.RolledBack(ctx, view, c.Passed, passed)
	return err
}

// contents reads the charts and images of both sides, and what is between their sources.
func (c *Comparison) contents(ctx context.Context, reader *lineage.Reader) error {
	var err error
	if c.Opening.Own != nil {
		if c.Before, err = reader.Contents(ctx, c.Opening.Own.Current); err != nil {
			return fmt.Errorf("read what %s runs: %w", c.Environment, err)
		}
	}
	if c.After, err = reader.Contents(ctx, c.Opening.Snapshot()); err != nil {
		return fmt.Errorf("read what %s would get: %w", c.Environment, err)
	}
	if c.Spans, err = reader.Spans(ctx, c.Before, c.After, lineage.MaxCommits); err != nil {
		return err
	}
	c.NotAsked = slices.DeleteFunc(reader.NotAsked(), func(note string) bool { return note == lineage.NoLabels })
	return ctx.Err()
}
