package version

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// Reading is what the rules make of one message.
type Reading struct {
	// Level and Rule are those of [Decide].
	Level Level
	Rule  string
	// Problem says why a message should be written anew; empty if it is well formed.
	Problem string
}

// Read says what a commit asks for, as [Decide] reads it, and whether it is well formed. Base is the
// version that it comes after; with a nil one, breaking changes count as after 1.0.0.
//
// Well formed is a conventional commit whose type and scope are configured, if a configuration lists
// them, and whose type does not resemble a known one. The messages that git writes for a merge, a revert
// and a reapply are well formed too. A fixup is not: it is to be squashed before it is merged.
func (r Rules) Read(c Commit, base *Version) Reading {
	after := Version{Major: 1}
	if base != nil {
		after = *base
	}
	con, level, rule, passed := r.read(c, after)
	out := Reading{Level: level, Rule: rule}
	switch {
	case c.Merge && passed, isMergeSubject(c.Subject()):
	case isFixup(c.Subject()):
		out.Problem = "it is to be squashed: git rebase --autosquash"
	case con.Type == "":
		out.Problem = notConventional(c.Subject())
	case passed:
		out.Problem = rule
		if near := nearest.Of(con.Type, slices.Sorted(maps.Keys(r.Types))); near != "" && r.OnlyTypes && near != con.Type {
			out.Problem += fmt.Sprintf(", did you mean `%s:`?", near)
		}
	default:
		out.Problem = r.misspelt(con.Type)
	}
	return out
}

// misspelt suggests a known type for one that is not known.
func (r Rules) misspelt(name string) string {
	known := slices.Sorted(maps.Keys(r.Types))
	if slices.Contains(known, name) || slices.Contains(usualTypes(), name) {
		return ""
	}
	meant, ok := aliases()[name]
	if !ok {
		meant = nearest.Of(name, append(known, usualTypes()...))
	}
	if meant == "" {
		return ""
	}
	return fmt.Sprintf("the type %s is not known, did you mean `%s:`?", name, meant)
}

// usualTypes are the types of the Angular convention, which teams use without configuring them, in cocogitto too.
func usualTypes() []string {
	return []string{"build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"}
}

// aliases are words that people write for a type.
func aliases() map[string]string {
	return map[string]string{
		"feature": "feat", "features": "feat", "add": "feat", "bug": "fix", "bugfix": "fix", "hotfix": "fix", "fixes": "fix", "fixed": "fix",
		"doc": "docs", "documentation": "docs", "tests": "test", "performance": "perf", "refactoring": "refactor",
	}
}

// notConventional says what is wrong with a subject, and how it was most likely meant.
func notConventional(subject string) string {
	if meant := meantSubject(subject); meant != "" {
		return fmt.Sprintf("%v: %s, did you mean %s?", ErrNotConventional, shown(subject), shown(meant))
	}
	return fmt.Sprintf("%v: %s, write it like \"feat(scope): what is new\"", ErrNotConventional, shown(subject))
}

// meantSubject repairs the usual slips: no blank after the colon, a blank before it, another separator,
// a verb in place of a type. It is empty where nothing comes of it.
func meantSubject(subject string) string {
	slip := regexp.MustCompile(`^([A-Za-z]+)\s*(\([^()]*\))?\s*(!?)\s*(?::|-|–|/)?\s*([^\s:].*)$`)
	m := slip.FindStringSubmatch(subject)
	if m == nil {
		return ""
	}
	name := strings.ToLower(m[1])
	if meant, ok := aliases()[name]; ok {
		name = meant
	}
	if !slices.Contains(usualTypes(), name) {
		return ""
	}
	scope := strings.TrimSpace(strings.Trim(m[2], "()"))
	if scope != "" {
		scope = "(" + scope + ")"
	}
	meant := name + scope + m[3] + ": " + strings.TrimSpace(m[4])
	if _, err := ParseCommit(meant); err != nil {
		return ""
	}
	return meant
}

// isMergeSubject reports a first line that git or GitHub writes for a merge.
func isMergeSubject(subject string) bool {
	return beginsWith(subject, "Merge branch ", "Merge branches ", "Merge remote-tracking branch ", "Merge tag ", "Merge commit ", "Merge pull request ")
}

func isFixup(subject string) bool { return beginsWith(subject, "fixup! ", "squash! ", "amend! ") }

func beginsWith(text string, starts ...string) bool {
	return slices.ContainsFunc(starts, func(start string) bool { return strings.HasPrefix(text, start) })
}
