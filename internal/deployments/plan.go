package deployments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Plan says what one environment would deploy now, and if it may.
type Plan struct {
	Environment string
	// Own is the environment's recorded state; nil before the first record.
	Own *cepler.State
	// Gate is where the environment's view ends; nil when it has none yet.
	Gate *Gate
	// Trigger is the commit the pending state became complete with; nil when
	// nothing is pending.
	Trigger *git.Commit
	// Changes are the differences to what is recorded, by key.
	Changes []cepler.Change
	// Waits are the reasons why the pending state, or the next one, is not
	// offered; empty when it is, or when there is none.
	Waits []string
	// Denied are the rules of the gate that hold the pending state back.
	Denied []cepler.Rule
	// Warnings are what of the config has no effect on this environment: a key, a pattern that matches
	// nothing, a submodule.
	Warnings []string
	// Until is when Waits should be looked at again; zero when only a commit
	// can change them.
	Until time.Time
	// Rollback is the rollback that the newest record is; nil when it is an ordinary one, or when nothing
	// of what is pending could be held by it.
	Rollback *Rollback

	view    *View
	content *content
	config  string // see Version.Config
}

// Pending reports whether there is a state to deploy.
func (p *Plan) Pending() bool { return p.Trigger != nil }

// Offered reports whether the pending state may be deployed now.
func (p *Plan) Offered() bool { return p.Pending() && len(p.Waits) == 0 }

// Version is the pending state's.
func (p *Plan) Version() Version {
	return Version{
		Trigger: p.Trigger.Hash.String(),
		Version: strconv.FormatUint(p.next(), 10),
		Files:   p.content.contentDigest(),
		Config:  p.config,
	}
}

// Snapshot is the pending state, as a record would have it but for the origins
// of the files that the environment takes from its own commit.
func (p *Plan) Snapshot() cepler.Snapshot {
	s := p.content.Snapshot
	s.Head = p.Trigger.Hash.String()
	return s
}

// next is the number the next record gets.
func (p *Plan) next() uint64 {
	if p.Own == nil {
		return 1
	}
	return p.Own.Version + 1
}

// Plan works out what environment would deploy at the time now. An environment
// that can't have a state yet has a plan that says why it waits.
func (r *Repository) Plan(ctx context.Context, v *View, environment string, now time.Time) (*Plan, error) {
	env, err := v.Config.Environment(environment)
	if err != nil {
		return nil, fmt.Errorf("source.environment: %w", err)
	}
	p := &Plan{Environment: environment, Warnings: slices.Clone(v.Config.Warnings(environment)), view: v}
	err = r.fill(ctx, v, p, env, now)
	if errors.Is(err, errNothingYet) {
		p.Waits = append(p.Waits, reason(err))
		return p, nil
	}
	return p, err
}

// fill does Plan's work; errNothingYet means that p is to say so.
func (r *Repository) fill(ctx context.Context, v *View, p *Plan, env cepler.Environment, now time.Time) error {
	var err error
	if p.Own, err = r.own(ctx, v, env); err != nil {
		return err
	}
	if p.Gate, err = r.gate(ctx, v, env.Name); err != nil {
		return err
	}
	if name := stranger(v, env.Name); name != "" {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s of branch %s has a gate for %s, which is not an environment of %s (is that a misspelt %s?); the gate that counts is %q",
			r.src.GatesFile, r.src.GatesBranchName(), name, v.Config.Path, env.Name, p.Gate.Gate.Commit))
	}
	u := rules{config: v.Config, configHash: v.configHash, environment: env, ignoreQueue: r.src.IgnoreQueue, own: p.Own}
	if err := r.upstreamDeployed(ctx, v, u, p.Gate); err != nil {
		return err
	}
	start, err := r.contentAt(ctx, p.Gate.Commit, u)
	if err != nil {
		return err
	}
	if err := r.warn(ctx, p, u, start); err != nil {
		return err
	}
	pending, err := r.pending(ctx, p, u, start)
	if err == nil && pending != nil {
		pending, err = r.passBack(ctx, v, p, u, pending)
	}
	if err != nil {
		return err
	}
	if pending == nil {
		return r.explainIdle(ctx, v, u, p)
	}
	p.Trigger, p.content, p.Changes = pending.commit, pending.content, pending.changes
	if err := r.nameConfig(ctx, v, p); err != nil {
		return err
	}
	return r.decide(ctx, v, p, now)
}

// own is the state of an environment at the head of the branch; what it passed is fetched with it.
func (r *Repository) own(ctx context.Context, v *View, env cepler.Environment) (*cepler.State, error) {
	wanted := []string{env.Name}
	if env.Passed != "" {
		wanted = append(wanted, env.Passed)
	}
	if err := r.needStates(ctx, v.Head, v.Config, wanted...); err != nil {
		return nil, err
	}
	return r.StateAt(ctx, v.Head, v.Config.StatePath(env.Name))
}

// pendingState is what an environment would deploy by some rules.
type pendingState struct {
	origin
	changes []cepler.Change
}

// pending is what the environment would deploy by the rules u, by which it has the content start at its
// gate; nil when it has that already.
func (r *Repository) pending(ctx context.Context, p *Plan, u rules, start *content) (*pendingState, error) {
	changes, err := r.changes(ctx, p.Own, start)
	if err != nil {
		return nil, err
	}
	if p.Own == nil {
		r.store.ExpectFar() // nothing recorded ends the walk
	} else if len(changes) == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	origin, err := r.trigger(ctx, position{commit: p.Gate.Commit, rules: u, content: start})
	if err != nil {
		return nil, err
	}
	return &pendingState{origin, changes}, nil
}

// changes are the differences between what is recorded and a content; of modes only if there are no others.
func (r *Repository) changes(ctx context.Context, own *cepler.State, now *content) ([]cepler.Change, error) {
	changes := cepler.Diff(current(own), now.Snapshot)
	if len(changes) > 0 || own == nil {
		return changes, nil
	}
	return r.modeChanges(ctx, own, now)
}

// passBack is what the environment may deploy of what is pending if its newest record is a rollback: the
// oldest state of the upstream's queue that does not bring back what was taken back or, when all of them
// do, the newest. It is nil when the newest is what runs.
func (r *Repository) passBack(ctx context.Context, v *View, p *Plan, u rules, first *pendingState) (*pendingState, error) {
	ordinary, err := r.followsRecord(ctx, v, p, u, first)
	if err != nil || ordinary {
		return first, err
	}
	if p.Rollback, err = r.rollback(ctx, v, p.Environment, p.Own); err != nil || p.Rollback == nil {
		return first, err
	}
	u.skip = map[string]bool{}
	for at := first; ; {
		if err := r.hold(ctx, v, u, p.Gate, at.content, p.Rollback); err != nil {
			return nil, err
		}
		head := at.content.PropagatedHead
		if !p.Rollback.Held || head == "" || u.skip[head] {
			return at, nil
		}
		u.skip[head] = true
		start, err := r.contentAt(ctx, p.Gate.Commit, u)
		if err != nil {
			return nil, err
		}
		next, err := r.pending(ctx, p, u, start)
		if err != nil {
			return nil, err
		}
		if next == nil {
			p.Rollback = nil
			return nil, nil //nolint:nilnil // documented
		}
		if u.skip[next.content.PropagatedHead] {
			return at, nil // there is no newer one
		}
		at = next
	}
}

// followsRecord reports whether the pending state is an ordinary next step: where it began, the
// environment's newest record was there and nothing else was pending, and what came from upstream was
// changed later than that record. No rollback holds such a state. To find out costs no request.
func (r *Repository) followsRecord(ctx context.Context, v *View, p *Plan, u rules, s *pendingState) (bool, error) {
	if p.Own == nil || s.before == nil {
		return p.Own == nil, nil
	}
	statePath := v.Config.StatePath(u.environment.Name)
	if recorded, err := r.hasRecord(ctx, s.before.commit.Hash.String(), statePath, p.Own); err != nil || !recorded {
		return false, err
	}
	if changes, err := r.changes(ctx, p.Own, s.before.content); err != nil || len(changes) > 0 {
		return false, err
	}
	for _, change := range s.changes {
		if source, _ := cepler.SplitKey(change.Key); source == latestSource {
			continue
		}
		if change.After == nil {
			return false, nil
		}
		from, ok := parseHash(change.After.From)
		if !ok || !r.store.Has(from) {
			return false, nil
		}
		if since, err := r.hasRecord(ctx, change.After.From, statePath, p.Own); err != nil || !since {
			return false, err
		}
	}
	return true, nil
}

// upstreamDeployed is errNothingYet while the environment that must be passed
// was never recorded, or only after the gate.
func (r *Repository) upstreamDeployed(ctx context.Context, v *View, u rules, g *Gate) error {
	p := u.upstreamPath()
	if p == "" {
		return nil
	}
	passed := u.environment.Passed
	head, err := r.StateAt(ctx, v.Head, p)
	if err != nil {
		return err
	}
	if head == nil {
		return fmt.Errorf("%w: %s has not been deployed yet", errNothingYet, passed)
	}
	if g.Commit.Hash == v.Head.Hash {
		return nil
	}
	gated, err := r.StateAt(ctx, g.Commit, p)
	if err != nil {
		return err
	}
	if gated == nil {
		return r.gateBeforeRecord(ctx, v, u, g)
	}
	return nil
}

// gateBeforeRecord says which commit the gate must be at for the environment to see what the upstream runs:
// the one with the record, as the commit that was deployed is older than its record.
func (r *Repository) gateBeforeRecord(ctx context.Context, v *View, u rules, g *Gate) error {
	for c, err := range r.historyOf(ctx, v.Head.Hash, u.upstreamPath(), 0) {
		if err != nil {
			return fmt.Errorf("find the record of %s: %w", u.environment.Passed, err)
		}
		return fmt.Errorf("%w: at the gate %s %s had not been deployed yet; to open it, run taxiway gate open %s, or set %s to %s, the commit that recorded the deployment, in %s of branch %s",
			errNothingYet, short(g.Commit.Hash), u.environment.Passed, v.Config.Deployment+"/"+u.environment.Name, u.environment.Name, short(c.Hash), r.src.GatesFile, r.src.GatesBranchName())
	}
	return fmt.Errorf("%w: at the gate %s %s had not been deployed yet; move the gate to a later commit", errNothingYet, short(g.Commit.Hash), u.environment.Passed)
}

// nameConfig notes the config's commit when a later reader could not find out
// from the trigger alone.
func (r *Repository) nameConfig(ctx context.Context, v *View, p *Plan) error {
	if p.Trigger.Hash != p.Gate.Commit.Hash || p.Trigger.Hash == v.Head.Hash {
		return nil
	}
	_, h, err := r.configAt(ctx, p.Trigger)
	if err == nil && h == v.configHash {
		return nil
	}
	if err != nil && !isNotExist(err) && !isBroken(err) {
		return err
	}
	p.config = v.Head.Hash.String()
	return nil
}

// decide asks the gate's rules, if no rollback holds the version.
func (r *Repository) decide(ctx context.Context, v *View, p *Plan, now time.Time) error {
	if p.Rollback != nil && p.Rollback.Held {
		p.Waits = append(p.Waits, p.Rollback.why(p.Trigger, r.resume(v, p.Rollback, p.Environment)))
		return nil
	}
	var failed error
	facts := cepler.Facts{Now: now, Approved: func(name string) bool {
		covers, err := r.covers(ctx, v, name, p.Trigger.Hash)
		failed = errors.Join(failed, err)
		return covers
	}}
	if source, ok := propagates(p.Changes); ok && p.Gate.Soak > 0 {
		facts.Upstream = source
		var err error
		if facts.UpstreamRecorded, err = r.recordedAt(ctx, v, p); err != nil {
			return err
		}
	}
	verdict := p.Gate.Decide(facts)
	if !verdict.Open {
		p.Waits, p.Until, p.Denied = verdict.Reasons, verdict.Until, verdict.Rules
	}
	return failed
}

// propagates is the environment that any of the changes comes from.
func propagates(changes []cepler.Change) (string, bool) {
	for _, change := range changes {
		if source, _ := cepler.SplitKey(change.Key); source != latestSource {
			return source, true
		}
	}
	return "", false
}

// recordedAt is when the upstream recorded the state that is pending: the oldest
// of the consecutive commits in which that state is its current one.
func (r *Repository) recordedAt(ctx context.Context, v *View, p *Plan) (time.Time, error) {
	statePath := v.Config.StatePath(v.Config.Environments[p.Environment].Passed)
	at := p.Trigger.Committer.When
	found := false
	for c, err := range r.historyOf(ctx, p.Gate.Commit.Hash, statePath, 0) {
		var state *cepler.State
		if err == nil {
			state, err = r.StateAt(ctx, c, statePath)
		}
		if err != nil {
			return at, fmt.Errorf("find when %s was recorded: %w", statePath, err)
		}
		pending := state != nil && state.Current.Head == p.content.PropagatedHead
		if state == nil || found && !pending {
			break
		}
		if pending {
			at, found = c.Committer.When, true
		}
	}
	return at, nil
}

// covers reports whether somebody who approved what name points to has seen
// trigger. A name that points to nothing covers nothing, and is mentioned.
func (r *Repository) covers(ctx context.Context, v *View, name string, trigger git.Hash) (bool, error) {
	h, err := r.resolve(ctx, v, name)
	if errors.Is(err, errNoCommit) {
		r.logf("an approval in %s does not count: %v", r.src.GatesFile, err)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("approval of %q: %w", name, err)
	}
	on, err := r.store.IsAncestor(ctx, trigger, h)
	if errors.Is(err, git.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("approval of %q: %w", name, err)
	}
	return on, nil
}

// reason is err's text without the sentinel in front.
func reason(err error) string { return strings.TrimPrefix(err.Error(), errNothingYet.Error()+": ") }
