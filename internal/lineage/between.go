package lineage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Span is what lies between two commits of a source repository.
type Span struct {
	// Commits are those that the second one has and the first one has not, the newest first; at most as
	// many as were wanted. Total is how many there are.
	Commits []version.Commit `json:"commits"`
	Total   int              `json:"total"`
	// Back counts those that the first one has and the second one has not: what goes away.
	Back int `json:"back"`
}

// errNotAtHand says that a repository was not given to the reader.
var errNotAtHand = errors.New("the repository was not given")

// between lists the commits between two commits of a repository, which may be short. Its error is
// errNotAtHand when nobody says where the repository can be read.
func (r *Reader) between(ctx context.Context, repository, before, after string, limit int) (*Span, error) {
	c, err := r.clone(ctx, repository)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errNotAtHand
	}
	from, err := c.resolve(ctx, before)
	if err != nil {
		return nil, err
	}
	to, err := c.resolve(ctx, after)
	if err != nil {
		return nil, err
	}
	out := &Span{}
	if out.Commits, out.Total, err = c.missing(ctx, to.Hash, from.Hash, limit); err != nil {
		return nil, err
	}
	_, out.Back, err = c.missing(ctx, from.Hash, to.Hash, 0)
	return out, err
}

// missing are the commits of one history that another one does not have.
func (c *clone) missing(ctx context.Context, of, in git.Hash, limit int) (some []version.Commit, total int, err error) {
	for found, err := range c.store.Log(ctx, git.Range{From: []git.Hash{of}, Not: []git.Hash{in}}) {
		if err != nil {
			return nil, 0, fmt.Errorf("list the commits of %s between %.7s and %.7s: %w", c.place, in, of, err)
		}
		total++
		if len(some) < limit {
			some = append(some, release.CommitOf(found))
		}
	}
	return some, total, nil
}

// Contents are the charts and images of a state.
func (r *Reader) Contents(ctx context.Context, s cepler.Snapshot) (Contents, error) {
	if err := r.open(); err != nil {
		return Contents{}, err
	}
	if err := r.prefetch(ctx, s); err != nil {
		return Contents{}, err
	}
	return r.contents(ctx, s)
}

// prefetch fetches in two requests what a copy of a repository does not have yet: the commits that the files
// come from, and the files that may pin an image.
func (r *Reader) prefetch(ctx context.Context, s cepler.Snapshot) error {
	if r.options.Store == nil {
		return nil
	}
	var commits, blobs []git.Hash
	for key, f := range s.Files {
		_, p := cepler.SplitKey(key)
		if h, ok := deployments.FullCommit(f.From); ok {
			commits = append(commits, h)
		}
		if h, ok := deployments.FullCommit(f.Hash); ok && slices.Contains([]string{".yml", ".yaml"}, path.Ext(p)) && !f.Dirty {
			blobs = append(blobs, h)
		}
	}
	// what one request does not bring is fetched one by one, which reports what is missing
	if err := errors.Join(r.store.NeedCommits(ctx, commits...), r.store.Need(ctx, blobs...)); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
