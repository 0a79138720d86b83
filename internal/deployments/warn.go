package deployments

import (
	"context"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// warn adds to a plan what of the config has no effect: patterns that match nothing, and submodules. start
// is the environment's content at its gate. Everything that is looked at was read for the plan already.
func (r *Repository) warn(ctx context.Context, p *Plan, u rules, start *content) error {
	where := fmt.Sprintf("%s: environments.%s", u.config.Path, u.environment.Name)
	for _, at := range start.submodules {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s is a submodule, and its files are not delivered; copy them into the repository, for example with vendir", where, at))
	}
	for _, g := range u.environment.Latest {
		if !matchesAny(g, start) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s.latest: the pattern %q matches no file at %s", where, g.String(), short(p.Gate.Commit.Hash)))
		}
	}
	if u.upstreamPath() == "" {
		return nil
	}
	upstream, err := r.stateAt(ctx, p.Gate.Commit, u.upstreamPath())
	if err != nil || upstream == nil {
		return err
	}
	for _, g := range u.environment.Propagated {
		if !matchesState(g, upstream) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s.propagated: the pattern %q matches no file that %s has deployed", where, g.String(), u.environment.Passed))
		}
	}
	return nil
}

// matchesAny reports whether a pattern matches one of the environment's own files, or a submodule, which
// has a warning of its own.
func matchesAny(g cepler.Glob, c *content) bool {
	for p := range c.modes {
		if g.Match(p) {
			return true
		}
	}
	return slices.ContainsFunc(c.submodules, func(p string) bool { return g.Match(p) || g.Descend(p) })
}

func matchesState(g cepler.Glob, s *cepler.State) bool {
	for key := range s.Current.Files {
		if _, p := cepler.SplitKey(key); g.Match(p) {
			return true
		}
	}
	return false
}
