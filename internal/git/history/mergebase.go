package history

import (
	"context"
	"errors"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Ancestry is what the search for merge bases reads.
type Ancestry interface {
	Commit(ctx context.Context, h object.Hash) (*object.Commit, error)
	Parents(ctx context.Context, h object.Hash) ([]object.Hash, error)
	IsAncestor(ctx context.Context, old, young object.Hash) (bool, error)
}

// sides of a search for merge bases, as bits.
const (
	ofOne = 1 << iota
	ofTwo
	isOld // an ancestor of a common ancestor
)

// MergeBases returns the best common ancestors of two commits: those that are not ancestors of
// another one, newest first. Two branches that were merged into each other more than once may have
// several. Unrelated histories have none.
func MergeBases(ctx context.Context, a Ancestry, one, two object.Hash) ([]object.Hash, error) {
	if one == two {
		return []object.Hash{one}, nil
	}
	p := painter{Ancestry: a, sides: map[object.Hash]int{}, waits: map[object.Hash]bool{}}
	if err := errors.Join(p.paint(ctx, one, ofOne), p.paint(ctx, two, ofTwo)); err != nil {
		return nil, err
	}
	for p.young > 0 {
		if err := p.step(ctx); err != nil {
			return nil, err
		}
	}
	var bases []object.Hash
	for _, h := range p.common {
		if p.sides[h]&isOld == 0 {
			bases = append(bases, h)
		}
	}
	return withoutAncestors(ctx, a, bases)
}

// painter walks back from two commits at once, the latest commits first.
type painter struct {
	Ancestry
	sides  map[object.Hash]int
	queue  dateQueue
	waits  map[object.Hash]bool // in the queue
	order  int
	young  int // commits in the queue that are not old
	common []object.Hash
}

// paint notes that a commit can be reached from what the sides stand for.
func (p *painter) paint(ctx context.Context, h object.Hash, sides int) error {
	if p.sides[h]&sides == sides {
		return nil
	}
	c, err := p.Commit(ctx, h)
	if err != nil {
		return err
	}
	wasYoung := p.sides[h]&isOld == 0
	p.sides[h] |= sides
	young := p.sides[h]&isOld == 0
	if p.waits[h] {
		if wasYoung && !young {
			p.young--
		}
		return nil
	}
	p.order++
	p.waits[h] = true
	p.queue.add(&node{commit: c, order: p.order})
	if young {
		p.young++
	}
	return nil
}

func (p *painter) step(ctx context.Context) error {
	c := p.queue.take()
	delete(p.waits, c.Hash)
	sides := p.sides[c.Hash]
	if sides&isOld == 0 {
		p.young--
	}
	if sides == ofOne|ofTwo {
		p.common = append(p.common, c.Hash)
		sides |= isOld
	}
	parents, err := p.Parents(ctx, c.Hash)
	if err != nil {
		return err
	}
	for _, h := range parents {
		if err := p.paint(ctx, h, sides); err != nil {
			return err
		}
	}
	return nil
}

// withoutAncestors leaves out the ancestors of other ones, which the walk misses where a commit is
// dated before its parent.
func withoutAncestors(ctx context.Context, a Ancestry, all []object.Hash) ([]object.Hash, error) {
	var best []object.Hash
	for _, h := range all {
		isBest := true
		for _, other := range all {
			if h == other {
				continue
			}
			older, err := a.IsAncestor(ctx, h, other)
			if err != nil {
				return nil, err
			}
			isBest = isBest && !older
		}
		if isBest {
			best = append(best, h)
		}
	}
	return best, nil
}
