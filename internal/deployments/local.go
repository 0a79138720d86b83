package deployments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// ExplainLocal explains a clone, without a network.
func ExplainLocal(ctx context.Context, src Source, clone *git.Clone, now time.Time, environments ...string) (*Explanation, error) {
	r := Copy(src, clone.Store, clone.Refs, func(string, ...any) {})
	view, err := r.ViewNow(ctx)
	if err != nil {
		return nil, err
	}
	return r.Explain(ctx, view, now, environments...)
}

// Copy reads a copy of a repository that has the refs that all returns, without a network.
func Copy(src Source, store *git.Store, all func() (map[string]git.Hash, error), logf func(format string, args ...any)) *Repository {
	return NewRepository(src, localRefs{all, src}, store, logf)
}

// ViewNow is the repository with the refs that it has now.
func (r *Repository) ViewNow(ctx context.Context) (*View, error) {
	refs, err := r.ownRefs(ctx)
	if err != nil {
		return nil, err
	}
	return r.View(ctx, refs)
}

// ownRefs are the refs that the source names.
func (r *Repository) ownRefs(ctx context.Context) (Refs, error) {
	refs, err := r.refs(ctx, r.src.RefNames()...)
	if err != nil {
		return nil, fmt.Errorf("look up branch %s: %w", r.src.Branch, err)
	}
	return refs, nil
}

// localRefs are the refs of a clone, as the repository has them that it was cloned from.
type localRefs struct {
	all func() (map[string]git.Hash, error)
	src Source
}

// Refs returns those of the refs that exist, with the commits of annotated tags.
func (l localRefs) Refs(_ context.Context, names ...string) (map[string]git.Hash, error) {
	all, err := l.all()
	if err != nil {
		return nil, err
	}
	found := map[string]git.Hash{}
	for _, name := range names {
		for _, full := range []string{name, name + "^{}"} {
			if h, ok := all[full]; ok {
				found[full] = h
			}
		}
		short, ok := strings.CutPrefix(name, "refs/heads/")
		if !ok {
			continue
		}
		of := LocalBranch
		if name == l.src.GatesRef() && name != l.src.branchRef() {
			of = FetchedBranch
		}
		if h, ok := of(all, short); ok {
			found[name] = h
		}
	}
	return found, nil
}

// LocalBranch is the commit of a branch among the refs of a clone: the local branch or, where it was never
// checked out, that of the remote "origin". A name like origin/main is the remote's branch.
func LocalBranch(refs map[string]git.Hash, name string) (git.Hash, bool) {
	return firstRef(refs, "refs/heads/"+name, "refs/remotes/origin/"+name, "refs/remotes/"+name)
}

// FetchedBranch is LocalBranch with the remote's branch first. It is for branches that pipelines read and
// that people seldom check out, as that of the gates: a local one is usually older.
func FetchedBranch(refs map[string]git.Hash, name string) (git.Hash, bool) {
	return firstRef(refs, "refs/remotes/origin/"+name, "refs/heads/"+name, "refs/remotes/"+name)
}

func firstRef(refs map[string]git.Hash, names ...string) (git.Hash, bool) {
	for _, name := range names {
		if h, ok := refs[name]; ok && !h.IsZero() {
			return h, true
		}
	}
	return git.Hash{}, false
}
