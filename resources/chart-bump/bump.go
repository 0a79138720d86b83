package chartbump

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/proposal"
)

// bumper brings what a put asks for into the repository.
type bumper struct {
	src    Source
	step   concourse.Step
	remote *git.Remote
	store  *git.Store
	wanted wanted
	code   *sourceRepository // nil when the put has none

	last changes // of the newest commit that was worked out
}

// edit works out the change on top of a commit. What the bot's branch holds for images that the put does
// not name stays, and so do its other files.
func (b *bumper) edit(ctx context.Context, on *git.Commit, held proposal.Held) (*proposal.Change, error) {
	c, err := b.changes(ctx, on, held)
	if err != nil {
		return nil, err
	}
	b.last = *c
	m := message{src: b.src, wanted: b.wanted, changes: *c}
	return &proposal.Change{
		Edits: c.edits, Kept: c.kept || c.others, Message: m.commit(), Trailers: b.step.Build.Trailers(),
		Text: func(ctx context.Context) (proposal.Text, error) {
			m.commits, m.reached = b.codeCommits(ctx, *c)
			return proposal.Text{Title: m.title(), Body: m.body(), Foot: proposal.Foot(b.step.Build.Pipeline(), b.step.Build.URL(), "bump")}, nil
		},
	}, nil
}

// changes are the edits of the images, and what they have moved besides.
func (b *bumper) changes(ctx context.Context, on *git.Commit, held proposal.Held) (*changes, error) {
	files, err := b.read(ctx, on.Tree, held)
	if err != nil {
		return nil, err
	}
	c, err := b.wanted.edit(files, b.step.Logf)
	if err != nil {
		return nil, err
	}
	for _, dir := range b.wanted.whole {
		if err := proposal.Replace(ctx, b.store, on.Tree, path.Join(b.src.Chart, dir), c.edits); err != nil {
			return nil, err
		}
	}
	kept, outdated, err := held.Rest(ctx, on.Tree, c.edits, b.spoken)
	if err != nil {
		return nil, err
	}
	for _, name := range outdated {
		b.step.Logf("%s: branch %s has a newer version than the pull request, and it stays", name, b.src.Branch)
	}
	tree, err := b.tree(ctx, on, c.edits)
	if err != nil {
		return nil, err
	}
	chart, err := b.wanted.editChart(files, tree != on.Tree)
	if err != nil {
		return nil, err
	}
	if string(chart) != string(files.chart) {
		c.edits[b.src.chartPath()] = git.Edit{Content: chart}
	}
	c.others = len(kept) > 0
	return &c, nil
}

// spoken are the paths that a put says everything about: the two files that it edits value by value, and
// the folders that it replaces whole.
func (b *bumper) spoken(name string) bool {
	return name == b.src.valuesPath() || name == b.src.chartPath() ||
		slices.ContainsFunc(b.wanted.whole, func(dir string) bool { return strings.HasPrefix(name, path.Join(b.src.Chart, dir)+"/") })
}

// tree is the tree with the edits.
func (b *bumper) tree(ctx context.Context, on *git.Commit, edits map[string]git.Edit) (git.Hash, error) {
	if len(edits) == 0 {
		return on.Tree, nil
	}
	built, err := b.store.Build(ctx, git.NewCommit{Parent: on.Hash, Edits: edits, Committer: on.Committer, Message: "the tree alone\n"})
	if err != nil {
		return git.Hash{}, err
	}
	return built.Commit.Tree, nil
}

// read fetches the chart's two files, and what the values are on the bot's branch, with one request.
func (b *bumper) read(ctx context.Context, tree git.Hash, held proposal.Held) (chartFiles, error) {
	out := chartFiles{src: b.src}
	r := reader{b.src, b.store, b.step.Logf}
	chart, values, err := r.files(ctx, tree)
	if err != nil {
		return out, err
	}
	blobs := map[*[]byte]git.Hash{&out.chart: chart, &out.values: values}
	if !held.IsZero() {
		for into, at := range map[*[]byte]git.Hash{&out.before: held.Before, &out.after: held.After} {
			if blobs[into], err = r.values(ctx, &git.Commit{Tree: at}); err != nil {
				return out, err
			}
		}
	}
	return out, b.fill(ctx, blobs)
}

// fill reads blobs; a zero hash is none.
func (b *bumper) fill(ctx context.Context, blobs map[*[]byte]git.Hash) error {
	var need []git.Hash
	for _, h := range blobs {
		if !h.IsZero() {
			need = append(need, h)
		}
	}
	if err := b.store.Need(ctx, need...); err != nil {
		return err
	}
	for into, h := range blobs {
		if h.IsZero() {
			continue
		}
		var err error
		if *into, err = b.store.Blob(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// codeCommits lists what is new in the code since the oldest of the bumped images. It is for people, so
// what can't be read is left out.
func (b *bumper) codeCommits(ctx context.Context, c changes) ([]codeCommit, bool) {
	if b.code == nil {
		return nil, false
	}
	for _, img := range c.images {
		if img.oldCommit == "" || img.kept {
			continue
		}
		commits, reached, err := b.code.since(ctx, img.oldCommit)
		if err != nil {
			b.step.Logf("the commits since %s can't be listed: %v", img.oldCommit, err)
			return nil, false
		}
		if !reached && len(commits) < maxCommits {
			return nil, false // it is not in this history
		}
		return commits, reached
	}
	return nil, false
}
