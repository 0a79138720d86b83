package deployments_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
)

// After a force push the repository still has the commits that were on the branch. A version of one of
// them is neither answered again by a check nor recorded by a put.
func TestVersionsOfARewrittenBranch(t *testing.T) {
	w := newWorld(t)
	src := w.source("tf")
	base := w.check(src, nil)[0]
	require.NoError(t, w.put(src, w.get(src, base)))
	start, err := w.repo.RevParse("main")
	require.NoError(t, err)
	w.commit("a=2", map[string]string{"a.yml": "2\n"})
	orphan := w.check(src, &base)[1]
	dir := w.get(src, orphan)

	require.NoError(t, w.repo.UpdateRef("refs/heads/main", start))
	w.commit("a=3", map[string]string{"a.yml": "3\n"})
	now := w.check(src, &base)
	require.Len(t, now, 2, "with the given version, which is on the branch")
	assert.NotEqual(t, orphan.Trigger, now[1].Trigger)
	assert.Equal(t, now[1:], w.check(src, &orphan), "without it")

	before, err := w.repo.RevParse("main")
	require.NoError(t, err)
	err = w.put(src, dir)
	require.ErrorIs(t, err, deployments.ErrVersion)
	require.ErrorContains(t, err, "is not on branch main, which was rewritten since")
	after, err := w.repo.RevParse("main")
	require.NoError(t, err)
	assert.Equal(t, before, after, "nothing was recorded")
	require.NoError(t, w.put(src, w.get(src, now[1])))
}
