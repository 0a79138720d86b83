package ceplergate

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

// maxCommits bounds the commits of one repository that are listed one by one.
const maxCommits = 100

// comparison is what an environment has and would get.
type comparison struct {
	*world
	deployment string
	passed     string // the environment before it, "" without one
	opening    *deployments.Opening
	// runs is what it has recorded, and upstream what the environment before it has; nil without a record.
	runs, upstream *deployments.Running
	// back and upstreamBack are rollbacks that these records are; nil for ordinary ones.
	back, upstreamBack *deployments.Rollback
	// gate is the gate as it is written before; "" without one.
	gate string
	// plan is what the environment would deploy next with its gate open.
	plan          *deployments.Plan
	before, after lineage.Contents
	spans         []span
	notAsked      []string
}

// span is what lies between two commits of a repository that images were built from.
type span struct {
	repository    string
	before, after string // short or full
	*lineage.Span
	// why says why the commits between are not known.
	why string
}

// compare works out what opening the gate as in gatesFile means. It is the same for all attempts at one
// pull request unless the deployments move on.
func (p *proposer) compare(ctx context.Context, view *deployments.View, o *deployments.Opening, gatesFile []byte) (*comparison, error) {
	if c, ok := p.known[o.Commit.Hash]; ok {
		return c, nil
	}
	c := &comparison{world: p.world, deployment: view.Config.Deployment, passed: view.Config.Environments[p.src.Environment].Passed, opening: o}
	if o.Gate != nil {
		c.gate = o.Gate.Gate.Commit
	}
	if err := c.records(ctx, view); err != nil {
		return nil, err
	}
	parsed, err := cepler.ParseGates(p.src.GatesFile, gatesFile)
	if err != nil {
		return nil, err
	}
	if c.plan, err = p.repo.Plan(ctx, view.WithGates(parsed), p.src.Environment, time.Now()); err != nil {
		return nil, err
	}
	if err := c.contents(ctx, p.reader); err != nil {
		return nil, err
	}
	p.known[o.Commit.Hash] = c
	return c, nil
}

// records reads what the environment and the one before it have recorded.
func (c *comparison) records(ctx context.Context, view *deployments.View) error {
	var own, passed *cepler.State
	var err error
	if c.runs, own, err = c.repo.RunningNow(ctx, view, c.src.Environment); err != nil {
		return err
	}
	if c.back, err = c.repo.RolledBack(ctx, view, c.src.Environment, own); err != nil || c.passed == "" {
		return err
	}
	if c.upstream, passed, err = c.repo.RunningNow(ctx, view, c.passed); err != nil {
		return err
	}
	c.upstreamBack, err = c.repo.RolledBack(ctx, view, c.passed, passed)
	return err
}

// contents reads the charts and images of both sides, and what is between their sources.
func (c *comparison) contents(ctx context.Context, reader *lineage.Reader) error {
	var err error
	if c.opening.Own != nil {
		if c.before, err = reader.Contents(ctx, c.opening.Own.Current); err != nil {
			return fmt.Errorf("read what %s runs: %w", c.src.Environment, err)
		}
	}
	if c.after, err = reader.Contents(ctx, c.opening.Snapshot()); err != nil {
		return fmt.Errorf("read what %s would get: %w", c.src.Environment, err)
	}
	for _, pair := range imagePairs(c.before, c.after) {
		if err := c.span(ctx, reader, pair); err != nil {
			return err
		}
	}
	c.notAsked = slices.DeleteFunc(reader.NotAsked(), func(note string) bool { return note == lineage.NoLabels })
	return ctx.Err()
}

// span adds what is between the sources of two images, once for each pair of commits.
func (c *comparison) span(ctx context.Context, reader *lineage.Reader, p pair) error {
	if p.before == nil || p.after == nil || p.before.Source == nil || p.after.Source == nil {
		return nil
	}
	was, is := p.before.Source, p.after.Source
	name := lineage.RepositoryName(is.Repository)
	if lineage.RepositoryName(was.Repository) != name || was.Commit.Hash == is.Commit.Hash ||
		slices.ContainsFunc(c.spans, func(s span) bool {
			return lineage.RepositoryName(s.repository) == name && s.before == was.Commit.Hash && s.after == is.Commit.Hash
		}) {
		return nil
	}
	s := span{repository: is.Repository, before: was.Commit.Hash, after: is.Commit.Hash}
	between, err := reader.Between(ctx, s.repository, s.before, s.after, maxCommits)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, lineage.ErrNotAtHand):
		s.why = "the repository is not among source.repositories"
	case err != nil:
		s.why = err.Error()
	}
	s.Span = between
	c.spans = append(c.spans, s)
	return nil
}

// pair is an image of both sides at one place; one of them is nil for an image that is new or goes away.
type pair struct{ before, after *lineage.Image }

// image is the one that there is.
func (p pair) image() lineage.Image { return *cmp.Or(p.after, p.before) }

// imagePairs are the images of both sides by their places, in the order of the places.
func imagePairs(before, after lineage.Contents) []pair {
	at := map[string]*pair{}
	var order []string
	add := func(images []lineage.Image, set func(p *pair, i *lineage.Image)) {
		for _, i := range images {
			place := i.File + " " + i.Path
			if at[place] == nil {
				at[place] = &pair{}
				order = append(order, place)
			}
			set(at[place], &i)
		}
	}
	add(before.AllImages(), func(p *pair, i *lineage.Image) { p.before = i })
	add(after.AllImages(), func(p *pair, i *lineage.Image) { p.after = i })
	slices.Sort(order)
	pairs := make([]pair, 0, len(order))
	for _, place := range order {
		pairs = append(pairs, *at[place])
	}
	return pairs
}

// releases are the releases of what a state consists of: the tags of its sources or, where those are not
// known, the app versions that its charts state.
func releases(c lineage.Contents) []string {
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
