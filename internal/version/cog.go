package version

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Decoder reads TOML into a struct or map, as that of package toml does. Its errors say where.
type Decoder func(data []byte, into any) error

// ErrCog says that a cog.toml can't be used. Errors that match it do not begin with the name of the file: whoever reads it knows that.
var ErrCog = errors.New("cog.toml")

// cogFile are the keys that matter here; a cog.toml has many others.
type cogFile struct {
	IgnoreMerges bool                  `toml:"ignore_merge_commits"`
	TagPrefix    string                `toml:"tag_prefix"`
	Scopes       []string              `toml:"scopes"`
	Types        map[string]cogType    `toml:"commit_types"`
	Packages     map[string]cogPackage `toml:"packages"` // cocogitto 6
	Monorepo     struct {
		Packages map[string]cogPackage `toml:"packages"` // cocogitto 7
	} `toml:"monorepo"`
}

type cogPackage struct {
	Path    string   `toml:"path"`
	Include []string `toml:"include"`
	Ignore  []string `toml:"ignore"`
	Public  *bool    `toml:"public_api"`
}

// cogShape is the config as cocogitto 6 and 7 read it. It is about keys only: cocogitto refuses unknown
// ones, and so a misspelt one is a mistake here as well.
func cogShape() *strict.Shape {
	hooks := []string{"pre_bump_hooks", "post_bump_hooks", "pre_package_bump_hooks", "post_package_bump_hooks"}
	profiles := &strict.Shape{Each: strict.Keys(hooks...)}
	each := &strict.Shape{Each: strict.Keys("path", "include", "ignore", "changelog_path", "public_api", "bump_order", "pre_bump_hooks", "post_bump_hooks").
		With("bump_profiles", profiles)}
	return strict.Keys(slices.Concat(hooks, []string{
		"from_latest_tag", "ignore_merge_commits", "ignore_fixup_commits", "disable_changelog", "disable_bump_commit",
		"generate_mono_repository_global_tag", "generate_mono_repository_package_tags", "monorepo_version_separator",
		"branch_whitelist", "tag_prefix", "skip_ci", "skip_untracked", "scopes", "git_hooks",
	})...).
		With("commit_types", &strict.Shape{Each: strict.Keys("changelog_title", "omit_from_changelog", "bump_minor", "bump_patch", "order")}).
		With("changelog", strict.Keys("path", "template", "package_template", "remote", "repository", "owner").
			With("authors", &strict.Shape{Each: strict.Keys("signature", "username")})).
		With("bump_profiles", profiles).
		With("packages", each).
		With("monorepo", strict.Keys().With("packages", each))
}

// judgeCog refuses misspelt keys, and returns those that resemble no known one.
func judgeCog(data []byte, decode Decoder) (warnings []string, err error) {
	var whole map[string]any
	if err := decode(data, &whole); err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := root.Encode(whole); err != nil {
		return nil, err
	}
	mistakes, doubts := cogShape().Judge(&root)
	if len(mistakes) > 0 {
		return nil, errors.New(mistakes[0].String())
	}
	for _, f := range doubts {
		warnings = append(warnings, f.String())
	}
	return warnings, nil
}

// packages are those of a monorepo.
func (f cogFile) packages() []Package {
	var out []Package
	for _, packages := range []map[string]cogPackage{f.Packages, f.Monorepo.Packages} {
		for _, name := range slices.Sorted(maps.Keys(packages)) {
			p := packages[name]
			out = append(out, Package{Path: strings.TrimPrefix(path.Clean("/"+p.Path), "/"), Include: p.Include, Ignore: p.Ignore, Private: p.Public != nil && !*p.Public})
		}
	}
	return out
}

type cogType struct {
	Title *string `toml:"changelog_title"`
	Omit  *bool   `toml:"omit_from_changelog"`
	Minor *bool   `toml:"bump_minor"`
	Patch *bool   `toml:"bump_patch"`
}

// ParseCog reads a cocogitto config (https://docs.cocogitto.io/config/) as
// cocogitto 6.3 and later do: what it says about a type is laid over what that
// type has anyway, so that feat stays minor unless bump_minor is false, and an
// empty table takes the type away. Unlike there, a breaking change of 0.x leads
// to 1.0.0; see [Rules].
func ParseCog(data []byte, decode Decoder) (Rules, error) {
	if err := strict.Few(data); err != nil {
		return Rules{}, fault.Of(ErrCog, "%v", err)
	}
	var file cogFile
	if err := decode(data, &file); err != nil {
		return Rules{}, fault.Of(ErrCog, "%v", err)
	}
	warnings, err := judgeCog(data, decode)
	if err != nil {
		return Rules{}, fault.Of(ErrCog, "%v", err)
	}
	r := Rules{
		Packages: file.packages(), Warnings: warnings,
		OnlyTypes: true, IgnoreMerges: file.IgnoreMerges, TagPrefix: file.TagPrefix, Scopes: file.Scopes,
		Types: map[string]Level{}, Titles: map[string]string{}, Omit: map[string]bool{},
	}
	for _, name := range usualTypes() {
		r.Types[name] = Default().Types[name]
	}
	r.Types["perf"], r.Types["revert"] = LevelNone, LevelNone
	for _, name := range slices.Sorted(maps.Keys(file.Types)) {
		if !isType(name) {
			return Rules{}, fault.Of(ErrCog, "%s is not a valid commit type; write one like feat", shown(name))
		}
		r.lay(strings.ToLower(name), file.Types[name])
	}
	return r, nil
}

func (r Rules) lay(name string, t cogType) {
	if t == (cogType{}) {
		delete(r.Types, name)
		return
	}
	level := r.Types[name]
	minor, patch := level == LevelMinor, level == LevelPatch
	if t.Minor != nil {
		minor = *t.Minor
	}
	if t.Patch != nil {
		patch = *t.Patch
	}
	switch {
	case minor:
		r.Types[name] = LevelMinor
	case patch:
		r.Types[name] = LevelPatch
	default:
		r.Types[name] = LevelNone
	}
	if t.Title != nil {
		r.Titles[name] = *t.Title
	}
	if t.Omit != nil {
		r.Omit[name] = *t.Omit
	}
}
