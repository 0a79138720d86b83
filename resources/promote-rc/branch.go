package promoterc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// bot keeps the pull request on top of the candidate's commit.
func (p *promotion) bot() proposal.Bot {
	return proposal.Bot{
		Owner: "promote-rc", Remote: p.remote, Store: p.store, Forge: p.forge,
		Base: p.src.Branch, Branch: p.src.botBranch(), On: p.head.Hash, By: p.src.Committer(time.Now()),
		Labels: p.src.labels(), Draft: p.src.draft(), KeepDraft: true, Overwrite: p.params.Overwrite, Logf: p.step.Logf,
	}
}

// edit writes the changelog and the extra files. Other files that the bot's branch holds stay.
func (p *promotion) edit(ctx context.Context, on *git.Commit, held proposal.Held) (*proposal.Change, error) {
	name := p.src.changelog()
	old, err := readFile(ctx, p.store, on.Tree, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	changelog := version.PrependChangelog(old, p.notes, p.next)
	if bytes.Equal(old, changelog) {
		return nil, fmt.Errorf("%s at commit %.7s has the entry already; the next candidate must be of a higher version: %w", name, on.Hash, ErrReleased)
	}
	edits := map[string]git.Edit{name: {Content: changelog}}
	maps.Copy(edits, p.files)
	if err := p.params.ExtraFiles.Replace(ctx, p.store, on.Tree, edits); err != nil {
		return nil, err
	}
	for name := range edits {
		if !p.src.allows(name) {
			return nil, fmt.Errorf("extra_files would delete %s, which is not among source.allowed_files, so that merging would release nothing", name)
		}
	}
	kept, outdated, err := held.Rest(ctx, on.Tree, edits, p.spoken)
	if err != nil {
		return nil, err
	}
	for _, name := range outdated {
		p.step.Logf("%s: the candidate has a newer version than the pull request, and it stays", name)
	}
	return &proposal.Change{Edits: edits, Kept: len(kept) > 0, Message: p.title(), Trailers: p.trailers(), Text: p.text}, nil
}

// spoken are the paths that a put says everything about, and those that no promotion may change.
func (p *promotion) spoken(name string) bool {
	return name == p.src.changelog() || !p.src.allows(name) || p.params.ExtraFiles.Replaced(name)
}

// errPromoted ends a put whose version was promoted while it ran.
var errPromoted = errors.New("it is promoted")

// text is the pull request's. It is worked out when the branch is pushed: if somebody has merged the
// pull request by then, there must not be a second one.
func (p *promotion) text(ctx context.Context) (proposal.Text, error) {
	if err := p.code.Refresh(ctx); err != nil {
		return proposal.Text{}, err
	}
	var err error
	if p.done, err = p.released(ctx); err != nil {
		return proposal.Text{}, err
	}
	if p.done != nil {
		return proposal.Text{}, errPromoted
	}
	return proposal.Text{Title: p.title(), Body: p.body(), Foot: p.foot()}, nil
}
