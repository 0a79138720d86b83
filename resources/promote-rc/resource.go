// Package promoterc is the resource type that opens, keeps and watches the pull
// request by which a person turns a release candidate into a release. README.md
// lists its source, params and files.
package promoterc

import (
	"strconv"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// Resource is promote-rc.
type Resource struct{}

// GetParams are the params of a get step: there are none.
type GetParams struct{}

// Version is a merged pull request.
type Version struct {
	// PR is the pull request's number.
	PR string `json:"pr" concourse:"required"`
	// Version is the one that is released, without rc.
	Version string `json:"version" concourse:"required"`
	// Commit is what the pull request became on the branch. In the version of a
	// put it is the commit on the bot's branch.
	Commit string `json:"commit" concourse:"required"`
	// Candidate is the commit that was tested, and is released.
	Candidate string `json:"candidate,omitempty"`
}

// number is the pull request's, 0 when it has none.
func (v Version) number() int {
	n, err := strconv.Atoi(v.PR)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]
