package semvergit

import (
	"fmt"
	"net/mail"
	"path"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Source is what a pipeline says under "source".
type Source struct {
	git.Access

	// File is the path, in the branch, of the file that holds the version.
	File string `json:"file" concourse:"required"`
	// InitialVersion is the version while there is no branch or no file, or the
	// file is empty. Default 0.0.0.
	InitialVersion string `json:"initial_version"`
	// CommitMessage replaces the message of commits; %version% and %file% are
	// filled in.
	CommitMessage string `json:"commit_message"`
	// Driver may say "git", as pipelines of the older type do.
	Driver string `json:"driver"`
	// Depth is accepted for the sake of the older type's pipelines: what is needed is fetched.
	Depth int `json:"depth"`

	// TagPrefix stands before the version in tags. By default v1.2.3 and 1.2.3
	// both count, and new tags look like the last one.
	TagPrefix string `json:"tag_prefix"`
	// CommitTypes say what commits of a type ask for: major, minor, patch or none.
	CommitTypes map[string]string `json:"commit_types"`
	// CogTOML is the path of a cocogitto config in the code repository.
	CogTOML string `json:"cog_toml"`
	// CliffTOML is the path of a git-cliff config in the code repository, for the groups of release notes.
	CliffTOML string `json:"cliff_toml"`
	// KeepZero lets a breaking change of a version 0.x ask only for what its type
	// does, as cocogitto has it. By default it leads to 1.0.0.
	KeepZero bool `json:"keep_zero"`
	// Paths are globs; only commits that touch one of them count.
	Paths []string `json:"paths"`
}

// Validate reports the first key that can't be right, without using the network.
func (s Source) Validate() error {
	if err := signing.Validate(s.access()); err != nil {
		return err
	}
	for key, p := range map[string]string{"file": s.File, "cog_toml": s.CogTOML, "cliff_toml": s.CliffTOML} {
		if p == "" {
			continue
		}
		if err := artifact.InRepository(p); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := s.Foreign(); err != nil {
		return err
	}
	if _, err := s.initial(); err != nil {
		return fmt.Errorf("initial_version: %w", err)
	}
	if _, err := version.Default().With(s.CommitTypes); err != nil {
		return fmt.Errorf("commit_types: %w", err)
	}
	if err := release.CheckPaths(s.Paths); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	return release.CheckTagPrefix(s.TagPrefix)
}

// Foreign reports a source for one of the other drivers of the older type.
func (s Source) Foreign() error {
	if s.Driver == "" || s.Driver == "git" {
		return nil
	}
	return fmt.Errorf("driver: %q is not supported, only git: remove driver and its keys, and set uri, branch and file of a git repository", s.Driver)
}

// access are the access keys, with git_user as git wants it: the older type also
// takes a bare address.
func (s Source) access() git.Access {
	a := s.Access
	if user, err := mail.ParseAddress(a.GitUser); err == nil {
		name := user.Name
		if name == "" {
			name, _, _ = strings.Cut(user.Address, "@")
		}
		a.GitUser = name + " <" + user.Address + ">"
	}
	return a
}

func (s Source) initial() (version.Version, error) {
	if s.InitialVersion == "" {
		return version.Version{}, nil
	}
	return version.Parse(s.InitialVersion)
}

// ref is the full name of the branch that keeps the version.
func (s Source) ref() string { return "refs/heads/" + s.Branch }

// file is the path of the version as git writes it.
func (s Source) file() string { return path.Clean(s.File) }
