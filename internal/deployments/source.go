// Package deployments reads and writes a deployments repository: it brings
// cepler's model (internal/cepler) and a git branch (internal/git) together.
//
// What flows through it: a branch's head and its gates become a View, a View
// and one environment become a Plan (what is pending, since which commit, or
// why it waits), a Plan becomes a Version that names its own content, and a
// Version becomes files on disk (Get) and, after the deployment, a commit
// that records it (Record).
package deployments

import (
	"cmp"
	"errors"
	"fmt"
	"path"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Source holds the source keys that cepler-in and cepler-out have in common.
// They are those of the Rust cepler resource, and the access keys of every
// resource of this suite.
type Source struct {
	git.Access

	// Config is the path of cepler's config in the repository; default
	// "cepler.yml".
	Config string `json:"config"`
	// Environment is the environment that is watched or recorded.
	Environment string `json:"environment"`
	// GatesFile is the path of the gates file; without it nothing is gated.
	GatesFile string `json:"gates_file" concourse:"filled"`
	// GatesBranch is the branch GatesFile is read from; default: the branch
	// itself.
	GatesBranch string `json:"gates_branch" concourse:"filled"`
	// IgnoreQueue takes the newest state of the upstream environment instead of
	// the oldest one that was not yet taken.
	IgnoreQueue bool `json:"ignore_queue"`
	// Depth is accepted for the sake of the Rust resource's pipelines: what is needed is fetched.
	Depth int `json:"depth"`
}

// Validate reports the first key that can't be right, without any network.
func (s Source) Validate() error {
	if err := s.Access.Validate(); err != nil {
		return err
	}
	if s.GatesBranch != "" && s.GatesFile == "" {
		return errors.New("gates_file: is required beside gates_branch: name the gates file in that branch")
	}
	if s.GatesBranch != "" {
		if err := git.CheckBranch(s.GatesBranch); err != nil {
			return fmt.Errorf("gates_branch: %w", err)
		}
	}
	for key, p := range map[string]string{"config": s.Config, "gates_file": s.GatesFile} {
		if p == "" {
			continue
		}
		if err := artifact.InRepository(p); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// ConfigPath is the config's path as git writes it.
func (s Source) ConfigPath() string {
	if s.Config == "" {
		return "cepler.yml"
	}
	return path.Clean(s.Config)
}

// branchRef is the full name of the branch that is deployed from.
func (s Source) branchRef() string { return "refs/heads/" + s.Branch }

// GatesRef is the full name of the branch that holds the gates file.
func (s Source) GatesRef() string { return "refs/heads/" + s.GatesBranchName() }

// GatesBranchName is the short name of the branch that holds the gates file.
func (s Source) GatesBranchName() string { return cmp.Or(s.GatesBranch, s.Branch) }
