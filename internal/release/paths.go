package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// CheckPaths reports the first pattern that is none.
func CheckPaths(patterns []string) error {
	for _, p := range patterns {
		if p == "" || strings.HasPrefix(p, "/") || !doublestar.ValidatePattern(p) {
			return fmt.Errorf("%q is not a valid path pattern; write one like services/api/**", p)
		}
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

// touches reports whether a commit changes one of the paths: a merge does only
// when it is like none of its parents there.
func (c *Code) touches(ctx context.Context, s *git.Store, commit *git.Commit) (bool, error) {
	if len(c.o.Paths) == 0 {
		return true, nil
	}
	if len(commit.Parents) == 0 {
		return c.differs(ctx, s, git.Hash{}, commit.Tree)
	}
	for _, p := range commit.Parents {
		parent, err := s.Commit(ctx, p)
		if err != nil {
			return false, err
		}
		differs, err := c.differs(ctx, s, parent.Tree, commit.Tree)
		if err != nil || !differs {
			return false, err
		}
	}
	return true, nil
}

func (c *Code) differs(ctx context.Context, s *git.Store, before, after git.Hash) (bool, error) {
	all := func(string) bool { return true }
	err := s.Diff(ctx, before, after, all, func(name string, _, _ *git.Entry) error {
		if matches(c.o.Paths, name) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}
