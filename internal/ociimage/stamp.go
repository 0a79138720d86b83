package ociimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// unknownRevision is the revision of a source tree that is in no git repository.
const unknownRevision = "unknown"

// Stamp is what an image says about the source it was made from. It comes from the commit, never from the clock.
type Stamp struct {
	// Revision is the full hash of the commit, with "-dirty" when files differ from it, or unknownRevision.
	Revision string
	// Created is the commit's time in UTC, in whole seconds.
	Created time.Time
	// Version is a semantic version without "v".
	Version string
}

// ReadStamp reads the stamp of the source tree in dir with the git program. The version is the commit's tag vX.Y.Z, or
// 0.0.0-dev.g<short hash> when it has none. Without git, or outside a repository, the stamp is unknownRevision, the
// start of 1970 and 0.0.0-dev, so that an export of the source still gives one digest.
func ReadStamp(ctx context.Context, dir string) (Stamp, error) {
	none := Stamp{Revision: unknownRevision, Created: time.Unix(0, 0).UTC(), Version: "0.0.0-dev"}
	if _, err := exec.LookPath("git"); err != nil {
		return none, nil //nolint:nilerr // no git program is a case the caller need not know about
	}
	head, err := git(ctx, dir, "log", "-1", "--no-show-signature", "--format=%H %ct")
	if errors.Is(err, errNoCommit) {
		return none, nil
	}
	if err != nil {
		return Stamp{}, err
	}
	hash, seconds, _ := strings.Cut(head, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return Stamp{}, fmt.Errorf("time of commit %s in %s: %w", hash, dir, err)
	}
	changed, err := git(ctx, dir, "status", "--porcelain")
	if err != nil {
		return Stamp{}, err
	}
	tags, err := git(ctx, dir, "tag", "--points-at", "HEAD")
	if err != nil {
		return Stamp{}, err
	}
	return stampOf(hash, unix, strings.Fields(tags), changed != ""), nil
}

func stampOf(hash string, unix int64, tags []string, dirty bool) Stamp {
	stamp := Stamp{Revision: hash, Created: time.Unix(unix, 0).UTC(), Version: "0.0.0-dev.g" + hash[:min(12, len(hash))]}
	if newest := newestVersion(tags); newest != nil {
		stamp.Version = newest.String()
	}
	if dirty {
		stamp.Revision += "-dirty"
		stamp.Version = markDirty(stamp.Version)
	}
	return stamp
}

// markDirty makes the version a pre-release, so that uncommitted work is never pushed as a release.
func markDirty(version string) string {
	if strings.Contains(version, "-") {
		return version + ".dirty"
	}
	return version + "-dirty"
}

func newestVersion(tags []string) *semver.Version {
	var newest *semver.Version
	for _, tag := range tags {
		version, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
		if err != nil || version.Metadata() != "" {
			continue
		}
		if newest == nil || version.GreaterThan(newest) {
			newest = version
		}
	}
	return newest
}

// Tags lists the registry tags of the version: itself, and for a release also MAJOR.MINOR and latest. A pre-release moves
// neither. A version that is not semantic, or has build metadata (a tag cannot hold "+"), is refused.
func (s Stamp) Tags() ([]string, error) {
	version, err := semver.StrictNewVersion(s.Version)
	if err != nil {
		return nil, fmt.Errorf("version %q: want MAJOR.MINOR.PATCH, with -PRERELEASE where needed: %w", s.Version, err)
	}
	if version.Metadata() != "" {
		return nil, fmt.Errorf("version %q: a registry tag cannot hold %q, omit the build metadata", s.Version, "+")
	}
	if version.Prerelease() != "" {
		return []string{s.Version}, nil
	}
	return []string{s.Version, fmt.Sprintf("%d.%d", version.Major(), version.Minor()), "latest"}, nil
}

// tagsBeside lists those of Tags that the version may take in a repository with the tags present: MAJOR.MINOR and latest never
// move back from a newer release.
func (s Stamp) tagsBeside(present []string) ([]string, error) {
	tags, err := s.Tags()
	if err != nil {
		return nil, err
	}
	version := semver.MustParse(s.Version) // Tags has parsed it
	behind, behindInMinor := false, false
	for _, tag := range present {
		other, err := semver.StrictNewVersion(tag)
		if err != nil || other.Prerelease() != "" || !other.GreaterThan(version) {
			continue
		}
		behind = true
		behindInMinor = behindInMinor || other.Major() == version.Major() && other.Minor() == version.Minor()
	}
	return slices.DeleteFunc(tags, func(tag string) bool {
		return behind && tag == "latest" || behindInMinor && tag != "latest" && tag != s.Version
	}), nil
}

// errNoCommit says that the folder is in no repository, or in one without commits.
var errNoCommit = errors.New("no commit")

func git(ctx context.Context, dir string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir, command.Stdout, command.Stderr = dir, &stdout, &stderr
	command.Env = append(os.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0")
	if err := command.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		if strings.Contains(text, "not a git repository") || strings.Contains(text, "does not have any commits") {
			return "", errNoCommit
		}
		return "", fmt.Errorf("git %s in %s: %w: %s", args[0], dir, err, text)
	}
	return strings.TrimSpace(stdout.String()), nil
}
