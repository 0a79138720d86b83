package version_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
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
	rules, err := version.ParseCog(nil, toml.Decode)
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
		"ignore_merge_commits = yes\n":                        "line 1, column 24: ",
		"[commit_types]\nfeat = { bump_minor = \"no\" }\n":    "line 2, column 23: ",
		"tag_prefix = \"v\"\ntag_prefix = \"w\"\n":            "line 2, column 1: ",
		"[commit_types\n":                                     "line 1, column ",
		"[commit_types]\n\"two words\" = {bump_patch=true}\n": `"two words" is not a valid commit type`,
	} {
		_, err := version.ParseCog([]byte(text), toml.Decode)
		require.ErrorIs(t, err, version.ErrCog, text)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestAMisspeltKeyOfACogIsAMistake(t *testing.T) {
	for text, want := range map[string]struct{ mistake, warning string }{
		"tag_prefix = \"v\"\n":                           {},
		"tag_prefx = \"v\"\n":                            {mistake: `unknown key "tag_prefx"; did you mean "tag_prefix"?`},
		"ignore_merge_commit = true\n":                   {mistake: `did you mean "ignore_merge_commits"?`},
		"[commit_type]\nfeat = {}\n":                     {mistake: `did you mean "commit_types"?`},
		"[commit_types]\nfeat = { bump_minr = true }\n":  {mistake: `commit_types.feat: unknown key "bump_minr"; did you mean "bump_minor"?`},
		"[packages.cli]\npublic_ap = false\n":            {mistake: `packages.cli: unknown key "public_ap"; did you mean "public_api"?`},
		"[monorepo.packages.cli]\npubic_api = false\n":   {mistake: `monorepo.packages.cli: unknown key "pubic_api"; did you mean "public_api"?`},
		"[monorepo.package.cli]\npath = \"cli\"\n":       {mistake: `monorepo: unknown key "package"; did you mean "packages"?`},
		"tag_prefix = \"v\"\ntag_prefix = \"w\"\n":       {mistake: "line 2"},
		"[packages.cli]\npath = \"a\"\n[packages.cli]\n": {mistake: "line 3"},
		"weather = 1\n":                                  {warning: `unknown key "weather" has no effect`},
		"[changelog]\nweather = 1\n":                     {warning: `changelog: unknown key "weather" has no effect`},
	} {
		rules, err := version.ParseCog([]byte(text), toml.Decode)
		if want.mistake != "" {
			require.ErrorIs(t, err, version.ErrCog, text)
			require.ErrorContains(t, err, want.mistake)
			continue
		}
		require.NoError(t, err, text)
		if want.warning == "" {
			assert.Empty(t, rules.Warnings, text)
			continue
		}
		require.Len(t, rules.Warnings, 1, text)
		assert.Contains(t, rules.Warnings[0], want.warning)
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
		rules, err := version.ParseCog(data, toml.Decode)
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
