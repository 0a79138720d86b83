package version_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

const formsCog = `
ignore_merge_commits = true
scopes = ["loans", "api"]
[commit_types]
deps = {bump_patch = true}
`

// A check says of each form what the next version makes of it.
func TestReadAgreesWithDecide(t *testing.T) {
	text, err := os.ReadFile("testdata/forms.txt")
	require.NoError(t, err)
	cog, err := version.ParseCog([]byte(formsCog), toml.Decode)
	require.NoError(t, err)
	base, err := version.Parse("1.0.0")
	require.NoError(t, err)
	forms := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), " | ", 4)
		require.Len(t, field, 4, line)
		forms++
		message := strings.ReplaceAll(field[3], `\n`, "\n")
		for i, rules := range []version.Rules{version.Default(), cog} {
			for _, merge := range []bool{false, true} {
				c := version.Commit{Hash: "0123", Message: message, Merge: merge}
				reading := rules.Read(c, &base)
				d, err := version.Decide(version.Question{Base: &base, Commits: []version.Commit{c}, Rules: rules})
				if reading.Level == version.LevelNone {
					require.ErrorIs(t, err, version.ErrNothing, message)
				}
				require.Len(t, d.Reasons, 1)
				assert.Equal(t, d.Reasons[0].Level, reading.Level, message)
				assert.Equal(t, d.Reasons[0].Rule, reading.Rule, message)
				if merge {
					continue
				}
				assert.Equal(t, field[i], reading.Level.String(), "%s with rules %d", message, i)
				if i == 0 {
					assert.Equal(t, strings.TrimPrefix(field[2], "-"), reading.Problem, message)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, forms, 37)
}

func TestReadByACocogittoConfiguration(t *testing.T) {
	rules, err := version.ParseCog([]byte(formsCog), toml.Decode)
	require.NoError(t, err)
	for message, want := range map[string]string{
		"wip: x":          "the type wip is not configured",
		"dep: bump tokio": "the type dep is not configured, did you mean `deps:`?",
		"fix(web): x":     "the scope web is not configured",
		"fix(api): x":     "",
	} {
		assert.Equal(t, want, rules.Read(version.Commit{Message: message}, nil).Problem, message)
	}
	assert.Empty(t, rules.Read(version.Commit{Message: "anything", Merge: true}, nil).Problem, "merges are ignored")
	rules.KeepZero = true
	assert.Equal(t, "breaking, but 0.x stays: feat → minor", rules.Read(version.Commit{Message: "feat!: x"}, &version.Version{Minor: 3}).Rule)
	assert.Equal(t, version.LevelMajor, rules.Read(version.Commit{Message: "feat!: x"}, nil).Level)
}
