package pullrequestbuilds

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/forge"
)

// Drafts and forks are built as the keys of this type or those of github-pr-resource say.
func TestDraftsAndForksOfTheOlderType(t *testing.T) {
	no, yes := false, true
	for _, c := range []struct {
		source        Source
		drafts, forks bool
	}{
		{Source{}, false, false},
		{Source{Drafts: true, Forks: true}, true, true},
		{Source{Older: Older{IgnoreDrafts: &no, DisableForks: &no}}, true, true},
		{Source{Older: Older{IgnoreDrafts: &yes, DisableForks: &yes}}, false, false},
	} {
		c.source.Repository = "team/code"
		assert.Equal(t, c.drafts, c.source.wants(&forge.Pull{Draft: true, HeadRepository: "team/code"}))
		assert.Equal(t, c.forks, c.source.wants(&forge.Pull{HeadRepository: "ann/code"}))
	}
}
