package ceplerin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/memo"
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
	decides := src.Source
	decides.Access = git.Access{URI: src.URI, Branch: src.Branch}
	q := memo.Question{Kind: "cepler-in", Branch: src.Branch, Refs: src.RefNames(), Parts: []any{decides, given}, Logf: step.Logf}
	now := time.Now()
	answer, err := memo.Check(ctx, remote, q, now, func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (memo.Answer[Version], error) {
		look := deployments.OneLook(remote, src.RefNames(), refs)
		return answer(ctx, deployments.NewRepository(src.Source, look, store, step.Logf), src.Environment, given, refs, now)
	})
	for _, note := range answer.Notes {
		step.Logf("%s", note)
	}
	return answer.Versions, err
}

// answer is what the repository says at the time now. An error comes with the notes so far.
func answer(ctx context.Context, r *deployments.Repository, environment string, given *Version, refs deployments.Refs, now time.Time) (memo.Answer[Version], error) {
	view, err := r.View(ctx, refs)
	if err != nil {
		return memo.Answer[Version]{}, err
	}
	plan, err := r.Plan(ctx, view, environment, now)
	if err != nil {
		return memo.Answer[Version]{}, err
	}
	out := memo.Answer[Version]{Notes: explain(plan), Refs: view.Refs, Until: plan.Until}
	for _, text := range slices.Concat(view.Config.Warnings(""), plan.Warnings) {
		out.Notes = append(out.Notes, "warning: "+text)
	}
	if given == nil {
		out.Notes = append(out.Notes, history(plan)...)
	}
	out.Versions, err = r.Offer(ctx, plan, given)
	return out, err
}

// history says how Concourse learns the versions of an environment again that has nothing to deploy: a
// check that named them by itself would start a job with the last one.
func history(p *deployments.Plan) []string {
	if p.Own == nil || p.Offered() {
		return nil
	}
	first := p.Own.Version - min(p.Own.Version, deployments.HistoryLength) + 1
	return []string{fmt.Sprintf("%s runs #%d (%.7s); to have its history in Concourse: fly -t TARGET check-resource -r PIPELINE/RESOURCE --from version:%d",
		p.Environment, p.Own.Version, p.Own.Current.Head, first)}
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
