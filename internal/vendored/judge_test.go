package vendored

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

var update = flag.Bool("update", false, "write testdata/vendir anew, by the vendir on PATH")

// charts is the repository that is copied.
type charts struct {
	repo *gittest.Repository
	// first and last are commits, the second of them with a longer message.
	first, last string
}

func newCharts(t *testing.T) *charts {
	t.Helper()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "charts.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	i := repo.Import()
	i.Commit("main", "initial").Files(map[string]string{
		"LICENSE": "free\n", "README.md": "charts\n", "charts/bank/Chart.yaml": "name: bank\n", "charts/bank/values.yaml": "a: 1\n",
		"charts/bank/LICENSE": "bank\n", "charts/other/Chart.yaml": "name: other\n",
	})
	first := i.Commit("main", "feat: templates").Files(map[string]string{
		"charts/bank/templates/a.yaml": "a\n", "charts/bank/templates/b.yml": "b\n", "charts/bank/.helmignore": "x\n",
		"charts/bank/old.txt": "old\n", "charts/bank/to-be-exec.sh": "#!/bin/sh\n",
	})
	last := i.Commit("main", "fix(bank): it's \"quoted\" & long enough that a line of it is longer than eighty characters: yes\n\nA body.\n").
		Exec("charts/bank/to-be-exec.sh", "#!/bin/sh\n").Exec("charts/bank/tests/run.sh", "#!/bin/sh\necho\n").
		Link("charts/bank/link.yaml", "values.yaml").Link("charts/bank/shortcut", "templates").
		Files(map[string]string{"charts/bank/values.yaml": "a: 2\n", "charts/bank/NOTICE.txt": "notice\n", "charts/bank/sub/deep/x": "x\n"}).
		Delete("charts/bank/old.txt")
	require.NoError(t, i.Done())
	return &charts{repo, first.Hash(), last.Hash()}
}

// clone is what a get of the repository leaves.
func (c *charts) clone(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	_, err := c.repo.Git(append(append([]string{"clone", "--quiet"}, args...), "file://"+c.repo.Dir, dir)...)
	require.NoError(t, err)
	return dir
}

// snapshot is every file below a folder, with its kind, but for git's own.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if e != nil && e.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if e.Type() == os.ModeSymlink {
			to, err := os.Readlink(p)
			out[rel] = "link " + to
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		info, err := e.Info()
		out[rel] = fmt.Sprintf("%t %s", info.Mode()&anyExecute != 0, content)
		return err
	}))
	return out
}

// config is a vendir.yml whose one content has these further lines.
func config(url, ref, further string) string {
	var text strings.Builder
	text.WriteString("apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\n\ndirectories:\n# the bank's chart\n- path: modules/bank/vendor\n  contents:\n  - path: chart\n    git:\n      url: " + url + "\n      ref: " + ref + "   # moved by a robot\n")
	for line := range strings.SplitSeq(strings.TrimSuffix(further, "\n"), "\n") {
		if line != "" {
			text.WriteString("    " + line + "\n")
		}
	}
	return text.String()
}

// shapes are contents of vendir.yml.
func shapes() map[string]string {
	return map[string]string{
		"as the reference team":  "includePaths:\n- charts/bank/**/*\nnewRootPath: charts/bank\n",
		"exclude":                "includePaths: [\"charts/bank/**\"]\nexcludePaths:\n- '**/*.yml'\n- charts/bank/tests/*\nnewRootPath: charts/bank\n",
		"one level":              "includePaths:\n- charts/bank/*.*\nnewRootPath: charts/bank\nlegalPaths: []\n",
		"no new root":            "includePaths:\n- charts/*/Chart.yaml\n",
		"legal":                  "includePaths:\n- charts/other/*\nlegalPaths:\n- '**/LICENSE'\n",
		"braces and classes":     "includePaths:\n- charts/{bank,other}/[Cv]*.yaml\n- charts/bank/templates/?.y*ml\n",
		"dots in patterns":       "includePaths:\n- ./charts/bank/../bank/values.yaml\nnewRootPath: charts/bank/\n",
		"only excludes":          "excludePaths:\n- '**/*.sh'\n- .git/**\n- '.git/**/*'\nnewRootPath: charts/bank\n",
		"ignored":                "includePaths:\n- charts/bank/**/*\nnewRootPath: charts/bank\nignorePaths:\n- values.yaml\n- local/*.txt\n",
		"lazy":                   "lazy: true\nincludePaths:\n- charts/bank/**/*\nnewRootPath: charts/bank\nlegalPaths: []\n",
		"lazy with all":          "lazy: true\nincludePaths:\n- charts/bank/**/*\nexcludePaths: []\nignorePaths: [nothing]\nnewRootPath: ./charts/bank\npermissions: 0755\n",
		"deep root":              "newRootPath: charts/bank/templates\nexcludePaths: ['.git/**']\n",
		"double star at the end": "includePaths:\n- charts/bank/sub/**\n- charts/bank/values.yaml/**\n- charts/bank/templates/**\nnewRootPath: charts/bank\n",
		"star star in braces":    "includePaths:\n- 'charts/{bank,**}/sub/deep/x'\n",
		"everything":             "excludePaths: ['.git/**', '.git/*']\n",
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
}

// originIn opens a clone at a commit.
func originIn(t *testing.T, dir, commit string) *Origin {
	t.Helper()
	clone, err := git.OpenClone(dir)
	require.NoError(t, err)
	origin, err := OpenOrigin(t.Context(), clone, commit)
	require.NoError(t, err)
	return origin
}

func bump(t *testing.T, dir, clone, commit string, target Target) (*Plan, error) {
	t.Helper()
	origin := originIn(t, clone, commit)
	defer func() { require.NoError(t, origin.Close()) }()
	disk, err := OpenDisk(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, disk.Close()) }()
	p, err := Make(t.Context(), disk, target, origin)
	if err == nil {
		require.NoError(t, disk.Apply(p))
	}
	return p, err
}

func target() Target {
	return Target{Config: "vendir.yml", Directory: "modules/bank/vendor", Content: "chart"}
}

// chartsURL is where vendir.yml has the charts; git finds them on this machine.
const chartsURL = "https://git.example.com/acme/charts.git"

// sync runs vendir as a person does who has the charts at chartsURL.
func (c *charts) sync(t *testing.T, program, dir string, args ...string) {
	t.Helper()
	home := t.TempDir()
	write(t, home, map[string]string{".gitconfig": "[url \"file://" + c.repo.Dir + "\"]\n\tinsteadOf = " + chartsURL + "\n"})
	cmd := exec.CommandContext(t.Context(), program, append([]string{"sync"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + os.TempDir()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// local are files that are not the chart's.
func local() map[string]string {
	return map[string]string{
		"modules/bank/vendor/chart/values.yaml": "mine\n", "modules/bank/vendor/chart/local/a.txt": "mine\n", "modules/bank/vendor/chart/stray": "x\n",
	}
}

// golden is what vendir made (as of its commit 58ff583 of March 2024), as JSON by
// path. With -update and a vendir on PATH
// it is written anew; with a vendir on PATH it is compared with it.
func golden(t *testing.T, name string, theirs func(program string) map[string]string) map[string]string {
	t.Helper()
	file := filepath.Join("testdata", "vendir", strings.ReplaceAll(name, " ", "-")+".json")
	program, err := exec.LookPath("vendir")
	if *update {
		require.NoError(t, err, "-update needs a vendir on PATH")
		text, err := json.MarshalIndent(theirs(program), "", " ")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o644))
	}
	text, readErr := os.ReadFile(file)
	require.NoError(t, readErr)
	var want map[string]string
	require.NoError(t, json.Unmarshal(text, &want))
	if err == nil && !*update {
		require.Equal(t, want, theirs(program), "%s is not what this vendir makes", file)
	}
	return want
}

func TestSameAsVendir(t *testing.T) {
	tags := [][]string{
		nil,
		{"tag", "v2", "main"},
		{"tag", "v1", "main~1"},
		{"-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "one", "1.0.0", "main~2"},
	}
	names := slices.Sorted(maps.Keys(shapes()))
	for n, name := range names {
		t.Run(name, func(t *testing.T) {
			c := newCharts(t)
			if tag := tags[n%len(tags)]; tag != nil {
				_, err := c.repo.Git(tag...)
				require.NoError(t, err)
			}
			text := func(ref string) map[string]string {
				return map[string]string{"vendir.yml": config(chartsURL, ref, shapes()[name])}
			}
			want := golden(t, name, func(program string) map[string]string {
				dir := t.TempDir()
				write(t, dir, text(c.first))
				c.sync(t, program, dir)
				write(t, dir, local())
				write(t, dir, text(c.last))
				c.sync(t, program, dir, "--directory", "modules/bank/vendor/chart")
				return snapshot(t, dir)
			})
			dir, clone := t.TempDir(), c.clone(t)
			write(t, dir, text("v0"))
			_, err := bump(t, dir, clone, c.first, target())
			require.NoError(t, err)
			write(t, dir, local())
			p, err := bump(t, dir, clone, "", target())
			require.NoError(t, err)
			assert.Equal(t, want, snapshot(t, dir))
			assert.Equal(t, [2]string{c.first, c.last}, [2]string{p.Old, p.New})

			again, err := bump(t, dir, clone, "", target())
			require.NoError(t, err)
			assert.Empty(t, again.Edits, "the same again is not a change")
		})
	}
	committed, err := filepath.Glob("testdata/vendir/*.json")
	require.NoError(t, err)
	assert.Len(t, committed, len(names)+len(places())*len(locks())+1, "a file without its test")
}

// severalText is a vendir.yml with contents of other kinds, and two of git.
func severalText(url, ref string) string {
	git := "\n    git:\n      url: " + url + "\n      ref: " + ref + "\n    includePaths: [charts/bank/values.yaml]\n" //nolint:gocritic // the key of vendir.yml
	return "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: ./z/\n  contents:\n  - path: inline\n    inline: {paths: {a: b}}\n  - path: ./one/" + git +
		"- path: a/b\n  contents:\n  - path: ." + git
}

// places are contents of severalText, by the path that vendir takes.
func places() map[string]Target {
	return map[string]Target{
		"z/one": {Config: "vendir.yml", Directory: "z", Content: "one"},
		"a/b":   {Config: "vendir.yml", Directory: "a/b"},
	}
}

// locks are lock files to begin with, by how vendir made them; nil is none.
func locks() map[string][]string {
	return map[string][]string{"whole": {}, "none": nil, "other": {"--directory", "z/inline"}}
}

func TestLockWithOtherEntriesSameAsVendir(t *testing.T) {
	c := newCharts(t)
	for place, target := range places() {
		for lock, args := range locks() {
			name := strings.ReplaceAll(place, "/", "-") + " " + lock
			t.Run(name, func(t *testing.T) {
				before := severalText(chartsURL, c.first)
				at := strings.Index(before, "ref: ")
				if place == "a/b" {
					at = strings.LastIndex(before, "ref: ")
				}
				start := map[string]string{}
				want := golden(t, name, func(program string) map[string]string {
					dir := t.TempDir()
					write(t, dir, map[string]string{"vendir.yml": before})
					if args != nil {
						c.sync(t, program, dir, args...)
					}
					start = snapshot(t, dir)
					write(t, dir, map[string]string{"vendir.yml": before[:at] + strings.Replace(before[at:], c.first, c.last, 1)})
					c.sync(t, program, dir, "--directory", place)
					after := snapshot(t, dir)
					for p, content := range start {
						after["before/"+p] = content
					}
					return after
				})
				dir := t.TempDir()
				for p, content := range want {
					if name, ok := strings.CutPrefix(p, "before/"); ok {
						start[name] = content
						write(t, dir, map[string]string{name: strings.TrimPrefix(content, "false ")})
						delete(want, p)
					}
				}
				require.Contains(t, start, "vendir.yml")
				_, err := bump(t, dir, c.clone(t), c.last, target)
				require.NoError(t, err)
				assert.Equal(t, want, snapshot(t, dir))
			})
		}
	}
}

// titles are messages that YAML must write with care.
func titles() []string {
	return []string{
		"yes", "123", "1e3", "2020-01-01", "- item", "a: b", "# no comment", "it's", "say \"hi\"", "tab\there", "ünï😀", "null", "~", "[x]", "{x}", "!tag", "*alias",
		"back\\slash", strings.Repeat("word ", 60) + "end", "  indented and trailing  ", "one\n\ntwo", "0x1F", "<&>", ".5", "y", "%directive", "@at", "`tick`", "trailing:", "a #b", "?",
	}
}

func TestTitlesSameAsVendir(t *testing.T) {
	c := newCharts(t)
	i := c.repo.Import()
	var made []*gittest.Commit
	for _, title := range titles() {
		made = append(made, i.Commit("main", title).Files(map[string]string{"x": title}))
	}
	require.NoError(t, i.Done())
	further := "includePaths: [charts/bank/values.yaml]\nlegalPaths: []\n"
	want := golden(t, "titles", func(program string) map[string]string {
		locks, dir := map[string]string{}, t.TempDir()
		for n, commit := range made {
			write(t, dir, map[string]string{"vendir.yml": config(chartsURL, commit.Hash(), further)})
			c.sync(t, program, dir)
			locks[titles()[n]] = snapshot(t, dir)[LockFile]
		}
		return locks
	})
	require.Len(t, want, len(titles()))
	dir, clone := t.TempDir(), c.clone(t)
	write(t, dir, map[string]string{"vendir.yml": config(chartsURL, c.first, further)})
	for n, commit := range made {
		_, err := bump(t, dir, clone, commit.Hash(), target())
		require.NoError(t, err)
		assert.Equal(t, want[titles()[n]], snapshot(t, dir)[LockFile], titles()[n])
	}
}
