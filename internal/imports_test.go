// Package internal_test checks the shape of the whole module: who imports whom,
// and that every package says what it is for.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/taxiway-ci/taxiway/"

// mayImport says which packages of this module a package may import, tests
// excepted. Imports point down: programs use resources, resources use internal
// packages. Both sides are patterns of path.Match. A package that no line
// mentions may not exist, so a new one gets its place here first.
func mayImport() map[string][]string {
	return map[string][]string{
		// the bottom: each of them knows one thing, and none of the others
		"internal/fault":        {},                                                               // errors that match a sentinel in words of their own
		"internal/guard":        {},                                                               // panics of goroutines become errors
		"internal/artifact":     {"internal/fault"},                                               // files of a build's folder, and paths in a repository
		"internal/nearest":      {},                                                               // what a misspelt name means
		"internal/secret":       {"internal/visible"},                                             // secrets, from where they are obtained to where text is masked
		"internal/visible":      {},                                                               // text from outside, made safe to show
		"internal/strict":       {"internal/nearest"},                                             // keys of files that people write
		"internal/cepler/zones": {},                                                               // time zones without files
		"internal/cepler":       {"internal/cepler/zones", "internal/nearest", "internal/strict"}, // cepler's model, without git and Concourse
		"internal/yamledit":     {"internal/fault", "internal/nearest", "internal/strict"},        // single values of a YAML file
		"internal/gates":        {"internal/cepler", "internal/yamledit"},                         // a person's edits of a gates file
		"internal/retry":        {},                                                               // what may pass is done again
		"internal/httpclient":   {},                                                               // clients as a source wants them
		"internal/registry":     {"internal/httpclient", "internal/secret"},                       // what an image is, and what it says about itself
		"internal/gitprogram":   {},                                                               // a person's own git, in a person's clone
		"internal/ociimage":     {"internal/guard", "internal/nearest"},                           // an image from a program
		"internal/provenance":   {},                                                               // the comment beside an image digest
		"internal/pipeline":     {"internal/nearest", "internal/strict"},                          // Concourse's pipelines as data
		"internal/workflow":     {"internal/pipeline", "internal/strict"},                         // workflows of GitHub Actions, and the rulesets that require them
		// the protocol of resource types
		"internal/concourse":    {"internal/guard", "internal/artifact", "internal/nearest", "internal/secret", "internal/visible"},
		"internal/markdown":     {"internal/visible"},                                                                                // text from outside, in Markdown
		"internal/version/toml": {},                                                                                                  // files of cocogitto and git-cliff
		"internal/version":      {"internal/artifact", "internal/fault", "internal/markdown", "internal/nearest", "internal/strict"}, // versions, conventional commits, release notes

		// git, from the ground up: the data model, a cache with a total weight, packs and
		// their limits, the protocol as bytes, connections and credentials, repositories on
		// this machine, files in a folder; on top one repository, for everybody else
		"internal/git/object":    {},
		"internal/git/cache":     {},
		"internal/git/pack":      {"internal/guard", "internal/git/cache", "internal/git/object"},
		"internal/git/wire":      {"internal/git/object"},
		"internal/git/transport": {"internal/guard", "internal/git/object", "internal/git/wire", "internal/githubapp", "internal/httpclient", "internal/retry", "internal/secret"},
		"internal/git/local":     {"internal/fault", "internal/git/object", "internal/git/pack"},
		"internal/git/workdir":   {"internal/guard", "internal/git/object", "internal/git/pack"},
		"internal/git/threeway":  {},
		"internal/git/history":   {"internal/git/object"},
		"internal/git/merge":     {"internal/git/history", "internal/git/object", "internal/git/pack", "internal/git/threeway"},
		"internal/git":           {"internal/git/cache", "internal/git/history", "internal/git/local", "internal/git/merge", "internal/git/object", "internal/git/pack", "internal/git/transport", "internal/git/wire", "internal/git/workdir", "internal/retry", "internal/nearest"},

		"internal/git/signing":           {"internal/git", "internal/git/transport", "internal/secret"},                                                           // signed commits and tags
		"internal/memo":                  {"internal/git"},                                                                                                        // what a check leaves for the next one
		"internal/githubapp":             {"internal/httpclient", "internal/secret"},                                                                              // an app's tokens, for git and the forge
		"internal/forge":                 {"internal/fault", "internal/githubapp", "internal/httpclient", "internal/retry", "internal/visible"},                   // GitHub's API
		"internal/proposal":              {"internal/artifact", "internal/forge", "internal/git", "internal/git/threeway", "internal/markdown", "internal/retry"}, // a bot's branch and its pull request
		"internal/vendored":              {"internal/artifact", "internal/fault", "internal/git", "internal/strict", "internal/yamledit", "internal/markdown"},    // vendir's git contents
		"internal/nixcache/edbatch":      {},                                                                                                                      // many signatures at once
		"internal/nixcache":              {"internal/guard", "internal/httpclient", "internal/nixcache/edbatch", "internal/retry"},                                // binary caches of Nix
		"internal/deployments":           {"internal/visible", "internal/artifact", "internal/cepler", "internal/fault", "internal/git", "internal/nearest", "internal/strict"},
		"internal/release":               {"internal/git", "internal/version"}, // tags, decisions, notes of a code repository
		"internal/deployments/peertest":  {},
		"internal/rehearsal":             {"internal/pipeline"},
		"internal/lineage":               {"internal/cepler", "internal/deployments", "internal/fault", "internal/git", "internal/provenance", "internal/release", "internal/strict", "internal/vendored", "internal/version", "internal/visible"},
		"internal/lineage/labels":        {"internal/httpclient", "internal/lineage", "internal/registry"},                                                                                 // what registries say about images
		"internal/promotion":             {"internal/cepler", "internal/deployments", "internal/gates", "internal/lineage"},                                                                // what opening a gate lets through, and a person's deeds
		"internal/board":                 {"internal/cepler", "internal/deployments", "internal/git", "internal/git/signing", "internal/lineage", "internal/vendored", "internal/visible"}, // what runs where, as a page
		"internal/rehearsal/scenario":    {"internal/deployments", "internal/git/gittest", "internal/lineage", "internal/pipeline", "internal/rehearsal", "internal/standin/tools", "internal/strict"},
		"internal/rehearsal/world":       {"internal/board", "internal/deployments", "internal/git", "internal/git/gittest", "internal/lineage", "internal/lineage/labels", "internal/ociimage", "internal/pipeline", "internal/rehearsal", "internal/rehearsal/*", "internal/standin/*", "internal/workflow"},
		"internal/rehearsal/timeline":    {"internal/lineage", "internal/pipeline", "internal/rehearsal", "internal/rehearsal/scenario", "internal/visible"},
		"internal/scripttest":            {"internal/concourse", "internal/git/gittest", "internal/standin/github"},
		"internal/git/gittest":           {"internal/cepler", "internal/standin/server"},
		"internal/ociimage/imagetest":    {"internal/ociimage"},
		"internal/concourse/conformance": {"internal/concourse"},

		// what stands in for the outside in tests and rehearsals: no package that is shipped in an image may use it
		"internal/standin/server":   {}, // faults and counted requests for all of them, and for gittest
		"internal/standin/github":   {"internal/git/gittest", "internal/standin/server"},
		"internal/standin/actions":  {"internal/git/gittest", "internal/standin/github", "internal/workflow"},
		"internal/standin/nixcache": {"internal/standin/server"},
		"internal/standin/registry": {"internal/standin/server"},
		"internal/standin/tools":    {"internal/standin/nixcache"},
		"internal/standin/types":    {"internal/forge", "internal/git", "internal/ociimage", "internal/rehearsal"},

		// one resource type: never another one
		"resources/cepler-board":        {"internal/artifact", "internal/board", "internal/concourse", "internal/fault", "internal/git", "internal/git/signing", "internal/lineage"},
		"resources/cepler-gate":         {"internal/cepler", "internal/concourse", "internal/deployments", "internal/forge", "internal/gates", "internal/git", "internal/git/signing", "internal/lineage", "internal/markdown", "internal/memo", "internal/promotion", "internal/proposal", "internal/vendored", "internal/version", "internal/visible"},
		"resources/cepler-*":            {"internal/artifact", "internal/cepler", "internal/concourse", "internal/deployments", "internal/git", "internal/git/signing", "internal/memo", "internal/visible"},
		"resources/promote-rc":          {"internal/artifact", "internal/concourse", "internal/forge", "internal/git", "internal/git/signing", "internal/proposal", "internal/release", "internal/version", "internal/version/toml", "internal/markdown", "internal/visible"},
		"resources/semver-git":          {"internal/artifact", "internal/concourse", "internal/git", "internal/git/signing", "internal/release", "internal/version", "internal/version/toml", "internal/memo"},
		"resources/chart-bump":          {"internal/artifact", "internal/concourse", "internal/git", "internal/git/signing", "internal/httpclient", "internal/nearest", "internal/provenance", "internal/registry", "internal/retry", "internal/secret", "internal/strict", "internal/version", "internal/yamledit", "internal/memo", "internal/markdown", "internal/proposal", "internal/visible"},
		"resources/cachix-paths":        {"internal/artifact", "internal/concourse", "internal/httpclient", "internal/nixcache", "internal/secret"},
		"resources/pull-request-builds": {"internal/artifact", "internal/concourse", "internal/forge", "internal/git"},
		"resources/vendir-bump":         {"internal/artifact", "internal/concourse", "internal/git", "internal/git/signing", "internal/markdown", "internal/proposal", "internal/vendored"},
		// its program is one line
		"resources/vendir-bump/cmd/vendir-bump":                 {"internal/concourse", "resources/vendir-bump"},
		"resources/pull-request-builds/cmd/pull-request-builds": {"internal/concourse", "resources/pull-request-builds"},
		"resources/cachix-paths/cmd/cachix-paths":               {"internal/concourse", "resources/cachix-paths"},
		"resources/chart-bump/cmd/chart-bump":                   {"internal/concourse", "resources/chart-bump"},
		"resources/cepler-board/cmd/cepler-board":               {"internal/concourse", "resources/cepler-board"},
		"resources/cepler-gate/cmd/cepler-gate":                 {"internal/concourse", "resources/cepler-gate"},
		"resources/cepler-in/cmd/cepler-in":                     {"internal/concourse", "resources/cepler-in"},
		"resources/cepler-out/cmd/cepler-out":                   {"internal/concourse", "resources/cepler-out"},
		"resources/promote-rc/cmd/promote-rc":                   {"internal/concourse", "resources/promote-rc"},
		"resources/semver-git/cmd/semver-git":                   {"internal/concourse", "resources/semver-git"},

		// tools
		"images":            {"internal/ociimage", "internal/visible"},
		"pipelines":         {"internal/cepler", "internal/concourse", "internal/pipeline", "internal/strict", "resources/*"}, // templates, and the types that they use
		"pipelines/doctor":  {"internal/*", "internal/version/toml", "resources/*"},                                           // what pipelines ask of repositories, and whether it is there
		"pipelines/starter": {"internal/yamledit"},                                                                            // the files of init
		"pipelines/taxiway": {"internal/*", "internal/*/*", "pipelines", "pipelines/demo", "pipelines/doctor", "pipelines/starter"},
		"pipelines/demo":    {"internal/deployments", "internal/git", "internal/git/gittest", "internal/rehearsal/scenario"},
	}
}

// neverUse says what may be part of a package in no way, not even through
// another package: what is pure stays pure, and programs carry no test help.
// A name that ends in "..." means all packages below it, as for the go command.
func neverUse() map[string][]string {
	return map[string][]string{
		"internal/git/object":   {"net", "net/http", "os/exec"},
		"internal/git/wire":     {"net", "net/http", "os/exec"},
		"internal/git/pack":     {"net", "net/http", "os/exec"},
		"internal/git/threeway": {"net", "net/http", "os/exec"},
		"internal/git/history":  {"net", "net/http", "os/exec"},
		"internal/git/merge":    {"net", "net/http", "os/exec"},
		"internal/cepler":       {"net/http", "os/exec", "github.com/go-git/go-git/v5/plumbing"},
		"internal/yamledit":     {"net/http", "os/exec", "github.com/go-git/go-git/v5/plumbing"},
		"internal/version":      {"net/http", "os/exec", "github.com/go-git/go-git/v5/plumbing"},
		"internal/pipeline":     {"net/http", "os/exec", "github.com/go-git/go-git/v5/plumbing"},
		"internal/provenance":   {"net/http", "os/exec", "go.yaml.in/yaml/v3", "github.com/go-git/go-git/v5/plumbing"},
		"internal/nixcache":     {"os/exec", "github.com/go-git/go-git/v5/plumbing", module + "internal/concourse"},
		"internal/concourse":    {"os/exec", "testing", "github.com/go-git/go-git/v5/plumbing"},
		"resources/*/cmd/*":     {"testing", module + "internal/scripttest", module + "internal/git/gittest", module + "internal/standin/...", module + "internal/concourse/conformance"},
		"internal/deployments":  {"testing", module + "internal/concourse"},
		"internal/lineage":      {"testing", module + "internal/concourse"},
		"internal/board":        {"testing", module + "internal/concourse"},
		"internal/release":      {"testing", module + "internal/concourse"},
	}
}

// pkg is what the go command says about a package.
type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// name is the import path inside this module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to list the packages")
	}
	args := append([]string{"list", "-json=ImportPath,Doc,GoFiles,Imports,Deps"}, patterns...)
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	require.NotEmpty(t, all, "no packages for %v", patterns)
	return all
}

// ours are the packages of this module, without those that are tests only.
func ours(t *testing.T) []pkg {
	t.Helper()
	return slices.DeleteFunc(list(t, module+"..."), func(p pkg) bool { return len(p.GoFiles) == 0 })
}

func matches(t *testing.T, pattern, name string) bool {
	t.Helper()
	ok, err := path.Match(pattern, name)
	require.NoError(t, err, pattern)
	return ok
}

func TestImportsPointDown(t *testing.T) {
	packages, rules := ours(t), mayImport()
	used := map[string]bool{}
	for _, p := range packages {
		var allowed []string
		known := false
		for who, whom := range rules {
			if matches(t, who, p.name()) {
				known, used[who] = true, true
				allowed = append(allowed, whom...)
			}
		}
		if !known {
			t.Errorf("%s has no place in the table of mayImport", p.name())
			continue
		}
		for _, i := range p.Imports {
			name, own := strings.CutPrefix(i, module)
			if own && !slices.ContainsFunc(allowed, func(pattern string) bool { return matches(t, pattern, name) }) {
				t.Errorf("%s imports %s, but may import only %q", p.name(), name, allowed)
			}
		}
	}
	for who, whom := range rules {
		assert.True(t, used[who], "the rule for %s is for no package", who)
		for _, pattern := range whom {
			assert.True(t, slices.ContainsFunc(packages, func(p pkg) bool { return matches(t, pattern, p.name()) }),
				"%s may import %s, which does not exist", who, pattern)
		}
	}
}

func TestSomeThingsStayOut(t *testing.T) {
	packages, rules := ours(t), neverUse()
	// a rule about a package that does not exist would say nothing
	list(t, slices.Concat(slices.Collect(maps.Values(rules))...)...)
	for who, whom := range rules {
		found := false
		for _, p := range packages {
			if !matches(t, who, p.name()) {
				continue
			}
			found = true
			for _, never := range whom {
				tree, all := strings.CutSuffix(never, "...")
				assert.False(t, slices.ContainsFunc(p.Deps, func(d string) bool { return d == never || all && strings.HasPrefix(d, tree) }),
					"%s must not use %s", p.name(), never)
			}
		}
		assert.True(t, found, "the rule for %s is for no package", who)
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range ours(t) {
		assert.NotEmpty(t, p.Doc, "%s has no package comment", p.name())
	}
}
