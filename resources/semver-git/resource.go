// Package semvergit is the resource type that keeps a version number in a file
// on a git branch, and bumps it by hand or from conventional commits. README.md
// lists its source, params and files.
package semvergit

import "github.com/taxiway-ci/taxiway/internal/concourse"

// Resource is semver-git.
type Resource struct{}

// Version is a version number and the commit that set it.
type Version struct {
	Number string `json:"number" concourse:"required"`
	// Commit is on the branch that keeps the version. Versions of the older type,
	// and the initial version, have none.
	Commit string `json:"commit,omitempty"`
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]
