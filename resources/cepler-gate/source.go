package ceplergate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
)

// Source is what a pipeline says under "source".
type Source struct {
	deployments.Source
	// GitHub is where the pull request is kept, and who is asked for who merged it.
	GitHub *forge.Access `json:"github"`
	// BotBranch is the pull request's branch. Default promote-<deployment>-<environment>.
	BotBranch string `json:"bot_branch"`
	// Labels are added to the pull request, and made where they are missing.
	Labels []string `json:"labels"`
	// Reviewers are asked to review it: login names, and teams as owner/team.
	Reviewers []string `json:"reviewers"`
	// Draft keeps the pull request a draft.
	Draft bool `json:"draft"`
	// Repositories are those of code and charts, for the commits and releases in the pull request.
	Repositories []Repository `json:"repositories"`
	// AllowAnonymous lets a build open or close the gate of which nobody knows who started it.
	AllowAnonymous bool `json:"allow_anonymous"`
}

// Repository is one of code or charts. All of its branches and tags are read.
type Repository struct {
	git.Access
	// Branch is not used, and refused.
	Branch string `json:"branch"`
	// Address is what vendir.yml and the METADATA comments call the repository. Default: uri.
	Address string `json:"address"`
}

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	if err := s.Source.Validate(); err != nil {
		return err
	}
	if err := signing.Check(s.Access); err != nil {
		return err
	}
	switch {
	case s.Environment == "":
		return errors.New("environment: is required, but missing: name an environment of the config")
	case s.GatesFile == "":
		return errors.New("gates_file: is required, but missing: name the file with the gates")
	case s.GatesBranch == "":
		return errors.New("gates_branch: is required, but missing: name the branch of the gates file")
	}
	for i, r := range s.Repositories {
		if r.Branch != "" {
			return fmt.Errorf("repositories[%d].branch: is not used: all branches and tags are read; remove it", i)
		}
		if err := r.access().Validate(); err != nil {
			return fmt.Errorf("repositories[%d].%w", i, err)
		}
	}
	return s.validatePull()
}

func (s Source) validatePull() error {
	if s.GitHub == nil {
		if s.BotBranch != "" || s.Draft || len(s.Labels)+len(s.Reviewers) > 0 {
			return errors.New("github: is required for a pull request: set it, or remove bot_branch, labels, reviewers and draft")
		}
		return nil
	}
	if s.BotBranch != "" {
		if err := proposal.CheckBranch(s.BotBranch, s.GatesBranch); err != nil {
			return err
		}
		if s.BotBranch == s.Branch {
			return fmt.Errorf("bot_branch: %s is the branch that is deployed from: name another one, which belongs to this resource alone", s.BotBranch)
		}
	}
	if err := s.GitHub.Validate(); err != nil {
		return fmt.Errorf("github.%w", err)
	}
	if err := forge.CheckReviewers(s.Reviewers, s.GitHub.Repository); err != nil {
		return err
	}
	return forge.CheckLabels(s.Labels)
}

// Secrets are all values that nobody may see.
func (s Source) Secrets() []string {
	all := s.Access.Secrets()
	if s.GitHub != nil {
		all = append(all, s.GitHub.Secrets()...)
	}
	for _, r := range s.Repositories {
		all = append(all, r.access().Secrets()...)
	}
	return slices.Clip(all)
}

// botBranch is the branch of the pull request for an environment of a deployment.
func (s Source) botBranch(deployment string) string {
	return cmp.Or(s.BotBranch, fmt.Sprintf("promote-%s-%s", deployment, s.Environment))
}

// access is the way to the repository. An access must name a branch.
func (r Repository) access() git.Access {
	a := r.Access
	a.Branch = "main"
	return a
}
