package deployments

import (
	"context"
	"errors"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Opening is how far an environment's gate would have to be opened for it to get everything that the
// environment before it has recorded, and its own newest files.
type Opening struct {
	// Own is the environment's recorded state; nil before the first record.
	Own *cepler.State
	// Gate is where its view ends now; nil when the gates file has no gate for it.
	Gate *Gate
	// Commit is the oldest commit of the branch that has all of it. It is nil when the environment has
	// everything, or can't get anything yet.
	Commit *git.Commit
	// Covered says that the gate is at that commit already, or after it.
	Covered bool
	// Changes are the differences to what is recorded, by key.
	Changes []cepler.Change
	// Wait says why the environment can't get anything yet; "" otherwise.
	Wait string

	content *content
}

// Snapshot is the state that the environment would end up with.
func (o *Opening) Snapshot() cepler.Snapshot {
	s := o.content.Snapshot
	s.Head = o.Commit.Hash.String()
	return s
}

// Opening works out how far the gate of an environment would have to be opened. The way there may lead
// over several states of the environment before it, each deployed in turn; what counts is the last one.
func (r *Repository) Opening(ctx context.Context, v *View, environment string) (*Opening, error) {
	env, err := v.Config.Environment(environment)
	if err != nil {
		return nil, fmt.Errorf("source.environment: %w", err)
	}
	out := &Opening{}
	if out.Own, err = r.own(ctx, v, env); err != nil {
		return nil, err
	}
	if err := r.gateOf(ctx, v, out, env.Name); err != nil {
		return nil, err
	}
	u := rules{config: v.Config, configHash: v.configHash, environment: env, own: out.Own, ignoreQueue: true}
	err = r.upstreamDeployed(ctx, v, u, &Gate{Commit: v.Head})
	if errors.Is(err, errNothingYet) {
		out.Wait = reason(err)
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return out, r.open(ctx, v, u, out)
}

// gateOf fills in the gate, if the environment has one. A gate that can't be resolved is not an error here: it is
// about to be moved.
func (r *Repository) gateOf(ctx context.Context, v *View, out *Opening, environment string) error {
	if v.Gates != nil {
		if _, ok := v.Gates.For(environment); !ok {
			return nil
		}
	}
	gate, err := r.gate(ctx, v, environment)
	if errors.Is(err, errNoCommit) || errors.Is(err, errOffBranch) {
		r.logf("%v", err)
		return nil
	}
	out.Gate = gate
	return err
}

// open fills in what is at the end of the way, and the commit that it became complete with.
func (r *Repository) open(ctx context.Context, v *View, u rules, out *Opening) error {
	start, err := r.contentAt(ctx, v.Head, u)
	if err != nil {
		return err
	}
	pending, err := r.pending(ctx, &Plan{Own: out.Own, Gate: &Gate{Commit: v.Head}}, u, start)
	if err != nil || pending == nil {
		return err
	}
	out.Commit, out.Changes, out.content = pending.commit, pending.changes, pending.content
	if out.Gate != nil {
		out.Covered, err = r.isAncestor(ctx, out.Commit.Hash, out.Gate.Commit.Hash)
	}
	return err
}

// WithGates is the view with other gates.
func (v *View) WithGates(gates *cepler.Gates) *View {
	other := *v
	other.Gates = gates
	return &other
}

// ErrNotClosable says that no commit closes a gate.
var ErrNotClosable = errors.New("no commit closes the gate")

// Closing is the commit that the gate of an environment must be at so that it gets nothing more than it has:
// the one that recorded its state or, where more was there by then, the one that was deployed.
func (r *Repository) Closing(ctx context.Context, v *View, environment string) (*git.Commit, error) {
	env, err := v.Config.Environment(environment)
	if err != nil {
		return nil, fmt.Errorf("source.environment: %w", err)
	}
	statePath := v.Config.StatePath(environment)
	rec, err := r.recordOf(ctx, v.Head, statePath)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("%w of %s: it was never deployed; remove its line from the gates file instead", ErrNotClosable, environment)
	}
	candidates := []*git.Commit{rec.commit}
	if h, ok := parseHash(rec.state.Current.Head); ok {
		if c, err := r.store.Commit(ctx, h); err == nil {
			candidates = append(candidates, c)
		}
	}
	u := rules{config: v.Config, configHash: v.configHash, environment: env, own: rec.state, ignoreQueue: r.src.IgnoreQueue}
	for _, c := range candidates {
		there, err := r.contentAt(ctx, c, u)
		if err != nil {
			return nil, err
		}
		changes, err := r.changes(ctx, rec.state, there)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w of %s: neither the commit that recorded it nor the one that was deployed has just what it runs; freeze: true in the gates file holds it", ErrNotClosable, environment)
}
