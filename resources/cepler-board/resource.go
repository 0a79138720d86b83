// Package ceplerboard is the resource type that publishes the board of a deployments repository, which shows what runs where, as
// a page on a branch. README.md lists its source and files.
package ceplerboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// Resource is cepler-board.
type Resource struct{}

// Version is a commit of the board's branch.
type Version struct {
	Commit string `json:"commit" concourse:"required"`
}

type (
	// GetParams are the params of a get step: there are none.
	GetParams struct{}
	// PutParams are the params of a put step: there are none.
	PutParams struct{}
	// Result is the answer of a get or put.
	Result = concourse.Result[Version]
)

// Check tells the newest commit of the board's branch. It costs one ref advertisement.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, _ *Version) ([]Version, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }() // it was read only
	refs, err := remote.Refs(ctx, src.boardRef())
	if err != nil {
		return nil, err
	}
	tip, ok := refs[src.boardRef()]
	if !ok {
		step.Logf("there is no branch %s yet: a put makes it", src.boardBranch())
		return []Version{}, nil
	}
	return []Version{{tip.String()}}, nil
}

// In delivers the page as it was published.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ GetParams) (out Result, err error) {
	out.Version = v
	if !plumbing.IsHash(v.Commit) {
		return out, fmt.Errorf("version.commit: %q is not a full commit hash", v.Commit)
	}
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return out, err
	}
	defer func() { _ = remote.Close() }()
	page, err := published(ctx, remote, src, v.Commit)
	if err != nil {
		return out, fmt.Errorf("get the board of commit %.7s: %w", v.Commit, err)
	}
	link(&out.Metadata, remote.WebURL(), v.Commit)
	return out, step.Write(map[string]string{"index.html": string(page), "commit": v.Commit})
}

// published is the page of a commit.
func published(ctx context.Context, remote *git.Remote, src Source, commit string) (page []byte, err error) {
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, err := store.Commit(ctx, plumbing.NewHash(commit))
	if err != nil {
		return nil, err
	}
	entry, err := store.Lookup(ctx, c.Tree, src.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Of(err, "the commit has no page %s%s: is it one of branch %s, and is source.path right?", src.path(), store.Beside(ctx, c.Tree, src.path()), src.boardBranch())
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", src.path(), err)
	}
	return store.Blob(ctx, entry.Hash)
}

// Out publishes the board of the repository as it is now. It succeeds only when the remote has it.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, _ PutParams) (out Result, err error) {
	repository, err := board.Open(board.Options{
		Options: lineage.Options{Logf: step.Logf}, Access: src.Access,
		Question: lineage.Question{Branch: src.Branch, Configs: src.Configs, GatesBranch: src.GatesBranch, GatesFile: src.GatesFile},
	}, "")
	if err != nil {
		return out, err
	}
	defer func() { _ = repository.Close() }() // what counts was pushed
	done, err := repository.Publish(ctx, board.Place{
		Ref: src.boardRef(), Path: src.path(), Committer: src.Committer(time.Now()), Trailers: step.Build.Trailers(),
	})
	if err != nil {
		return out, fmt.Errorf("publish the board on branch %s: %w", src.boardBranch(), err)
	}
	out.Version.Commit = done.Commit.Hash.String()
	if !done.News {
		step.Logf("the board of commit %.7s is up to date", out.Version.Commit)
	}
	out.Metadata.Add("environments", "%s", strconv.Itoa(done.Environments))
	out.Metadata.Add("news", "%t", done.News)
	link(&out.Metadata, done.Web, out.Version.Commit)
	return out, nil
}

func link(note *concourse.Metadata, web, commit string) {
	if web != "" {
		note.Add("url", "%s/commit/%s", web, commit)
	}
}
