package chartbump

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// GitHub refuses a pull request whose text has more than 65,536 characters, and
// would refuse it again each time.
func TestTheLongestListOfCommitsFitsAPullRequest(t *testing.T) {
	m := message{commits: make([]codeCommit, maxCommits)}
	for i := range m.commits {
		m.commits[i] = codeCommit{hash: strings.Repeat("a", 40), subject: strings.Repeat("<längere Geschichte> ", 100)}
	}
	body := m.body()
	assert.Less(t, len(body), 65_536)
	assert.Equal(t, maxCommits, strings.Count(body, "- aaaaaaa &lt;längere"))
}
