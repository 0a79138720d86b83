package semvergit

import (
	"context"
	"errors"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Check lists the versions since the given one, or only the one that holds now.
// When the branch has not moved, it costs one ref advertisement.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	b, err := openBranch(src, step.Logf)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	refs, err := b.remote.Refs(ctx, src.ref())
	if err != nil {
		return nil, err
	}
	tip, ok := refs[src.ref()]
	if ok && given != nil && given.Commit == tip.String() {
		return []Version{*given}, nil
	}
	if !ok {
		step.Logf("%s has no branch %s yet: the version is the initial one", b.remote.URL(), src.Branch)
		v, err := b.current(ctx, nil)
		return []Version{v}, err
	}
	m, err := openMemo(src, given)
	if err != nil {
		return nil, err
	}
	if versions, ok := m.Recall(tip.String()); ok && len(versions) > 0 {
		return versions, nil
	}
	versions, err := b.since(ctx, tip, given)
	if err != nil {
		return nil, err
	}
	if err := m.Keep(tip.String(), versions); err != nil {
		step.Logf("the answer was not kept for the next check: %v", err)
	}
	return versions, nil
}

// since gives the versions since the given one, oldest first.
func (b *branch) since(ctx context.Context, tip git.Hash, given *Version) ([]Version, error) {
	c, err := b.commit(ctx, tip)
	if err != nil {
		return nil, err
	}
	now, err := b.current(ctx, c)
	if err != nil {
		return nil, err
	}
	if given == nil || given.Commit == now.Commit && given.Number == now.Number {
		return []Version{now}, nil
	}
	if now.Commit == "" {
		return []Version{now}, nil
	}
	w := &lookBack{branch: b, given: *given}
	w.floor, err = version.Parse(given.Number)
	if err != nil {
		b.logf("warning: the version that was given is none, so only the current one is listed: %v", err)
		return []Version{now}, nil
	}
	if err := b.history(ctx, tip, func(c *git.Commit, e git.Entry) (bool, error) { return w.visit(ctx, c, e) }); err != nil {
		return nil, err
	}
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	// A number below all that were ever there is before the first of them.
	placed := w.placed || given.Commit == ""
	if !placed || len(w.found) == 0 {
		b.logf("version %s is not in the history of %s any more: listing the current one only", given.Number, b.src.Branch)
		return []Version{now}, nil
	}
	slices.Reverse(w.found)
	return w.found, nil
}

// lookBack collects the versions of a branch back to a given one.
type lookBack struct {
	branch *branch
	given  Version
	floor  version.Version

	chunk  []setting // not read yet
	found  []Version // newest first
	placed bool      // the given version was found, or where it would be
}

// setting is a commit that set the file.
type setting struct {
	commit git.Hash
	blob   git.Hash
}

// chunkSize is how many files are fetched at once.
const chunkSize = 100

func (w *lookBack) visit(ctx context.Context, c *git.Commit, e git.Entry) (more bool, err error) {
	w.chunk = append(w.chunk, setting{c.Hash, e.Hash})
	same := c.Hash.String() == w.given.Commit || w.given.Commit == "" && holds(e, w.given.Number)
	if !same && len(w.chunk) < chunkSize {
		return true, nil
	}
	err = w.resolve(ctx)
	w.placed = w.placed || same
	return !w.placed, err
}

// resolve reads the files of the chunk, which takes one request.
func (w *lookBack) resolve(ctx context.Context) error {
	blobs := make([]git.Hash, 0, len(w.chunk))
	for _, s := range w.chunk {
		blobs = append(blobs, s.blob)
	}
	if err := w.branch.store.Need(ctx, blobs...); err != nil {
		return err
	}
	for _, s := range w.chunk {
		if w.placed {
			break
		}
		if err := w.add(ctx, s); err != nil {
			return err
		}
	}
	w.chunk = nil
	return nil
}

// add lists one version. Only where the given one has no commit does its number
// say where it belongs: above the first that is lower.
func (w *lookBack) add(ctx context.Context, s setting) error {
	content, err := w.branch.store.Blob(ctx, s.blob)
	if err != nil {
		return err
	}
	v, err := version.Parse(string(content))
	if errors.Is(err, version.ErrInvalid) {
		w.branch.logf("commit %s is passed over: %v", short(s.commit), err)
		return nil
	}
	if err != nil {
		return err
	}
	if w.given.Commit == "" && v.Compare(w.floor) < 0 {
		w.placed = true
		return nil
	}
	w.found = append(w.found, Version{Number: v.String(), Commit: s.commit.String()})
	w.placed = w.placed || w.given.Commit == "" && v.String() == w.floor.String()
	return nil
}
