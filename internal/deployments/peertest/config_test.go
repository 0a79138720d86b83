package peertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// environment is one environment of a generated config.
type environment struct {
	name        string
	passed      string
	latest      []string
	propagated  []string
	ignoreQueue bool
}

// config is a generated cepler.yml.
type config struct {
	path         string
	deployment   string
	environments []environment
}

func (c config) yaml() string {
	var out strings.Builder
	if c.deployment != "default" {
		fmt.Fprintf(&out, "deployment: %s\n", c.deployment)
	}
	out.WriteString("environments:\n")
	for _, e := range c.environments {
		fmt.Fprintf(&out, "  %s:\n    latest: [%s]\n", e.name, quoted(e.latest))
		if e.passed != "" {
			fmt.Fprintf(&out, "    passed: %s\n    propagated: [%s]\n", e.passed, quoted(e.propagated))
		}
		if e.ignoreQueue {
			out.WriteString("    ignore_queue: true\n")
		}
	}
	return out.String()
}

func quoted(patterns []string) string {
	all := make([]string, len(patterns))
	for i, p := range patterns {
		all[i] = fmt.Sprintf("%q", p)
	}
	return strings.Join(all, ", ")
}

func (c config) find(name string) (environment, bool) {
	i := slices.IndexFunc(c.environments, func(e environment) bool { return e.name == name })
	if i < 0 {
		return environment{}, false
	}
	return c.environments[i], true
}

func (c config) statePath(name string) string {
	dir := ""
	if i := strings.LastIndexByte(c.path, '/'); i >= 0 {
		dir = c.path[:i+1]
	}
	return dir + ".cepler/" + c.deployment + "/" + name + ".state"
}

func (c config) stateDir() string { return strings.TrimSuffix(c.statePath(""), "/.state") }

// clone lets the environments of a copy be changed.
func (c config) clone() config {
	c.environments = slices.Clone(c.environments)
	for i := range c.environments {
		e := &c.environments[i]
		e.latest, e.propagated = slices.Clone(e.latest), slices.Clone(e.propagated)
	}
	return c
}

// sharedPatterns are for files that travel down the chain, ownPatterns for an
// environment's own. None of the first matches a file that one of the second
// does, so an environment shadows nothing unless it is told to.
func sharedPatterns() []string {
	return []string{"a.yml", "b.yml", "*.yml", "k/*", "k/**", "k/[xy]", "m/**", "m/**/*.tf", "m/*/main.tf", "**/v.tf", "k/.hid"}
}

func ownPatterns(name string) []string {
	return []string{"env/" + name + "/*", "env/" + name + "/**", "env/" + name + "/c"}
}

// paths are the files that come and go.
func paths() []string {
	return []string{
		"a.yml", "b.yml", "c.yml", "k/x", "k/y", "k/z z.tf", "k/.hid", "m/one/main.tf", "m/one/v.tf", "m/two/main.tf", "m/two/deep/v.tf",
		"env/tf/c", "env/tf/d", "env/st/c", "env/st/d", "env/pr/c", "env/qa/c", "env/az/c", "env/az/ü",
	}
}

// newConfig makes a config with a chain, most of the time one that forks.
func newConfig(rng *rand.Rand, shadow bool) config {
	c := config{path: pick(rng, "cepler.yml", "cepler.yml", "ci/cepler.yml"), deployment: pick(rng, "default", "default", "lana-bank")}
	chain := []environment{{name: "tf"}, {name: "st", passed: "tf"}, {name: "pr", passed: "st"}, {name: "qa", passed: "tf"}, {name: "az"}}
	chain = chain[:2+rng.IntN(4)]
	for _, e := range chain {
		e.latest = some(rng, 1, ownPatterns(e.name))
		if e.passed == "" {
			e.latest = append(e.latest, some(rng, 1+rng.IntN(3), sharedPatterns())...)
		} else {
			e.propagated = some(rng, 1+rng.IntN(3), sharedPatterns())
			if rng.IntN(3) == 0 {
				e.propagated = append(e.propagated, "env/"+e.passed+"/*")
			}
			e.ignoreQueue = rng.IntN(6) == 0
		}
		if shadow && e.passed != "" {
			e.latest = append(e.latest, some(rng, 1, e.propagated)...)
		}
		c.environments = append(c.environments, e)
	}
	return c
}

// reworded is the config with one environment's rules changed.
func (c config) reworded(rng *rand.Rand) config {
	c = c.clone()
	e := &c.environments[rng.IntN(len(c.environments))]
	list := &e.latest
	switch {
	case e.passed != "" && rng.IntN(5) == 0:
		e.ignoreQueue = !e.ignoreQueue
		return c
	case e.passed != "":
		list = &e.propagated
	}
	if len(*list) > 1 && rng.IntN(2) == 0 {
		i := rng.IntN(len(*list))
		*list = slices.Delete(*list, i, i+1)
		return c
	}
	*list = append(*list, some(rng, 1, sharedPatterns())...)
	return c
}

// without is the config without its last environment that nothing passes on
// from; the first one always stays.
func (c config) without(rng *rand.Rand) config {
	c = c.clone()
	var free []int
	for i, e := range c.environments[1:] {
		if !slices.ContainsFunc(c.environments, func(o environment) bool { return o.passed == e.name }) {
			free = append(free, i+1)
		}
	}
	if len(free) > 0 {
		i := free[rng.IntN(len(free))]
		c.environments = slices.Delete(c.environments, i, i+1)
	}
	return c
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// some are n different elements.
func some(rng *rand.Rand, n int, from []string) []string {
	from = slices.Clone(from)
	rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:min(n, len(from))]
}
