package vendored

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// LockFile is the name of vendir's lock file, in the folder of its config.
const LockFile = "vendir.lock.yml"

// Tree is the repository with the copy, as it is: at a commit or on disk.
type Tree interface {
	// Read gives a file's content; fs.ErrNotExist.
	Read(ctx context.Context, name string) ([]byte, error)
	// List gives the files below a folder, by their paths in it; nothing when there
	// is no such folder, and an error when it is a file.
	List(ctx context.Context, dir string) (map[string]File, error)
}

// Plan is what has to change for a copy to be that of another commit.
type Plan struct {
	Moved
	// Edits are by path from the repository's root; none: it is that copy already.
	Edits map[string]git.Edit
	// Added, Changed and Removed are files of the copy, sorted.
	Added, Changed, Removed []string
	// Undeployable are the dependencies that keep the copy, a Helm chart, from being deployed as it was tested; nil for none.
	Undeployable []string
	// Warnings are keys of vendir.yml that have no effect here.
	Warnings []string
}

// Make works out the plan for one target in a tree.
func Make(ctx context.Context, tree Tree, t Target, o *Origin) (*Plan, error) {
	p, err := plan(ctx, tree, t, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Config, err)
	}
	return p, nil
}

func plan(ctx context.Context, tree Tree, t Target, o *Origin) (*Plan, error) {
	c, data, err := readTarget(ctx, tree, t)
	if err != nil {
		return nil, err
	}
	p := &Plan{Edits: map[string]git.Edit{}, Moved: Moved{Dir: c.dir(t), URL: c.URL, Old: c.Ref, New: o.Commit()}, Warnings: c.Warnings}
	after, err := c.setRef(o.Commit())
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(data, after) {
		p.Edits[path.Clean(t.Config)] = git.Edit{Content: after}
	}
	if err := p.lock(ctx, tree, t.lock(), c, o); err != nil {
		return nil, fmt.Errorf("%s: %w", LockFile, err)
	}
	if err := p.files(ctx, tree, c, o); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) lock(ctx context.Context, tree Tree, name string, c *Content, o *Origin) error {
	old, err := readOptional(ctx, tree, name)
	if err != nil {
		return err
	}
	entry := locked{SHA: o.Commit(), CommitTitle: o.lockTitle()}
	if tag, err := o.describe(ctx); err != nil {
		return err
	} else if tag != "" {
		entry.Tags = []string{tag}
	}
	if c.config.Lazy {
		if entry.ConfigDigest, err = c.digest(); err != nil {
			return err
		}
	}
	lock, err := writeLock(old, c.directory, c.path, entry)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, lock) {
		p.Edits[name] = git.Edit{Content: lock}
	}
	return nil
}

// files makes the copy be what the content selects, but for what it ignores.
func (p *Plan) files(ctx context.Context, tree Tree, c *Content, o *Origin) error {
	want, err := c.Select(ctx, o)
	if err != nil {
		return err
	}
	if p.Undeployable, err = o.undeployable(ctx, want); err != nil {
		return err
	}
	have, err := tree.List(ctx, p.Dir)
	if err != nil {
		return err
	}
	for name, f := range want {
		old, there := have[name]
		if there && (old == f || c.ignores(name)) {
			continue
		}
		content, err := o.store.Blob(ctx, f.Hash)
		if err != nil {
			return err
		}
		p.Edits[path.Join(p.Dir, name)] = git.Edit{Mode: f.Mode, Content: content}
		if there {
			p.Changed = append(p.Changed, name)
		} else {
			p.Added = append(p.Added, name)
		}
	}
	for name := range have {
		if _, wanted := want[name]; !wanted && !c.ignores(name) {
			p.Edits[path.Join(p.Dir, name)] = git.Edit{Delete: true}
			p.Removed = append(p.Removed, name)
		}
	}
	slices.Sort(p.Added)
	slices.Sort(p.Changed)
	slices.Sort(p.Removed)
	return nil
}

// commitTree is a tree at a commit.
type commitTree struct {
	store *git.Store
	root  git.Hash
}

// At is a tree of a repository; the files that are read are fetched by themselves.
func At(store *git.Store, tree git.Hash) Tree { return &commitTree{store, tree} }

// Read fetches one file.
func (t *commitTree) Read(ctx context.Context, name string) ([]byte, error) {
	e, err := t.store.Lookup(ctx, t.root, name)
	if err != nil {
		return nil, err
	}
	if e.Mode == filemode.Dir || e.Mode == filemode.Submodule || e.Mode == filemode.Symlink {
		return nil, fault.Of(errConfig, "%s is not a file", name)
	}
	return t.store.Blob(ctx, e.Hash)
}

// List reads trees only.
func (t *commitTree) List(ctx context.Context, dir string) (map[string]File, error) {
	e, err := t.store.Lookup(ctx, t.root, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case e.Mode != filemode.Dir:
		return nil, fmt.Errorf("%s is not a folder: delete it, as the copy has its place there: %w", dir, errConfig)
	}
	out := map[string]File{}
	err = t.store.Walk(ctx, e.Hash, func(string) bool { return true }, func(p string, e git.Entry) error {
		out[p] = File{regular(e.Mode), e.Hash}
		return nil
	})
	return out, err
}
