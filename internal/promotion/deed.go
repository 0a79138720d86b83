package promotion

import (
	"context"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/gates"
)

// Verb is what a person does to a gate.
type Verb string

// The verbs.
const (
	Open     Verb = "open"     // lets the environment have everything that it can get
	Close    Verb = "close"    // lets it have nothing beyond what it runs
	Approve  Verb = "approve"  // is a person's approval of what it can get
	Freeze   Verb = "freeze"   // promotes nothing until somebody ends it
	Unfreeze Verb = "unfreeze" // ends that
	Resume   Verb = "resume"   // lets it have again what a rollback took back
)

// Deed is what a person does.
type Deed struct {
	Verb Verb
	// By is the person's name, for an approval.
	By string
	// Reason is why, for a freeze; it may be empty.
	Reason string
}

// Edited is a gates file after a deed, and the deed in words; they are the first line of its commit or, if the file is the same,
// why there is nothing to do.
type Edited struct {
	Data []byte
	What string
	// Opening is what the gate was opened to, or what was approved; nil for other deeds, and where there is nothing to do.
	Opening *deployments.Opening
}

// Apply works out what a deed makes of the gates file of the source's environment. view has the gates of that file.
func Apply(ctx context.Context, r *deployments.Repository, src deployments.Source, view *deployments.View, data []byte, d Deed) (Edited, error) {
	env := src.Environment
	switch d.Verb {
	case Open, Approve:
		return openOrApprove(ctx, r, src, view, data, d)
	case Close:
		at, err := r.Closing(ctx, view, env)
		if err != nil {
			return Edited{}, err
		}
		out, err := gates.SetCommit(src.GatesFile, data, env, at.Hash.String())
		return Edited{Data: out, What: fmt.Sprintf("gate: close %s at %.7s, which it runs", env, at.Hash)}, err
	case Freeze:
		out, err := gates.Freeze(src.GatesFile, data, env, d.Reason)
		return Edited{Data: out, What: "gate: freeze " + env}, err
	case Unfreeze:
		out, err := gates.Unfreeze(src.GatesFile, data, env)
		return Edited{Data: out, What: "gate: unfreeze " + env}, err
	case Resume:
		return resume(ctx, r, src, view, data)
	}
	return Edited{}, fmt.Errorf("there is no verb %q for a gate", d.Verb)
}

func openOrApprove(ctx context.Context, r *deployments.Repository, src deployments.Source, view *deployments.View, data []byte, d Deed) (Edited, error) {
	env := src.Environment
	o, err := r.Opening(ctx, view, env)
	switch {
	case err != nil:
		return Edited{}, err
	case o.Wait != "":
		return Edited{}, fmt.Errorf("there is nothing to open it to: %s", o.Wait)
	case o.Commit == nil:
		return Edited{Data: data, What: fmt.Sprintf("%s runs everything that it can get: nothing is left to %s", env, d.Verb)}, nil
	case d.Verb == Approve:
		out, err := gates.Approve(src.GatesFile, data, env, d.By, o.Commit.Hash.String())
		return Edited{out, fmt.Sprintf("gate: approve %.7s for %s", o.Commit.Hash, env), o}, err
	case o.Covered:
		return Edited{Data: data, What: fmt.Sprintf("the gate of %s is open to %.7s already", env, o.Commit.Hash)}, nil
	}
	out, err := gates.SetCommit(src.GatesFile, data, env, o.Commit.Hash.String())
	return Edited{out, fmt.Sprintf("gate: open %s up to %.7s", env, o.Commit.Hash), o}, err
}

// resume ends what the newest record holds back, if that is a rollback.
func resume(ctx context.Context, r *deployments.Repository, src deployments.Source, view *deployments.View, data []byte) (Edited, error) {
	env := src.Environment
	running, state, err := r.RunningNow(ctx, view, env)
	if err != nil {
		return Edited{}, err
	}
	back, err := r.RolledBack(ctx, view, env, state)
	if err != nil {
		return Edited{}, err
	}
	if running == nil || back == nil {
		return Edited{Data: data, What: fmt.Sprintf("%s was not rolled back: there is nothing to resume", env)}, nil
	}
	out, err := gates.Resume(src.GatesFile, data, env, running.Version)
	return Edited{Data: out, What: fmt.Sprintf("gate: resume %s after the rollback #%d", env, running.Version)}, err
}
