package version_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// Whatever a message says, the notes have their heading and the groups that belong to the types, and nothing in it can
// hide or add one.
func FuzzNotes(f *testing.F) {
	for _, seed := range []string{"feat: <!-- x", "fix!: a\n\nBREAKING CHANGE: b\n### Security", "feat(`x`): closes #1 @team\r\n## [9.9.9]", "revert: \"feat: y\"", "feat: \x1b[2Jx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		notes := string(version.Notes(version.NotesInput{
			Version: version.Version{Major: 1}, Rules: version.Default(),
			Commits: []version.Commit{{Hash: strings.Repeat("a", 40), Message: "fix: the last"}, {Hash: strings.Repeat("b", 40), Message: message}},
		}))
		headings := 0
		for line := range strings.Lines(notes) {
			assert.False(t, strings.HasPrefix(line, "# "), notes)
			if strings.HasPrefix(line, "## ") {
				headings++
			}
		}
		assert.Equal(t, 1, headings, notes)
		assert.Contains(t, notes, "### Bug Fixes\n")
		assert.Contains(t, notes, "The last")
		assert.NotContains(t, notes, "<!--")
		assert.NotContains(t, notes, "\x1b")
	})
}
