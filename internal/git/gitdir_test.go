package git

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// deliver checks half of a repository out and writes its .git.
func deliver(t *testing.T, s *Store, head Hash, url string) string {
	t.Helper()
	dir := t.TempDir()
	c, err := s.Commit(t.Context(), head)
	require.NoError(t, err)
	var files []File
	for _, f := range filesOf(t, s, c.Tree) {
		if !strings.HasPrefix(f.Path, "left/out") && !strings.HasPrefix(path.Base(f.Path), ".git") {
			files = append(files, f)
		}
	}
	require.NoError(t, s.Checkout(t.Context(), dir, files))
	require.NoError(t, s.WriteGitDir(t.Context(), dir, GitDir{Head: head, Branch: "main", URL: url, Files: files}))
	return dir
}

// delivery is a repository with a merge at its head and odd entries.
func delivery(t *testing.T, r *gittest.Repository) Hash {
	t.Helper()
	i := r.Import()
	one := i.Commit("main", "one").Write("a.txt", "a\n").Exec("bin/run", "x").Link("link", "a.txt").Write("empty", "").
		Write(".gitignore", "*.o\n").Write(".gitattributes", "*.txt text\n").Write(".gitmodules", "").Write("many1/.gitignore", "x\n").
		Write("left/out/.gitignore", "nobody reads this").Write("left/out/b", "b\n").Write("left/out-too", "c\n").Write("tab\tname", "t").Write(strings.Repeat("a-rather-long-name/", 20)+"f", "deep").
		Submodule("sub", strings.Repeat("1", 40))
	for n := range 200 {
		one.Write(fmt.Sprintf("many%d/f%d", n%7, n), fmt.Sprint(n))
	}
	side := i.Commit("side", "side").From(one).Write("s", "s\n")
	i.Commit("main", "merge of \"side\"").Merge(side).Write("s", "s\n")
	require.NoError(t, i.Done())
	return resolve(t, r, "main")
}

func TestGitWorksInWhatIsWritten(t *testing.T) {
	r := bare(t)
	head := delivery(t, r)
	dir := deliver(t, openStore(t, r), head, "https://ana:secret@git.invalid/owner/a.git")
	client := gittest.Open(dir)

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"rev-parse", "HEAD"}, head.String() + "\n"},
		{[]string{"rev-parse", "--abbrev-ref", "HEAD"}, "main\n"},
		{[]string{"rev-parse", "origin/main"}, head.String() + "\n"},
		{[]string{"log", "--format=%H %s"}, head.String() + " merge of \"side\"\n"},
		{[]string{"status", "--porcelain=v2", "--branch"}, "# branch.oid " + head.String() + "\n# branch.head main\n# branch.upstream origin/main\n# branch.ab +0 -0\n"},
		{[]string{"ls-files", "-t", "a.txt", "left"}, "H a.txt\nS left/out-too\nS left/out/.gitignore\nS left/out/b\n"},
		{[]string{"fsck", "--full", "--strict"}, ""},
		{[]string{"diff", "--stat"}, ""},
		{[]string{"diff", "--cached", "--stat"}, ""},
		{[]string{"describe", "--always", "--dirty"}, head.String()[:7] + "\n"},
		{[]string{"remote", "get-url", "origin"}, "https://git.invalid/owner/a.git\n"},
		{[]string{"write-tree", "--missing-ok"}, resolve(t, r, "main^{tree}").String() + "\n"},
	} {
		out, err := client.Git(tt.args...)
		require.NoError(t, err)
		assert.Equal(t, tt.want, out, "git %v", tt.args)
	}

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("changed\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "untracked"), nil, 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "empty")))
	out, err := client.Git("status", "--porcelain")
	require.NoError(t, err)
	assert.Equal(t, " M a.txt\n D empty\n?? untracked\n", out)
}

func TestTheGitDirHoldsNoPasswordAndIsAlwaysTheSame(t *testing.T) {
	r := bare(t)
	head := delivery(t, r)
	first := deliver(t, openStore(t, r), head, "https://ana:secret@git.invalid/a.git")
	second := deliver(t, openStore(t, r), head, "https://ana:secret@git.invalid/a.git")
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(first, ".git"), func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		name, err := filepath.Rel(first, p)
		require.NoError(t, err)
		if d.IsDir() {
			assert.DirExists(t, filepath.Join(second, name))
			return nil
		}
		files++
		a, err := os.ReadFile(p)
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(second, name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(a, b), name)
		assert.NotContains(t, string(a), "secret", name)
		assert.NotContains(t, string(a), "ana", name)
		return nil
	}))
	assert.Equal(t, 8, files)
}

func TestGitFetchesWhatIsNotThere(t *testing.T) {
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	r, err := server.Create("a")
	require.NoError(t, err)
	i := r.Import()
	i.Commit("main", "one").Write("a.txt", "a\n").Write("left/out/b", "b\n")
	i.Commit("main", "two").Write("a.txt", "a2\n")
	require.NoError(t, i.Done())
	dir := deliver(t, openStore(t, r), resolve(t, r, "main"), r.URL())
	client := gittest.Open(dir)

	text, err := client.Show("HEAD", "left/out/b")
	require.NoError(t, err)
	assert.Equal(t, "b\n", text)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a3\n"), 0o600))
	_, err = client.Git("commit", "--quiet", "--all", "--message", "three")
	require.NoError(t, err)
	_, err = client.Git("push", "--quiet", "origin", "main")
	require.NoError(t, err)
	files, err := r.Files("main")
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 a.txt", "100644 left/out/b"}, files, "what was not delivered is not deleted")
	_, err = client.Git("fetch", "--quiet", "--unshallow")
	require.NoError(t, err)
	log, err := client.Log("%s")
	require.NoError(t, err)
	assert.Equal(t, []string{"three", "two", "one"}, log)
}

func TestWriteGitDirRefuses(t *testing.T) {
	r := bare(t)
	_, err := r.Commit("main", "one", map[string]string{"a": "1"})
	require.NoError(t, err)
	s, head := openStore(t, r), resolve(t, r, "main")
	t.Run("a second time", func(t *testing.T) {
		dir := deliver(t, s, head, "https://git.invalid/a.git")
		require.ErrorContains(t, s.WriteGitDir(t.Context(), dir, GitDir{Head: head, Branch: "main"}), "already exists")
	})
	t.Run("a link as .git", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, ".git")))
		require.ErrorContains(t, s.WriteGitDir(t.Context(), dir, GitDir{Head: head, Branch: "main"}), "already exists")
		assert.Empty(t, onDisk(t, outside))
	})
	for _, branch := range []string{"a\nb", "a b", "../x", "/a", "a/", "a[", "a//b"} {
		require.ErrorContains(t, s.WriteGitDir(t.Context(), t.TempDir(), GitDir{Head: head, Branch: branch}), "not a valid branch name")
	}
	require.Error(t, s.WriteGitDir(t.Context(), t.TempDir(), GitDir{Head: Hash{1}, Branch: "main"}))
}

func TestGitDirWithoutBranchAndWithOddAddresses(t *testing.T) {
	r := bare(t)
	_, err := r.Commit("main", "one", map[string]string{"a": "1"})
	require.NoError(t, err)
	s, head := openStore(t, r), resolve(t, r, "main")
	for address, want := range map[string]string{
		"ssh://git:pw@host/o/r.git":  "ssh://git@host/o/r.git",
		"git@host:o/r.git":           "git@host:o/r.git",
		`/srv/with "quotes" \ and #`: `/srv/with "quotes" \ and #`,
		"https://token@host/r":       "https://host/r",
	} {
		dir := t.TempDir()
		require.NoError(t, s.WriteGitDir(t.Context(), dir, GitDir{Head: head, URL: address}))
		client := gittest.Open(dir)
		out, err := client.Git("config", "remote.origin.url")
		require.NoError(t, err)
		assert.Equal(t, want+"\n", out)
		_, err = client.Git("symbolic-ref", "--quiet", "HEAD")
		require.Error(t, err, "HEAD is on no branch")
		got, err := client.RevParse("HEAD")
		require.NoError(t, err)
		assert.Equal(t, head.String(), got)
	}
}
