package ceplerin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Check offers the pending version of the environment after the given one. When
// no ref moved since the last check in this container, it costs one ref
// advertisement.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	c := check{src: src.Source, given: given, now: time.Now(), logf: step.Logf, remote: remote}
	cache, err := deployments.OpenCache(os.TempDir(), src.Source)
	if err != nil {
		step.Logf("checking without a cache: %v", err)
		return c.uncached(ctx)
	}
	defer func() { _ = cache.Close() }()
	return c.cached(ctx, cache)
}

// check is one question to the repository.
type check struct {
	src    deployments.Source
	given  *Version
	now    time.Time
	logf   deployments.Logf
	remote *git.Remote
}

// outcome is what the repository says, and how long it holds.
type outcome struct {
	versions []Version
	notes    []string
	refs     deployments.Refs
	until    time.Time
}

func (c check) uncached(ctx context.Context) ([]Version, error) {
	refs, err := c.remote.Refs(ctx, c.src.RefNames()...)
	if err != nil {
		return nil, err
	}
	out, err := c.answer(ctx, refs, "")
	return out.versions, err
}

func (c check) cached(ctx context.Context, cache *deployments.Cache) ([]Version, error) {
	refs, err := c.remote.Refs(ctx, cache.RefNames(c.src, c.given)...)
	if err != nil {
		return nil, err
	}
	if versions, notes, ok := cache.Answer(c.src, c.given, refs, c.now); ok {
		c.print(notes)
		return versions, nil
	}
	out, err := c.answer(ctx, refs, cache.StoreDir())
	if errors.Is(err, git.ErrDamaged) || errors.Is(err, git.ErrNotFound) {
		if err := cache.Forget(); err != nil {
			return nil, fmt.Errorf("remove the cache: %w", err)
		}
		out, err = c.answer(ctx, refs, cache.StoreDir())
	}
	if err != nil {
		return nil, err
	}
	if err := cache.Keep(c.src, c.given, out.refs, out.until, out.versions, out.notes); err != nil {
		c.logf("the answer was not kept: %v", err)
	}
	return out.versions, nil
}

// answer reads the repository, with its objects in storeDir.
func (c check) answer(ctx context.Context, refs deployments.Refs, storeDir string) (outcome, error) {
	conn, err := deployments.Attach(c.src, c.remote, storeDir, c.logf)
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = conn.CloseStore() }()
	view, err := conn.View(ctx, refs)
	if err != nil {
		return outcome{}, err
	}
	plan, err := conn.Plan(ctx, view, c.src.Environment, c.now)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{notes: explain(plan), refs: view.Refs, until: plan.Until}
	if c.given == nil {
		out.notes = append(out.notes, history(plan)...)
	}
	out.versions, err = conn.Offer(ctx, plan, c.given)
	c.print(out.notes)
	return out, err
}

// history says how Concourse learns the versions of an environment again that has nothing to deploy: a
// check that named them by itself would start a job with the last one.
func history(p *deployments.Plan) []string {
	if p.Own == nil || p.Offered() {
		return nil
	}
	first := uint64(1)
	if p.Own.Version > deployments.HistoryLength {
		first = p.Own.Version - deployments.HistoryLength + 1
	}
	return []string{fmt.Sprintf("%s runs #%d (%.7s); to have its history in Concourse: fly -t TARGET check-resource -r PIPELINE/RESOURCE --from version:%d",
		p.Environment, p.Own.Version, p.Own.Current.Head, first)}
}

func (c check) print(notes []string) {
	for _, note := range notes {
		c.logf("%s", note)
	}
}

// explain is what a person wants to know about a plan, in a line or a few.
func explain(p *deployments.Plan) []string {
	var notes []string
	if p.Pending() {
		v := p.Version()
		notes = append(notes, fmt.Sprintf("%s: version %s is pending since %.7s %s", p.Environment, v.Version, v.Trigger, p.Subject()))
		for i, change := range p.Changes {
			if i == maxShown {
				notes = append(notes, fmt.Sprintf("  and %d more", len(p.Changes)-i))
				break
			}
			notes = append(notes, fmt.Sprintf("  %s %s", change.Kind, change.Path))
		}
	}
	if b := p.Rollback; b != nil && b.Released != "" {
		notes = append(notes, fmt.Sprintf("%s goes on after the rollback from #%d: %s", p.Environment, b.Of, b.Released))
	}
	for _, why := range p.Waits {
		notes = append(notes, fmt.Sprintf("%s waits: %s", p.Environment, why))
	}
	if !p.Pending() && len(p.Waits) == 0 {
		notes = append(notes, p.Environment+": nothing new")
	}
	if !p.Until.IsZero() {
		notes = append(notes, fmt.Sprintf("%s: looks again at %s", p.Environment, strings.TrimSuffix(p.Until.UTC().Format(time.RFC3339), "Z")+" UTC"))
	}
	return notes
}

// maxShown bounds the changed files that a check lists.
const maxShown = 10
