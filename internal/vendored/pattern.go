package vendored

import (
	"fmt"
	"path"

	"github.com/bmatcuk/doublestar" // of vendir's own version, whose rules they are
)

// legalPaths are kept whatever includePaths say, unless the content has its own.
func legalPaths() []string {
	return []string{
		"{LICENSE,LICENCE,License,Licence}{,.md,.txt,.rst}",
		"{COPYRIGHT,Copyright}{,.md,.txt,.rst}",
		"{NOTICE,Notice}{,.md,.txt,.rst}",
	}
}

func (c *Content) legal() []string {
	if c.config.LegalPaths != nil {
		return *c.config.LegalPaths
	}
	return legalPaths()
}

func (c *Content) checkPatterns() error {
	for key, patterns := range map[string][]string{
		"includePaths": c.config.IncludePaths, "excludePaths": c.config.ExcludePaths,
		"ignorePaths": c.config.IgnorePaths, "legalPaths": c.legal(),
	} {
		for _, p := range patterns {
			if _, err := matchOne(p, "x/y"); err != nil {
				return fmt.Errorf("%s: %s: %q is not a valid pattern: %w", c.where(), key, p, errConfig)
			}
		}
	}
	return nil
}

// matchOne compares as vendir does, who puts both below a folder first.
func matchOne(pattern, name string) (bool, error) {
	const root = "/root/of/all"
	return doublestar.Match(path.Join(root, pattern), path.Join(root, name))
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := matchOne(p, name); err == nil && ok {
			return true
		}
	}
	return false
}

// keeps reports whether vendir keeps a file of the repository.
func (c *Content) keeps(name string) bool {
	kept := len(c.config.IncludePaths) == 0 || matches(c.config.IncludePaths, name)
	if matches(c.config.ExcludePaths, name) {
		kept = false
	}
	return kept || matches(c.legal(), name)
}

// ignores reports whether a file of the present copy stays as it is.
func (c *Content) ignores(name string) bool { return matches(c.config.IgnorePaths, name) }
