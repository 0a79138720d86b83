package deployments

import (
	"context"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// explainIdle adds to a plan with nothing pending why that is so, if somebody
// is waited for: an upstream that has not deployed what the branch already has,
// or a gate that ends before it. What the upstream has deployed since the gate is the
// gate's to hold back, so the branch's newest commit says whether the upstream is waited for.
func (r *Repository) explainIdle(ctx context.Context, v *View, u rules, p *Plan) error {
	lag, err := r.upstreamLag(ctx, u, v.Head)
	if err != nil {
		return err
	}
	p.Waits = append(p.Waits, lag...)
	if p.Gate.Commit.Hash == v.Head.Hash {
		return nil
	}
	beyond, err := r.beyondGate(ctx, v, u, p)
	p.Waits = append(p.Waits, beyond...)
	return err
}

// upstreamLag names what the environment propagates and its upstream has not
// deployed as commit at has it.
func (r *Repository) upstreamLag(ctx context.Context, u rules, at *git.Commit) ([]string, error) {
	statePath := u.upstreamPath()
	if statePath == "" {
		return nil, nil
	}
	upstream, err := r.StateAt(ctx, at, statePath)
	if err != nil || upstream == nil {
		return nil, err
	}
	deployed := upstream.Current.ByPath()
	lagging := rules{config: u.config, environment: cepler.Environment{Name: u.environment.Name, Latest: u.environment.Propagated}}
	branch, err := r.latest(ctx, at, lagging)
	if err != nil {
		return nil, err
	}
	var behind []string
	for p, h := range branch.blobs {
		if was, ok := deployed[p]; ok && was.Hash != h {
			behind = append(behind, p)
		}
	}
	if len(behind) == 0 {
		return nil, nil
	}
	slices.Sort(behind)
	origins, err := cepler.Origins(ctx, history{r.store}, at.Hash.String(), behind[:1], nil)
	if err != nil {
		return nil, fmt.Errorf("find the commit that changed %s: %w", behind[0], err)
	}
	from := origins[behind[0]].Commit
	return []string{fmt.Sprintf("%s has not deployed %.7s: %s", u.environment.Passed, from, visible.List(behind, 1))}, nil
}

// beyondGate names what would be pending if the gate were open.
func (r *Repository) beyondGate(ctx context.Context, v *View, u rules, p *Plan) ([]string, error) {
	now, err := r.contentAt(ctx, v.Head, u)
	if err != nil {
		return nil, err
	}
	changes := cepler.Diff(current(p.Own), now.Snapshot)
	if len(changes) == 0 {
		return nil, nil
	}
	origin, err := r.trigger(ctx, position{commit: v.Head, rules: u, content: now})
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(changes))
	for i, change := range changes {
		paths[i] = change.Path
	}
	return []string{fmt.Sprintf("the gate is closed at %s, and %s (%s) is beyond it: %s; to open it, run taxiway gate open %s, or set %s to %s in %s of branch %s",
		short(p.Gate.Commit.Hash), short(origin.commit.Hash), subject(origin.commit), visible.List(paths, 1),
		v.Config.Deployment+"/"+p.Environment, p.Environment, short(origin.commit.Hash), r.src.GatesFile, r.src.GatesBranchName())}, nil
}
