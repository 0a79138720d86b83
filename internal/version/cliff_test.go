package version_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

// cliffNotes are the groups and lines of notes about messages, newest first, without their heading.
func cliffNotes(t *testing.T, config string, messages ...string) string {
	t.Helper()
	cliff, err := version.ParseCliff([]byte(config), toml.Decode)
	require.NoError(t, err)
	in := version.NotesInput{Version: version.Version{Major: 1}, Rules: version.Rules{Cliff: cliff}}
	for _, m := range messages {
		in.Commits = append(in.Commits, version.Commit{Hash: strings.Repeat("ab", 20), Message: m, Author: "Ana Lima"})
	}
	_, rest, _ := strings.Cut(string(version.Notes(in)), "\n")
	return strings.ReplaceAll(strings.TrimSpace(rest), "\n\n", "\n")
}

// Each case is what git-cliff's documentation of commit_parsers and its neighbours says.
func TestNotesByAConfigurationOfGitCliff(t *testing.T) {
	t.Parallel()
	parsers := "[git]\ncommit_parsers = [\n" +
		`{ message = "^feat", group = "<!-- 1 -->New" }, { message = "^fix(\\(ui\\))?:", group = "<!-- 0 -->🐛 Repaired" },` + "\n" +
		`{ message = "^chore\\(deps\\)", skip = true }, { body = "(?i)security", group = "Security" },` + "\n" +
		`{ footer = "^Reviewed-by: ", group = "Reviewed" }, { field = "scope", pattern = "^api$", group = "API" },` + "\n" +
		`{ message = "^build\\((?P<what>\\w+)\\)", group = "Builds of ${what}", scope = "b" }, { message = "^perf", default_scope = "all" },` + "\n" +
		`{ sha = "` + strings.Repeat("AB", 20) + `", group = "That one" } ]` + "\n"
	for name, c := range map[string]struct {
		config   string
		messages []string
		want     string
	}{
		"groups are sorted by name, and marks that sort them are not shown": {
			parsers, []string{"feat: a", "fix(ui): c", "fix: b"}, "### 🐛 Repaired\n- B\n- *(ui)* C\n### New\n- A",
		},
		"the first parser that matches counts": {parsers, []string{"feat: a\n\nabout security"}, "### New\n- A"},
		"a skipped commit is left out":         {parsers, []string{"chore(deps): x", "feat: a"}, "### New\n- A"},
		"the body":                             {parsers, []string{"docs: a\n\nAbout Security."}, "### Security\n- A"},
		"a footer":                             {parsers, []string{"docs: a\n\nReviewed-by: Bo"}, "### Reviewed\n- A"},
		"a field":                              {parsers, []string{"docs(api): a"}, "### API\n- *(api)* A"},
		"parts of the match in group, and the scope": {parsers, []string{"build(image): a"}, "### Builds of image\n- *(b)* A"},
		"a scope where there is none, and no group":  {parsers, []string{"perf(x): b", "perf: a"}, "### Perf\n- *(all)* A\n- *(x)* B"},
		"one commit":                          {parsers, []string{"docs: a"}, "### That one\n- A"},
		"what no parser matches has its type": {"[git]\ncommit_parsers = []\n", []string{"docs: a", "feat: b"}, "### Docs\n- A\n### Feat\n- B"},
		"filter_commits leaves it out":        {"[git]\nfilter_commits = true\ncommit_parsers = [{message = \"^feat\", group = \"New\"}]\n", []string{"docs: a", "feat: b"}, "### New\n- B"},
		"git-cliff's own groups where there are none": {
			"",
			[]string{"docs: a", "no type", "Merge branch 'x'", "chore(deps): b", "feat: c", "odd: d\n\nabout security", "odd: e"},
			"### 🚀 Features\n- C\n### 💼 Other\n- E\n### 📚 Documentation\n- A\n### 🛡️ Security\n- D",
		},
		"the type as a field, and what a commit does not have": {
			"[git]\ncommit_parsers = [{field = \"group\", pattern = \"^feat$\", group = \"New\"}, {field = \"scope\", pattern = \"^null$\", group = \"Of all\"}, {field = \"breaking\", pattern = true, group = \"B\"}]\n",
			[]string{"feat: a", "fix: b", "fix(x)!: c"},
			"### B\n- *(x)* [**breaking**] C\n### New\n- A\n### Of all\n- B",
		},
		"a commit without the field that a parser looks at is left out": {
			"[git]\nfilter_unconventional = false\ncommit_parsers = [{message = \"^Drop\", group = \"Gone\"}, {field = \"breaking\", pattern = \"true\", group = \"B\"}, {message = \".\", group = \"Rest\"}]\n",
			[]string{"Drop a", "Add b", "feat: c"},
			"### Gone\n- Drop a\n### Rest\n- C",
		},
		"a scope that is taken away":      {"[git]\ncommit_parsers = [{message = \"^build\", group = \"Deps\", scope = \"\"}]\n", []string{"build(deps): a"}, "### Deps\n- A"},
		"a character as Rust has it":      {"[git]\ncommit_parsers = [{message = '^fix: \\u{1F41B}', group = \"Bugs\"}, {message = \".\", group = \"Rest\"}]\n", []string{"fix: 🐛 a"}, "### Bugs\n- 🐛 a"},
		"the newest first":                {"[git]\nsort_commits = \"Newest\"\n", []string{"feat: new", "feat: old"}, "### 🚀 Features\n- New\n- Old"},
		"the oldest where it is not said": {"[git]\n", []string{"feat: new", "feat: old"}, "### 🚀 Features\n- Old\n- New"},
		"unconventional commits": {
			"[git]\nfilter_unconventional = false\ncommit_parsers = [{message = \"^Add\", group = \"Added\"}]\n", []string{"Add a\n\nmore", "feat: b", "Drop c"}, "### Added\n- Add a\n### Feat\n- B",
		},
		"no conventional commits": {
			"[git]\nconventional_commits = false\ncommit_parsers = [{message = \"^feat\", group = \"New\"}, {message = \".*\", group = \"Other\"}]\n",
			[]string{"feat: a", "words"},
			"### New\n- Feat: a\n### Other\n- Words",
		},
		"a breaking change is skipped like any other": {"[git]\ncommit_parsers = [{message = \"^chore\", skip = true}]\n", []string{"chore!: a", "feat: b"}, "### Feat\n- B"},
		"unless it is protected": {
			"[git]\nprotect_breaking_commits = true\ncommit_parsers = [{message = \"^chore\", skip = true}]\n", []string{"chore!: a", "chore: b"}, "### Chore\n- [**breaking**] A",
		},
		"the oldest first": {"[git]\nsort_commits = \"oldest\"\n", []string{"feat: new", "feat: old"}, "### 🚀 Features\n- Old\n- New"},
		"groups in the order of the parsers, for templates that ask for it": {
			"[changelog]\nbody = \"{% for e in commits | commit_groups(groups=commit_parsers_groups) %}\"\n" + parsers,
			[]string{"fix: b", "docs(z): y", "feat: a"},
			"### New\n- A\n### 🐛 Repaired\n- B\n### That one\n- *(z)* Y",
		},
		"preprocessors come before the parsers, and the text stays": {
			"[git]\ncommit_preprocessors = [{pattern = '^\\[[A-Z]+-\\d+\\] ', replace = ''}, {pattern = '#(\\d+)', replace = '[#${1}](<REPO>/${1})'}]\n",
			[]string{"[ABC-1] feat: a", "fix: b #2"},
			"### 🚀 Features\n- A\n### 🐛 Bug Fixes\n- B #2",
		},
		"a group that is nothing but a mark": {"[git]\ncommit_parsers = [{message = \".\", group = \"<!-- 9 -->\"}]\n", []string{"feat: a"}, "### Other\n- A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, cliffNotes(t, c.config, c.messages...))
		})
	}
}

func TestWhatIsNotReadOfAConfigurationOfGitCliffIsNamed(t *testing.T) {
	t.Parallel()
	cliff, err := version.ParseCliff([]byte("top = 1\n[changelog]\nbody = \"x\"\ntrim = true\n[git]\nconventional_commits = true\ntag_pattern = \"v[0-9]*\"\nsort_commits = \"newest\"\n"+
		"commit_parsers = [{message = \"^a\", group = \"A\"}, {field = \"remote.pr_labels\", pattern = \"x\", group = \"B\"}, {breaking = true, group = \"C\"}]\n"+
		"commit_preprocessors = [{pattern = \".*\", replace_command = \"typos --write-changes -\"}, {pattern = '\\p{Emoji}', replace = \"\"}]\n[remote.github]\nowner = \"a\"\n"), toml.Decode)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"changelog.body", "changelog.trim", "git.commit_parsers[2].breaking", "git.tag_pattern", "remote.github", "top",
		"git.commit_parsers[1] with the field remote.pr_labels", "git.commit_preprocessors[0], which has no text to replace with",
		"git.commit_preprocessors[1]: the pattern cannot be used: error parsing regexp: invalid character class range: `\\p{Emoji}`",
	}, cliff.Unread)
}

func TestConfigurationsOfGitCliffThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"[git\n": "line 1, column 5: ",
		"[git]\ncommit_parsers = [\n{message = \"(\", group = \"A\"}]\n": "line 3, column 12: ",
		"[git]\ncommit_parsers = \"a\"\n":                                "line 2, column ",
		"[git]\nsort_commits = \"random\"\n":                             `sort_commits: "random" is not one of newest, oldest`,
	} {
		_, err := version.ParseCliff([]byte(config), toml.Decode)
		require.ErrorIs(t, err, version.ErrCliff)
		assert.ErrorContains(t, err, want)
	}
}

// Replacements that double a message, as often as there are places, end at a limit.
func TestReplacementsAreLimited(t *testing.T) {
	rule := `{pattern = "(?s).+", replace = "$0$0"},` + "\n" + `{pattern = "", replace = "` + strings.Repeat("x", 1000) + `"},` + "\n"
	cliff, err := version.ParseCliff([]byte("[git]\ncommit_preprocessors = [\n"+strings.Repeat(rule, 20)+"]\n"), toml.Decode)
	require.NoError(t, err)
	in := version.NotesInput{Version: version.Version{Major: 1}, Rules: version.Rules{Cliff: cliff}, Commits: []version.Commit{{Message: "feat: a"}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	version.Notes(in)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))

	long := strings.Repeat("x", 1001)
	_, err = version.ParseCliff([]byte(`[git]`+"\n"+`commit_preprocessors = [{pattern = "a", replace = "`+long+`"}]`), toml.Decode)
	require.ErrorContains(t, err, "git.commit_preprocessors[0].replace has 1001 bytes, and at most 1000 are allowed")
	_, err = version.ParseCliff([]byte(`[git]`+"\n"+`commit_parsers = [{message = "a", group = "`+long+`"}]`), toml.Decode)
	require.ErrorContains(t, err, "git.commit_parsers[0] has a group or scope of 1001 bytes, and at most 1000 are allowed")
}

// Whatever a configuration and a message say, the notes are one entry, and foreign text stays text.
func FuzzCliff(f *testing.F) {
	for _, seed := range [][2]string{
		{"[git]\ncommit_parsers = [{message = \"^feat\", group = \"New\"}]\n", "feat: a"},
		{"[git]\ncommit_parsers = [{message = \"(.*)\", group = \"$1\\n## [9.9.9]\"}]\n", "feat: <!-- x"},
		{"[git]\ncommit_parsers = [{body = \".*\", group = \"<!-- \"}]\nsort_commits = \"oldest\"\n", "feat: a\n\nBREAKING CHANGE: b"},
		{"[git]\nconventional_commits = false\ncommit_preprocessors = [{pattern = \"a\", replace = \"${1}\"}]\n", "words\r\n# x"},
		{"[git]\nfilter_unconventional = false\ncommit_parsers = [{field = \"author.name\", pattern = \".\", skip = true}]\n", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, config, message string) {
		cliff, err := version.ParseCliff([]byte(config), toml.Decode)
		if err != nil {
			require.ErrorIs(t, err, version.ErrCliff)
			return
		}
		notes := string(version.Notes(version.NotesInput{
			Version: version.Version{Major: 1}, Rules: version.Rules{Cliff: cliff},
			Commits: []version.Commit{{Hash: strings.Repeat("a", 40), Message: message}, {Hash: strings.Repeat("b", 40), Message: "fix: the last"}},
		}))
		headings := 0
		for line := range strings.Lines(notes) {
			assert.False(t, strings.HasPrefix(line, "# "), notes)
			if strings.HasPrefix(line, "## ") {
				headings++
			}
		}
		assert.Equal(t, 1, headings, notes)
		assert.NotContains(t, notes, "<!--")
	})
}
