package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
)

// Parents gives a commit's parents and makes them readable. Where the copy of
// history ends it is made longer. The first commits have none, and so have those
// at which the repository itself ends, when it is shallow.
func (s *Store) Parents(ctx context.Context, h Hash) ([]Hash, error) {
	c, err := s.Commit(ctx, h)
	if err != nil {
		return nil, err
	}
	if s.hasAll(c.Parents) {
		return c.Parents, nil
	}
	if s.ends[c.Hash] {
		return nil, nil
	}
	if s.packs == nil || s.remote == nil {
		if s.local != nil && s.local.Shallow(c.Hash) {
			return nil, nil
		}
		return nil, fmt.Errorf("parents of %s in %s: %w", c.Hash, s.name, ErrNotFound)
	}
	if err := s.deepen(ctx, c); err != nil {
		return nil, fmt.Errorf("fetch older commits of %s: %w", s.name, err)
	}
	if s.hasAll(c.Parents) {
		return c.Parents, nil
	}
	if s.cutAtServer(c) {
		s.ends[c.Hash] = true
		return nil, nil
	}
	return nil, fmt.Errorf("parents of %s in %s: %w", c.Hash, s.name, ErrNotFound)
}

func (s *Store) hasAll(all []Hash) bool {
	return !slices.ContainsFunc(all, func(h Hash) bool { return !s.Has(h) })
}

// cutAtServer reports whether the repository itself is shallow at c.
func (s *Store) cutAtServer(c *Commit) bool {
	_, ok := s.packs.State.Shallow[c.Hash]
	return ok
}

// deepen fetches history from c on, in steps, until its parents are here.
func (s *Store) deepen(ctx context.Context, c *Commit) error {
	steps := deeper()
	if s.far {
		s.steps = max(s.steps, len(steps)-1)
	}
	for ; s.steps < len(steps); s.steps++ {
		if s.hasAll(c.Parents) {
			return nil
		}
		q := s.deepenRequest(ctx, c, steps[s.steps])
		err := s.fetch(ctx, q, s.packs.State.Shallow[c.Hash])
		if wire.IsRefused(err) {
			return s.fallBack(ctx, "", wire.NoBlobs, c.Parents...)
		}
		if err != nil {
			return err
		}
		if q.Depth == 0 {
			if err := s.closeCuts(ctx); err != nil {
				return err
			}
		}
	}
	s.steps = len(steps) - 1
	if s.hasAll(c.Parents) {
		return nil
	}
	// A ref that was forced elsewhere does not lead to c any more.
	q := s.request(wire.NoBlobs, c.Hash)
	q.Depth = wire.Everything
	err := s.fetch(ctx, q, false)
	if wire.IsRefused(err) {
		return nil
	}
	return err
}

// closeCuts forgets the cuts behind which everything is here by now. A server
// names those that it has itself.
func (s *Store) closeCuts(ctx context.Context) error {
	for h := range s.packs.State.Shallow {
		c, err := s.Commit(ctx, h)
		if err != nil {
			return err
		}
		if s.hasAll(c.Parents) {
			delete(s.packs.State.Shallow, h)
		}
	}
	return s.packs.Save()
}

// deepenRequest moves the whole edge of a ref's history at once, as a walk will
// reach all of it. A commit that was asked for by itself goes on alone.
func (s *Store) deepenRequest(ctx context.Context, c *Commit, depth int) wire.Fetch {
	var wants []Hash
	if s.packs.State.Shallow[c.Hash] {
		for _, ref := range slices.Sorted(maps.Keys(s.packs.State.Tips)) {
			if h := s.packs.State.Tips[ref]; s.objects.Has(h) && !slices.Contains(wants, h) {
				wants = append(wants, h)
			}
		}
	}
	if len(wants) == 0 {
		wants = []Hash{c.Hash}
	}
	q := s.request(wire.NoBlobs, wants...)
	q.Depth = depth
	q.Relative = depth != wire.Everything && s.remote.client.Deepens(ctx)
	if depth == wire.Everything {
		// What is here already comes again: around a cut the server looks for new
		// deltas, while the whole is copied as it has it, in half the time.
		q.Haves, q.Shallow, q.Depth = nil, nil, 0
	}
	return q
}

// IsAncestor reports whether one commit is another one or comes before it. A
// commit that the repository does not have comes before none.
func (s *Store) IsAncestor(ctx context.Context, old, young Hash) (bool, error) {
	if old == young {
		return true, nil
	}
	found, complete := s.reaches(young, old)
	if found || complete || s.packs == nil {
		return found, nil
	}
	for _, depth := range deeper()[1:] {
		if err := s.fetchGraph(ctx, young, depth); err != nil {
			return false, fmt.Errorf("find out whether %s comes before %s in %s: %w", old, young, s.name, err)
		}
		if found, complete = s.reaches(young, old); found || complete {
			return found, nil
		}
	}
	return false, nil
}

// reaches looks for old behind young in what is here, and reports whether it
// has seen all of the history.
func (s *Store) reaches(young, old Hash) (found, complete bool) {
	complete = true
	seen := map[Hash]bool{young: true}
	for queue := []Hash{young}; len(queue) > 0; queue = queue[1:] {
		parents, ok := s.parentsHere(queue[0])
		if !ok {
			complete = false
		}
		for _, p := range parents {
			if p == old {
				return true, true
			}
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return false, complete
}

func (s *Store) parentsHere(h Hash) ([]Hash, bool) {
	if parents, ok := s.graph[h]; ok {
		return parents, true
	}
	if c, ok := s.commits.Get(h); ok {
		return c.Parents, true
	}
	if !s.Has(h) {
		return nil, false
	}
	kind, content, err := s.object(h)
	if err != nil {
		return nil, false
	}
	if kind == plumbing.TagObject {
		to, err := object.TagTarget(content)
		return []Hash{to}, err == nil
	}
	c, err := object.ParseCommit(h, content)
	if kind != plumbing.CommitObject || err != nil {
		return nil, kind != plumbing.CommitObject
	}
	return c.Parents, true
}

// fetchGraph gets the commits before tip without their trees, and keeps nothing
// of them but who is whose parent.
func (s *Store) fetchGraph(ctx context.Context, tip Hash, depth int) error {
	packs := pack.NewStore()
	defer func() { _ = packs.Close() }() // in memory, or a file without a name
	q := wire.Fetch{Wants: []Hash{tip}, Depth: depth, Filter: wire.NoTrees}
	if _, err := s.remote.fetch(ctx, q, func(r io.Reader) error { return packs.Add(ctx, r) }); err != nil {
		if wire.IsRefused(err) {
			return s.fallBack(ctx, "", wire.NoBlobs, tip)
		}
		return err
	}
	if s.graph == nil {
		s.graph = map[Hash][]Hash{}
	}
	for h := range packs.Hashes() {
		if err := s.addToGraph(packs, h); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) addToGraph(packs *pack.Store, h Hash) error {
	kind, content, err := packs.Read(h)
	if err != nil || kind != plumbing.CommitObject {
		return err
	}
	c, err := object.ParseCommit(h, content)
	if err != nil {
		return errors.Join(err, ErrDamaged)
	}
	s.graph[h] = c.Parents
	return nil
}
