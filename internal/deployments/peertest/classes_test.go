package peertest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each class of differences is a row of a table in the READMEs, in the same words.
func TestEveryClassIsInAREADME(t *testing.T) {
	rows := map[string]bool{}
	for _, name := range []string{"cepler-in", "cepler-out"} {
		text, err := os.ReadFile("../../../resources/" + name + "/README.md")
		require.NoError(t, err)
		_, section, ok := strings.Cut(string(text), "\n## Coming from the Rust resource\n")
		require.True(t, ok, name)
		for line := range strings.SplitSeq(section, "\n") {
			if cells := strings.Split(line, " | "); len(cells) == 2 {
				rows[strings.TrimPrefix(cells[0], "| ")] = true
			}
		}
	}
	assert.Greater(t, len(rows), len(classes()))
	for class, words := range classes() {
		assert.True(t, rows[words], "%s: no table has a row %q", class, words)
	}
}
