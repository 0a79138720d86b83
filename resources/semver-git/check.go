package semvergit

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/memo"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Check lists the versions since the given one, or only the one that holds now.
// When the branch has not moved, it costs one ref advertisement.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	remote, err := git.Open(src.access(), git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	q := memo.Question{
		Kind: "semver-git", Branch: src.Branch, Refs: []string{src.ref()}, Logf: step.Logf,
		Parts: []any{src.file(), src.InitialVersion, given},
	}
	answer, err := memo.Check(ctx, remote, q, time.Time{}, func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (memo.Answer[Version], error) {
		b := &branch{src: src, remote: remote, store: store, logf: step.Logf}
		versions, err := b.answer(ctx, refs[src.ref()], given)
		return memo.Answer[Version]{Versions: versions}, err
	})
	return answer.Versions, err
}

// answer lists the versions since the given one. The tip is zero if there is no branch.
func (b *branch) answer(ctx context.Context, tip git.Hash, given *Version) ([]Version, error) {
	if tip.IsZero() {
		b.logf("%s has no branch %s yet: the version is the initial one", b.remote.URL(), b.src.Branch)
		v, err := b.current(ctx, nil)
		return []Version{v}, err
	}
	if given != nil && given.Commit == tip.String() {
		return []Version{*given}, nil
	}
	return b.since(ctx, tip, given)
}

// since gives the versions since the given one, oldest first.
func (b *branch) since(ctx context.Context, tip git.Hash, given *Version) ([]Version, error) {
	c, err := b.commit(ctx, tip)
	if err != nil {
		return nil, err
	}
	versions, err := b.sinceGiven(ctx, c, given)
	if err != nil {
		return nil, err
	}
	now, err := b.current(ctx, c) // its file is among those of the versions since the given one
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 || now.Commit == "" || *given == now {
		return []Version{now}, nil
	}
	return versions, nil
}

// sinceGiven are the given version and those after it, oldest first; none if it is not in the history that leads to c, or c has no file.
func (b *branch) sinceGiven(ctx context.Context, c *git.Commit, given *Version) ([]Version, error) {
	if given == nil {
		return nil, nil
	}
	if e, ok, err := b.entry(ctx, c); err != nil || !ok || e.Hash == plumbing.ComputeHash(plumbing.BlobObject, nil) {
		return nil, err
	}
	floor, err := version.Parse(given.Number)
	if err != nil {
		b.logf("warning: the given version is not valid, so only the current one is listed: %v", err)
		return nil, nil
	}
	versions, err := b.from(ctx, c.Hash, *given, floor)
	if err == nil && len(versions) == 0 {
		b.logf("version %s is not in the history of %s: listing the current one only", given.Number, b.src.Branch)
	}
	return versions, err
}

// from gives the given version, if the branch has it, and those after it, oldest first.
func (b *branch) from(ctx context.Context, tip git.Hash, given Version, floor version.Version) ([]Version, error) {
	at, err := b.place(ctx, tip, given, floor)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		if given.Commit != "" {
			return nil, nil
		}
		return b.fromNumber(ctx, tip, floor)
	}
	given.Commit = at.String()
	versions := []Version{given}
	for v, err := range b.versions(ctx, git.Range{From: []git.Hash{tip}, Not: []git.Hash{at}}) {
		if err != nil {
			return nil, err
		}
		versions = append(versions, v.Version)
	}
	slices.Reverse(versions[1:])
	return versions, nil
}

// place finds the commit of the given version. Zero: it is not in the history of the branch, or it
// has only a number, which no file is known to hold.
func (b *branch) place(ctx context.Context, tip git.Hash, given Version, floor version.Version) (git.Hash, error) {
	if given.Commit == "" {
		return b.find(ctx, tip, floor.String())
	}
	if !plumbing.IsHash(given.Commit) {
		return git.Hash{}, nil
	}
	at := plumbing.NewHash(given.Commit)
	for _, err := range b.store.Log(ctx, git.Range{From: []git.Hash{tip}, Not: []git.Hash{at}}) {
		if errors.Is(err, git.ErrNotFound) {
			return git.Hash{}, nil
		}
		if err != nil {
			return git.Hash{}, err
		}
		break // what lies between is at hand now: it is what will be listed
	}
	on, err := b.store.IsAncestor(ctx, at, tip)
	if err != nil || !on {
		return git.Hash{}, err
	}
	return at, nil
}

// find is the last commit that set this very number; zero if there is none.
func (b *branch) find(ctx context.Context, tip git.Hash, number string) (git.Hash, error) {
	for set, err := range b.history(ctx, git.Range{From: []git.Hash{tip}}) {
		if err != nil {
			return git.Hash{}, err
		}
		if holds(set.file, number) {
			return set.commit.Hash, nil
		}
	}
	return git.Hash{}, nil
}

// fromNumber places a number that may never have been on the branch: if it was not, the versions
// above it count, as far back as there is no lower one between.
func (b *branch) fromNumber(ctx context.Context, tip git.Hash, floor version.Version) ([]Version, error) {
	var versions []Version
	above := -1 // versions before the first lower one
	for v, err := range b.versions(ctx, git.Range{From: []git.Hash{tip}}) {
		if err != nil {
			return nil, err
		}
		if above < 0 && v.parsed.Compare(floor) < 0 {
			above = len(versions)
		}
		versions = append(versions, v.Version)
		if v.Number == floor.String() {
			above = len(versions)
			break
		}
	}
	if above >= 0 {
		versions = versions[:above]
	}
	slices.Reverse(versions)
	return versions, nil
}

// listed is a version of the branch's history.
type listed struct {
	Version
	parsed version.Version
}

// versions gives the versions of a range, the newest first. Their files are fetched many at a time.
func (b *branch) versions(ctx context.Context, r git.Range) iter.Seq2[listed, error] {
	r.Prefetch = func(ctx context.Context, c *git.Commit) ([]git.Hash, error) {
		e, err := b.setIn(ctx, c)
		return []git.Hash{e.Hash}, err
	}
	return func(yield func(listed, error) bool) {
		for set, err := range b.history(ctx, r) {
			var v listed
			if err == nil {
				v, err = b.parse(ctx, set)
			}
			if errors.Is(err, version.ErrInvalid) {
				b.logf("commit %s is skipped: %v", short(set.commit.Hash), err)
				continue
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func (b *branch) parse(ctx context.Context, set setting) (listed, error) {
	content, err := b.store.Blob(ctx, set.file.Hash)
	if err != nil {
		return listed{}, err
	}
	v, err := version.Parse(string(content))
	return listed{Version{Number: v.String(), Commit: set.commit.Hash.String()}, v}, err
}
