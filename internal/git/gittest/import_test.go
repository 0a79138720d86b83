package gittest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestImport(t *testing.T) {
	r, err := gittest.Init(t.TempDir())
	require.NoError(t, err)
	i := r.Import()
	one := i.Commit("main", "one").Write("a", "1\n").Exec("bin/run", "x").Link("l", "a").Write("ta\tb \"q\"\n", "odd")
	side := i.Commit("side", "side").From(one).Write("s", "s").By("Ana <ana@example.com>").At(time.Date(2021, 2, 3, 4, 5, 6, 0, time.FixedZone("", 5*3600+1800)))
	two := i.Commit("main", "two").Delete("a").Write("b", "1\n").Delete("bin").Submodule("sub", "1111111111111111111111111111111111111111")
	merge := i.Commit("main", "merge").Merge(side).Write("s", "s")
	root := i.Commit("other", "other").Orphan().Write("o", "o")
	i.Tag("light", "", one)
	i.Tag("v1.0.0", "first release", merge)
	require.NoError(t, i.Done())
	require.NoError(t, r.Fsck())

	files, err := r.Files("main")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"100644 b", "120000 l", "100644 s", "160000 sub", "100644 ta\tb \"q\"\n"}, files)
	log, err := r.Log("%H %P", "-1", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{merge.Hash() + " " + two.Hash() + " " + side.Hash()}, log)
	log, err = r.Log("%an %ad", "-1", "--date=iso", "side")
	require.NoError(t, err)
	assert.Equal(t, []string{"Ana 2021-02-03 04:05:06 +0530"}, log)
	for ref, want := range map[string]string{"refs/tags/light": one.Hash(), "refs/tags/v1.0.0^{}": merge.Hash(), "other": root.Hash()} {
		got, err := r.RevParse(ref)
		require.NoError(t, err)
		assert.Equal(t, want, got, ref)
	}
	show, err := r.Show("main", "b")
	require.NoError(t, err)
	assert.Equal(t, "1\n", show)
}

func TestCommitContinuesTheBranch(t *testing.T) {
	r, err := gittest.Init(t.TempDir())
	require.NoError(t, err)
	for _, m := range []string{"one", "two"} {
		_, err := r.Commit("main", m, map[string]string{m: m})
		require.NoError(t, err)
	}
	_, err = r.Delete("main", "three", "one")
	require.NoError(t, err)
	log, err := r.Log("%s %ct", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"three 1577836920", "two 1577836860", "one 1577836800"}, log)
	require.NoError(t, r.UpdateRef("refs/heads/x", "main~1"))
	require.NoError(t, r.UpdateRef("refs/heads/x", ""))
	_, err = r.RevParse("refs/heads/x")
	require.Error(t, err)
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "d", ".git"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "d", "f"), []byte("f"), 0o755))
	require.NoError(t, os.Symlink("d/f", filepath.Join(dir, "l")))
	r, err := gittest.Init(t.TempDir())
	require.NoError(t, err)
	i := r.Import()
	require.NoError(t, i.Commit("main", "all").Folder(dir))
	require.NoError(t, i.Done())
	files, err := r.Files("main")
	require.NoError(t, err)
	assert.Equal(t, []string{"100755 d/f", "120000 l"}, files)
}

func TestWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := gittest.Init(t.TempDir())
	require.ErrorIs(t, err, gittest.ErrNoGit)
	_, err = gittest.New(gittest.Options{})
	require.ErrorIs(t, err, gittest.ErrNoGit)
}

func TestRawObjects(t *testing.T) {
	r, err := gittest.Init(t.TempDir())
	require.NoError(t, err)
	blob, err := r.Object("blob", []byte("x"))
	require.NoError(t, err)
	tree, err := r.Tree(gittest.TreeEntry{Mode: "100644", Name: "..", Hash: blob})
	require.NoError(t, err)
	commit, err := r.CommitTree(tree, "hostile")
	require.NoError(t, err)
	require.NoError(t, r.UpdateRef("refs/heads/main", commit))
	files, err := r.Files("main")
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 .."}, files)
	require.Error(t, r.Fsck())
}
