package proposal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// mark is the trailer by which a bot knows its own commits.
type mark struct {
	owner        string
	parent, tree git.Hash
}

const markTrailer = "Proposal: "

// String is the trailer.
func (m mark) String() string {
	return fmt.Sprintf("%s%s %s %s", markTrailer, m.owner, m.parent, m.tree)
}

// markOf reads the last such trailer of a message.
func markOf(message string) (m mark, ok bool) {
	for line := range strings.SplitSeq(message, "\n") {
		text, isMark := strings.CutPrefix(strings.TrimSpace(line), markTrailer)
		fields := strings.Fields(text)
		if isMark && len(fields) == 3 && plumbing.IsHash(fields[1]) && plumbing.IsHash(fields[2]) {
			m, ok = mark{fields[0], plumbing.NewHash(fields[1]), plumbing.NewHash(fields[2])}, true
		}
	}
	return m, ok
}

// own reports a commit that is as the bot made it.
func (r *round) own(c *git.Commit) bool {
	m, ok := markOf(c.Message)
	return ok && m.owner == r.Owner && m.tree == c.Tree && len(c.Parents) == 1 && m.parent == c.Parents[0]
}

// standing is what the bot's branch is.
type standing struct {
	// tip is nil when there is no branch, or when nothing on it counts.
	tip  *git.Commit
	held Held
}

// is reports whether the branch is a commit already.
func (s standing) is(on *git.Commit, built *git.Built) bool {
	return s.tip != nil && len(s.tip.Parents) == 1 && s.tip.Parents[0] == on.Hash && s.tip.Tree == built.Commit.Tree
}

// standing finds out whose the commits on the branch are. ErrEdited: other people's.
func (r *round) standing(ctx context.Context) (standing, error) {
	if r.bot.IsZero() || r.bot == r.base {
		return standing{}, nil
	}
	tip, err := r.commit(ctx, r.bot)
	if err != nil {
		return standing{}, err
	}
	fork, err := r.fork(ctx, tip)
	if err != nil {
		return standing{}, err
	}
	if fork != nil {
		return standing{tip, Held{fork.Tree, tip.Tree, r.Store}}, nil
	}
	foreign, err := r.foreign(ctx, tip)
	if err != nil || len(foreign) == 0 {
		return standing{}, err
	}
	pull, err := r.decided(ctx, tip.Hash)
	switch {
	case err != nil:
		return standing{}, err
	case pull != nil && pull.Merged: // what they did is in the base
		return standing{}, nil
	case r.Overwrite:
		r.Logf("warning: overwrite is set: %s loses %s", r.Branch, listed(foreign))
		return standing{}, nil
	}
	return standing{}, fmt.Errorf("%w on branch %s of %s, and they would be lost: %s; nothing was changed. Merge or close the pull request, delete the branch, and put again",
		ErrEdited, r.Branch, r.Remote.URL(), listed(foreign))
}

// maxMerges is how many merges of the base into one proposal are looked at.
const maxMerges = 50

// fork is the commit of the base at which the bot's branch begins, if everything on the branch is the
// bot's; nil when it is not. The branch is one commit of the bot, on which the base may have been
// merged, or which may have been rebased, as long as the outcome does exactly what the bot did.
func (r *round) fork(ctx context.Context, tip *git.Commit) (*git.Commit, error) {
	first, base := tip, git.Hash{}
	for range maxMerges {
		if len(first.Parents) != 2 {
			break
		}
		if base.IsZero() {
			base = first.Parents[1]
		}
		var err error
		if first, err = r.commit(ctx, first.Parents[0]); err != nil {
			return nil, err
		}
	}
	m, ok := markOf(first.Message)
	if !ok || m.owner != r.Owner || len(first.Parents) != 1 {
		return nil, nil //nolint:nilnil // it is not the bot's
	}
	if base.IsZero() {
		base = first.Parents[0]
		if r.own(first) {
			return r.commit(ctx, base)
		}
	}
	return r.updated(ctx, m, base, tip)
}

// updated is the commit base, if the branch does on top of it what a marked commit did, and nil
// otherwise.
func (r *round) updated(ctx context.Context, m mark, base git.Hash, tip *git.Commit) (*git.Commit, error) {
	ok, err := r.Store.IsAncestor(ctx, base, r.base)
	if err != nil || !ok {
		return nil, err
	}
	fork, err := r.commit(ctx, base)
	if err != nil {
		return nil, err
	}
	before, err := r.commit(ctx, m.parent)
	if err == nil {
		ok, err = sameEffect(ctx, r.Store, Held{before.Tree, m.tree, r.Store}, Held{fork.Tree, tip.Tree, r.Store})
	}
	switch {
	case errors.Is(err, git.ErrNotFound): // the server does not have the original any more
		return nil, nil //nolint:nilnil // so nobody can tell
	case err != nil || !ok:
		return nil, err
	}
	return fork, nil
}

// maxForeign is how many commits of other people an error is about.
const maxForeign = 50

// foreign are the commits of the branch, newest first, that are neither the bot's nor on the base.
func (r *round) foreign(ctx context.Context, tip *git.Commit) ([]*git.Commit, error) {
	var all, merges []*git.Commit
	for c := tip; !r.own(c) && len(all)+len(merges) < maxForeign; {
		known, err := r.Store.IsAncestor(ctx, c.Hash, r.base)
		if err != nil {
			return nil, err
		}
		if known {
			break
		}
		if len(c.Parents) == 2 {
			merges = append(merges, c)
		} else {
			all = append(all, c)
		}
		if len(c.Parents) == 0 {
			break
		}
		if c, err = r.commit(ctx, c.Parents[0]); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return merges, nil
	}
	return all, nil
}

// listed names commits for people.
func listed(commits []*git.Commit) string {
	const enough = 5
	var names []string
	for i, c := range commits {
		if i == enough {
			names = append(names, fmt.Sprintf("and %d more", len(commits)-enough))
			break
		}
		subject, _, _ := strings.Cut(c.Message, "\n")
		names = append(names, fmt.Sprintf("%.7s %q by %s", c.Hash, subject, c.Author.Name))
	}
	return strings.Join(names, ", ")
}

func (r *round) commit(ctx context.Context, h git.Hash) (*git.Commit, error) {
	if err := r.Store.NeedCommits(ctx, h); err != nil {
		return nil, err
	}
	return r.Store.Commit(ctx, h)
}
