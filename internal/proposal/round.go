package proposal

import (
	"context"
	"errors"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// round is one attempt, from what both branches were when it began.
type round struct {
	Bot
	refs
	edit Edit

	head *git.Commit // of the base
	on   *git.Commit
}

// run leaves the branch and the pull request as wanted, given that nobody else moves them. ErrNonFastForward
// says that somebody did.
func (r *round) run(ctx context.Context) (*Outcome, error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	branch, err := r.standing(ctx)
	edited := err
	if err != nil && !errors.Is(err, ErrEdited) {
		return nil, err
	}
	c, built, err := r.change(ctx, branch)
	switch {
	case err != nil:
		return nil, err
	case built == nil:
		return r.nothing(ctx, c, edited)
	case edited != nil:
		return nil, edited
	}
	out := &Outcome{On: r.on, Commit: built.Commit}
	if branch.is(r.on, built) {
		out.Commit = branch.tip
	} else if err := r.Remote.Push(ctx, r.Store, built, git.Update{Ref: r.botRef(), Old: r.bot, New: built.Hash}); err != nil {
		return nil, err
	}
	return out, r.pull(ctx, c, out)
}

// open makes the commits of the base readable.
func (r *round) open(ctx context.Context) error {
	if r.base.IsZero() {
		return r.noBase()
	}
	err := r.Store.Advance(ctx, r.baseRef(), r.base)
	if err == nil {
		r.head, err = r.Store.Commit(ctx, r.base)
	}
	if r.on = r.head; err == nil && !r.On.IsZero() {
		r.on, err = r.commit(ctx, r.On)
	}
	return err
}

// change builds the commit. What the branch holds counts only as long as nobody has decided about its
// pull request; the forge is asked only if it would be used.
func (r *round) change(ctx context.Context, branch standing) (*Change, *git.Built, error) {
	c, built, err := r.build(ctx, r.edit, r.on, branch.held, true)
	if err != nil || !c.Kept {
		return c, built, err
	}
	decided, err := r.decided(ctx, branch.tip.Hash)
	if err != nil || decided == nil {
		return c, built, err
	}
	return r.build(ctx, r.edit, r.on, Held{}, true)
}

// decided is the pull request of a commit on the bot's branch that was merged or closed; nil while one
// of the branch is open, and when the commit has none.
func (r *round) decided(ctx context.Context, tip git.Hash) (*forge.Pull, error) {
	pulls, err := r.Forge.PullsFrom(ctx, r.Branch)
	if err != nil {
		return nil, err
	}
	var found *forge.Pull
	for _, p := range pulls {
		if p.Open {
			return nil, nil //nolint:nilnil // nobody has decided
		}
		if p.HeadCommit == tip.String() && (found == nil || p.Merged) {
			found = p
		}
	}
	return found, nil
}

// pull keeps the pull request.
func (r *round) pull(ctx context.Context, c *Change, out *Outcome) error {
	text, err := c.Text(ctx)
	if err != nil {
		return err
	}
	out.Pull, out.Done, err = r.Forge.Ensure(ctx, forge.PullSpec{
		Head: r.Branch, Base: r.Base, Title: text.Title, Body: text.Body, Foot: text.Foot, Labels: r.Labels, Reviewers: r.Reviewers, Draft: r.Draft, KeepDraft: r.KeepDraft,
	})
	if err != nil {
		return fmt.Errorf("branch %s is pushed, but its pull request is not up to date; put again: %w", r.Branch, err)
	}
	out.Pull.HeadCommit = out.Commit.Hash.String() // the forge may not have seen the push yet
	return nil
}

// nothing ends a run whose change the base has already: an open pull request has nothing left.
func (r *round) nothing(ctx context.Context, c *Change, edited error) (*Outcome, error) {
	out := &Outcome{On: r.on}
	pull, err := r.Forge.Pull(ctx, r.Branch, r.Base)
	if errors.Is(err, forge.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if edited != nil {
		out.Left, out.LeftWhy = pull, edited
		return out, nil //nolint:nilerr // it is why the pull request is left, which the outcome says
	}
	out.Closed = pull
	reason := fmt.Sprintf("Closed: branch `%s` has everything that this pull request was for since %.7s.", r.Base, r.on.Hash)
	if c.Needless != "" {
		reason = "Closed: " + markdown.Text(c.Needless) + "."
	}
	return out, r.Forge.Close(ctx, pull.Number, reason)
}

// merge lets the forge merge the pull request, if that is wanted.
func (b Bot) merge(ctx context.Context, out *Outcome) error {
	if !b.Merge.On {
		return nil
	}
	err := b.Forge.AutoMerge(ctx, out.Pull, b.Merge.Method)
	if errors.Is(err, forge.ErrAutoMergeOff) && !b.RequireMerge {
		b.Logf("warning: %v", err)
		out.MergeOff, err = err, nil
	}
	return err
}
