package proposal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// ErrEdited says that the bot's branch has commits of other people, which would be lost.
var ErrEdited = errors.New("there are commits of other people")

// Bot is what makes proposals in one repository.
type Bot struct {
	// Owner names the kind of bot in the trailer of its commits. It has no blanks.
	Owner  string
	Remote *git.Remote
	Store  *git.Store
	// Forge has the pull request. Nil is push mode: the change is a commit on the base itself.
	Forge *forge.Forge
	// Base is the branch that the pull request is to be merged into, and Branch the bot's own. Both
	// are short names.
	Base, Branch string
	// On is the commit that the change is made on top of. Zero is the tip of the base.
	On git.Hash
	// By makes the commits.
	By git.Signature
	// Labels are added to the pull request.
	Labels []string
	// Reviewers are asked to review it.
	Reviewers []string
	// Draft is its state; KeepDraft leaves the state of an open one as people have set it.
	Draft, KeepDraft bool
	// Merge lets the forge merge it. RequireMerge makes it an error when the forge does not do that.
	Merge        AutoMerge
	RequireMerge bool
	// Overwrite drops the commits of other people, with a warning.
	Overwrite bool
	// Logf gets what is worth telling.
	Logf func(format string, args ...any)
}

// Edit works out the change on top of a commit, given what the bot's branch holds beyond the base. It
// is called again for another commit when a branch has moved.
type Edit func(ctx context.Context, on *git.Commit, held Held) (*Change, error)

// Change is what a run wants of the tree.
type Change struct {
	// Edits are by path. Those that change nothing are no change.
	Edits map[string]git.Edit
	// Kept says that a part of Edits comes from what the branch held.
	Kept bool
	// Needless says why there are no Edits, for the pull request that is closed then. Without it, the
	// base has everything.
	Needless string
	// Message is the commit's, and Trailers its last lines, as "Build: https://…".
	Message  string
	Trailers []string
	// Text is called for the pull request once the branch is pushed. It is not used in push mode.
	Text func(ctx context.Context) (Text, error)
}

// Text is what a pull request says. Foot ends the body, and is never cut off.
type Text struct{ Title, Body, Foot string }

// Outcome is what the repository has after Keep.
type Outcome struct {
	// On is the commit that the change is on top of.
	On *git.Commit
	// Commit has the change, and is on the bot's branch, or in push mode on the base. Nil: On has
	// everything already.
	Commit *git.Commit
	// Pull is the open pull request, or the one that was merged at once; nil in push mode and when
	// there is nothing to propose. Done says what was done to it.
	Pull *forge.Pull
	Done forge.Outcome
	// Closed is the pull request that was closed because nothing is left in it.
	Closed *forge.Pull
	// Left is a pull request that has nothing left to propose but commits of other people, and stays
	// open; LeftWhy is an ErrEdited.
	Left    *forge.Pull
	LeftWhy error
	// MergeOff says why the forge does not merge the pull request by itself although Merge is on.
	MergeOff error
}

// Keep makes the bot's branch and its pull request be what edit says, or in push mode the base. It
// succeeds only if the remote really has it.
func (b Bot) Keep(ctx context.Context, edit Edit) (*Outcome, error) {
	if b.Forge == nil {
		return b.push(ctx, edit)
	}
	b.Remote.ExpectPush()
	loop := retry.Loop{
		What: fmt.Sprintf("update %s of %s", b.Branch, b.Remote.URL()), Logf: b.Logf,
		Again: func(err error) (time.Duration, bool) { return 0, errors.Is(err, git.ErrNonFastForward) },
	}
	out, err := retry.Win(ctx, loop, func(bool) (*Outcome, error) { return b.once(ctx, edit) })
	if err != nil || out.Commit == nil {
		return out, err
	}
	return out, b.merge(ctx, out)
}

// once is one attempt. Both branches are read again at its end: when the bot's has moved, the pull request
// may have the text of another commit. ErrNonFastForward says so.
func (b Bot) once(ctx context.Context, edit Edit) (*Outcome, error) {
	seen, err := b.refs(ctx)
	if err != nil {
		return nil, err
	}
	out, err := (&round{Bot: b, refs: seen, edit: edit}).run(ctx)
	if err != nil || out.Commit == nil {
		return out, err
	}
	now, err := b.refs(ctx)
	if err == nil && (now.bot != out.Commit.Hash || now.base != seen.base && b.On.IsZero()) {
		err = git.ErrNonFastForward
	}
	return out, err
}

// refs are the values of both branches; zero for one that is missing.
type refs struct{ base, bot git.Hash }

func (b Bot) refs(ctx context.Context) (refs, error) {
	all, err := b.Remote.Refs(ctx, b.baseRef(), b.botRef())
	return refs{all[b.baseRef()], all[b.botRef()]}, err
}

func (b Bot) baseRef() string { return "refs/heads/" + b.Base }
func (b Bot) botRef() string  { return "refs/heads/" + b.Branch }

func (b Bot) noBase() error {
	return fmt.Errorf("%s has no branch %s: %w", b.Remote.URL(), b.Base, git.ErrNoBranch)
}

// push commits on top of the base branch itself.
func (b Bot) push(ctx context.Context, edit Edit) (*Outcome, error) {
	out := &Outcome{}
	done, err := b.Store.UpdateRef(ctx, b.baseRef(), func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		if tip == nil {
			return nil, b.noBase()
		}
		out.On = tip
		_, built, err := b.build(ctx, edit, tip, Held{}, false)
		out.Commit = nil
		if built != nil {
			out.Commit = built.Commit
		}
		return built, err
	})
	if err != nil {
		return nil, err
	}
	if out.Commit != nil {
		out.Commit = done
	}
	return out, nil
}

// build makes the commit, with the trailer of a bot's branch if it is marked; nil when the edits
// change nothing.
func (b Bot) build(ctx context.Context, edit Edit, on *git.Commit, held Held, marked bool) (*Change, *git.Built, error) {
	c, err := edit(ctx, on, held)
	if err != nil || len(c.Edits) == 0 {
		return c, nil, err
	}
	spec := git.NewCommit{Parent: on.Hash, Edits: c.Edits, Committer: b.By, Message: message(c.Message, c.Trailers)}
	built, err := b.Store.Build(ctx, spec)
	if err != nil || built.Commit.Tree == on.Tree {
		return c, nil, err
	}
	if marked {
		own := mark{owner: b.Owner, parent: on.Hash, tree: built.Commit.Tree}
		spec.Message = message(c.Message, append(c.Trailers[:len(c.Trailers):len(c.Trailers)], own.String()))
		built, err = b.Store.Build(ctx, spec)
	}
	return c, built, err
}

func message(text string, trailers []string) string {
	text = strings.TrimRight(text, "\n") + "\n"
	if len(trailers) > 0 {
		text += "\n" + strings.Join(trailers, "\n") + "\n"
	}
	return text
}
