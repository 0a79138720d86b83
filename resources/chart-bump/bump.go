package chartbump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// bumper brings a wish into the repository.
type bumper struct {
	src    Source
	step   concourse.Step
	remote *git.Remote
	store  *git.Store
	wish   wish
	now    func() time.Time
}

// proposal is the commit that makes a branch be as wished.
type proposal struct {
	changes
	base *git.Commit
	// built is nil when the base is as wished already.
	built *git.Built
}

// propose works the commit out on top of a base.
func (b *bumper) propose(ctx context.Context, base *git.Commit) (proposal, error) {
	p := proposal{base: base}
	files, err := b.read(ctx, base.Tree)
	if err != nil {
		return p, err
	}
	if p.changes, err = b.wish.edit(files, b.step.Logf); err != nil {
		return p, err
	}
	if err := b.wish.remove(ctx, b.store, base.Tree, b.src, p.edits); err != nil {
		return p, err
	}
	tree, err := b.tree(ctx, base, p.edits)
	if err != nil {
		return p, err
	}
	chart, err := b.wish.editChart(files, tree != base.Tree)
	if err != nil {
		return p, err
	}
	if string(chart) != string(files.chart) {
		p.edits[b.src.chartPath()] = git.Edit{Content: chart}
		if tree, err = b.tree(ctx, base, p.edits); err != nil {
			return p, err
		}
	}
	if tree == base.Tree {
		return p, nil
	}
	m := message{src: b.src, wish: b.wish, changes: p.changes, build: b.step.Build, mark: mark{base.Hash, tree}}
	p.built, err = b.store.Build(ctx, b.change(base, p.edits, m.commit()))
	return p, err
}

// tree is the tree with the edits.
func (b *bumper) tree(ctx context.Context, base *git.Commit, edits map[string]git.Edit) (git.Hash, error) {
	if len(edits) == 0 {
		return base.Tree, nil
	}
	built, err := b.store.Build(ctx, b.change(base, edits, "the tree alone\n"))
	if err != nil {
		return git.Hash{}, err
	}
	return built.Commit.Tree, nil
}

func (b *bumper) change(base *git.Commit, edits map[string]git.Edit, message string) git.Change {
	name, email := b.src.User()
	if name == "" {
		name, email = "Taxiway", "bot@taxiway.invalid"
	}
	by := git.Signature{Name: name, Email: email, When: b.now()}
	return git.Change{Parent: base.Hash, Edits: edits, Author: by, Committer: by, Message: message}
}

// read fetches the two files with one request.
func (b *bumper) read(ctx context.Context, tree git.Hash) (chartFiles, error) {
	out := chartFiles{src: b.src}
	chart, err := b.lookup(ctx, tree, b.src.chartPath(), "it is no chart")
	if err != nil {
		return out, err
	}
	values, err := b.lookup(ctx, tree, b.src.valuesPath(), "source.values names the file")
	if err != nil {
		return out, err
	}
	if err := b.store.Need(ctx, values, chart); err != nil {
		return out, err
	}
	if out.values, err = b.store.Blob(ctx, values); err != nil {
		return out, err
	}
	out.chart, err = b.store.Blob(ctx, chart)
	return out, err
}

// lookup finds a regular file of the chart.
func (b *bumper) lookup(ctx context.Context, tree git.Hash, name, advice string) (git.Hash, error) {
	e, err := b.store.Lookup(ctx, tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return git.Hash{}, fmt.Errorf("branch %s of %s has no file %s: %s%s: %w", b.src.Branch, b.remote.URL(), name, advice, b.beside(ctx, tree, name), fs.ErrNotExist)
	}
	if err != nil {
		return git.Hash{}, err
	}
	if e.Mode != filemode.Regular && e.Mode != filemode.Executable {
		return git.Hash{}, fmt.Errorf("%s on branch %s of %s is no regular file", name, b.src.Branch, b.remote.URL())
	}
	return e.Hash, nil
}

// beside says what there is in the place of a file that is not there.
func (b *bumper) beside(ctx context.Context, tree git.Hash, name string) string {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		e := git.Entry{Mode: filemode.Dir, Hash: tree}
		var err error
		if dir != "." {
			e, err = b.store.Lookup(ctx, tree, dir)
		}
		if err == nil && e.Mode == filemode.Dir {
			entries, err := b.store.Tree(ctx, e.Hash)
			if err != nil {
				return ""
			}
			return "; " + whatIs(dir) + " has " + listed(entries)
		}
		if dir == "." {
			return ""
		}
	}
}

func whatIs(dir string) string {
	if dir == "." {
		return "the repository"
	}
	return "the folder " + dir
}

func listed(entries []git.Entry) string {
	const most = 20
	var names []string
	for i, e := range entries {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(entries)-most))
			break
		}
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

// push commits on top of the base branch itself.
func (b *bumper) push(ctx context.Context) (proposal, *git.Commit, error) {
	var last proposal
	done, err := b.store.Change(ctx, b.src.baseRef(), func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		if tip == nil {
			return nil, b.noBase()
		}
		var err error
		last, err = b.propose(ctx, tip)
		return last.built, err
	})
	return last, done, err
}

func (b *bumper) noBase() error {
	return fmt.Errorf("%s has no branch %s: %w", b.remote.URL(), b.src.Branch, git.ErrNoBranch)
}
