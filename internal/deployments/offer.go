package deployments

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Subject is the first line of the trigger's message.
func (p *Plan) Subject() string { return subject(p.Trigger) }

// Offer is what a check answers: the given version, and the pending one after
// it if that is another and may be deployed.
func (r *Repository) Offer(ctx context.Context, p *Plan, given *Version) ([]Version, error) {
	answer := []Version{}
	if given != nil {
		answer = append(answer, *given)
	}
	if !p.Offered() {
		return answer, nil
	}
	next := p.Version()
	if given == nil {
		return []Version{next}, nil
	}
	stands, err := r.stillStands(ctx, p, *given, next)
	if err != nil || stands {
		return answer, err
	}
	return append(answer, next), nil
}

// stillStands reports whether the given version is the pending one: it has the
// same trigger and content (the queue may bring another content with the same
// trigger), or it was offered for the same content, was not deployed yet and
// a merge has since taken its commit off the line of first parents. A content
// that went away on that line and came back is a new version.
func (r *Repository) stillStands(ctx context.Context, p *Plan, given, next Version) (bool, error) {
	if given.Trigger == next.Trigger {
		return given.Files == "" || given.Files == next.Files, nil
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

// ExplainLocal explains the clone that store reads, without a network.
func ExplainLocal(ctx context.Context, src Source, store *git.Store, now time.Time, environments ...string) (*Explanation, error) {
	r := NewRepository(src, localRefs{store}, store, func(string, ...any) {})
	refs, err := r.refs(ctx, src.RefNames()...)
	if err != nil {
		return nil, err
	}
	view, err := r.View(ctx, refs)
	if err != nil {
		return nil, err
	}
	return r.Explain(ctx, view, now, environments...)
}

// localRefs are a clone's: a branch that was not checked out is the remote's.
type localRefs struct{ store *git.Store }

// Refs looks the refs up in the clone.
func (l localRefs) Refs(ctx context.Context, names ...string) (map[string]git.Hash, error) {
	all, err := l.store.Refs(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]git.Hash{}
	for _, name := range names {
		for _, candidate := range []string{name, strings.Replace(name, "refs/heads/", "refs/remotes/origin/", 1)} {
			if h, ok := all[candidate]; ok {
				found[name] = h
				break
			}
		}
		if h, ok := all[name+"^{}"]; ok {
			found[name+"^{}"] = h
		}
	}
	return found, nil
}
