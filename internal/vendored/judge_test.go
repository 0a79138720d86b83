package vendored

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

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

func judge(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("vendir")
	if err != nil {
		t.Skip("no vendir on PATH to compare with")
	}
	return program
}

// run syncs one content as a person does.
func run(t *testing.T, program, dir string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + os.TempDir()}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
}

func bump(t *testing.T, dir, clone, commit string, target Target) (*Plan, error) {
	t.Helper()
	origin, err := OpenOrigin(t.Context(), clone, commit)
	require.NoError(t, err)
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

func TestSameAsVendir(t *testing.T) {
	program := judge(t)
	tags := map[string][]string{
		"no tag":      nil,
		"its own tag": {"tag", "v2", "main"},
		"older tag":   {"tag", "v1", "main~1"},
		"annotated":   {"-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "one", "1.0.0", "main~2"},
	}
	kinds := slices.Sorted(maps.Keys(tags))
	for n, name := range slices.Sorted(maps.Keys(shapes())) {
		t.Run(name, func(t *testing.T) {
			c := newCharts(t)
			if tag := tags[kinds[n%len(kinds)]]; tag != nil {
				_, err := c.repo.Git(tag...)
				require.NoError(t, err)
			}
			url := "file://" + c.repo.Dir
			theirs, ours := t.TempDir(), t.TempDir()
			for _, dir := range []string{theirs, ours} {
				write(t, dir, map[string]string{"vendir.yml": config(url, c.first, shapes()[name])})
				out, err := run(t, program, dir, "sync")
				require.NoError(t, err, out)
				write(t, dir, map[string]string{"modules/bank/vendor/chart/values.yaml": "mine\n", "modules/bank/vendor/chart/local/a.txt": "mine\n", "modules/bank/vendor/chart/stray": "x\n"})
			}
			write(t, theirs, map[string]string{"vendir.yml": config(url, c.last, shapes()[name])})
			out, err := run(t, program, theirs, "sync", "--directory", "modules/bank/vendor/chart")
			require.NoError(t, err, out)

			p, err := bump(t, ours, c.clone(t), "", target())
			require.NoError(t, err)
			assert.Equal(t, snapshot(t, theirs), snapshot(t, ours))
			assert.Equal(t, [2]string{c.first, c.last}, [2]string{p.Old, p.New})

			again, err := bump(t, ours, c.clone(t), "", target())
			require.NoError(t, err)
			assert.Empty(t, again.Edits, "the same again is no change")
		})
	}
}

// severalText is a vendir.yml with contents of other kinds, and two of git.
func severalText(url, ref string) string {
	git := "\n    git:\n      url: " + url + "\n      ref: " + ref + "\n    includePaths: [charts/bank/values.yaml]\n"
	return "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: ./z/\n  contents:\n  - path: inline\n    inline: {paths: {a: b}}\n  - path: ./one/" + git +
		"- path: a/b\n  contents:\n  - path: ." + git
}

func TestLockWithOtherEntriesSameAsVendir(t *testing.T) {
	program := judge(t)
	c := newCharts(t)
	url := "file://" + c.repo.Dir
	for name, target := range map[string]Target{
		"z/one": {Config: "vendir.yml", Directory: "z", Content: "one"},
		"a/b":   {Config: "vendir.yml", Directory: "a/b"},
	} {
		for _, lock := range []string{"whole", "none", "other"} {
			t.Run(name+" "+lock, func(t *testing.T) {
				theirs, ours := t.TempDir(), t.TempDir()
				for _, dir := range []string{theirs, ours} {
					write(t, dir, map[string]string{"vendir.yml": severalText(url, c.first)})
					args := map[string][]string{"whole": {"sync"}, "none": nil, "other": {"sync", "--directory", "z/inline"}}[lock]
					if args != nil {
						out, err := run(t, program, dir, args...)
						require.NoError(t, err, out)
					}
				}
				text := severalText(url, c.first)
				at := strings.Index(text, "ref: ")
				if name == "a/b" {
					at = strings.LastIndex(text, "ref: ")
				}
				write(t, theirs, map[string]string{"vendir.yml": text[:at] + strings.Replace(text[at:], c.first, c.last, 1)})
				out, err := run(t, program, theirs, "sync", "--directory", name)
				require.NoError(t, err, out)
				_, err = bump(t, ours, c.clone(t), c.last, target)
				require.NoError(t, err)
				assert.Equal(t, snapshot(t, theirs), snapshot(t, ours))
			})
		}
	}
}

// titles are messages that YAML has to write with care.
func titles() []string {
	return []string{
		"yes", "123", "1e3", "2020-01-01", "- item", "a: b", "# no comment", "it's", "say \"hi\"", "tab\there", "ünï😀", "null", "~", "[x]", "{x}", "!tag", "*alias",
		"back\\slash", strings.Repeat("word ", 60) + "end", "  indented and trailing  ", "one\n\ntwo", "0x1F", "<&>", ".5", "y", "%directive", "@at", "`tick`", "trailing:", "a #b", "?",
	}
}

func TestTitlesSameAsVendir(t *testing.T) {
	program := judge(t)
	c := newCharts(t)
	url := "file://" + c.repo.Dir
	theirs, ours := t.TempDir(), t.TempDir()
	further := "includePaths: [charts/bank/values.yaml]\nlegalPaths: []\n"
	write(t, ours, map[string]string{"vendir.yml": config(url, c.first, further)})
	var commits []string
	i := c.repo.Import()
	for _, title := range titles() {
		i.Commit("main", title).Files(map[string]string{"x": title})
	}
	require.NoError(t, i.Done())
	commits, err := c.repo.Log("%H", "--reverse", c.last+"..main")
	require.NoError(t, err)
	require.Len(t, commits, len(titles()))
	clone := c.clone(t)
	for n, commit := range commits {
		write(t, theirs, map[string]string{"vendir.yml": config(url, commit, further)})
		out, err := run(t, program, theirs, "sync")
		require.NoError(t, err, out)
		_, err = bump(t, ours, clone, commit, target())
		require.NoError(t, err)
		assert.Equal(t, snapshot(t, theirs), snapshot(t, ours), titles()[n])
	}
}
