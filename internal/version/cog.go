package version

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// ErrCog says that a cog.toml can't be used.
var ErrCog = errors.New("cog.toml")

// cogFile are the keys that matter here; a cog.toml has many others.
type cogFile struct {
	IgnoreMerges bool               `toml:"ignore_merge_commits"`
	TagPrefix    string             `toml:"tag_prefix"`
	Scopes       []string           `toml:"scopes"`
	Types        map[string]cogType `toml:"commit_types"`
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
func ParseCog(data []byte) (Rules, error) {
	var file cogFile
	if err := toml.Unmarshal(data, &file); err != nil {
		return Rules{}, fmt.Errorf("%w: %w", ErrCog, explainTOML(err))
	}
	r := Rules{
		OnlyTypes: true, IgnoreMerges: file.IgnoreMerges, TagPrefix: file.TagPrefix, Scopes: file.Scopes,
		Types: map[string]Level{}, Titles: map[string]string{}, Omit: map[string]bool{},
	}
	for _, name := range cogTypes() {
		r.Types[name] = Default().Types[name]
	}
	r.Types["perf"], r.Types["revert"] = LevelNone, LevelNone
	for _, name := range slices.Sorted(maps.Keys(file.Types)) {
		if !isType(name) {
			return Rules{}, fmt.Errorf("%w: %s is not a valid commit type; write one like feat", ErrCog, shown(name))
		}
		r.lay(strings.ToLower(name), file.Types[name])
	}
	return r, nil
}

// cogTypes are those that need no configuration.
func cogTypes() []string {
	return []string{"feat", "fix", "perf", "revert", "docs", "test", "build", "ci", "refactor", "chore", "style"}
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

// explainTOML says where.
func explainTOML(err error) error {
	var decode *toml.DecodeError
	if !errors.As(err, &decode) {
		return err
	}
	row, column := decode.Position()
	return fmt.Errorf("line %d, column %d: %w", row, column, err)
}
