// Package promotion says what opening the gate of an environment lets through, and makes of a gates file what a person does to a
// gate. The resource type cepler-gate and the command line show and do the same by it.
package promotion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// NotGiven says why nothing is known of a repository that nobody named.
const NotGiven = "the repository was not given"

// MaxCommits bounds the commits of one repository that are listed one by one.
const MaxCommits = 100

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
	Spans         []Span
	// NotAsked says what was not looked at, except registries.
	NotAsked []string
}

// Span is what lies between two commits of a repository that images were built from.
type Span struct {
	Repository    string
	Before, After string // short or full
	*lineage.Span
	// Why says why the commits between are not known.
	Why string
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
	for _, pair := range ImagePairs(c.Before, c.After) {
		if err := c.span(ctx, reader, pair); err != nil {
			return err
		}
	}
	c.NotAsked = slices.DeleteFunc(reader.NotAsked(), func(note string) bool { return note == lineage.NoLabels })
	return ctx.Err()
}

// span adds what is between the sources of two images, once for each pair of commits.
func (c *Comparison) span(ctx context.Context, reader *lineage.Reader, p Pair) error {
	if p.Before == nil || p.After == nil || p.Before.Source == nil || p.After.Source == nil {
		return nil
	}
	was, is := p.Before.Source, p.After.Source
	name := lineage.RepositoryName(is.Repository)
	if lineage.RepositoryName(was.Repository) != name || was.Commit.Hash == is.Commit.Hash ||
		slices.ContainsFunc(c.Spans, func(s Span) bool {
			return lineage.RepositoryName(s.Repository) == name && s.Before == was.Commit.Hash && s.After == is.Commit.Hash
		}) {
		return nil
	}
	s := Span{Repository: is.Repository, Before: was.Commit.Hash, After: is.Commit.Hash}
	between, err := reader.Between(ctx, s.Repository, s.Before, s.After, MaxCommits)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, lineage.ErrNotAtHand):
		s.Why = NotGiven
	case err != nil:
		s.Why = err.Error()
	}
	s.Span = between
	c.Spans = append(c.Spans, s)
	return nil
}

// Pair is an image of both sides at one place; one of them is nil for an image that is new or goes away.
type Pair struct{ Before, After *lineage.Image }

// Image is the one that there is.
func (p Pair) Image() lineage.Image { return *cmp.Or(p.After, p.Before) }

// ImagePairs are the images of both sides by their places, in the order of the places.
func ImagePairs(before, after lineage.Contents) []Pair {
	at := map[string]*Pair{}
	var order []string
	add := func(images []lineage.Image, set func(p *Pair, i *lineage.Image)) {
		for _, i := range images {
			place := i.File + " " + i.Path
			if at[place] == nil {
				at[place] = &Pair{}
				order = append(order, place)
			}
			set(at[place], &i)
		}
	}
	add(before.AllImages(), func(p *Pair, i *lineage.Image) { p.Before = i })
	add(after.AllImages(), func(p *Pair, i *lineage.Image) { p.After = i })
	slices.Sort(order)
	pairs := make([]Pair, 0, len(order))
	for _, place := range order {
		pairs = append(pairs, *at[place])
	}
	return pairs
}

// Releases are the releases of what a state consists of: the tags of its sources or, where those are not
// known, the app versions that its charts state.
func Releases(c lineage.Contents) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, i := range c.AllImages() {
		if i.Source != nil && len(i.Source.Releases) > 0 {
			add(i.Source.Releases[0])
		}
	}
	if len(names) == 0 {
		for _, chart := range c.Charts {
			add(chart.AppVersion)
		}
	}
	return names
}
