package world

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// A check is run again when what it depends on has moved: for an environment its branches, for all else any ref.
func TestTheStateThatACheckDependsOn(t *testing.T) {
	t.Parallel()
	server, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	r, err := server.Create("team/deployments")
	require.NoError(t, err)
	one, err := r.Commit("main", "one", map[string]string{"a": "1"})
	require.NoError(t, err)
	two, err := r.Commit("main", "two", map[string]string{"a": "2"})
	require.NoError(t, err)
	w := &World{repositories: map[string]*gittest.Repository{"team/deployments": r}}
	plain := map[string]any{"uri": r.URL(), "branch": "main"}
	staging := map[string]any{"uri": r.URL(), "branch": "main", "environment": "staging"}
	gated := map[string]any{"uri": r.URL(), "branch": "main", "environment": "production", "gates_branch": "gates"}
	for moved, again := range map[string][]bool{
		"refs/heads/gh-pages": {true, false, false}, "refs/heads/gates": {true, false, true}, "refs/heads/main": {true, true, true},
	} {
		for i, source := range []map[string]any{plain, staging, gated} {
			states := map[string]bool{}
			for _, tip := range []string{one, two} {
				require.NoError(t, r.UpdateRef(moved, tip))
				_, state, ok := strings.Cut(w.stamp(source), " ") // behind the minute
				assert.True(t, ok)
				states[state] = true
			}
			assert.Equal(t, again[i], len(states) > 1, "%s: %v", moved, source)
		}
	}
}
