package promoterc

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/release"
)

// Source is what a pipeline says under "source". Its git keys are those of the
// code repository, and branch is the one that releases are merged into.
type Source struct {
	git.Access

	// GitHub is the same repository at the forge.
	GitHub forge.Access `json:"github" concourse:"required"`
	// BotBranch is the pull request's branch, which belongs to this resource.
	// Default bot-promote-rc.
	BotBranch string `json:"bot_branch"`
	// Labels are put on the pull request; the first one is what it is known by.
	// Default promote-rc and galoybot.
	Labels []string `json:"labels"`
	// Draft opens it as a draft. Default true.
	Draft *bool `json:"draft"`
	// SkipCI ends the title and the commit's subject with [ci skip], which switches off
	// the checks that guard the pull request.
	SkipCI bool `json:"skip_ci"`
	// Changelog is the file that release notes are put into. Default CHANGELOG.md.
	Changelog string `json:"changelog"`
	// AllowedFiles are globs of the files that a pull request may touch. Default
	// CHANGELOG.md and docs-site/**.
	AllowedFiles []string `json:"allowed_files"`

	// TagPrefix, CogTOML and Paths say which tags mark versions and which commits
	// belong into the notes, as for semver-git.
	TagPrefix string   `json:"tag_prefix"`
	CogTOML   string   `json:"cog_toml"`
	Paths     []string `json:"paths"`
	// CliffTOML is the path of a git-cliff config in the code repository, for the groups of the notes.
	CliffTOML string `json:"cliff_toml"`
}

// Validate reports the first key that can't be right, without using the network.
func (s Source) Validate() error {
	if err := signing.Validate(s.Access); err != nil {
		return err
	}
	if err := s.GitHub.Validate(); err != nil {
		return fmt.Errorf("github.%w", err)
	}
	if err := proposal.CheckBranch(s.botBranch(), s.Branch); err != nil {
		return err
	}
	if err := s.validateFiles(); err != nil {
		return err
	}
	return forge.CheckLabels(s.Labels)
}

func (s Source) validateFiles() error {
	for key, p := range map[string]string{"changelog": s.changelog(), "cog_toml": s.CogTOML, "cliff_toml": s.CliffTOML} {
		if p == "" {
			continue
		}
		if err := artifact.InRepository(p); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := release.CheckTagPrefix(s.TagPrefix); err != nil {
		return err
	}
	if err := release.CheckPaths(s.Paths); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	if err := release.CheckPaths(s.allowedFiles()); err != nil {
		return fmt.Errorf("allowed_files: %w", err)
	}
	if !s.allows(s.changelog()) {
		return fmt.Errorf("allowed_files: add the changelog %s, which each pull request changes, to %s", s.changelog(), strings.Join(s.allowedFiles(), ", "))
	}
	return nil
}

// Secrets lists the values that must never be shown.
func (s Source) Secrets() []string { return append(s.Access.Secrets(), s.GitHub.Secrets()...) }

const defaultBotBranch = "bot-promote-rc"

func (s Source) botBranch() string { return cmp.Or(s.BotBranch, defaultBotBranch) }

func (s Source) mainRef() string { return "refs/heads/" + s.Branch }

func (s Source) changelog() string { return path.Clean(cmp.Or(s.Changelog, "CHANGELOG.md")) }

func (s Source) draft() bool { return s.Draft == nil || *s.Draft }

func (s Source) labels() []string {
	if len(s.Labels) == 0 {
		return []string{"promote-rc", "galoybot"}
	}
	return s.Labels
}

func (s Source) allowedFiles() []string {
	if len(s.AllowedFiles) == 0 {
		return []string{"CHANGELOG.md", "docs-site/**"}
	}
	return s.AllowedFiles
}

// allows reports whether a pull request may touch a file.
func (s Source) allows(file string) bool {
	return slices.ContainsFunc(s.allowedFiles(), func(glob string) bool { return doublestar.MatchUnvalidated(glob, file) })
}
