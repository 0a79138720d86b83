package deployments

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// twins are the warnings of configs in the same folder whose deployment has the name of this one: both keep the state of an
// environment in one file, and each overwrites what the other wrote.
func (r *Repository) twins(ctx context.Context, v *View) ([]string, error) {
	folder := path.Dir(r.src.ConfigPath())
	tree := v.Head.Tree
	if folder != "." {
		entry, err := r.store.Lookup(ctx, tree, folder)
		if err != nil {
			return nil, err
		}
		tree = entry.Hash
	}
	var warnings []string
	err := r.store.Walk(ctx, tree, func(string) bool { return false }, func(name string, e git.Entry) error {
		at := path.Join(folder, name)
		if at == r.src.ConfigPath() || !e.Mode.IsFile() || path.Ext(name) != ".yml" && path.Ext(name) != ".yaml" {
			return nil
		}
		data, err := r.store.Blob(ctx, e.Hash)
		if err != nil {
			return err
		}
		other, err := cepler.ParseConfig(at, data)
		if err != nil || other.Deployment != v.Config.Deployment {
			return nil //nolint:nilerr // it is not a config of this deployment
		}
		for _, environment := range v.Config.InOrder() {
			if _, both := other.Environments[environment]; both {
				warnings = append(warnings, fmt.Sprintf("%s: %s has the deployment %s and the environment %s as well, and both keep its state in %s: give one of the configs another deployment name",
					r.src.ConfigPath(), at, v.Config.Deployment, environment, v.Config.StatePath(environment)))
			}
		}
		return nil
	})
	return warnings, err
}

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
	upstream, err := r.StateAt(ctx, p.Gate.Commit, u.upstreamPath())
	if err != nil || upstream == nil {
		return err
	}
	deployed := upstream.Current.ByPath()
	for _, g := range u.environment.Propagated {
		if !matchesOne(g, deployed) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s.propagated: the pattern %q matches no file that %s has deployed", where, g.String(), u.environment.Passed))
		}
	}
	return nil
}

// matchesAny reports whether a pattern matches one of the environment's own files, or a submodule, which
// has a warning of its own.
func matchesAny(g cepler.Glob, c *content) bool {
	return matchesOne(g, c.modes) || slices.ContainsFunc(c.submodules, func(p string) bool { return g.Match(p) || g.Descend(p) })
}

func matchesOne[T any](g cepler.Glob, files map[string]T) bool {
	for p := range files {
		if g.Match(p) {
			return true
		}
	}
	return false
}
