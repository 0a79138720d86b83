package github

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pull request is merged when every required check is green: one of GitHub Actions is not replaced by a status of its name.
func TestRulesBlockAMerge(t *testing.T) {
	t.Parallel()
	_, r := serve(t, Options{})
	number := open(t, r, "topic")
	head, err := r.Git().RevParse("topic")
	require.NoError(t, err)
	r.Set(func(s *Settings) {
		s.RequiredJobs, s.RequiredChecks, s.RequiredApprovals = []string{"test"}, []string{"cache"}, 1
	})
	refused := func(want ...string) {
		t.Helper()
		_, err := r.Merge(number, "merge", "ana")
		require.ErrorContains(t, err, "Repository rule violations found")
		for _, text := range want {
			assert.ErrorContains(t, err, text)
		}
	}
	refused("approving review is required", `Required status check "test" is expected.`, `Required status check "cache" is expected.`)
	require.NoError(t, r.Approve(number, "ben"))
	require.NoError(t, r.Report(head, "cache", "success", ""))
	require.NoError(t, r.Report(head, "test", "failure", "1 test failed"))
	refused(`Required status check "test" is failing.`)
	assert.Equal(t, Status{Context: "test", State: "failure", Description: "1 test failed"}, r.Checks(head)["test"])
	require.NoError(t, r.Report(head, "test", "success", ""))
	commit, err := r.Merge(number, "merge", "ana")
	require.NoError(t, err)
	assert.NotEmpty(t, commit)
}
