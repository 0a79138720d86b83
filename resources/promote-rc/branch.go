package promoterc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// contents is the trailer by which this resource knows its own commits: it names
// the tree, so that a commit somebody amended is not taken for one.
const contents = "Contents: "

// build makes the commit of the bot's branch, on top of the candidate's, whatever
// the branch has. Nil when the branch has it already.
func (p *promotion) build(ctx context.Context, tip *git.Commit) (*git.Built, error) {
	if tip != nil {
		if err := p.mayReplace(ctx, tip); err != nil {
			return nil, err
		}
	}
	edits, err := p.edits(ctx)
	if err != nil {
		return nil, err
	}
	name, email := p.src.User()
	if name == "" {
		name, email = "Taxiway", "bot@taxiway.invalid"
	}
	change := git.Change{
		Parent: p.head.Hash, Edits: edits, Message: p.title(),
		Committer: git.Signature{Name: name, Email: email, When: time.Now()},
	}
	trial, err := p.store.Build(ctx, change)
	if err != nil {
		return nil, err
	}
	if tip != nil && isOwn(tip) && tip.Tree == trial.Commit.Tree && len(tip.Parents) == 1 && tip.Parents[0] == p.head.Hash {
		p.step.Logf("%s has this candidate already, in commit %.7s", p.src.botBranch(), tip.Hash)
		return nil, nil //nolint:nilnil // nothing to do
	}
	change.Message = p.message(trial.Commit.Tree)
	return p.store.Build(ctx, change)
}

// edits are the changelog and the extra files.
func (p *promotion) edits(ctx context.Context) (map[string]git.Edit, error) {
	old, err := readFile(ctx, p.store, p.head.Tree, p.src.changelog())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", p.src.changelog(), err)
	}
	edits := map[string]git.Edit{p.src.changelog(): {Content: version.PrependChangelog(old, p.notes, p.next)}}
	maps.Copy(edits, p.files)
	for _, f := range p.params.ExtraFiles {
		if err := p.clear(ctx, f, edits); err != nil {
			return nil, err
		}
	}
	return edits, nil
}

// mayReplace refuses to drop what people committed, unless that is asked for.
func (p *promotion) mayReplace(ctx context.Context, tip *git.Commit) error {
	foreign, err := p.foreign(ctx, tip)
	if err != nil || len(foreign) == 0 {
		return err
	}
	kept, err := p.keptElsewhere(ctx, tip)
	if err != nil || kept {
		return err
	}
	var names []string
	for _, c := range foreign {
		subject, _, _ := strings.Cut(c.Message, "\n")
		names = append(names, fmt.Sprintf("%.7s %q by %s", c.Hash, subject, c.Author.Name))
	}
	if p.params.Overwrite {
		p.step.Logf("warning: overwrite is set: %s loses %s", p.src.botBranch(), listed(names))
		return nil
	}
	return fmt.Errorf("%w on %s, and they would be lost: %s; nothing was changed. Merge or close the pull request and delete the branch, or put with overwrite: true once",
		ErrEdited, p.src.botBranch(), listed(names))
}

// maxForeign is how many commits of other people are looked at.
const maxForeign = 50

// foreign are the commits of a branch, newest first, that are neither this
// resource's nor on the main branch.
func (p *promotion) foreign(ctx context.Context, tip *git.Commit) ([]*git.Commit, error) {
	main, err := p.mainTip(ctx)
	if err != nil {
		return nil, err
	}
	var all []*git.Commit
	for c := tip; !isOwn(c) && len(all) < maxForeign; {
		known, err := p.store.IsAncestor(ctx, c.Hash, main.Hash)
		if err != nil || known {
			return all, err
		}
		plain, err := p.isPlainMerge(ctx, c, main)
		if err != nil {
			return nil, err
		}
		if !plain {
			all = append(all, c)
		}
		if len(c.Parents) == 0 {
			break
		}
		if c, err = p.store.Commit(ctx, c.Parents[0]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// isOwn reports a commit that this resource made and nobody amended.
func isOwn(c *git.Commit) bool {
	return strings.Contains(c.Message, "\n"+contents+c.Tree.String()+"\n")
}

// isPlainMerge reports a merge of the main branch that brought in nothing else,
// as the forge's button for it makes.
func (p *promotion) isPlainMerge(ctx context.Context, c, main *git.Commit) (bool, error) {
	if len(c.Parents) != 2 {
		return false, nil
	}
	ok, err := p.store.IsAncestor(ctx, c.Parents[1], main.Hash)
	if err != nil || !ok {
		return false, err
	}
	before, err := p.store.Commit(ctx, c.Parents[0])
	if err != nil {
		return false, err
	}
	merged, err := p.store.Commit(ctx, c.Parents[1])
	if err != nil {
		return false, err
	}
	plain := true
	all := func(string) bool { return true }
	err = p.store.Diff(ctx, before.Tree, c.Tree, all, func(name string, _, after *git.Entry) error {
		there, err := p.store.Lookup(ctx, merged.Tree, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			plain = plain && after == nil
		case err != nil:
			return err
		default:
			plain = plain && after != nil && after.Hash == there.Hash && after.Mode == there.Mode
		}
		return nil
	})
	return plain, err
}

// keptElsewhere reports a branch that a pull request was merged from as it is:
// nothing on it is waiting for anybody.
func (p *promotion) keptElsewhere(ctx context.Context, tip *git.Commit) (bool, error) {
	pulls, err := p.forge.PullsOf(ctx, tip.Hash.String())
	if err != nil {
		return false, err
	}
	merged := false
	for _, pull := range pulls {
		if pull.Open && pull.Head == p.src.botBranch() {
			return false, nil
		}
		merged = merged || pull.Merged && pull.HeadCommit == tip.Hash.String()
	}
	return merged, nil
}
