package version_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// bumped are versions of every shape that the arithmetic tells apart.
func bumped() []string {
	return []string{
		"0.0.0", "0.0.1", "0.1.0", "0.42.0", "1.0.0", "1.2.3", "9.9.9", "10.20.30",
		"0.1.0-rc.1", "0.42.0-rc.3", "1.2.3-rc.9", "1.2.3-rc.10", "1.2.3-rc", "1.2.3-rc.x", "1.2.3-rc.1.2", "1.2.3-rc-1",
		"1.2.3-beta.1", "1.2.3-alpha", "1.2.3-1", "1.2.3-1.2", "1.0.0-0.3.7", "1.2.3-RC.4",
		"1.2.3+ci", "1.2.3+ci.1", "1.2.3+ci.9", "1.2.3+ci.1.2", "1.2.3+ci.x", "1.2.3+ci.007", "1.2.3+ci.-5", "1.2.3+other.3",
		"1.2.3-rc.1+ci.4", "2.0.0-beta.11+other.3", "9007199254740993.0.0",
	}
}

func bumps() []version.Bump {
	var all []version.Bump
	for _, part := range []version.Part{version.None, version.Major, version.Minor, version.Patch, version.Final} {
		for _, pre := range []version.Bump{{}, {Pre: "rc"}, {Pre: "beta"}, {Pre: "rc", PreWithoutVersion: true}} {
			for _, build := range []version.Bump{{}, {Build: "ci"}, {Build: "ci", BuildWithoutVersion: true}} {
				b := pre
				b.Part, b.Build, b.BuildWithoutVersion = part, build.Build, build.BuildWithoutVersion
				all = append(all, b)
			}
		}
	}
	return all
}

func params(b version.Bump) string {
	word := map[version.Part]string{version.Major: "major", version.Minor: "minor", version.Patch: "patch", version.Final: "final"}[b.Part]
	return fmt.Sprintf("bump=%s pre=%s pre_without_version=%t build=%s build_without_version=%t", word, b.Pre, b.PreWithoutVersion, b.Build, b.BuildWithoutVersion)
}

func TestEveryBumpOfEveryVersion(t *testing.T) {
	var table strings.Builder
	for _, text := range bumped() {
		v := parse(t, text)
		for _, b := range bumps() {
			require.NoError(t, b.Validate())
			next := b.Apply(v)
			assert.Equal(t, next, parse(t, next.String()), "is a version that reads back")
			assert.Equal(t, text, v.String(), "the old one is left alone")
			fmt.Fprintf(&table, "%s %s -> %s\n", text, params(b), next)
		}
	}
	golden(t, "bumps.txt", table.String())
}

func parse(t *testing.T, text string) version.Version {
	t.Helper()
	v, err := version.Parse(text)
	require.NoError(t, err)
	return v
}

// What holds for any version and any bump.
func TestBumpsOfRandomVersions(t *testing.T) {
	source := rand.New(rand.NewPCG(20261124, 3))
	for range 20_000 {
		v, b := randomVersion(source), randomBump(source)
		next := b.Apply(v)
		require.Equal(t, next, parse(t, next.String()), "%s %s", v, params(b))
		switch b.Part {
		case version.Major, version.Minor, version.Patch:
			require.Positive(t, next.Final().Compare(v.Final()), "%s %s", v, params(b))
		case version.Final, version.None:
			require.Zero(t, next.Final().Compare(v.Final()), "%s %s", v, params(b))
		}
		if b.Pre != "" && !b.PreWithoutVersion {
			again := version.Bump{Pre: b.Pre}.Apply(next)
			require.Positive(t, again.Compare(next), "%s then %s", next, again)
		}
	}
}

func randomVersion(r *rand.Rand) version.Version {
	id := func() string { return []string{"rc", "beta", "1", "x-y", "RC", "17", "a", "ci", "007x"}[r.IntN(9)] }
	v := version.Version{Major: r.Uint64N(3), Minor: r.Uint64N(100), Patch: r.Uint64N(1 << 40)}
	for range r.IntN(4) {
		v.Pre = append(v.Pre, id())
	}
	var build []string
	for range r.IntN(4) {
		build = append(build, id())
	}
	v.Build = strings.Join(build, ".")
	return v
}

func randomBump(r *rand.Rand) version.Bump {
	id := func() string { return []string{"", "rc", "beta", "x-y", "RC", "ci"}[r.IntN(6)] }
	return version.Bump{
		Part: version.Part(r.IntN(5)), Pre: id(), PreWithoutVersion: r.IntN(3) == 0,
		Build: id(), BuildWithoutVersion: r.IntN(3) == 0,
	}
}

func TestBumpWords(t *testing.T) {
	for word, want := range map[string]version.Part{
		"": version.None, "major": version.Major, "minor": version.Minor, "patch": version.Patch, "final": version.Final,
	} {
		got, err := version.ParseBump(word)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, word := range []string{"Major", "mayor", " patch", "rc", "1.2.3"} {
		_, err := version.ParseBump(word)
		require.ErrorIs(t, err, version.ErrBump)
		assert.ErrorContains(t, err, "is not one of major, minor, patch, final")
	}
}

func TestBumpsThatMakeNoVersion(t *testing.T) {
	for _, b := range []version.Bump{{Pre: "rc_1"}, {Pre: "r c"}, {Pre: "rc."}, {Pre: "01"}, {Build: "a+b"}, {Build: "."}, {Build: "ü"}} {
		assert.ErrorIs(t, b.Validate(), version.ErrBump, "%+v", b)
	}
	assert.NoError(t, version.Bump{Pre: "rc.x", Build: "01.a"}.Validate())
}
