package version_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

func TestPrependChangelog(t *testing.T) {
	const entry = "## [1.1.0] - 2026-11-24\n\n### Features\n\n- New\n"
	const older = "## [1.0.0] - 2026-01-01\n\n- Old\n"
	for name, c := range map[string]struct{ old, want string }{
		"no changelog yet":            {"", entry},
		"only older entries":          {older, entry + "\n" + older},
		"a title":                     {"# Changelog\n\nAll of it.\n\n" + older, "# Changelog\n\nAll of it.\n\n" + entry + "\n" + older},
		"a title alone":               {"# Changelog", "# Changelog\n\n" + entry},
		"a title right above":         {"# Changelog\n" + older, "# Changelog\n\n" + entry + "\n" + older},
		"what is unreleased":          {"# C\n\n## [Unreleased]\n\n- Soon\n\n" + older, "# C\n\n## [Unreleased]\n\n- Soon\n\n" + entry + "\n" + older},
		"the same version":            {"# C\n\n## [1.1.0] - 2026-11-01\n\n- Not all\n\n\n" + older, "# C\n\n" + entry + "\n\n" + older},
		"the same version, alone":     {"## 1.1.0\n\n- Not all", entry},
		"the same version, with v":    {"## v1.1.0 (2026-11-01)\n- Not all\n" + older, entry + older},
		"the same version, with link": {"## [1.1.0](https://example.org/compare/1.0.0...1.1.0) - 2026\n\n" + older, entry + "\n" + older},
		"a candidate's entry":         {"## [1.1.0-rc.1] - 2026-11-01\n\n- Rc\n", entry + "\n## [1.1.0-rc.1] - 2026-11-01\n\n- Rc\n"},
		"without an end":              {strings.TrimSpace(older), entry + "\n" + strings.TrimSpace(older)},
		"links at the end": {
			"# C\n\n## [1.1.0]\n\n- Not all\n\n[1.1.0]: https://example.org/1.1.0\n[1.0.0]: https://example.org/1.0.0\n",
			"# C\n\n" + entry + "\n[1.1.0]: https://example.org/1.1.0\n[1.0.0]: https://example.org/1.0.0\n",
		},
		"a heading within a code block": {
			"# C\n\n```\n## [1.1.0]\n```\n\n" + older, "# C\n\n```\n## [1.1.0]\n```\n\n" + entry + "\n" + older,
		},
		"carriage returns": {
			"# C\r\n\r\n## [1.0.0]\r\n\r\n- Old\r\n", "# C\r\n\r\n" + strings.ReplaceAll(entry, "\n", "\r\n") + "\r\n## [1.0.0]\r\n\r\n- Old\r\n",
		},
		"a mark of the byte order": {"\ufeff" + older, "\ufeff" + entry + "\n" + older},
		"odd bytes elsewhere":      {"# C \t\n\n\xff\x00\n\n" + older + "\n\n\n", "# C \t\n\n\xff\x00\n\n" + entry + "\n" + older + "\n\n\n"},
		"trailing rules":           {older + "\n- - -\n", entry + "\n" + older + "\n- - -\n"},
	} {
		t.Run(name, func(t *testing.T) {
			v := version.Version{Major: 1, Minor: 1}
			got := version.PrependChangelog([]byte(c.old), []byte(entry), v)
			assert.Equal(t, c.want, string(got))
			for range 10 {
				got = version.PrependChangelog(got, []byte(entry), v)
			}
			assert.Equal(t, c.want, string(got), "ten times is once")
		})
	}
}

func TestAnUpdatedEntryTakesThePlaceOfTheOldOne(t *testing.T) {
	v := version.Version{Major: 1, Minor: 1}
	log := []byte("# C\n\n## [1.0.0]\n\n- Old\n")
	for i := range 10 {
		entry := "## [1.1.0] - 2026-11-24\n\n" + strings.Repeat("- More\n", i+1)
		log = version.PrependChangelog(log, []byte(entry), v)
	}
	assert.Equal(t, "# C\n\n## [1.1.0] - 2026-11-24\n\n"+strings.Repeat("- More\n", 10)+"\n## [1.0.0]\n\n- Old\n", string(log))
}

func TestChangelogEntry(t *testing.T) {
	const log = "\ufeff# C\r\n\r\n## [1.1.0] - 2026\r\n\r\n- New\r\n\r\n## v1.0.0\r\n- Old\r\n\r\n[1.0.0]: x\r\n"
	for v, want := range map[string]string{"1.1.0": "## [1.1.0] - 2026\n\n- New\n", "1.0.0": "## v1.0.0\n- Old\n", "0.9.0": "", "1.1.0-rc.1": ""} {
		got, ok := version.ChangelogEntry([]byte(log), parse(t, v))
		assert.Equal(t, want != "", ok, v)
		assert.Equal(t, want, string(got), v)
	}
}

func FuzzPrependChangelog(f *testing.F) {
	for _, old := range []string{
		"", "# C\n\n## [1.0.0]\n\n- Old\n", "## [1.1.0] - 2026\n- x\n## 1.0.0\n", "# C\r\n\r\n## v1.1.0\r\n", "```\n## [1.1.0]\n", "~~~~\n```\n## 1.1.0\n~~~~\n## 1.1.0",
		"\ufeff## 1.1.0", "## [1.1.0]\n\n[1.1.0]: x\n\n", "text", "\n\n\n", "## 1.1.0\n## 1.1.0\n", "## a/b/v1.1.0\r", "text\n----\r",
	} {
		f.Add([]byte(old), "- New")
	}
	f.Fuzz(func(t *testing.T, old []byte, text string) {
		// An entry is a heading and text, and no other headings.
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune("#`~\r[", r) {
				return '.'
			}
			return r
		}, text)
		v := version.Version{Major: 1, Minor: 1}
		entry := []byte("## [1.1.0] - 2026-11-24\n\n" + text)
		once := version.PrependChangelog(old, entry, v)
		twice := version.PrependChangelog(once, entry, v)
		require.Equal(t, string(once), string(twice), "the same entry again changes nothing")

		found, ok := version.ChangelogEntry(once, v)
		require.True(t, ok)
		require.Equal(t, strings.TrimSpace(string(entry)), strings.TrimSpace(string(found)))

		lf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
		require.Contains(t, string(lf(once)), string(bytes.TrimSpace(entry)))
		if !bytes.Contains(old, []byte("1.1.0")) {
			before, after, ok := bytes.Cut(lf(once), bytes.TrimSpace(entry))
			require.True(t, ok)
			rest := string(before) + string(after)
			bare := strings.NewReplacer("\r", "", "\n", "")
			require.Equal(t, bare.Replace(string(old)), bare.Replace(rest), "only line ends are added")
		}
	})
}
