package vendored

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
)

const (
	candidates     = 10 // tags that git describe looks at
	shortestAbbrev = 7  // digits of a hash that git shows
	refsTags       = "refs/tags/"
	peeled         = "^{}"
)

// describe is what "git describe --tags" says about the commit, empty when no tag
// leads to it. ErrShallow when the clone does not have the history to know.
func (o *Origin) describe(ctx context.Context) (string, error) {
	if o.clone == nil {
		return "", errors.New("the tags of a remote repository are not at hand")
	}
	names, err := o.tags(ctx)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0 && o.clone.IsShallow():
		return "", fmt.Errorf("the clone has no tag, and not all of history: %w", ErrShallow)
	case len(names) == 0:
		return "", nil
	}
	if name, ok := names[o.commit.Hash]; ok {
		return name.name, nil
	}
	d := &description{origin: o, names: names, flags: map[git.Hash]uint{}}
	best, err := d.run(ctx)
	if err != nil || best == nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d-g%s", best.name, best.depth, o.commit.Hash.String()[:o.abbrev()]), nil
}

// tagName is the tag that git shows for a commit with several.
type tagName struct {
	name      string
	annotated bool
	made      int64 // seconds; of an annotated one
}

func (o *Origin) tags(ctx context.Context) (map[git.Hash]tagName, error) {
	refs, err := o.clone.Refs()
	if err != nil {
		return nil, err
	}
	names := map[git.Hash]tagName{}
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		name, isTag := strings.CutPrefix(ref, refsTags)
		if !isTag || strings.HasSuffix(ref, peeled) {
			continue
		}
		tag, at := tagName{name: name}, refs[ref]
		if to, annotated := refs[ref+peeled]; annotated {
			t, err := o.store.Tag(ctx, at)
			if err != nil {
				return nil, err
			}
			tag, at = tagName{t.Name, true, t.Tagger.When.Unix()}, to
		}
		old, ok := names[at]
		if !ok || (tag.annotated && (!old.annotated || old.made < tag.made)) {
			names[at] = tag
		}
	}
	return names, nil
}

// abbrev is how many digits git shows of a hash in a repository of this size.
func (o *Origin) abbrev() int {
	return max(shortestAbbrev, (bits.Len(uint(o.clone.PackedObjects()))+1)/2)
}

// description is one run of git's search for the nearest tag: commits by date,
// each with a flag for every candidate that reaches it.
type description struct {
	origin *Origin
	names  map[git.Hash]tagName
	found  []*candidate
	flags  map[git.Hash]uint // of every commit that was queued
	queue  []*git.Commit     // the youngest first
	seen   int               // commits that were looked at
}

type candidate struct {
	tagName
	depth int // commits that the tag does not reach
	flag  uint
}

// run gives the best candidate with its depth, nil when there is none.
func (d *description) run(ctx context.Context) (*candidate, error) {
	d.push(d.origin.commit, 0)
	annotated := 0
	var gaveUp *git.Commit
	for len(d.queue) > 0 {
		c := d.pop()
		d.seen++
		if len(d.found) == candidates {
			gaveUp = c
			break
		}
		if name, ok := d.names[c.Hash]; ok {
			t := &candidate{name, d.seen - 1, 1 << len(d.found)}
			d.found = append(d.found, t)
			d.flags[c.Hash] |= t.flag
			if name.annotated {
				annotated++
			}
		}
		for _, t := range d.found {
			if d.flags[c.Hash]&t.flag == 0 {
				t.depth++
			}
		}
		if annotated > 0 && len(d.queue) == 0 && d.flags[c.Hash]&d.bestFlags() == d.bestFlags() {
			break
		}
		if err := d.parents(ctx, c); err != nil {
			return nil, err
		}
	}
	if len(d.found) == 0 {
		return nil, nil //nolint:nilnil // no tag is an answer
	}
	best := slices.MinFunc(d.found, func(a, b *candidate) int { return cmp.Compare(a.depth, b.depth) })
	if gaveUp != nil {
		d.insert(gaveUp)
	}
	return best, d.finish(ctx, best)
}

// bestFlags are the flags of all candidates with the least depth.
func (d *description) bestFlags() uint {
	best, flags := d.found[0].depth, uint(0)
	for _, t := range d.found {
		best = min(best, t.depth)
	}
	for _, t := range d.found {
		if t.depth == best {
			flags |= t.flag
		}
	}
	return flags
}

// finish counts the rest of the commits that the best one does not reach.
func (d *description) finish(ctx context.Context, best *candidate) error {
	reached := func(c *git.Commit) bool { return d.flags[c.Hash]&best.flag != 0 }
	for len(d.queue) > 0 {
		c := d.pop()
		if !reached(c) {
			best.depth++
		} else if !slices.ContainsFunc(d.queue, func(o *git.Commit) bool { return !reached(o) }) {
			return nil
		}
		if err := d.parents(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (d *description) parents(ctx context.Context, c *git.Commit) error {
	have, err := d.origin.store.Parents(ctx, c.Hash)
	if errors.Is(err, git.ErrNotFound) || (err == nil && len(have) < len(c.Parents)) {
		return fmt.Errorf("the tags before commit %s are not known, as history ends at %s: %w", d.origin.Commit(), c.Hash, ErrShallow)
	}
	if err != nil {
		return err
	}
	for _, h := range have {
		p, err := d.origin.store.Commit(ctx, h)
		if err != nil {
			return err
		}
		d.push(p, d.flags[c.Hash])
	}
	return nil
}

// push queues a commit once, and lets it have the flags of its child.
func (d *description) push(c *git.Commit, flags uint) {
	if _, queued := d.flags[c.Hash]; !queued {
		d.insert(c)
	}
	d.flags[c.Hash] |= flags
}

func (d *description) insert(c *git.Commit) {
	at := slices.IndexFunc(d.queue, func(o *git.Commit) bool { return o.Committer.When.Before(c.Committer.When) })
	if at < 0 {
		at = len(d.queue)
	}
	d.queue = slices.Insert(d.queue, at, c)
}

func (d *description) pop() *git.Commit {
	c := d.queue[0]
	d.queue = d.queue[1:]
	return c
}
