package chartbump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// ErrEdited says that the bot branch has something that this resource has not
// written.
var ErrEdited = errors.New("the branch was changed by someone else")

// mark is the trailer by which a bump's commit is known again: what it was built
// on, and its tree. A commit that a person changed or added has none that fits.
type mark struct{ parent, tree git.Hash }

const markTrailer = "Chart-Bump: "

// String is the trailer.
func (m mark) String() string { return markTrailer + m.parent.String() + " " + m.tree.String() }

// isOurs reports whether a commit is as a bump has made it.
func isOurs(c *git.Commit) bool {
	if len(c.Parents) != 1 {
		return false
	}
	own := mark{c.Parents[0], c.Tree}.String()
	return slices.Contains(strings.Split(c.Message, "\n"), own)
}

// branch makes the bot branch one commit on top of the base branch. It starts
// again when either branch moves meanwhile. It pushes nothing when the base holds
// the change already.
func (b *bumper) branch(ctx context.Context) (proposal, error) {
	loop := retry.Loop{
		What: fmt.Sprintf("update %s of %s", b.src.BotBranch, b.remote.URL()), Logf: b.step.Logf,
		Again: func(err error) (time.Duration, bool) { return 0, errors.Is(err, git.ErrMoved) },
	}
	return retry.Win(ctx, loop, func(bool) (proposal, error) { return b.branchOnce(ctx) })
}

func (b *bumper) branchOnce(ctx context.Context) (proposal, error) {
	refs, err := b.remote.Refs(ctx, b.src.baseRef(), b.src.botRef())
	if err != nil {
		return proposal{}, err
	}
	head, bot := refs[b.src.baseRef()], refs[b.src.botRef()]
	p, err := b.proposeOn(ctx, head)
	if err != nil || p.built == nil {
		return p, err
	}
	current, err := b.current(ctx, head, bot, p)
	if err != nil || current {
		return p, err
	}
	if err := b.remote.Push(ctx, b.store, p.built, git.Update{Ref: b.src.botRef(), Old: bot, New: p.built.Hash}); err != nil {
		return p, err
	}
	after, err := b.remote.Refs(ctx, b.src.baseRef(), b.src.botRef())
	if err == nil && (after[b.src.baseRef()] != head || after[b.src.botRef()] != p.built.Hash) {
		err = git.ErrMoved
	}
	return p, err
}

func (b *bumper) proposeOn(ctx context.Context, head git.Hash) (proposal, error) {
	if head.IsZero() {
		return proposal{}, b.noBase()
	}
	if err := b.store.Advance(ctx, b.src.baseRef(), head); err != nil {
		return proposal{}, err
	}
	base, err := b.store.Commit(ctx, head)
	if err != nil {
		return proposal{}, err
	}
	return b.propose(ctx, base)
}

// current reports whether the bot branch is as proposed already. It refuses a
// branch that someone else has changed.
func (b *bumper) current(ctx context.Context, head, bot git.Hash, p proposal) (bool, error) {
	if bot.IsZero() {
		return false, nil
	}
	if bot == head {
		return false, nil // nothing is on it
	}
	old, err := b.botCommit(ctx, bot, head)
	if errors.Is(err, ErrEdited) {
		// what a person did there may have been merged meanwhile
		merged, unknown := b.store.IsAncestor(ctx, bot, head)
		if unknown != nil {
			return false, unknown
		}
		if merged {
			return false, nil
		}
	}
	if err != nil {
		return false, err
	}
	if old.Parents[0] != head || old.Tree != p.built.Commit.Tree || len(old.Parents) != 1 {
		return false, nil
	}
	p.built.Hash, p.built.Commit, p.built.Objects = old.Hash, old, nil
	return true, nil
}

// botCommit gives the bot branch's commit, if all that is on the branch is a
// bump of this resource, on top of which the base may have been merged.
func (b *bumper) botCommit(ctx context.Context, bot, head git.Hash) (*git.Commit, error) {
	tip, err := b.commit(ctx, bot)
	if err != nil {
		return nil, err
	}
	if isOurs(tip) {
		return tip, nil
	}
	ok, err := b.isUpdated(ctx, tip, head)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("branch %s of %s: commit %.7s %q by %s is not a bump: merge or close its pull request, delete the branch, and put again: %w",
			b.src.BotBranch, b.remote.URL(), tip.Hash, subject(tip.Message), tip.Author.Name, ErrEdited)
	}
	return tip, nil
}

const maxMerges = 50 // of the base into a bot branch

// isUpdated recognises what GitHub's "Update branch" does: merges of the base
// into a bump, that hold exactly what the bump did.
func (b *bumper) isUpdated(ctx context.Context, tip *git.Commit, head git.Hash) (bool, error) {
	bump, base := tip, git.Hash{}
	for range maxMerges {
		if len(bump.Parents) != 2 {
			break
		}
		if base.IsZero() {
			base = bump.Parents[1]
		}
		var err error
		if bump, err = b.commit(ctx, bump.Parents[0]); err != nil {
			return false, err
		}
	}
	if base.IsZero() || !isOurs(bump) {
		return false, nil
	}
	merged, err := b.store.IsAncestor(ctx, base, head)
	if err != nil || !merged {
		return false, err
	}
	did, err := b.effect(ctx, bump.Parents[0], bump)
	if err != nil {
		return false, err
	}
	does, err := b.effect(ctx, base, tip)
	return err == nil && slices.Equal(did, does), err
}

// effect lists the changes of a commit against another one.
func (b *bumper) effect(ctx context.Context, before git.Hash, after *git.Commit) ([]string, error) {
	c, err := b.commit(ctx, before)
	if err != nil {
		return nil, err
	}
	var out []string
	everywhere := func(string) bool { return true }
	err = b.store.Diff(ctx, c.Tree, after.Tree, everywhere, func(name string, _, is *git.Entry) error {
		if is == nil {
			is = &git.Entry{}
		}
		out = append(out, fmt.Sprintf("%s %o %s", name, uint32(is.Mode), is.Hash))
		return nil
	})
	return out, err
}

func (b *bumper) commit(ctx context.Context, h git.Hash) (*git.Commit, error) {
	if err := b.store.NeedCommits(ctx, h); err != nil {
		return nil, err
	}
	return b.store.Commit(ctx, h)
}

func subject(message string) string {
	first, _, _ := strings.Cut(message, "\n")
	return first
}
