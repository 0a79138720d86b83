package pipelines

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// The page has what the linter looks for, each key in a row.
func TestThePageOfVersionsIsTheLintersTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/versions.md")
	require.NoError(t, err)
	var rows, want []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for _, n := range pipeline.Needs() {
		want = append(want, fmt.Sprintf("| `%s` | `%s` | %s | %s | %s |", n.Image, n.Key, n.Place, n.Version(), n.Without))
	}
	assert.Equal(t, want, rows)
}

// A rendering with an image that is too old for what the templates give it does not pass the linter.
func TestRenderingsWithOldImagesHaveFaults(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleOf("lana-bank", "release").Want())
	require.NoError(t, err)
	for from, to := range map[string]string{
		"concourse/oci-build-task\n          tag: 0.11.1": "concourse/oci-build-task\n          tag: 0.5.0",
		"resource_types:\n": "resource_types:\n- name: git\n  type: registry-image\n  source: {repository: concourse/git-resource, tag: 1.5.0}\n",
	} {
		require.True(t, strings.Contains(string(data), from), from)
		found := pipeline.Lint(WantFile, []byte(strings.ReplaceAll(string(data), from, to)), OwnTypes())
		assert.Positive(t, found.Errors(), to)
		for _, f := range found {
			assert.Equal(t, "old-version", f.Rule, f.String())
		}
	}
}
