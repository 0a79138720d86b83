package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// CheckPaths reports the first pattern that is not valid, or that no file of a repository can match.
func CheckPaths(patterns []string) error {
	for _, p := range patterns {
		outside := strings.HasPrefix(p, "/") || strings.HasPrefix(p, "./") || p == ".." || strings.HasPrefix(p, "../")
		if p == "" || outside || !doublestar.ValidatePattern(p) {
			return fmt.Errorf("%q is not a pattern of paths from the root of the repository; write one like services/api/**", p)
		}
	}
	return nil
}

// CheckTagPrefix reports a prefix with which no version makes a tag.
func CheckTagPrefix(prefix string) error {
	if short, ok := strings.CutPrefix(prefix, "refs/tags/"); ok {
		return fmt.Errorf("tag_prefix: write the short name %q, without refs/tags/", short)
	}
	if git.CheckBranch(prefix+"1.0.0") != nil { // the rules of tags are those of branches
		return fmt.Errorf("tag_prefix: %q can't begin the name of a git tag", prefix)
	}
	return nil
}

// matches reports whether a path is one of the patterns', or below one.
func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		p = strings.TrimSuffix(p, "/")
		if doublestar.MatchUnvalidated(p, name) || doublestar.MatchUnvalidated(p+"/**", name) {
			return true
		}
	}
	return false
}

// errFound ends a comparison.
var errFound = errors.New("found")

// touches reports whether a commit counts: it changes one of the paths or, without any, it is not about
// private packages alone. A merge changes only what it has like none of its parents.
func (c *Code) touches(ctx context.Context, s *git.Store, commit *git.Commit) (bool, error) {
	counts := c.changesAPath
	if len(c.o.Paths) == 0 {
		if !slices.ContainsFunc(c.packages, func(p version.Package) bool { return p.Private }) {
			return true, nil
		}
		counts = c.changesMoreThanPrivate
	}
	if len(commit.Parents) == 0 {
		return counts(ctx, s, git.Hash{}, commit.Tree)
	}
	for _, p := range commit.Parents {
		parent, err := s.Commit(ctx, p)
		if err != nil {
			return false, err
		}
		yes, err := counts(ctx, s, parent.Tree, commit.Tree)
		if err != nil || !yes {
			return false, err
		}
	}
	return true, nil
}

func (c *Code) changesAPath(ctx context.Context, s *git.Store, before, after git.Hash) (bool, error) {
	return changesOne(ctx, s, before, after, func(name string) bool { return matches(c.o.Paths, name) })
}

// changesMoreThanPrivate is cocogitto's rule: a commit that changes a package belongs to the packages that
// it changes, whatever else it changes; it counts unless all of these are private.
func (c *Code) changesMoreThanPrivate(ctx context.Context, s *git.Store, before, after git.Hash) (bool, error) {
	private := false
	public, err := changesOne(ctx, s, before, after, func(name string) bool {
		for _, p := range c.packages {
			if !belongs(p, name) {
				continue
			}
			if !p.Private {
				return true
			}
			private = true
		}
		return false
	})
	return public || !private, err
}

// belongs reports whether a file is part of a package.
func belongs(p version.Package, name string) bool {
	inside := p.Path != "" && strings.HasPrefix(name, p.Path+"/") || matches(p.Include, name)
	return inside && !matches(p.Ignore, name)
}

// changesOne reports whether a file for which is holds differs between two trees.
func changesOne(ctx context.Context, s *git.Store, before, after git.Hash, is func(name string) bool) (bool, error) {
	all := func(string) bool { return true }
	err := s.Diff(ctx, before, after, all, func(name string, _, _ *git.Entry) error {
		if is(name) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}
