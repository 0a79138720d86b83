package release_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// A commit that was rebased or merged later is dated when it got into the history, and is its author's.
func TestCommitOf(t *testing.T) {
	written, merged := time.Unix(1_700_000_000, 0), time.Unix(1_700_500_000, 0)
	got := release.CommitOf(&git.Commit{
		Hash: git.Hash{0x1f}, Parents: []git.Hash{{1}, {2}}, Message: "feat: loans\n",
		Author: git.Signature{Name: "Ana", When: written}, Committer: git.Signature{Name: "Forge", When: merged},
	})
	assert.Equal(t, version.Commit{Hash: git.Hash{0x1f}.String(), Message: "feat: loans\n", Merge: true, Author: "Ana", When: merged}, got)
}
