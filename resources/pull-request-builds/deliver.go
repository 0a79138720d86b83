package pullrequestbuilds

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
)

func (s Source) remote(step concourse.Step) (*git.Remote, error) {
	access, err := s.git()
	if err != nil {
		return nil, err
	}
	return git.Open(access, git.Options{Logf: step.Logf})
}

// deliver writes the files of a version into the step's folder. It returns the pull request's commit.
func deliver(ctx context.Context, step concourse.Step, src Source, v Version) (*git.Commit, error) {
	remote, err := src.remote(step)
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }()
	needed := []git.Hash{plumbing.NewHash(v.Commit)}
	if src.integrates() && v.Base != "" {
		needed = append(needed, plumbing.NewHash(v.Base))
	}
	if err := store.NeedCommits(ctx, needed...); err != nil {
		return nil, err
	}
	pushed, err := store.Commit(ctx, needed[0])
	if err != nil {
		return nil, err
	}
	whole := pushed
	if len(needed) > 1 {
		i := integration{remote: remote, store: store, pr: v.PR, head: pushed}
		if i.base, err = store.Commit(ctx, needed[1]); err != nil {
			return nil, err
		}
		if whole, err = i.commit(ctx, src.IntegrationTool); err != nil {
			return nil, err
		}
	}
	return pushed, write(ctx, step, store, whole)
}

func write(ctx context.Context, step concourse.Step, store *git.Store, commit *git.Commit) error {
	var files []git.File
	err := store.Walk(ctx, commit.Tree, func(string) bool { return true }, func(path string, e git.Entry) error {
		files = append(files, git.File{Path: path, Mode: e.Mode, Hash: e.Hash})
		return nil
	})
	if err != nil {
		return err
	}
	if err := store.Checkout(ctx, step.Dir, files); err != nil {
		return err
	}
	step.Logf("delivered %d files of commit %.7s", len(files), commit.Hash)
	return store.WriteGitDir(ctx, step.Dir, git.GitDir{Head: commit.Hash, URL: store.URL(), Files: files, Whole: true})
}

// integration brings a pull request together with its base.
type integration struct {
	remote     *git.Remote
	store      *git.Store
	pr         string
	base, head *git.Commit
}

func (i integration) commit(ctx context.Context, tool string) (*git.Commit, error) {
	if tool == rebase {
		commit, err := i.store.Rebase(ctx, i.base.Hash, i.head.Hash)
		return commit, explained(err)
	}
	tree, err := i.store.MergeTree(ctx, i.base.Hash, i.head.Hash)
	var conflict *git.ConflictError
	if errors.As(err, &conflict) {
		theirs, ok := i.forgeTree(ctx)
		if !ok {
			return nil, explained(err)
		}
		tree, err = theirs, nil
	}
	if err != nil {
		return nil, err
	}
	by := git.Signature{Name: "Taxiway", Email: "bot@taxiway.invalid", When: i.head.Committer.When}
	if i.base.Committer.When.After(by.When) {
		by.When = i.base.Committer.When
	}
	return i.store.KeepCommit(&git.Commit{
		Tree: tree, Parents: []git.Hash{i.base.Hash, i.head.Hash}, Author: by, Committer: by,
		Message: fmt.Sprintf("Merge %s into %s\n", i.head.Hash, i.base.Hash),
	}), nil
}

// forgeTree is the tree of the forge's own merge, if it is one of these two commits.
func (i integration) forgeTree(ctx context.Context) (tree git.Hash, ok bool) {
	ref := "refs/pull/" + i.pr + "/merge"
	refs, err := i.remote.Refs(ctx, ref)
	if err != nil || refs[ref].IsZero() {
		return tree, false
	}
	commit, err := i.store.Commit(ctx, refs[ref])
	if err != nil || !slices.Equal(commit.Parents, []git.Hash{i.base.Hash, i.head.Hash}) {
		return tree, false
	}
	return commit.Tree, true
}

// explained adds what to do about a conflict.
func explained(err error) error {
	var conflict *git.ConflictError
	if errors.As(err, &conflict) {
		return fmt.Errorf("%w; merge the base branch into the pull request and resolve them there", err)
	}
	return err
}
