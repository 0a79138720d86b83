package promoterc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// In writes what is to be released. All of it follows from the version: the notes
// are those in the changelog at its commit, as the person who merged it saw them.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ GetParams) (Result, error) {
	out := Result{Version: v}
	number, err := v.check()
	if err != nil {
		return out, err
	}
	notes, err := readNotes(ctx, step, src, v, number)
	if err != nil {
		return out, err
	}
	f, err := src.GitHub.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return out, err
	}
	url := f.WebURL() + "/pull/" + v.PR
	out.Metadata.Add("version", "%s", number)
	out.Metadata.Add("pull request", "%s", url)
	out.Metadata.Add("commit", "%s/commit/%s", f.WebURL(), v.Commit)
	files := map[string]string{
		"version": number.String(), "release-notes.md": string(notes), "commit": v.Commit, "pr": v.PR, "url": url,
	}
	if v.Candidate != "" {
		files["candidate"] = v.Candidate
		out.Metadata.Add("candidate", "%s/commit/%s", f.WebURL(), v.Candidate)
	}
	return out, step.Write(files)
}

// check reports a version that can't be one of this type.
func (v Version) check() (version.Version, error) {
	number, err := version.Parse(v.Version)
	if err != nil {
		return number, fmt.Errorf("version.version: %w", err)
	}
	if v.number() == 0 {
		return number, fmt.Errorf("version.pr: %q is not the number of a pull request", v.PR)
	}
	if !plumbing.IsHash(v.Commit) {
		return number, fmt.Errorf("version.commit: %q is not a full commit hash", v.Commit)
	}
	if v.Candidate != "" && !plumbing.IsHash(v.Candidate) {
		return number, fmt.Errorf("version.candidate: %q is not a full commit hash", v.Candidate)
	}
	return number, nil
}

func readNotes(ctx context.Context, step concourse.Step, src Source, v Version, number version.Version) (notes []byte, err error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remote.Close()) }()
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	commit, err := store.Commit(ctx, plumbing.NewHash(v.Commit))
	if err != nil {
		return nil, fmt.Errorf("get release %s: commit %s of %s: %w", v.Version, v.Commit, remote.URL(), err)
	}
	if err := v.checkCandidate(ctx, store); err != nil {
		return nil, err
	}
	changelog, err := readFile(ctx, store, commit.Tree, src.changelog())
	if err != nil {
		return nil, fmt.Errorf("get release %s: %s at commit %s: %w", v.Version, src.changelog(), v.Commit, err)
	}
	notes, ok := version.ChangelogEntry(changelog, number)
	if !ok {
		return nil, fmt.Errorf("get release %s: %s at commit %s has no entry with a heading like \"## [%s]\"; was it renamed in pull request %s?",
			v.Version, src.changelog(), v.Commit, v.Version, v.PR)
	}
	return notes, nil
}

// checkCandidate refuses a candidate that is not part of what was merged: it comes
// from a description, which people can edit.
func (v Version) checkCandidate(ctx context.Context, store *git.Store) error {
	if v.Candidate == "" {
		return nil
	}
	ok, err := store.IsAncestor(ctx, plumbing.NewHash(v.Candidate), plumbing.NewHash(v.Commit))
	if err != nil {
		return fmt.Errorf("get release %s: look for the candidate %.7s before commit %.7s: %w", v.Version, v.Candidate, v.Commit, err)
	}
	if !ok {
		return fmt.Errorf("get release %s: the candidate %s is not part of commit %s: was the description of pull request %s edited?", v.Version, v.Candidate, v.Commit, v.PR)
	}
	return nil
}

// readFile reads a regular file of a tree; fs.ErrNotExist when there is none.
func readFile(ctx context.Context, store *git.Store, tree git.Hash, name string) ([]byte, error) {
	e, err := store.Lookup(ctx, tree, name)
	if err != nil {
		return nil, err
	}
	if !e.Mode.IsRegular() && !e.Mode.IsFile() {
		return nil, fmt.Errorf("it is not a file: %w", fs.ErrInvalid)
	}
	return store.Blob(ctx, e.Hash)
}
