package pullrequestbuilds

import (
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
}

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
	if err := s.Access.Validate(); err != nil {
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
	access, err := s.git()
	if err != nil {
		return err
	}
	return access.Validate()
}

// wants says whether a pull request is to be built.
func (s Source) wants(p *forge.Pull) bool {
	if p.Draft && !s.Drafts || s.BaseBranch != "" && p.Base != s.BaseBranch {
		return false
	}
	if !s.Forks && !strings.EqualFold(p.HeadRepository, s.Repository) {
		return false
	}
	return len(s.Labels) == 0 || slices.ContainsFunc(s.Labels, p.HasLabel)
}

// git is how the code is reached: with the same credentials.
func (s Source) git() (git.Access, error) {
	uri := s.URI
	if uri == "" {
		f, err := s.Open(forge.Options{})
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
	a.AppID, a.AppPrivateKey, a.AppInstallationID, a.AppAPIURL = s.AppID, s.AppPrivateKey, s.AppInstallationID, s.APIURL
	return a, nil
}
