package board

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// Repository is a deployments repository that a board is made of, in a folder or at an address. It is for one goroutine at a time.
type Repository struct {
	options Options
	clone   *git.Clone // nil for an address
	remote  *git.Remote
	store   *git.Store
}

// Open opens the repository. What is fetched from an address is kept in the folder cache, "" for memory.
func Open(o Options, cache string) (*Repository, error) {
	if info, err := os.Stat(o.Deployments); o.Access.URI == "" && err == nil && info.IsDir() {
		clone, err := git.OpenClone(o.Deployments)
		if err != nil {
			return nil, err
		}
		return &Repository{options: o, clone: clone, store: clone.Store}, nil
	}
	if o.Access.URI == "" {
		o.Access = git.Access{URI: o.Deployments, Branch: "main"} // all refs are read; an access must name a branch
	}
	remote, err := signing.Open(o.Access, git.Options{Logf: o.Logf})
	if err != nil {
		return nil, err
	}
	store, err := remote.Store(cache)
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	o.Deployments = remote.URL()
	return &Repository{options: o, remote: remote, store: store}, nil
}

// Close gives files and connections back.
func (r *Repository) Close() error {
	if r.clone != nil {
		return r.clone.Close()
	}
	return errors.Join(r.store.Close(), r.remote.Close())
}

// Refs are the branches and tags as they are now: one advertisement.
func (r *Repository) Refs(ctx context.Context) (deployments.Refs, error) {
	if r.clone == nil {
		return r.remote.RefsUnder(ctx, "refs/heads/", "refs/tags/")
	}
	refs, err := r.clone.Refs()
	maps.DeleteFunc(refs, func(name string, _ git.Hash) bool { return !strings.HasPrefix(name, "refs/") })
	return refs, err
}

// Board is what the repository with these refs says at a time.
func (r *Repository) Board(ctx context.Context, refs deployments.Refs, now time.Time) (*Board, error) {
	o := r.options
	if r.clone != nil {
		o.Deployments = cmp.Or(r.clone.Origin(), o.Deployments)
	}
	o.Store, o.Refs, o.Question.Now = r.store, refs, now
	if r.remote != nil {
		if err := r.fetch(ctx, refs); err != nil {
			return nil, err
		}
	}
	return read(ctx, o)
}

// fetch makes the history readable and gets in a few requests what a board is made of; what is missing then comes one by one.
func (r *Repository) fetch(ctx context.Context, refs deployments.Refs) error {
	r.store.ExpectFar()
	first, tips := git.Hash{}, map[string]git.Hash{}
	for _, name := range []string{r.options.Question.Branch, "main", "master", r.options.Question.GatesBranch, lineage.GatesBranch} {
		ref := "refs/heads/" + name
		tip, ok := refs[ref]
		if !ok || name == "" {
			continue
		}
		tips[ref] = tip
		if first.IsZero() {
			first = tip
		}
	}
	if first.IsZero() {
		return nil // whoever reads the board says so
	}
	if err := r.store.AdvanceAll(ctx, tips, git.Hash{}); err != nil {
		return err
	}
	head, err := r.store.Commit(ctx, first)
	if err != nil {
		return err
	}
	if err := r.need(ctx, head, func(p string) bool {
		return isYAML(p) && !strings.Contains(p, "/templates/") || strings.HasSuffix(p, ".state")
	}); err != nil {
		return err
	}
	return r.needStates(ctx, head)
}

func isYAML(p string) bool { return strings.HasSuffix(p, ".yml") || strings.HasSuffix(p, ".yaml") }

// need fetches files of a commit in one request.
func (r *Repository) need(ctx context.Context, c *git.Commit, want func(path string) bool) error {
	var blobs []git.Hash
	err := r.store.Walk(ctx, c.Tree, func(string) bool { return true }, func(p string, e git.Entry) error {
		if want(p) && e.Mode.IsFile() {
			blobs = append(blobs, e.Hash)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.store.Need(ctx, blobs...)
}

// needStates fetches in one request the files of all states that may pin images, as they were deployed.
func (r *Repository) needStates(ctx context.Context, c *git.Commit) error {
	wanted := map[git.Hash]bool{}
	err := r.store.Walk(ctx, c.Tree, func(string) bool { return true }, func(p string, e git.Entry) error {
		if !strings.HasSuffix(p, ".state") || !e.Mode.IsFile() {
			return nil
		}
		text, err := r.store.Blob(ctx, e.Hash)
		if err != nil {
			return err
		}
		state, err := cepler.ParseState(p, text)
		if err != nil {
			return nil //nolint:nilerr // whoever reads the board says so
		}
		for key, f := range state.Current.Files {
			_, name := cepler.SplitKey(key)
			if h, ok := deployments.FullCommit(f.Hash); ok && isYAML(name) && !f.Dirty {
				wanted[h] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// what one request does not bring is asked for again where it is read, and reported there
	if err := r.store.Need(ctx, slices.Collect(maps.Keys(wanted))...); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
