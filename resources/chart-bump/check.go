package chartbump

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/memo"
)

// Check lists the commits of the base branch that brought another digest of a
// tracked image. When the branch has not moved it costs one look at its ref.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer closeAll(remote)
	q := memo.Question{
		Kind: "chart-bump", Branch: src.Branch, Refs: []string{src.baseRef()}, Logf: step.Logf,
		Parts: []any{src.valuesPath(), src.Images, given},
	}
	answer, err := memo.Check(ctx, remote, q, time.Time{}, func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (memo.Answer[Version], error) {
		versions, err := history{reader{src, store, step.Logf}}.answer(ctx, refs[src.baseRef()], given)
		return memo.Answer[Version]{Versions: versions}, err
	})
	return answer.Versions, err
}

// history walks the base branch along first parents: what it was, commit by
// commit, however pull requests were merged into it.
type history struct{ reader }

// answer lists the versions after the given one. The head is zero if there is no base branch.
func (h history) answer(ctx context.Context, head git.Hash, given *Version) ([]Version, error) {
	if head.IsZero() {
		h.logf("%s has no branch %s yet", h.store.URL(), h.src.Branch)
		return []Version{}, nil
	}
	if given != nil && given.PR == "" && given.Commit == head.String() {
		return []Version{*given}, nil
	}
	if err := h.store.Advance(ctx, h.src.baseRef(), head); err != nil {
		return nil, err
	}
	return h.since(ctx, head, given)
}

// since lists the versions after the given one, which is the first of them; the
// newest alone when nothing is given, or when it can't be placed.
func (h history) since(ctx context.Context, head git.Hash, given *Version) ([]Version, error) {
	tip, err := h.store.Commit(ctx, head)
	if err != nil {
		return nil, err
	}
	places := sync.OnceValue(func() error { return h.checkPlaces(ctx, tip.Tree) })
	versions, err := h.listed(ctx, head, given, places)
	return versions, cmp.Or(places(), err)
}

// listed is since, where places is asked before the first version is looked at: by then the values of the head were fetched with others.
func (h history) listed(ctx context.Context, head git.Hash, given *Version, places func() error) ([]Version, error) {
	stop, err := h.place(ctx, given)
	if err != nil {
		return nil, err
	}
	on := false
	if !stop.IsZero() {
		if on, err = h.store.IsAncestor(ctx, stop, head); err != nil {
			return nil, err
		}
	}
	if !on {
		return h.list(ctx, git.Range{From: []git.Hash{head}}, 1, places)
	}
	out, err := h.list(ctx, git.Range{From: []git.Hash{head}, Not: []git.Hash{stop}}, math.MaxInt, places)
	slices.Reverse(out)
	return append([]Version{*given}, out...), err
}

// place is where the walk ends: the given commit, or what an open pull request
// was built on. It is zero when there is none.
func (h history) place(ctx context.Context, given *Version) (git.Hash, error) {
	if given == nil || !plumbing.IsHash(given.Commit) {
		return git.Hash{}, nil
	}
	commit := plumbing.NewHash(given.Commit)
	if given.PR == "" {
		return commit, nil
	}
	c, err := h.commit(ctx, commit)
	if errors.Is(err, git.ErrNotFound) {
		h.logf("pull request %s has another commit by now than %s", given.PR, short(given.Commit))
		return git.Hash{}, nil
	}
	if err != nil || len(c.Parents) == 0 {
		return git.Hash{}, err
	}
	return c.Parents[0], nil
}

func (r reader) commit(ctx context.Context, h git.Hash) (*git.Commit, error) {
	if err := r.store.NeedCommits(ctx, h); err != nil {
		return nil, err
	}
	return r.store.Commit(ctx, h)
}

// list gives the versions of a range, the newest first, up to a number of them.
func (h history) list(ctx context.Context, r git.Range, enough int, places func() error) ([]Version, error) {
	r.FirstParent, r.Paths = true, git.OnlyPath(h.src.valuesPath())
	r.Prefetch = func(ctx context.Context, c *git.Commit) ([]git.Hash, error) {
		before, after, err := h.change(ctx, c)
		return []git.Hash{before, after}, err
	}
	out := []Version{}
	for c, err := range h.store.Log(ctx, r) {
		if err := cmp.Or(err, places()); err != nil {
			return nil, err
		}
		before, after, err := h.change(ctx, c)
		if err != nil {
			return nil, err
		}
		brings, err := h.brings(ctx, before, after)
		if err != nil {
			return nil, err
		}
		if brings {
			out = append(out, Version{Commit: c.Hash.String()})
		}
		if len(out) == enough {
			break
		}
	}
	return out, nil
}

// change is the values file in the commit's first parent and in the commit; zero where there is none.
func (h history) change(ctx context.Context, c *git.Commit) (before, after git.Hash, err error) {
	if after, err = h.values(ctx, c); err != nil {
		return before, after, err
	}
	parents, err := h.store.Parents(ctx, c.Hash)
	if err != nil || len(parents) == 0 {
		return before, after, err
	}
	parent, err := h.store.Commit(ctx, parents[0])
	if err != nil {
		return before, after, err
	}
	before, err = h.values(ctx, parent)
	return before, after, err
}

// brings compares two blobs of the values file.
func (h history) brings(ctx context.Context, before, after git.Hash) (bool, error) {
	if before == after || after.IsZero() {
		return false, nil
	}
	need := []git.Hash{after}
	if !before.IsZero() {
		need = append(need, before)
	}
	if err := h.store.Need(ctx, need...); err != nil {
		return false, err
	}
	is, err := h.record(ctx, after, h.logf)
	if err != nil {
		return false, err
	}
	was, err := h.record(ctx, before, quiet)
	return err == nil && is.brings(was), err
}
