package vendored

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTargetsThatCanNotBe(t *testing.T) {
	for want, target := range map[string]Target{
		`config: "" is not a path`:              {Directory: "a"},
		`config: "../vendir.yml" is not a path`: {Config: "../vendir.yml", Directory: "a"},
		`config: "/vendir.yml" is not a path`:   {Config: "/vendir.yml", Directory: "a"},
		`directory: "." is not a path`:          {Config: "vendir.yml", Directory: "."},
		`directory: "a/../.." is not a path`:    {Config: "vendir.yml", Directory: "a/../.."},
		`content: "../x" is not a path`:         {Config: "vendir.yml", Directory: "a", Content: "../x"},
	} {
		require.ErrorContains(t, target.Validate(), want)
	}
	require.NoError(t, target().Validate())
}

const header = "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\n"

func TestConfigsThatAreRefused(t *testing.T) {
	one := func(content string) string {
		return header + "directories:\n- path: a\n  contents:\n  - " + content + "\n"
	}
	for name, c := range map[string]struct {
		text, want string
		is         error
	}{
		"no YAML":        {"a: [", "it is not YAML", errConfig},
		"empty":          {"", "it has no document with kind: Config", errConfig},
		"other kind":     {"kind: Secret\n", "it has no document with kind: Config", errConfig},
		"two":            {header + "---\n" + header, "it has two documents with kind: Config", errConfig},
		"version":        {"apiVersion: v2\nkind: Config\n", `its apiVersion is "v2"`, errConfig},
		"no directories": {header, `there is no directory "a"; there is nothing`, ErrNoContent},
		"list":           {header + "directories: {}\n", "the value is not of the kind that vendir has there", errConfig},
		"leaves":         {one("{path: ../../x, git: {url: u, ref: r}}"), "its path leaves the folder of vendir.yml", errConfig},
		"new root":       {one("{path: x, newRootPath: ../y, git: {url: u, ref: r}}"), `newRootPath "../y" leaves the repository`, errConfig},
		"pattern":        {one("{path: x, includePaths: ['[a'], git: {url: u, ref: r}}"), `includePaths: "[a" is not a valid pattern`, errConfig},
		"no ref":         {one("{path: x, git: {url: u}}"), "it has no git.ref to change", errUnsupported},
		"http":           {one("{path: x, http: {url: u}}"), "it is not a git content", errUnsupported},
	} {
		_, err := ReadContent([]byte(c.text), Target{Config: "vendir.yml", Directory: "a"})
		require.ErrorIs(t, err, c.is, name)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestRefIsChangedAndNoOtherByte(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\r\n"
	text := secret + header + "directories:\r\n-   path: \"a\"   # folder\n    contents:\n    - { path: b, git: { ref: 'v1', url: u } }\n"
	c, err := ReadContent([]byte(text), Target{Config: "vendir.yml", Directory: "a", Content: "b"})
	require.NoError(t, err)
	assert.Equal(t, "v1", c.Ref)
	after, err := c.setRef("1234567890")
	require.NoError(t, err)
	assert.Equal(t, strings.Replace(text, "'v1'", "'1234567890'", 1), string(after))
}

func TestSharedRefIsRefused(t *testing.T) {
	text := header + "directories:\n- path: a\n  contents:\n  - {path: b, git: &g {url: u, ref: r}}\n  - {path: c, git: *g}\n"
	c, err := ReadContent([]byte(text), Target{Config: "vendir.yml", Directory: "a", Content: "b"})
	require.NoError(t, err)
	_, err = c.setRef("1")
	require.ErrorContains(t, err, "the alias *g on line 7 uses it too")
}

func TestLocksThatAreRefused(t *testing.T) {
	entry := locked{SHA: "1", CommitTitle: "x"}
	lock := "apiVersion: vendir.k14s.io/v1alpha1\nkind: LockConfig\n"
	for _, text := range []string{
		"a: [", "", "[]", "kind: LockConfig\n", lock + "directories: 7\n", lock + "directories: [7]\n", lock + "directories: [{path: a, contents: b}]\n",
		lock + "directories: [{path: a, contents: [7]}]\n", lock + "directories: &d [{path: a, contents: [{path: b, x: *d}]}]\n",
	} {
		_, err := writeLock([]byte(text), "a", "b", entry)
		require.ErrorIs(t, err, errConfig, text)
	}
	out, err := writeLock([]byte(lock), "a", "b", entry)
	require.NoError(t, err)
	assert.Equal(t, "apiVersion: vendir.k14s.io/v1alpha1\ndirectories:\n- contents:\n  - git:\n      commitTitle: x\n      sha: \"1\"\n    path: b\n  path: a\nkind: LockConfig\n", string(out))
}

func TestComparePages(t *testing.T) {
	for url, want := range map[string]string{
		"git@github.com:acme/charts.git":             "https://github.com/acme/charts/compare/a...b",
		"https://github.com/acme/charts":             "https://github.com/acme/charts/compare/a...b",
		"ssh://git@git.example/acme/charts.git":      "https://git.example/acme/charts/compare/a...b",
		"https://user:secret@git.example/acme/x.git": "",
		"file:///srv/x.git":                          "",
		"../charts":                                  "",
		"":                                           "",
	} {
		assert.Equal(t, want, Compare(url, "a", "b"), url)
	}
	assert.Empty(t, Compare("https://github.com/acme/charts", "a", "a"))
}

func TestPlaceThatIsTaken(t *testing.T) {
	c := newCharts(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"vendir.yml": config("u", c.first, "newRootPath: charts/bank\n"), "modules/bank/vendor/chart": "a file\n"})
	_, err := bump(t, dir, c.clone(t), "", target())
	require.ErrorIs(t, err, errConfig)
	assert.Contains(t, err.Error(), "modules/bank/vendor/chart is not a folder")

	dir = t.TempDir()
	outside := t.TempDir()
	write(t, dir, map[string]string{"vendir.yml": config("u", c.first, "newRootPath: charts/bank\n")})
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "modules", "bank"), 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "modules", "bank", "vendor")))
	origin := originIn(t, c.clone(t), "")
	defer func() { _ = origin.Close() }()
	disk, err := OpenDisk(dir)
	require.NoError(t, err)
	defer func() { _ = disk.Close() }()
	p, err := Make(t.Context(), disk, target(), origin)
	if err == nil {
		err = disk.Apply(p)
	}
	require.Error(t, err, "nothing is written through a link")
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func FuzzReadContent(f *testing.F) {
	f.Add([]byte(config("git@github.com:acme/charts.git", "v1", shapes()["as the reference team"])))
	f.Add([]byte(severalText("u", "r")))
	f.Add([]byte(many(3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, target := range []Target{target(), {Config: "v", Directory: "z", Content: "one"}, {Config: "v", Directory: "c1"}} {
			c, err := ReadContent(data, target)
			if err != nil {
				continue
			}
			old := c.Ref
			after, err := c.setRef("1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0")
			if err != nil {
				continue
			}
			again, err := ReadContent(after, target)
			require.NoError(t, err)
			require.Equal(t, "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", again.Ref)
			if back, err := again.setRef(old); err == nil && bytes.Contains(data, []byte(old)) {
				same, err := ReadContent(back, target)
				require.NoError(t, err)
				require.Equal(t, old, same.Ref)
			}
		}
	})
}

func FuzzWriteLock(f *testing.F) {
	f.Add([]byte("apiVersion: vendir.k14s.io/v1alpha1\nkind: LockConfig\ndirectories:\n- path: a\n  contents:\n  - path: b\n    git: {sha: 0001, commitTitle: yes}\n"), "a", "b", "title")
	f.Add([]byte(nil), "a", ".", "- x: y")
	f.Fuzz(func(t *testing.T, old []byte, directory, content, title string) {
		out, err := writeLock(old, directory, content, locked{SHA: "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", CommitTitle: title})
		if err != nil {
			return
		}
		again, err := writeLock(out, directory, content, locked{SHA: "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", CommitTitle: title})
		require.NoError(t, err)
		require.Equal(t, string(out), string(again), "the same again is not a change")
	})
}

func TestAMisspeltKeyOfAVendirFileIsAMistake(t *testing.T) {
	const good = "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: vendor\n  contents:\n  - path: chart\n    git:\n      url: https://example.org/a\n      ref: main\n"
	target := Target{Config: "vendir.yml", Directory: "vendor", Content: "chart"}
	for name, c := range map[string]struct{ old, now, mistake, warning string }{
		"as it is":            {},
		"a misspelt path":     {old: "kind: Config", now: "kind: Config\ndirectores: []", mistake: `line 3: unknown key "directores"; did you mean "directories"?`},
		"a misspelt pattern":  {old: "    git:", now: "    includePath: [a]\n    git:", mistake: `directories[0].contents[0]: unknown key "includePath"; did you mean "includePaths"?`},
		"a misspelt git key":  {old: "      ref: main", now: "      ref: main\n      skipInitSubmodule: true", mistake: `directories[0].contents[0].git: unknown key "skipInitSubmodule"; did you mean "skipInitSubmodules"?`},
		"the kind twice":      {old: "kind: Config\n", now: "kind: Config\nkind: Config\n", mistake: `the key "kind" is there twice, first in line 2; remove one`},
		"a key twice":         {old: "      ref: main", now: "      ref: main\n      ref: next", mistake: `the key "ref" is there twice, first in line 9; remove one`},
		"a key of the future": {old: "    git:", now: "    weather: sunny\n    git:", warning: `line 7: directories[0].contents[0]: unknown key "weather" has no effect`},
	} {
		content, err := ReadContent([]byte(strings.Replace(good, c.old, c.now, 1)), target)
		if c.mistake != "" {
			require.ErrorIs(t, err, errConfig, name)
			require.ErrorContains(t, err, c.mistake, name)
			continue
		}
		require.NoError(t, err, name)
		if c.warning == "" {
			assert.Empty(t, content.Warnings, name)
			continue
		}
		require.Len(t, content.Warnings, 1, name)
		assert.Contains(t, content.Warnings[0], c.warning)
	}
}

// The dependencies of a chart may be written by anybody: for each there is a reason why a deployment would lack it, or none.
func FuzzDependencies(f *testing.F) {
	f.Add([]byte("dependencies:\n- {name: a, version: 1.2.3, repository: https://charts.example.org}\n- {name: b, repository: 'file://../b'}\n"))
	f.Add([]byte("dependencies: [null, {name: [x]}]\n"))
	f.Add([]byte("dependencies:\n- {name: ../../a, repository: '@x', version: '>= 1 || ^2'}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseDependencies(text)
		if err != nil {
			return
		}
		for _, d := range all {
			for _, locked := range [][]dependency{nil, all} {
				if why := d.missing(map[string]File{"Chart.yaml": {}, "charts/a/Chart.yaml": {}}, locked); strings.HasPrefix(why, " ") {
					t.Fatal(why)
				}
			}
		}
	})
}
