package artifact_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/artifact"
)

func TestPathStaysInTheBuildsFolder(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "image", "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "image", "digest"), nil, 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "image", "out")))
	require.NoError(t, os.Symlink("digest", filepath.Join(dir, "image", "link")))
	require.NoError(t, os.Symlink("../image/../../"+filepath.Base(dir)+"/image", filepath.Join(dir, "around")))
	folder := artifact.Folder(dir)
	for name, want := range map[string]string{
		"image/digest": "image/digest", "image": "image", "./image//deep/": "image/deep", "image/link": "image/digest", "image/deep/..": "image",
	} {
		got, err := folder.Path(name)
		require.NoError(t, err, name)
		root, err := filepath.EvalSymlinks(dir)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(root, want), got)
	}
	for name, want := range map[string]string{
		"":                  "is empty",
		"../x":              "leaves the build's folder: write a path that starts with an artifact's name",
		"image/../../x":     "leaves the build's folder",
		"/etc/passwd":       "leaves the build's folder",
		"image/out/secret":  "leaves the build's folder through a symbolic link",
		"image/out":         "leaves the build's folder through a symbolic link",
		"image/out/missing": "leaves the build's folder through a symbolic link",
		"imgae/digest":      "does not exist: the build's artifacts are around, image",
		"image/digest/deep": "does not exist: a part of the path is a file",
	} {
		_, err := folder.Path(name)
		require.ErrorContains(t, err, want, name)
	}
	_, err := folder.Path("nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = artifact.Folder(t.TempDir()).Path("x")
	require.ErrorContains(t, err, "the build has no artifacts")
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
}

func TestReadHasALimit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/value": " 1.2.3\n", "a/most": strings.Repeat("x", int(artifact.MaxValue)), "a/more": strings.Repeat("x", int(artifact.MaxValue)+1)})
	folder := artifact.Folder(dir)
	got, err := folder.Value("a/value")
	require.NoError(t, err)
	assert.Equal(t, "1.2.3", got)
	_, err = folder.Value("a/most")
	require.NoError(t, err)
	_, err = folder.Value("a/more")
	require.ErrorContains(t, err, "read a/more: it has 4097 bytes, and such a file may have no more than 4 KiB: is it the right file?")
	_, err = folder.Value("a")
	require.ErrorContains(t, err, "read a: it is not a file: name the file itself")
	_, err = folder.Value("../x")
	require.ErrorContains(t, err, "leaves the build's folder")

	data, err := folder.Optional("a/missing", artifact.MaxDocument)
	require.NoError(t, err)
	assert.Empty(t, data)
	_, err = folder.Optional("../x", artifact.MaxDocument)
	require.ErrorContains(t, err, "leaves the build's folder")
}

func copied(t *testing.T, dir, name string) (map[string]string, error) {
	t.Helper()
	files := map[string]string{}
	c := artifact.Copier{From: artifact.Folder(dir)}
	err := c.Files(name, func(f artifact.File) error {
		kind := ""
		switch {
		case f.Mode&fs.ModeSymlink != 0:
			kind = "-> "
		case f.Mode&0o100 != 0:
			kind = "x "
		}
		files[f.Name] = kind + string(f.Content)
		return nil
	})
	return files, err
}

func TestCopyOfAFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret": "s\n"})
	write(t, dir, map[string]string{"a/x": "x\n", "a/d/y": "y\n", "a/.git/config": "c\n", "a/sub/.git": "gitdir: ..\n", "a/sub/z": "z\n", "run": "r\n", "b/.git/x": "x\n"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "a", "x"), 0o700))
	require.NoError(t, os.Symlink("../x", filepath.Join(dir, "a", "d", "up")))
	want := map[string]string{"x": "x x\n", "d/y": "y\n", "d/up": "-> ../x", "sub/z": "z\n"}
	got, err := copied(t, dir, "a")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = copied(t, dir, "run")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{".": "r\n"}, got)
	_, err = copied(t, dir, "b")
	require.ErrorContains(t, err, "the folder b has no files")
	_, err = copied(t, dir, "../"+filepath.Base(outside))
	require.ErrorContains(t, err, "leaves the build's folder")

	link := filepath.Join(dir, "a", "out")
	for _, target := range []string{outside, "../run", "../../" + filepath.Base(outside) + "/secret", "nothing", filepath.Join(dir, "a", "x")} {
		require.NoError(t, os.Symlink(target, link))
		_, err = copied(t, dir, "a")
		require.ErrorContains(t, err, "out is a symbolic link to "+target+", which is not in the copied folder")
		require.NoError(t, os.Remove(link))
	}
}

// The size and the number of files count over all that a put copies, and a file is not read beyond it.
func TestCopiesHaveALimit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/x": "x"})
	require.NoError(t, os.Truncate(filepath.Join(dir, "a", "x"), int64(artifact.MaxCopied)+1)) // a sparse file
	_, err := copied(t, dir, "a")
	require.ErrorContains(t, err, "with x there are more than 256 MiB to copy: is it the right folder?")
}

func TestPathsInARepository(t *testing.T) {
	for _, good := range []string{"CHANGELOG.md", "docs/a.md", "./docs//a.md", "docs/", "a..b", "..a/b", ".github/x", "a/.gitignore"} {
		require.NoError(t, artifact.InRepository(good), good)
	}
	for _, bad := range []string{"", ".", "./", "..", "../x", "a/../../x", "/etc/passwd", "a/..", `a\b`, "a\x00b"} {
		require.ErrorContains(t, artifact.InRepository(bad), "is not a path inside the repository", bad)
	}
	for _, bad := range []string{".git", ".git/config", "a/.GIT/x"} {
		require.ErrorContains(t, artifact.InRepository(bad), "is a part of git's own files", bad)
	}
}

// A path that is accepted is below the root of the repository, however it is written, and no part of it is git's.
func FuzzInRepository(f *testing.F) {
	for _, seed := range []string{"docs/a.md", "a/../../x", "/etc/passwd", ".git/config", "./a//b/", `..\x`, "a/..", "...", "a/.GIT", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if artifact.InRepository(name) != nil || !utf8.ValidString(name) { // JSON has no other text
			return
		}
		clean := path.Clean(name)
		assert.True(t, fs.ValidPath(clean) && clean != ".", "%q", name)
		for part := range strings.SplitSeq(clean, "/") {
			assert.False(t, part == ".." || strings.EqualFold(part, ".git"), "%q", name)
		}
	})
}

func TestSizesInWords(t *testing.T) {
	assert.Equal(t, "4 KiB 4 MiB 1500 bytes", strings.Join([]string{artifact.MaxValue.String(), artifact.MaxDocument.String(), artifact.Size(1500).String()}, " "))
}
