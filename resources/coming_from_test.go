package resources_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shows begins the comment of a script, or of a part of one, that shows a row of a section "Coming from". The row's first cell
// follows, as it is in the README.
const shows = "# coming from: "

// Each row of each section "Coming from" is shown by a script of its type, and no script shows a row that is gone.
func TestEachRowOfComingFromHasAScript(t *testing.T) {
	rows := 0
	for name := range resourceTypes() {
		text, err := os.ReadFile(filepath.Join(name, "README.md"))
		require.NoError(t, err)
		shown := shownBy(t, name)
		for _, row := range comingFrom(string(text)) {
			rows++
			assert.True(t, shown[row], "%s: no script has the line\n%s%s", name, shows, row)
			delete(shown, row)
		}
		for row := range shown {
			assert.Fail(t, "a script shows a row that is not in the README", "%s: %s", name, row)
		}
	}
	assert.Greater(t, rows, 100)
}

// comingFrom are the first cells of the tables below the headings "Coming from".
func comingFrom(readme string) []string {
	var cells []string
	for _, section := range strings.Split("\n"+readme, "\n## ")[1:] {
		if !strings.HasPrefix(section, "Coming from") {
			continue
		}
		lines := strings.Split(section, "\n")
		for i, line := range lines {
			header := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---")
			if row := regexp.MustCompile(`^\| ((?:\\\||[^|])+) \|`).FindStringSubmatch(line); row != nil && !header {
				cells = append(cells, row[1])
			}
		}
	}
	return cells
}

// shownBy are the rows that the scripts of a type show.
func shownBy(t *testing.T, name string) map[string]bool {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(name, "testdata", "script", "*.txtar"))
	require.NoError(t, err)
	shown := map[string]bool{}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if row, ok := strings.CutPrefix(strings.TrimSpace(line), shows); ok {
				shown[row] = true
			}
		}
	}
	return shown
}
