package git

import (
	"context"
	"iter"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/history"
	"github.com/taxiway-ci/taxiway/internal/git/merge"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Log walks back through history, and fetches what is missing of it where the walk comes to its end, see [history.Log].
func (s *Store) Log(ctx context.Context, r Range) iter.Seq2[*Commit, error] {
	return history.Log(ctx, s, r)
}

// LogEach is Log for each of many paths, in one walk, see [history.Each].
func (s *Store) LogEach(ctx context.Context, from Hash, paths []string) iter.Seq2[Touch, error] {
	return history.Each(ctx, s, from, paths)
}

// Newest finds for each path the newest commit that touches it, see [history.Newest].
func (s *Store) Newest(ctx context.Context, from Hash, paths []string) (map[string]*Commit, error) {
	return history.Newest(ctx, s, from, paths)
}

// MergeTree returns the tree of the merge of head into onto, see [merge.Tree].
func (s *Store) MergeTree(ctx context.Context, onto, head Hash) (Hash, error) {
	return merge.Tree(ctx, s, onto, head)
}

// Rebase replays the commits of head that onto lacks on top of onto, see [merge.Rebase].
func (s *Store) Rebase(ctx context.Context, onto, head Hash) (*Commit, error) {
	return merge.Rebase(ctx, s, onto, head)
}

// KeepCommit stores a commit in memory, for this store only, and sets its hash.
func (s *Store) KeepCommit(c *Commit) *Commit {
	c.Hash = s.Keep(plumbing.CommitObject, object.FormatCommit(c))
	return c
}

// Keep stores an object in memory, for this store only.
func (s *Store) Keep(kind plumbing.ObjectType, content []byte) Hash {
	o := object.New(kind, content)
	if !s.Has(o.Hash) {
		s.made[o.Hash] = o
	}
	return o.Hash
}
