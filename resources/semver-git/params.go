package semvergit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Bumping are the params that say how a version is bumped.
type Bumping struct {
	// Bump is major, minor, patch or final. A put also takes conventional, and a
	// whole version.
	Bump string `json:"bump"`
	// Pre makes a pre-release or counts it up, as in rc.1, rc.2.
	Pre string `json:"pre"`
	// PreWithoutVersion leaves the number of the pre-release away. Without Pre it has no effect.
	PreWithoutVersion bool `json:"pre_without_version"`
	// Build is like Pre, for what stands behind the plus sign.
	Build string `json:"build"`
	// BuildWithoutVersion leaves the number of the build away. Without Build it has no effect.
	BuildWithoutVersion bool `json:"build_without_version"`
}

// getParams are the params of a get step. They change the files and not the
// branch.
type getParams struct {
	Bumping
}

// putParams are the params of a put step.
type putParams struct {
	Bumping

	// File is the file, in an artifact, that holds the version to set.
	File string `json:"file"`
	// GetLatest changes nothing and answers the version there is. A bump beside it has no effect, as in the older type.
	GetLatest bool `json:"get_latest"`

	// Repository is the artifact with a clone of the code, whose commit is
	// released.
	Repository string `json:"repository"`
	// NoBump says what a conventional bump does when no commit asks for a release:
	// keep (the default), fail or patch.
	NoBump string `json:"no_bump"`
	// AllowDowngrade lets the version become lower.
	AllowDowngrade bool `json:"allow_downgrade"`
	// Changelog is the path, in the branch, of a changelog that gets an entry in
	// the same commit.
	Changelog string `json:"changelog"`
	// Tag marks the repository's commit with the version in the same push.
	Tag bool `json:"tag"`
}

const conventional = "conventional"

// How often nothing asks for a release.
const (
	keep = "keep"
	fail = "fail"
)

func (b Bumping) isZero() bool { return b.Bump == "" && b.Pre == "" && b.Build == "" }

// bump is the arithmetic of the older type.
func (b Bumping) bump() (version.Bump, error) {
	part, err := version.ParseBump(b.Bump)
	if err != nil {
		return version.Bump{}, fmt.Errorf("bump: %w", err)
	}
	bump := version.Bump{
		Part: part, Pre: b.Pre, PreWithoutVersion: b.PreWithoutVersion,
		Build: b.Build, BuildWithoutVersion: b.BuildWithoutVersion,
	}
	return bump, bump.Validate()
}

// Validate reports the first param that can't be right.
func (p getParams) Validate() error {
	_, err := p.bump()
	return err
}

// Validate reports the first param that can't be right, or does not go with the
// others.
func (p putParams) Validate() error {
	if err := p.oneOf(); err != nil {
		return err
	}
	if err := p.validateBump(); err != nil {
		return err
	}
	if err := p.needsRepository(); err != nil {
		return err
	}
	if !slices.Contains([]string{"", keep, fail, "patch"}, p.NoBump) {
		return fmt.Errorf("no_bump: %q is not one of keep, fail, patch", p.NoBump)
	}
	if p.Changelog == "" {
		return nil
	}
	if err := artifact.InRepository(p.Changelog); err != nil {
		return fmt.Errorf("changelog: %w", err)
	}
	return nil
}

// oneOf wants one way to the version.
func (p putParams) oneOf() error {
	bumps := !p.isZero()
	switch {
	case p.File == "" && !bumps && !p.GetLatest:
		return errors.New("bump: is required, or one of file, pre, build and get_latest")
	case p.GetLatest && p.File != "":
		return errors.New("get_latest: changes nothing, so it does not go with file: remove one of them")
	case p.File != "" && bumps:
		return errors.New("file: sets the version, so it does not go with bump, pre or build: remove file or these")
	case p.GetLatest && p.Repository != "":
		return errors.New("get_latest: changes nothing, so it does not go with repository: remove one of them")
	}
	return nil
}

func (p putParams) validateBump() error {
	fromCommits := p.Repository != "" && slices.Contains([]string{"major", "minor", "patch"}, p.Bump)
	if p.Bump == conventional || p.wholeVersion() || fromCommits {
		if p.Pre != "" && p.PreWithoutVersion || p.Build != "" {
			return fmt.Errorf("bump: %s goes with pre here, but not with pre_without_version and build", p.Bump)
		}
		return (version.Bump{Pre: p.Pre}).Validate()
	}
	if _, err := version.ParseBump(p.Bump); err != nil {
		return fmt.Errorf("bump: %w, conventional, or a whole version like 1.4.0", err)
	}
	_, err := p.bump()
	return err
}

// wholeVersion reports a bump that is itself a version.
func (p putParams) wholeVersion() bool {
	_, err := version.Parse(p.Bump)
	return err == nil
}

// needsRepository names the params that are about a code repository.
func (p putParams) needsRepository() error {
	var about string
	switch {
	case p.Repository != "":
		if p.NoBump != "" && p.Bump != conventional {
			return errors.New("no_bump: is for bump: conventional; remove it")
		}
		return nil
	case p.Bump == conventional:
		about = "bump: conventional"
	case p.Tag:
		about = "tag"
	case p.Changelog != "":
		about = "changelog"
	case p.NoBump != "":
		about = "no_bump"
	default:
		return nil
	}
	return fmt.Errorf("repository: is required for %s: name the artifact of a get of a git resource with fetch_tags: true", about)
}
