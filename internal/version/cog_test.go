package version_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

func TestParseCog(t *testing.T) {
	rules := cog(t, "small-steps")
	assert.Equal(t, "v", rules.TagPrefix)
	assert.Equal(t, []string{"api", "ui"}, rules.Scopes)
	assert.False(t, rules.IgnoreMerges)
	assert.Equal(t, map[string]version.Level{
		"feat": version.LevelPatch, "hotfix": version.LevelPatch, "epic": version.LevelMinor,
		"perf": 0, "revert": 0, "docs": 0, "test": 0, "build": 0, "ci": 0, "refactor": 0, "chore": 0, "style": 0,
	}, rules.Types)
	assert.Equal(t, map[string]string{"hotfix": "Hot Fixes", "epic": "Epics"}, rules.Titles)
	assert.Equal(t, map[string]bool{"docs": true}, rules.Omit)
	assert.True(t, cog(t, "patchy").IgnoreMerges)
}

func TestAnEmptyCogIsCocogittosOwnDefault(t *testing.T) {
	rules, err := version.ParseCog(nil)
	require.NoError(t, err)
	assert.True(t, rules.OnlyTypes)
	assert.Len(t, rules.Types, 11)
	for name, level := range rules.Types {
		want := map[string]version.Level{"feat": version.LevelMinor, "fix": version.LevelPatch}[name]
		assert.Equal(t, want, level, name)
	}
}

func TestACogThatCannotBeUsedSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"ignore_merge_commits = yes\n":                        "cog.toml: line 1, column 24: ",
		"[commit_types]\nfeat = { bump_minor = \"no\" }\n":    "cog.toml: line 2, column 23: ",
		"tag_prefix = \"v\"\ntag_prefix = \"w\"\n":            "cog.toml: line 2, column 1: ",
		"[commit_types\n":                                     "cog.toml: line 1, column ",
		"[commit_types]\n\"two words\" = {bump_patch=true}\n": `cog.toml: "two words" is not a valid commit type`,
	} {
		_, err := version.ParseCog([]byte(text))
		require.ErrorIs(t, err, version.ErrCog, text)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func FuzzParseCog(f *testing.F) {
	for _, text := range []string{
		"", "ignore_merge_commits = true\n[commit_types]\nfeat = { bump_patch = true }\n", "[commit_types]\nfix = {}\n", "[commit_types.fix]\nbump_minor = false",
		"scopes = []", "scopes = [\"a\"]\ntag_prefix = \"v\"", "commit_types = 3", "[[commit_types]]",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := version.ParseCog(data)
		if err != nil {
			require.ErrorIs(t, err, version.ErrCog)
			return
		}
		for name, level := range rules.Types {
			require.LessOrEqual(t, level, version.LevelMinor, name)
			_, err := version.ParseCommit(name + ": b")
			require.NoError(t, err, name)
		}
		_, err = version.Decide(version.Question{Rules: rules, Base: &version.Version{}, Commits: []version.Commit{{Message: "feat!: b"}}})
		if err != nil {
			require.ErrorIs(t, err, version.ErrNothing)
		}
	})
}
