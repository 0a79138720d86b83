package git

import (
	"context"
	"iter"
	"maps"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/history"
	"github.com/taxiway-ci/taxiway/internal/git/merge"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Log walks back through history, and fetches what is missing of it where the walk comes to its end, see [history.Log].
func (s *Store) Log(ctx context.Context, r Range) iter.Seq2[*Commit, error] {
	return history.Log(ctx, s, r)
}

// LogEach is Log for each of many paths, in one walk, see [history.Each]. What is newest of each path is noted for Newest.
func (s *Store) LogEach(ctx context.Context, from Hash, paths []string) iter.Seq2[Touch, error] {
	return func(yield func(Touch, error) bool) {
		for t, err := range history.Each(ctx, s, from, paths) {
			if err == nil {
				s.note(from, t)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// note keeps the newest commit of each path; what was found from another commit is forgotten.
func (s *Store) note(from Hash, t Touch) {
	if s.noted != from {
		s.noted, s.newest = from, map[string]*Commit{}
	}
	for _, p := range t.Paths {
		if s.newest[p] == nil {
			s.newest[p] = t.Commit
		}
	}
}

// Newest finds for each path the newest commit that touches it, as git log does, in one walk. A path that no commit touches is left
// out. What a walk from there has found before is not looked for again.
func (s *Store) Newest(ctx context.Context, from Hash, paths []string) (map[string]*Commit, error) {
	found := make(map[string]*Commit, len(paths))
	var missing []string
	for _, p := range paths {
		if c := s.newest[p]; c != nil && s.noted == from {
			found[p] = c
		} else {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	newest, err := history.Newest(ctx, s, from, missing)
	maps.Copy(found, newest)
	return found, err
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
