package deployments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Subject is the first line of the trigger's message.
func (p *Plan) Subject() string { return subject(p.Trigger) }

// Offer is what a check answers: the given version while it is on the branch, and the pending one after
// it if that is another and may be deployed.
//
// Without a given version the pending one comes after the environment's last records, so that they can be
// pinned; with nothing to deploy the answer is empty, as whatever came last in it would be deployed. A
// given version that is a number alone stands for the record with that number and all after it.
func (r *Repository) Offer(ctx context.Context, p *Plan, given *Version) ([]Version, error) {
	var answer []Version
	var err error
	switch {
	case given == nil:
		if !p.Offered() {
			return []Version{}, nil
		}
		answer, err = r.newest(ctx, p, HistoryLength)
	case given.isNumber():
		answer, err = r.since(ctx, p, given.number())
	default:
		var stands bool
		if answer, stands, err = r.after(ctx, p, *given); stands {
			return answer, err
		}
	}
	if err != nil || !p.Offered() {
		return answer, err
	}
	return append(answer, p.Version()), nil
}

// after is the answer so far to a check with a given version. It stands when there is nothing to add.
func (r *Repository) after(ctx context.Context, p *Plan, given Version) (answer []Version, stands bool, err error) {
	if p.Offered() {
		if stands, err = r.stillStands(ctx, p, given, p.Version()); err != nil || stands {
			return []Version{given}, true, err
		}
	}
	on, err := r.onBranch(ctx, p, given)
	if err != nil {
		return nil, true, err
	}
	if on {
		return []Version{given}, false, nil
	}
	r.logf("version %s (%.7s) is left out: branch %s was rewritten and does not have its commit any more", given.Version, given.Trigger, r.src.Branch)
	if p.Offered() || p.Own == nil {
		return []Version{}, false, nil
	}
	answer, err = r.newest(ctx, p, 1)
	return answer, false, err
}

// onBranch reports whether a version's trigger is on the branch. What is recorded counts as such.
func (r *Repository) onBranch(ctx context.Context, p *Plan, given Version) (bool, error) {
	if p.Own != nil && p.Own.Current.Head == given.Trigger {
		return true, nil
	}
	h, ok := parseHash(given.Trigger)
	if !ok {
		return false, nil
	}
	return r.isAncestor(ctx, h, p.view.Head.Hash)
}

// newest are the versions of the environment's last records, the oldest first.
func (r *Repository) newest(ctx context.Context, p *Plan, n int) ([]Version, error) {
	return r.recorded(ctx, p, 0, n)
}

// since are the versions of the environment's records from a number on, the oldest first; the current one
// when that number is not recorded.
func (r *Repository) since(ctx context.Context, p *Plan, number uint64) ([]Version, error) {
	if p.Own == nil {
		return []Version{}, nil
	}
	if number > p.Own.Version {
		r.logf("version %d of %s is not recorded; the newest record is #%d", number, p.Environment, p.Own.Version)
		number = p.Own.Version
	}
	limit := maxRecords
	if want := p.Own.Version - number + 1; want < maxRecords {
		limit = int(want)
	} else if want > maxRecords {
		r.logf("only the last %d records of %s are listed", maxRecords, p.Environment)
	}
	return r.recorded(ctx, p, number, limit)
}

func (r *Repository) recorded(ctx context.Context, p *Plan, first uint64, limit int) ([]Version, error) {
	if p.Own == nil {
		return []Version{}, nil
	}
	config := p.view.Config
	records, err := r.recordsFrom(ctx, p.view.Head, config.StatePath(p.Environment), first, limit)
	if err != nil {
		return nil, err
	}
	return r.versionsOf(ctx, rules{config: config, environment: config.Environments[p.Environment]}, records)
}

// stillStands reports whether the given version is the pending one: it has the
// same trigger and content (the queue may bring another content with the same
// trigger), or it was offered for the same content, was not deployed yet and
// a merge has since taken its commit off the line of first parents. A content
// that went away on that line and came back is a new version.
//
// After a rollback that holds nothing back any more, the pending version is a new one although the given
// one, which was deployed before it, may have the same trigger.
func (r *Repository) stillStands(ctx context.Context, p *Plan, given, next Version) (bool, error) {
	if p.Rollback != nil && given.number() <= p.Own.Version {
		return false, nil
	}
	if given.Trigger == next.Trigger {
		return given.Files == next.Files || given.Files == "" && p.standsUnnamed(given), nil
	}
	h, ok := parseHash(given.Trigger)
	if !ok || given.Files != next.Files || given.number() != p.next() {
		return false, nil
	}
	on, err := r.store.IsAncestor(ctx, h, p.Gate.Commit.Hash)
	if errors.Is(err, git.ErrNotFound) || (err == nil && !on) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for version %.7s on the branch: %w", given.Trigger, err)
	}
	line, err := r.onFirstParents(ctx, h, p.Trigger)
	return !line && err == nil, err
}

// standsUnnamed is whether a version of the Rust resource, which does not name its content, is the pending one of the same
// trigger. If it is recorded it is another one, unless the two differ in nothing but what a task changed in the folder.
func (p *Plan) standsUnnamed(given Version) bool {
	if p.Own == nil || p.Own.Current.Head != given.Trigger || given.number() > p.Own.Version {
		return true
	}
	return !slices.ContainsFunc(p.Changes, func(c cepler.Change) bool {
		source, _ := cepler.SplitKey(c.Key)
		soiled := c.Before != nil && c.Before.Dirty && c.After != nil
		return !soiled || source != latestSource && c.Before.From != c.After.From
	})
}

// clockSkew is how much later than its child a commit may be dated.
const clockSkew = 24 * time.Hour

// onFirstParents reports whether wanted, an ancestor of from, is on from's line
// of first parents.
func (r *Repository) onFirstParents(ctx context.Context, wanted git.Hash, from *git.Commit) (bool, error) {
	target, err := r.store.Commit(ctx, wanted)
	if err != nil {
		return false, fmt.Errorf("read commit %s: %w", short(wanted), err)
	}
	for c := from; !c.Committer.When.Before(target.Committer.When.Add(-clockSkew)); {
		if c.Hash == wanted {
			return true, nil
		}
		parents, err := r.store.Parents(ctx, c.Hash)
		if err != nil {
			return false, fmt.Errorf("walk back from %s: %w", short(c.Hash), err)
		}
		if len(parents) == 0 {
			return false, nil
		}
		if c, err = r.store.Commit(ctx, parents[0]); err != nil {
			return false, fmt.Errorf("walk back from %s: %w", short(parents[0]), err)
		}
	}
	return false, nil
}
