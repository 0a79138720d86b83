// Package vendirbump is the resource type that moves a repository's vendored copy
// of another git repository to another commit, as vendir would. README.md lists
// its source, params and files.
package vendirbump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// Resource is vendir-bump.
type Resource struct{}

// Version is a commit of the repository with the copy.
type Version struct {
	Commit string `json:"commit" concourse:"required"`
	// Ref is the commit that was copied.
	Ref string `json:"ref"`
	// PR is the number of the open pull request; empty otherwise.
	PR string `json:"pr,omitempty"`
}

// getParams are the params of a get step: there are none.
type getParams struct{}

// putParams are the params of a put step.
type putParams struct {
	// Repository is an artifact: a clone of the repository that is copied, with its
	// history. What is checked out there becomes the copy.
	Repository string `json:"repository" concourse:"required"`
	// Ref is a file with the whole hash of another commit of it.
	Ref string `json:"ref"`
	// ExtraFiles go into the same commit: files of the repository that follow from the copy. The copy itself, the
	// config and the lock file are not among them.
	ExtraFiles proposal.ExtraFiles `json:"extra_files"`
	// MadeFrom is an artifact: the clone of the repository with the copy that ExtraFiles were made from. Where the branch
	// has another version of one of them since, the put fails.
	MadeFrom string `json:"made_from"`
	// RequireAutoMerge fails the put when the pull request can't be set to merge by itself; otherwise the
	// put succeeds with a warning.
	RequireAutoMerge bool `json:"require_auto_merge"`
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// Check answers what it was given: versions come from puts alone.
func (Resource) Check(_ context.Context, _ concourse.Step, _ Source, given *Version) ([]Version, error) {
	if given == nil {
		return []Version{}, nil
	}
	return []Version{*given}, nil
}

// Out moves the copy. It succeeds only when the remote has it.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (out Result, err error) {
	origin, err := open(ctx, step, p)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, origin.Close()) }()
	remote, err := signing.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return out, err
	}
	defer func() { _ = remote.Close() }() // what counts was pushed
	store, err := remote.Store("")
	if err != nil {
		return out, err
	}
	defer func() { _ = store.Close() }() // it is in memory
	bot, err := src.settings().Bot("vendir-bump", src.Access, store, remote, step.Logf)
	if err != nil {
		return out, err
	}
	defer bot.Close()
	bot.RequireMerge = p.RequireAutoMerge
	b := &bumper{src: src, step: step, remote: remote, store: store, origin: origin, params: p}
	if err := b.readExtra(ctx); err != nil {
		return out, err
	}
	defer b.closeExtra()
	done, err := bot.Keep(ctx, b.edit)
	if err != nil {
		return out, fmt.Errorf("bump %s in %s: %w", path.Join(src.Directory, src.Content), remote.URL(), err)
	}
	return b.answer(bot, done), nil
}

func open(ctx context.Context, step concourse.Step, p putParams) (*vendored.Origin, error) {
	dir, err := step.Artifacts().Path(p.Repository)
	if err != nil {
		return nil, fmt.Errorf("params.repository: %w", err)
	}
	commit := ""
	if p.Ref != "" {
		if commit, err = readRef(step, p.Ref); err != nil {
			return nil, fmt.Errorf("params.ref: %w", err)
		}
	}
	clone, err := git.OpenCloneWithin(step.Dir, dir)
	if err != nil {
		return nil, fmt.Errorf("params.repository %s: %w: is it the folder of a get of a git resource?", p.Repository, err)
	}
	origin, err := vendored.OpenOrigin(ctx, clone, commit)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("params.repository %s: %w", p.Repository, err), clone.Close())
	}
	return origin, nil
}

func readRef(step concourse.Step, name string) (string, error) {
	commit, err := step.Artifacts().Value(name)
	if err != nil {
		return "", err
	}
	if !plumbing.IsHash(commit) {
		return "", fmt.Errorf("%s holds %.80q, which is not a full commit hash", name, commit)
	}
	return commit, nil
}

// answer tells what was done.
func (b *bumper) answer(bot proposal.Bot, done *proposal.Outcome) Result {
	out := Result{Version: Version{Ref: b.last.New}}
	out.Metadata.Add("ref", "%s", b.last.New)
	out.Metadata.Add("title", "%s", b.origin.Title())
	out.Version.Commit, out.Version.PR = bot.Report(done, out.Metadata.Add)
	for _, text := range b.last.Warnings {
		b.step.Logf("warning: %s: %s", b.src.target().Config, text)
	}
	if n := len(b.extra); n > 0 {
		b.step.Logf("files of extra_files: %d", n)
	}
	if done.Commit == nil || len(b.last.Edits) == 0 {
		b.step.Logf("%s is the copy of %.7s already", b.last.Dir, b.last.New)
		return out
	}
	b.step.Logf("%s is the copy of %.7s now, in commit %.7s: %s", b.last.Dir, b.last.New, out.Version.Commit, counts(b.last))
	out.Metadata.Add("before", "%s", b.last.Old)
	out.Metadata.Add("commit", "%s", out.Version.Commit)
	if web := b.remote.WebURL(); web != "" {
		out.Metadata.Add("url", "%s/commit/%s", web, out.Version.Commit)
	}
	if link := vendored.Compare(b.last.URL, b.last.Old, b.last.New); link != "" {
		out.Metadata.Add("compare", "%s", link)
	}
	out.Metadata.Add("files", "%s", counts(b.last))
	return out
}

// In delivers the copy as it was in the version's commit.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ getParams) (out Result, err error) {
	out.Version = v
	if !plumbing.IsHash(v.Commit) {
		return out, fmt.Errorf("version.commit: %q is not a full commit hash", v.Commit)
	}
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return out, err
	}
	defer func() { _ = remote.Close() }() // it was read only
	store, err := remote.Store("")
	if err != nil {
		return out, err
	}
	defer func() { _ = store.Close() }() // it is in memory
	copied, err := vendored.ReadCopy(ctx, store, plumbing.NewHash(v.Commit), src.target())
	if err != nil {
		return out, err
	}
	if v.Ref != "" && v.Ref != copied.Ref {
		return out, fmt.Errorf("version.ref: commit %s has the copy of %s, not of %s", v.Commit, copied.Ref, v.Ref)
	}
	out.Metadata.Add("ref", "%s", copied.Ref)
	out.Metadata.Add("files", "%d", len(copied.Files))
	return out, deliver(ctx, step.Dir, store, v, copied)
}

// copyFolder is where a get puts the copy.
const copyFolder = "copy"

func deliver(ctx context.Context, dir string, store *git.Store, v Version, copied *vendored.Copy) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it is a way to the folder only
	for name, text := range map[string]string{"commit": v.Commit, "ref": copied.Ref} {
		if err := root.WriteFile(name, []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	if err := root.Mkdir(copyFolder, 0o755); err != nil {
		return err
	}
	return store.Checkout(ctx, filepath.Join(dir, copyFolder), copied.Files)
}
