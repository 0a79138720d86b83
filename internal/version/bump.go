package version

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/fault"
)

// Part is the part of a version that a bump raises.
type Part int

// The parts. Final drops the pre-release and raises nothing.
const (
	None Part = iota
	Major
	Minor
	Patch
	Final
)

// ErrBump says that a bump is not one that can be made.
var ErrBump = errors.New("not a valid bump")

// ParseBump reads the word that names a part; the empty word is [None].
func ParseBump(word string) (Part, error) {
	if i := slices.Index([]string{None: "", Major: "major", Minor: "minor", Patch: "patch", Final: "final"}, word); i >= 0 {
		return Part(i), nil
	}
	return None, fault.Of(ErrBump, "%s is not one of major, minor, patch, final", shown(word))
}

// Bump is what to do to a version: first the part, then the pre-release, then
// the build. The arithmetic is that of
// https://github.com/concourse/semver-resource, which teams count on.
type Bump struct {
	Part Part
	// Pre is the pre-release to be at: its number is counted up from 1, and begins
	// again with another one. Empty leaves it.
	Pre string
	// PreWithoutVersion leaves the number away.
	PreWithoutVersion bool
	// Build and BuildWithoutVersion are the same for the build.
	Build               string
	BuildWithoutVersion bool
}

// Validate reports a pre-release or a build that would make no valid version, as
// [ErrBump].
func (b Bump) Validate() error {
	if b.Pre != "" {
		if problem := wrongPre(strings.Split(b.Pre, ".")); problem != "" {
			return fault.Of(ErrBump, "pre: %s", problem)
		}
	}
	if b.Build != "" {
		if problem := wrongBuild(strings.Split(b.Build, ".")); problem != "" {
			return fault.Of(ErrBump, "build: %s", problem)
		}
	}
	return nil
}

// Apply gives the bumped version.
func (b Bump) Apply(v Version) Version {
	v = b.Part.apply(v)
	if b.Pre != "" {
		v.Pre = strings.Split(counted(b.Pre, b.PreWithoutVersion, preNumber(v.Pre, b.Pre)), ".")
	}
	if b.Build != "" {
		v.Build = counted(b.Build, b.BuildWithoutVersion, buildNumber(v.Build, b.Build))
	}
	return v
}

func (p Part) apply(v Version) Version {
	switch p {
	case Major:
		v.Major, v.Minor, v.Patch, v.Pre = v.Major+1, 0, 0, nil
	case Minor:
		v.Minor, v.Patch, v.Pre = v.Minor+1, 0, nil
	case Patch:
		v.Patch, v.Pre = v.Patch+1, nil
	case Final:
		v.Pre = nil
	case None:
	}
	return v
}

// counted is an identifier with its next number.
func counted(id string, bare bool, last int64) string {
	if bare {
		return id
	}
	return id + "." + strconv.FormatInt(last+1, 10)
}

// preNumber is the number that the pre-release is at, 0 when it is another one.
// What follows the number, and an identifier that is itself a number, don't
// count: the model has it so.
func preNumber(pre []string, id string) int64 {
	if len(pre) < 2 || pre[0] != id || isNumber(id) || !isNumber(pre[1]) {
		return 0
	}
	return int64(number(pre[1])) //nolint:gosec // Parse admits none that large
}

// buildNumber is the same for the build. Leading zeros and a minus sign are
// allowed there, and are read as part of a number.
func buildNumber(build, id string) int64 {
	parts := strings.Split(build, ".")
	if len(parts) < 2 || parts[0] != id {
		return 0
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n > largest {
		return 0
	}
	return n
}
