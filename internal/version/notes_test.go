package version_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/version"
)

func released() version.NotesInput {
	messages := []string{
		"chore!: drop the old runtime",
		"feat(api): add transfers (#14)",
		"feat: say (#no) number (#13) twice (#12)",
		"fix(ui)!: round half to even\n\nBREAKING CHANGE: sums differ",
		"fix: über alles",
		"docs: explain",
		"perf: faster",
		"refactor(db): simpler",
		"style: tidy",
		"test: more",
		"chore(deps): newer",
		"chore(release): prepare for 1.4.2",
		"revert: feat: b",
		"ci: release 1.4.1 [ci skip] (#11)",
		"build: smaller",
		"build: newer base\n\nClears a security report.",
		"security: check the length",
		"Merge branch 'topic'",
		"wip",
	}
	in := version.NotesInput{
		Version: version.Version{Major: 2}, Previous: &version.Version{Major: 1, Minor: 4, Patch: 2},
		Date:  time.Date(2026, 11, 24, 23, 30, 0, 0, time.FixedZone("", -5*3600)),
		Rules: version.Default(),
	}
	for i, m := range messages {
		in.Commits = append(in.Commits, version.Commit{Hash: fmt.Sprintf("%07x%033x", 0xabcde00+i, i), Message: m})
	}
	return in
}

func TestNotes(t *testing.T) {
	for name, change := range map[string]func(*version.NotesInput){
		"plain":  func(*version.NotesInput) {},
		"github": func(in *version.NotesInput) { in.Links = version.GitHub("https://github.com/o/r/", "v") },
		"first-release": func(in *version.NotesInput) {
			in.Links, in.Previous = version.GitHub("https://github.com/o/r", ""), nil
		},
		"nothing": func(in *version.NotesInput) { in.Commits = in.Commits[len(in.Commits)-2:] },
		"cog":     func(in *version.NotesInput) { in.Rules = cog(t, "small-steps"); in.Rules.Scopes = nil },
	} {
		t.Run(name, func(t *testing.T) {
			in := released()
			change(&in)
			golden(t, "notes-"+name+".md", string(version.Notes(in)))
		})
	}
}

func TestMergesAreInTheNotesOnlyWhenTheyCount(t *testing.T) {
	in := version.NotesInput{Commits: []version.Commit{{Message: "feat: everything (#12)", Merge: true}}, Rules: version.Default()}
	assert.Contains(t, string(version.Notes(in)), "Everything (#12)")
	in.Rules.IgnoreMerges = true
	assert.NotContains(t, string(version.Notes(in)), "Everything")
}

func TestWithoutAForgeThereAreNoLinks(t *testing.T) {
	in := released()
	in.Links = version.GitHub("", "v")
	assert.NotContains(t, string(version.Notes(in)), "](")
}

func TestNotesBeginWithTheirHeading(t *testing.T) {
	heading, _, _ := strings.Cut(string(version.Notes(released())), "\n")
	assert.Equal(t, "## [2.0.0] - 2026-11-25", heading, "the date is the one in UTC")
}

// A subject is anybody's text: it can't hide the groups below it, close an issue, or call somebody.
func TestSubjectsAreOnlyText(t *testing.T) {
	in := released()
	in.Links = version.GitHub("https://github.com/o/r", "")
	for i, m := range []string{
		"feat: <!-- x", "feat(a*b<i>): closes #1 for @team (#7)", "fix: [1.4.2]: https://evil.example", "feat: \x1b[2J```", "docs: [x] reviewed", "feat!: drop it",
	} {
		in.Commits = append(in.Commits[:i:i], version.Commit{Hash: fmt.Sprintf("%040x", i), Message: m})
	}
	golden(t, "notes-hostile.md", string(version.Notes(in)))
}
