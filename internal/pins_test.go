package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The template checks pins actions in a file that Dependabot does not read. Those that this repository's own workflows use as well,
// which Dependabot moves, are at the same commit there.
func TestPinsOfTheTemplateAreThoseOfTheWorkflows(t *testing.T) {
	pin := regexp.MustCompile(`([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v[\d.]+)`)
	text, err := os.ReadFile("../pipelines/checks/actions.star")
	require.NoError(t, err)
	template := map[string]string{}
	for _, m := range pin.FindAllStringSubmatch(string(text), -1) {
		template[m[1]] = m[2] + " " + m[3]
	}
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	both := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range pin.FindAllStringSubmatch(string(text), -1) {
			if want, ok := template[m[1]]; ok {
				both++
				assert.Equal(t, want, m[2]+" "+m[3], "%s in %s: bring pipelines/checks/actions.star to the same commit and render the examples", m[1], file)
			}
		}
	}
	assert.Greater(t, both, 4, "the same actions are in both")
}
