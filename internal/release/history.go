package release

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Base is the tag of the highest final version that the commit has behind it or
// has itself; nil when there is none.
func (c *Code) Base(ctx context.Context) (*Tag, error) {
	return c.baseBelow(ctx, nil)
}

// baseBelow is Base, restricted to versions below one.
func (c *Code) baseBelow(ctx context.Context, limit *version.Version) (*Tag, error) {
	tags, err := c.Tags(ctx)
	if err != nil {
		return nil, err
	}
	tags = slices.DeleteFunc(tags, func(t Tag) bool {
		return !t.Version.IsFinal() || limit != nil && t.Version.Compare(*limit) >= 0
	})
	commits := make([]git.Hash, 0, len(tags))
	for _, t := range tags {
		commits = append(commits, t.Commit)
	}
	highest := -1
	err = c.withHistory(ctx, func(s *git.Store) error {
		highest, err = c.firstBehind(ctx, s, commits)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find the last release before %s: %w", short(c.head), err)
	}
	if highest < 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return &tags[highest], nil
}

// Newest is the tag of the highest version, final or not, that the commit has behind it or has
// itself; nil when there is none.
func (c *Code) Newest(ctx context.Context) (*Tag, error) {
	base, line, tags, err := c.known(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		if line.has[t.Commit] || base != nil && t.Name == base.Name {
			return &t, nil
		}
	}
	return nil, nil //nolint:nilnil // documented
}

// known is the base, what came since, and all tags.
func (c *Code) known(ctx context.Context) (base *Tag, since *line, tags []Tag, err error) {
	if base, err = c.Base(ctx); err != nil {
		return nil, nil, nil, err
	}
	if since, err = c.line(ctx, base); err != nil {
		return nil, nil, nil, err
	}
	tags, err = c.Tags(ctx)
	return base, since, tags, err
}

// firstBehind is the index of the first commit that the head is or has behind
// it, -1 when there is none.
func (c *Code) firstBehind(ctx context.Context, s *git.Store, commits []git.Hash) (int, error) {
	if s == c.far {
		for i, h := range commits {
			if ok, err := s.IsAncestor(ctx, h, c.head); err != nil || ok {
				return i, err
			}
		}
		return -1, nil
	}
	order := map[git.Hash]int{}
	for i, h := range slices.Backward(commits) {
		order[h] = i
	}
	first, cut := len(commits), false
	for commit, err := range s.Log(ctx, git.Range{From: []git.Hash{c.head}, Whole: true}) {
		if errors.Is(err, git.ErrShallow) {
			cut = true
			continue
		}
		if err != nil {
			return -1, err
		}
		if i, ok := order[commit.Hash]; ok && i < first {
			if first = i; first == 0 {
				return 0, nil
			}
		}
	}
	switch {
	case cut:
		return -1, git.ErrShallow // an earlier one may be behind the cut
	case first == len(commits):
		return -1, nil
	}
	return first, nil
}

// Holds reports whether the commit is another one, or has it behind it.
func (c *Code) Holds(ctx context.Context, other git.Hash) (bool, error) {
	holds := false
	err := c.withHistory(ctx, func(s *git.Store) error {
		i, err := c.firstBehind(ctx, s, []git.Hash{other})
		holds = i == 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for commit %s behind %s: %w", short(other), short(c.head), err)
	}
	return holds, nil
}

// withHistory runs f on the clone and, where that is cut off, on the remote.
func (c *Code) withHistory(ctx context.Context, f func(*git.Store) error) error {
	if !c.tooShort {
		err := f(c.local.Store)
		if !errors.Is(err, git.ErrShallow) && !errors.Is(err, git.ErrNotFound) {
			return err
		}
		c.tooShort = true
	}
	s, err := c.remoteStore(ctx)
	if errors.Is(err, errNoCommit) {
		return fmt.Errorf("%w: the clone in %s has only its newest commits; in its git resource set fetch_tags: true, and leave out depth or make it larger", ErrShallow, c.local.URL())
	}
	if err != nil {
		return err
	}
	if !c.told {
		c.told = true
		c.logf("the clone is shallow: reading older commits from %s", s.URL())
	}
	err = f(s)
	if errors.Is(err, git.ErrShallow) {
		return fmt.Errorf("%w: %s is itself a shallow repository", ErrShallow, s.URL())
	}
	return err
}

// line is what history has between a tag and the commit.
type line struct {
	has     map[git.Hash]bool // all commits
	commits []version.Commit  // those that touch the paths, newest first
}

func (c *Code) line(ctx context.Context, base *Tag) (*line, error) {
	var from git.Hash
	if base != nil {
		from = base.Commit
	}
	if l := c.lines[from]; l != nil {
		return l, nil
	}
	err := c.withHistory(ctx, func(s *git.Store) error {
		l, err := c.read(ctx, s, from)
		if err == nil {
			c.lines[from] = l
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the commits up to %s: %w", short(c.head), err)
	}
	return c.lines[from], nil
}

// read lists what the commit has behind it and base, which may be zero, has not.
func (c *Code) read(ctx context.Context, s *git.Store, base git.Hash) (*line, error) {
	r := git.Range{From: []git.Hash{c.head}, Whole: true}
	if !base.IsZero() {
		r.Not = []git.Hash{base}
	}
	l := &line{has: map[git.Hash]bool{}}
	for f, err := range s.Log(ctx, r) {
		if err != nil {
			return nil, err
		}
		l.has[f.Hash] = true
		touches, err := c.touches(ctx, s, f)
		if err != nil {
			return nil, err
		}
		if touches {
			l.commits = append(l.commits, CommitOf(f))
		}
	}
	return l, nil
}

// CommitOf is a commit of git as package version reads it.
func CommitOf(c *git.Commit) version.Commit {
	return version.Commit{
		Hash: c.Hash.String(), Message: c.Message, Merge: len(c.Parents) > 1, Author: c.Author.Name, When: c.Committer.When,
	}
}
