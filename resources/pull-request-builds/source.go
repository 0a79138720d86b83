package pullrequestbuilds

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Source says which repository's pull requests are built.
type Source struct {
	forge.Access
	// URI is where the code is fetched; empty is the repository at the forge.
	URI string `json:"uri"`
	// BaseBranch leaves only the pull requests into it.
	BaseBranch string `json:"base_branch"`
	// Drafts builds drafts too.
	Drafts bool `json:"drafts"`
	// Forks builds the pull requests of other people's repositories too.
	Forks bool `json:"forks"`
	// Labels leaves only pull requests with one of them.
	Labels []string `json:"labels"`
	// IntegrationTool is checkout, merge or rebase: the commit as it was pushed, merged into the base
	// branch, or replayed on top of it. Empty is checkout.
	IntegrationTool string `json:"integration_tool"`

	Older
}

// Older are keys of github-pr-resource that have another name here, or whose one value that is the same here is accepted.
type Older struct {
	// V3Endpoint is api_url.
	V3Endpoint string `json:"v3_endpoint"`
	// V4Endpoint is accepted: the address is derived from api_url.
	V4Endpoint string `json:"v4_endpoint"`
	// IgnoreDrafts is the opposite of drafts.
	IgnoreDrafts *bool `json:"ignore_drafts"`
	// DisableForks is the opposite of forks.
	DisableForks *bool `json:"disable_forks"`
	// States may be OPEN alone: no other pull requests are built.
	States []string `json:"states"`
	// DisableCISkip may be true: [ci skip] is never read.
	DisableCISkip *bool `json:"disable_ci_skip"`
	// DisableGitLFS may be true: files are delivered as they are in git.
	DisableGitLFS *bool `json:"disable_git_lfs"`
	// Paths is refused: a required check of a pull request that is skipped would be pending forever.
	Paths []string `json:"paths" concourse:"refused"`
	// IgnorePaths is refused, as paths is.
	IgnorePaths []string `json:"ignore_paths" concourse:"refused"`
	// GitCryptKey is refused: files are delivered as they are in git.
	GitCryptKey string `json:"git_crypt_key" concourse:"refused"`
	// RequiredReviewApprovals is refused: every commit is built, and approvals are for the merge.
	RequiredReviewApprovals int `json:"required_review_approvals" concourse:"refused"`
}

// access is how the forge is reached.
func (s Source) access() forge.Access {
	a := s.Access
	a.APIURL = cmp.Or(a.APIURL, strings.TrimSuffix(s.V3Endpoint, "/"))
	return a
}

// drafts and forks report whether such pull requests are built.
func (s Source) drafts() bool { return s.Drafts || s.IgnoreDrafts != nil && !*s.IgnoreDrafts }
func (s Source) forks() bool  { return s.Forks || s.DisableForks != nil && !*s.DisableForks }

// validateOlder reports a key that contradicts the one of this resource type.
func (s Source) validateOlder() error {
	switch {
	case s.APIURL != "" && s.V3Endpoint != "":
		return errors.New("v3_endpoint: is the same as api_url: remove it")
	case s.Drafts && s.IgnoreDrafts != nil && *s.IgnoreDrafts:
		return errors.New("ignore_drafts: contradicts drafts: true: remove one of them")
	case s.Forks && s.DisableForks != nil && *s.DisableForks:
		return errors.New("disable_forks: contradicts forks: true: remove one of them")
	}
	return s.withoutEffect()
}

// withoutEffect reports a key whose meaning this resource type does not have.
func (o Older) withoutEffect() error {
	const skip = "a pull request that is skipped would wait for its required check forever: remove it, and decide in the job what to do"
	switch {
	case slices.ContainsFunc(o.States, func(state string) bool { return state != "OPEN" }):
		return errors.New("states: only open pull requests are built: leave OPEN alone, or remove it")
	case o.DisableCISkip != nil && !*o.DisableCISkip:
		return errors.New("disable_ci_skip: [ci skip] is never read: set it to true, or remove it")
	case o.DisableGitLFS != nil && !*o.DisableGitLFS:
		return errors.New("disable_git_lfs: files are delivered as they are in git: set it to true, or remove it, and run git lfs pull in the job")
	case len(o.Paths) > 0:
		return errors.New("paths: " + skip)
	case len(o.IgnorePaths) > 0:
		return errors.New("ignore_paths: " + skip)
	case o.GitCryptKey != "":
		return errors.New("git_crypt_key: files are delivered as they are in git: remove it, and unlock them in the job")
	case o.RequiredReviewApprovals > 0:
		return errors.New("required_review_approvals: every commit is built, and approvals are for the merge: remove it, and require approvals in the branch's rules")
	}
	return nil
}

// open shadows the method of the access keys, which do not know the older ones.
func (s Source) open(o forge.Options) (*forge.Forge, error) { return s.access().Open(o) }

// The integration tools.
const (
	checkout = "checkout"
	merge    = "merge"
	rebase   = "rebase"
)

// integrates reports whether the base branch is a part of each version.
func (s Source) integrates() bool { return s.IntegrationTool == merge || s.IntegrationTool == rebase }

// Validate reports what can be known without the network.
func (s Source) Validate() error {
	if err := s.validateOlder(); err != nil {
		return err
	}
	if err := s.access().Validate(); err != nil {
		return err
	}
	if tools := []string{"", checkout, merge, rebase}; !slices.Contains(tools, s.IntegrationTool) {
		return fmt.Errorf("integration_tool: %q is not one of %s", s.IntegrationTool, strings.Join(tools[1:], ", "))
	}
	if s.BaseBranch != "" {
		if err := git.CheckBranch(s.BaseBranch); err != nil {
			return fmt.Errorf("base_branch: %w", err)
		}
	}
	if err := forge.CheckLabels(s.Labels); err != nil {
		return err
	}
	access, err := s.git()
	if err != nil {
		return err
	}
	return access.Validate()
}

// wants says whether a pull request is to be built.
func (s Source) wants(p *forge.Pull) bool {
	if p.Draft && !s.drafts() || s.BaseBranch != "" && p.Base != s.BaseBranch {
		return false
	}
	if !s.forks() && !strings.EqualFold(p.HeadRepository, s.Repository) {
		return false
	}
	return len(s.Labels) == 0 || slices.ContainsFunc(s.Labels, p.HasLabel)
}

// git is how the code is reached: with the same credentials.
func (s Source) git() (git.Access, error) {
	uri := s.URI
	if uri == "" {
		f, err := s.open(forge.Options{})
		if err != nil {
			return git.Access{}, err
		}
		uri = f.WebURL() + ".git"
	}
	// commits are asked for by their hashes; a branch must be named all the same
	a := git.Access{URI: uri, Branch: "main", CACert: s.CACert, SkipSSLVerification: s.SkipSSLVerification}
	if s.AccessToken != "" {
		a.Username, a.Password = "x-access-token", s.AccessToken
		return a, nil
	}
	a.AppID, a.AppPrivateKey, a.AppInstallationID, a.AppAPIURL = s.AppID, s.AppPrivateKey, s.AppInstallationID, s.access().APIURL
	return a, nil
}
