package pullrequestbuilds_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// diverged is a pull request whose base went on: both sides changed the file lines, in different
// places.
func diverged(t *testing.T, tool string) (w *world, head, base string) {
	t.Helper()
	w = newWorld(t)
	w.source["integration_tool"] = tool
	lines := "1\n2\n3\n4\n5\n6\n7\n"
	_, err := w.repo.Push("main", "ann", "chore: lines", map[string]string{"lines": lines})
	require.NoError(t, err)
	require.NoError(t, w.repo.Git().UpdateRef("refs/heads/one", "main"))
	w.pull(t, "one")
	head, err = w.repo.Push("one", "ann", "feat: seven", map[string]string{"lines": strings.Replace(lines, "7", "seven", 1)})
	require.NoError(t, err)
	base, err = w.repo.Push("main", "bob", "feat: one", map[string]string{"lines": strings.Replace(lines, "1", "one", 1)})
	require.NoError(t, err)
	return w, head, base
}

// inFolder runs git in the folder of a get.
func inFolder(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "safe.directory=*"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// content is a digest of every byte of a folder.
func content(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(sum, "%s\x00%d\x00%s", strings.TrimPrefix(path, dir), len(data), data)
		return err
	}))
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func TestMergeAndRebaseDeliverWhatGitMakesOfThem(t *testing.T) {
	for tool, parents := range map[string]int{"merge": 2, "rebase": 1} {
		t.Run(tool, func(t *testing.T) {
			w, head, base := diverged(t, tool)
			versions := w.check(t, nil)
			require.Len(t, versions, 1)
			v := versions[0]
			assert.Equal(t, []string{head, base}, []string{v.Commit, v.Base})
			dir := filepath.Join(w.got(t, v), "prs")
			before := content(t, dir)
			want, err := w.repo.Git().Git("merge-tree", "--write-tree", base, head)
			require.NoError(t, err)
			assert.Equal(t, strings.TrimSpace(want), inFolder(t, dir, "rev-parse", "HEAD^{tree}"))
			assert.Equal(t, "one\n2\n3\n4\n5\n6\nseven", inFolder(t, dir, "show", "HEAD:lines"))
			assert.Empty(t, inFolder(t, dir, "status", "--porcelain"))
			assert.Equal(t, parents, strings.Count(inFolder(t, dir, "cat-file", "commit", "HEAD"), "parent "))
			inFolder(t, dir, "fsck", "--full", "--strict")
			for name, want := range map[string]string{"head_sha": head, "base_sha": base} {
				got, err := os.ReadFile(filepath.Join(dir, ".git", "resource", name))
				require.NoError(t, err)
				assert.Equal(t, want, string(got))
			}

			// the same bytes after both branches have moved, the pull request's by force
			_, err = w.repo.Push("main", "bob", "feat: more", map[string]string{"lines": "other\n"})
			require.NoError(t, err)
			require.NoError(t, w.repo.Git().UpdateRef("refs/heads/one", "main~1"))
			assert.Equal(t, before, content(t, filepath.Join(w.got(t, v), "prs")))
		})
	}
}

func TestABaseThatMovesIsANewVersionAndStopsTheOldOne(t *testing.T) {
	w, head, base := diverged(t, "merge")
	first := w.check(t, nil)
	dir := w.got(t, first[0])
	w.server.Reset()
	assert.Equal(t, first, w.check(t, &first[0]), "nothing moved: the given version")
	assert.Len(t, w.server.Requests(), 1)

	newer, err := w.repo.Push("main", "bob", "feat: more", map[string]string{"more": "x\n"})
	require.NoError(t, err)
	second := w.check(t, &first[0])
	require.Len(t, second, 2)
	assert.Equal(t, []string{head, newer}, []string{second[1].Commit, second[1].Base})
	log, status := w.run(t, "out", dir, map[string]any{"params": map[string]any{"path": "prs", "stop_outdated": true}}, nil)
	assert.Equal(t, 1, status)
	assert.Contains(t, log, fmt.Sprintf("the base branch main of pull request 1 of team/code has the newer commit %.7s: the build on top of it counts, not this one on top of %.7s", newer, base))

	// how the old build ends is not said, since the commit's status belongs to the newer build
	failure := map[string]any{"params": map[string]any{"path": "prs", "status": "failure", "context": "x"}}
	log, status = w.run(t, "out", dir, failure, nil)
	require.Zero(t, status, log)
	assert.Contains(t, log, "no status: the base branch main")
	assert.Empty(t, w.repo.Statuses(head))

	// for checkout the base does not count
	w.source["integration_tool"] = "checkout"
	log, status = w.run(t, "out", dir, failure, nil)
	require.Zero(t, status, log)
	assert.Equal(t, "failure", w.repo.Statuses(head)["x"].State)
}

func TestConflictsAreNamed(t *testing.T) {
	for _, tool := range []string{"merge", "rebase"} {
		w, _, _ := diverged(t, tool)
		_, err := w.repo.Push("main", "bob", "feat: all", map[string]string{"lines": "all\n", "x.yml": "other\n"})
		require.NoError(t, err)
		v := w.check(t, nil)[0]
		dir := filepath.Join(t.TempDir(), "prs")
		log, status := w.run(t, "in", dir, map[string]any{"version": v}, nil)
		assert.Equal(t, 1, status)
		assert.Contains(t, log, "conflicts in ")
		assert.Contains(t, log, "x.yml (changed on both sides in 1 place)")
		assert.Contains(t, log, "merge the base branch into the pull request and resolve them there")
		if tool == "merge" {
			assert.Contains(t, log, "lines (changed on both sides in 1 place), x.yml")
		} else {
			assert.Contains(t, log, `"feat: work on one"`)
		}
		assert.NoFileExists(t, filepath.Join(dir, "x.yml"))
	}
}

// A file that one side renamed and the other side changed is a conflict here. The forge's merge of the
// same two commits knows better.
func TestTheForgesMergeHelpsWithRenames(t *testing.T) {
	w, _, _ := diverged(t, "merge")
	lines, err := w.repo.Git().Show("one", "lines")
	require.NoError(t, err)
	_, err = w.repo.Git().Delete("one", "refactor: lines", "lines")
	require.NoError(t, err)
	head, err := w.repo.Push("one", "ann", "refactor: numbers", map[string]string{"numbers": lines})
	require.NoError(t, err)
	v := *last(w.check(t, nil))
	require.Equal(t, head, v.Commit)
	in := func() (dir, log string, status int) {
		dir = filepath.Join(t.TempDir(), "prs")
		log, status = w.run(t, "in", dir, map[string]any{"version": v}, nil)
		return dir, log, status
	}
	_, log, status := in()
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "lines (changed on one side and deleted or renamed on the other)")

	tree, err := w.repo.Git().Git("merge-tree", "--write-tree", v.Base, v.Commit)
	require.NoError(t, err)
	for parents, want := range map[[2]string]int{{v.Base, v.Commit}: 0, {v.Base, v.Base}: 1} {
		commit, err := w.repo.Git().CommitTree(strings.TrimSpace(tree), "merge", parents[0], parents[1])
		require.NoError(t, err)
		require.NoError(t, w.repo.Git().UpdateRef("refs/pull/1/merge", commit))
		dir, log, status := in()
		assert.Equal(t, want, status, log)
		if want == 0 {
			assert.Equal(t, strings.TrimSpace(tree), inFolder(t, dir, "rev-parse", "HEAD^{tree}"))
			assert.NotEqual(t, commit, inFolder(t, dir, "rev-parse", "HEAD"), "no commit that may be gone tomorrow")
		}
	}
}

// A version from before there were integration tools is the commit as it was pushed.
func TestOlderVersionsWithoutABase(t *testing.T) {
	w, head, base := diverged(t, "checkout")
	older := w.check(t, nil)[0]
	assert.Empty(t, older.Base)
	w.source["integration_tool"] = "merge"
	dir := filepath.Join(w.got(t, older), "prs")
	assert.Equal(t, head, inFolder(t, dir, "rev-parse", "HEAD"))
	next := w.check(t, &older)
	require.Len(t, next, 2, "the pull request is offered with its base")
	assert.Equal(t, base, next[1].Base)
	assert.Equal(t, next[1:], w.check(t, &next[1]))

	// and back: what was offered with a base is offered without one
	delete(w.source, "integration_tool")
	again := w.check(t, &next[1])
	require.Len(t, again, 2)
	assert.Empty(t, again[1].Base)
	assert.Equal(t, head, inFolder(t, filepath.Join(w.got(t, next[1]), "prs"), "rev-parse", "HEAD"))
}

func TestUnknownIntegrationTool(t *testing.T) {
	w := newWorld(t)
	w.source["integration_tool"] = "squash"
	log, status := w.run(t, "check", "", map[string]any{}, nil)
	assert.Equal(t, 1, status)
	assert.Contains(t, log, `integration_tool: "squash" is not one of checkout, merge, rebase`)
}

// A pull request on top of its base is merged as well: the same files in another commit, or rebased
// onto it, which is itself.
func TestAPullRequestOnTopOfItsBase(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.repo.Git().UpdateRef("refs/heads/one", "main"))
	_, head := w.pull(t, "one")
	tree, err := w.repo.Git().RevParse(head + "^{tree}")
	require.NoError(t, err)
	for tool, same := range map[string]bool{"merge": false, "rebase": true} {
		w.source["integration_tool"] = tool
		dir := filepath.Join(w.got(t, w.check(t, nil)[0]), "prs")
		assert.Equal(t, tree, inFolder(t, dir, "rev-parse", "HEAD^{tree}"))
		assert.Equal(t, same, inFolder(t, dir, "rev-parse", "HEAD") == head)
	}
}

// A check asks git for nothing, or with an integration for the head of the base; a get for what the build needs.
func TestCostOfEachStep(t *testing.T) {
	for tool, want := range map[string][2]string{"checkout": {"", "fetch fetch"}, "merge": {"ls-refs", "fetch fetch fetch fetch"}} {
		t.Run(tool, func(t *testing.T) {
			w, _, _ := diverged(t, tool)
			w.git.Reset()
			versions := w.check(t, nil)
			require.Len(t, versions, 1)
			requests, size := w.git.Asked()
			assert.Equal(t, want[0], requests)
			assert.LessOrEqual(t, size, int64(500))
			w.git.Reset()
			w.got(t, versions[0])
			requests, size = w.git.Asked()
			assert.Equal(t, want[1], requests)
			assert.LessOrEqual(t, size, int64(5000))
		})
	}
}
