// Package ceplergate is the resource type for the gate of an environment: it tells when the gate was moved,
// keeps the pull request that would open it, and opens, closes or approves it for a person. README.md lists
// its source, params and files.
package ceplergate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/memo"
)

// Resource is cepler-gate.
type Resource struct{}

// Version is a commit of the gates branch that moved the environment's gate.
type Version struct {
	Commit string `json:"commit" concourse:"required"`
	// Gate is what the gate was moved to, as it is written; empty if it was taken away, or if there is none.
	Gate string `json:"gate"`
}

// GetParams are the params of a get step: there are none.
type GetParams struct{}

// PutParams are the params of a put step. Without any, the pull request is kept.
type PutParams struct {
	// Open moves the gate at once to where the pull request would move it.
	Open bool `json:"open"`
	// Close moves the gate at once to what the environment runs, so that it gets nothing more.
	Close bool `json:"close"`
	// Approve adds an approval of what the pull request would promote.
	Approve bool `json:"approve"`
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// Check tells when the gate was moved. When the gates branch did not move since the last check in this
// container, it costs one ref advertisement.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }() // it was read only
	decides := src.Source
	decides.Access = git.Access{URI: src.URI, Branch: src.Branch}
	q := memo.Question{Kind: "cepler-gate", Branch: src.GatesBranch, Refs: []string{src.GatesRef()}, Parts: []any{decides, given}, Logf: step.Logf}
	answer, err := memo.Check(ctx, remote, q, time.Now(), func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (memo.Answer[Version], error) {
		r := deployments.NewRepository(src.Source, remote, store, step.Logf)
		versions, err := moves(ctx, r, src.Environment, given, refs)
		return memo.Answer[Version]{Versions: versions}, err
	})
	return answer.Versions, err
}

// moves are the versions from the given one on, the oldest first; the newest alone if the given one is not
// on the branch, or if there is none.
func moves(ctx context.Context, r *deployments.Repository, environment string, given *Version, refs deployments.Refs) ([]Version, error) {
	tip, err := r.GatesTip(ctx, refs)
	if err != nil {
		return nil, err
	}
	found := false
	changes, err := r.GateChanges(ctx, tip.Hash, environment, func(c deployments.GateChange) bool {
		found = given.is(c)
		return given == nil || found
	})
	if err != nil || len(changes) == 0 {
		return []Version{}, err
	}
	if last := changes[len(changes)-1]; !found && !given.is(last) {
		changes = changes[:1]
	}
	versions := make([]Version, 0, len(changes))
	for _, c := range slices.Backward(changes) {
		versions = append(versions, Version{Commit: c.Commit.Hash.String(), Gate: c.Gate})
	}
	return versions, nil
}

// shortest is how many digits of a commit are enough for a person to write.
const shortest = 7

// is reports whether a version stands for a commit. A person may know only the beginning of the commit.
func (v *Version) is(c deployments.GateChange) bool {
	if v == nil || len(v.Commit) < shortest {
		return false
	}
	return strings.HasPrefix(c.Commit.Hash.String(), strings.ToLower(v.Commit)) && (v.Gate == "" || v.Gate == c.Gate)
}
