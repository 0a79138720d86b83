package chartbump_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
)

const (
	bigCharts  = 300
	bigCommits = 10_000
)

// big is a repository of many charts and commits, in which the tracked chart
// changes seldom.
func big(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb)
	im := w.repo.Import()
	c := im.Commit("main", "the charts")
	noise := strings.Repeat("# what an operator wrote about it, at some length\nkey: value\n", 10)
	for i := range bigCharts {
		dir := fmt.Sprintf("charts/chart%03d/", i)
		c.Write(dir+"Chart.yaml", fmt.Sprintf("name: chart%d\nversion: 1.0.0\n", i))
		c.Write(dir+"values.yaml", fmt.Sprintf("image:\n  digest: %s\n%s", digestA, noise))
		for _, name := range []string{"deployment", "service", "ingress", "secret"} {
			c.Write(dir+"templates/"+name+".yaml", fmt.Sprintf("# %s of chart %d\n%s", name, i, noise))
		}
	}
	for i := range bigCommits - 2 {
		c = im.Commit("main", fmt.Sprintf("bump %d", i))
		c.Write(fmt.Sprintf("charts/chart%03d/values.yaml", i%bigCharts), fmt.Sprintf("image:\n  digest: sha256:%064x\n%s", i, noise))
	}
	require.NoError(tb, im.Done())
	return w
}

// cost sums what the server sent and took since the last reset.
func (w *world) cost() (requests int, out, in int64) {
	for _, r := range w.git.Requests() {
		requests++
		out += r.Out
		in += r.In
	}
	w.git.Reset()
	return requests, out, in
}

// A bump in a large repository fetches one commit with its trees, two files, and
// nothing of the history; a second one the bot branch's commit, too. A check after one commit fetches
// that commit, its trees and its values file.
func TestABumpAndACheckFetchNoMoreThanTheyNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a repository of 10,000 commits")
	}
	w := big(t)
	total := must(w.repo.Git("rev-list", "--count", "main"))
	require.Equal(t, fmt.Sprint(bigCommits), strings.TrimSpace(total))
	w.git.Reset()
	w.bumped(t, w.source(nil), digestB, revision2)
	requests, out, in := w.cost()
	t.Logf("first bump: %d requests, %d bytes fetched, %d sent", requests, out, in)
	assert.LessOrEqual(t, requests, 7)
	assert.Less(t, out, int64(128<<10), "bytes fetched")
	assert.Less(t, in, int64(16<<10), "bytes sent")

	w.commit(t, "meanwhile", map[string]string{"charts/other/values.yaml": "x: 1\n"})
	w.git.Reset()
	w.bumped(t, w.source(nil), digestC, revision3)
	requests, out, in = w.cost()
	t.Logf("second bump: %d requests, %d bytes fetched, %d sent", requests, out, in)
	assert.LessOrEqual(t, requests, 8)
	assert.Less(t, out, int64(136<<10), "bytes fetched")
	assert.Less(t, in, int64(16<<10), "bytes sent")

	head := w.head(t, "main")
	w.git.Reset()
	assert.Equal(t, commits(head), w.check(t, &chartbump.Version{Commit: head}))
	requests, out, _ = w.cost()
	assert.LessOrEqual(t, requests, 1)
	assert.Less(t, out, int64(1024), "bytes of a check that finds nothing new")

	given := &chartbump.Version{Commit: nowhere}
	require.Len(t, w.warmCheck(t, given), 1)
	requests, cold, _ := w.cost()
	t.Logf("check: %d requests, %d bytes fetched", requests, cold)
	head = w.commit(t, "a bump", map[string]string{"charts/bank/values.yaml": strings.Replace(values, digestA, digestB, 1)})
	w.git.Reset()
	assert.Equal(t, commits(head), w.warmCheck(t, given))
	requests, out, _ = w.cost()
	t.Logf("check after one commit: %d requests, %d bytes fetched", requests, out)
	assert.LessOrEqual(t, requests, 4)
	assert.Less(t, out, int64(16<<10), "bytes of a check after one commit")
	assert.Less(t, out, cold/4)
}
