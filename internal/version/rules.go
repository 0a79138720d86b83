package version

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/fault"
)

// Level is what a commit asks for.
type Level int

// The levels, in their order.
const (
	LevelNone Level = iota
	LevelPatch
	LevelMinor
	LevelMajor
)

// parseLevel reads none, patch, minor or major.
func parseLevel(word string) (Level, error) {
	for l := LevelNone; l <= LevelMajor; l++ {
		if word == l.String() {
			return l, nil
		}
	}
	return LevelNone, fault.Of(ErrBump, "%s is not one of major, minor, patch, none", shown(word))
}

// String is the level's word.
func (l Level) String() string { return [...]string{"none", "patch", "minor", "major"}[l] }

// part is the bump of a level.
func (l Level) part() Part { return [...]Part{None, Patch, Minor, Major}[l] }

// Rules say what commits ask for, and which of them matter. The zero value lets
// only breaking changes count.
type Rules struct {
	// Types are what the commits of a type ask for; types are in lower case.
	Types map[string]Level
	// OnlyTypes passes over commits whose type is not among Types, even breaking
	// ones, as cocogitto does.
	OnlyTypes bool
	// Scopes are those that are allowed; commits with another one are passed over.
	// Nil: all are allowed.
	Scopes []string
	// IgnoreMerges passes over merge commits.
	IgnoreMerges bool
	// KeepZero lets a breaking change of a version 0.x ask only for what its type
	// does, as cocogitto has it. Without it the next version is 1.0.0.
	KeepZero bool
	// TagPrefix stands before versions in tags, see [ParseTag].
	TagPrefix string
	// Titles are headings of release notes for types that have one of their own,
	// and Omit the types that are left out there unless they break something.
	Titles map[string]string
	Omit   map[string]bool
	// Cliff decides which commits are in release notes, and where; nil for the groups that [Notes] has by itself. What
	// commits ask for does not depend on it.
	Cliff *Cliff
	// Packages are the parts of a monorepo that have versions of their own.
	Packages []Package
	// Warnings are keys of the config that resemble none that is known.
	Warnings []string
}

// Package is a part of a monorepo, as cocogitto's configuration describes it.
type Package struct {
	// Path is its folder. Include are globs of what else belongs to it, Ignore of what does not.
	Path            string
	Include, Ignore []string
	// Private says that the version of the whole repository does not follow this package
	// (public_api = false).
	Private bool
}

// Default is what holds when nothing is configured.
func Default() Rules {
	return Rules{Types: map[string]Level{"feat": LevelMinor, "fix": LevelPatch, "perf": LevelPatch, "revert": LevelPatch}}
}

// With gives rules in which these types ask for something else. Values are the
// words of [parseLevel].
func (r Rules) With(types map[string]string) (Rules, error) {
	r.Types = maps.Clone(r.Types)
	if r.Types == nil {
		r.Types = map[string]Level{}
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		level, err := parseLevel(types[name])
		if err != nil {
			return Rules{}, fmt.Errorf("%s: %w", name, err)
		}
		if !isType(name) {
			return Rules{}, fault.Of(ErrBump, "%s is not a valid commit type; write one like feat", shown(name))
		}
		r.Types[strings.ToLower(name)] = level
	}
	return r, nil
}

// read says what a commit asks for, and by which rule. Base is the version that
// it comes after. Passed over: it says nothing, and has no place in the notes.
func (r Rules) read(c Commit, base Version) (con Conventional, level Level, rule string, passed bool) {
	if c.Merge && r.IgnoreMerges {
		return con, LevelNone, "merge commits are ignored", true
	}
	con, err := ParseCommit(c.Message)
	if err != nil {
		// with a configuration of cocogitto, what cocogitto passes over is passed over
		var written bool
		if con, written = parseRevert(c.Message); !written || r.OnlyTypes {
			return con, LevelNone, "not a conventional commit", true
		}
	}
	level, known := r.Types[con.Type]
	switch {
	case !known && r.OnlyTypes:
		return con, LevelNone, "the type " + con.Type + " is not configured", true
	case con.Scope != "" && r.Scopes != nil && !slices.Contains(r.Scopes, con.Scope):
		return con, LevelNone, "the scope " + con.Scope + " is not configured", true
	case con.Breaking && base.Major == 0 && r.KeepZero:
		return con, level, "breaking, but 0.x stays: " + con.Type + " → " + level.String(), false
	case con.Breaking:
		return con, LevelMajor, "breaking → major", false
	}
	return con, level, con.Type + " → " + level.String(), false
}
