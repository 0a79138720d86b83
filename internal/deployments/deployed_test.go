package deployments_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Whoever opened a gate is the person who did, or the pull request of which only the forge knows that.
func TestMovedBy(t *testing.T) {
	t.Parallel()
	signature := func(name string) git.Signature { return git.Signature{Name: name, Email: name + "@acme.example"} }
	const own, merge, squash = "Promote bank\n\nProposal: cepler-gate 1 2\n", "Merge pull request #7 from acme/promote\n\nPromote bank\n", "Promote bank: 0.41.0 → 0.42.0 (#7)\n\nIt opens the gate.\n"
	for name, c := range map[string]struct {
		author, committer, message string
		parents                    int
		want                       string
	}{
		"by hand":                {"ana", "ana", "gate: open\n", 1, "ana"},
		"in the forge's editor":  {"ana", "GitHub", "Update bank.yml\n", 1, "ana"},
		"merged":                 {"ana", "GitHub", merge, 2, "ana"},
		"squashed":               {"acme-bot[bot]", "GitHub", squash, 1, "pull request #7"},
		"rebased":                {"deploy bot", "ana", own, 1, "ana"},
		"rebased, by nobody":     {"deploy bot", "GitHub", own, 1, "deploy bot"},
		"the bot's own":          {"deploy bot", "deploy bot", own, 1, "deploy bot"},
		"a person's with a hash": {"ana", "ana", "gate: open\n\nsee (#7)\n", 1, "ana"},
	} {
		commit := &git.Commit{Author: signature(c.author), Committer: signature(c.committer), Message: c.message, Parents: make([]git.Hash, c.parents)}
		assert.Equal(t, c.want, deployments.Source{}.MovedBy(commit), name)
	}
}
