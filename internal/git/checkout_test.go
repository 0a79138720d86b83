package git

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// bare is an empty repository; the test is skipped when there is no git.
func bare(tb testing.TB) *gittest.Repository {
	tb.Helper()
	r, err := gittest.Init(tb.TempDir())
	if errors.Is(err, gittest.ErrNoGit) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	return r
}

func openStore(tb testing.TB, r *gittest.Repository) *Store {
	tb.Helper()
	c, err := OpenClone(r.Dir)
	require.NoError(tb, err)
	return c.Store
}

func resolve(tb testing.TB, r *gittest.Repository, revision string) Hash {
	tb.Helper()
	h, err := r.RevParse(revision)
	require.NoError(tb, err)
	return plumbing.NewHash(h)
}

// filesOf are all files of a tree.
func filesOf(tb testing.TB, s *Store, tree Hash) []File {
	tb.Helper()
	var files []File
	err := s.Walk(tb.Context(), tree, func(string) bool { return true }, func(p string, e Entry) error {
		if e.Mode != filemode.Dir {
			files = append(files, File{Path: p, Mode: e.Mode, Hash: e.Hash})
		}
		return nil
	})
	require.NoError(tb, err)
	return files
}

// onDisk describes what is below dir, without .git: type, permissions of the
// owner, and content or target.
func onDisk(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	require.NoError(tb, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		require.NoError(tb, err)
		name, err := filepath.Rel(dir, p)
		require.NoError(tb, err)
		switch {
		case name == ".":
		case d.IsDir() && name == ".git":
			return fs.SkipDir
		case d.IsDir():
			found[name+"/"] = "folder"
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			require.NoError(tb, err)
			found[name] = "link " + target
		default:
			info, err := d.Info()
			require.NoError(tb, err)
			content, err := os.ReadFile(p)
			require.NoError(tb, err)
			found[name] = fmt.Sprintf("file %o %s", info.Mode().Perm()&0o700, content)
		}
		return nil
	}))
	return found
}

// archived is what "git archive" gives, in the form of onDisk.
func archived(tb testing.TB, r *gittest.Repository, revision string) map[string]string {
	tb.Helper()
	out, err := r.Git("archive", "--format=tar", revision)
	require.NoError(tb, err)
	found := map[string]string{}
	for t := tar.NewReader(strings.NewReader(out)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(tb, err)
		switch h.Typeflag {
		case tar.TypeDir:
			found[h.Name] = "folder"
		case tar.TypeSymlink:
			found[h.Name] = "link " + h.Linkname
		case tar.TypeReg:
			content, err := io.ReadAll(t)
			require.NoError(tb, err)
			found[h.Name] = fmt.Sprintf("file %o %s", h.Mode&0o700, content)
		}
	}
}

func TestCheckoutIsWhatGitArchiveGives(t *testing.T) {
	r := bare(t)
	i := r.Import()
	c := i.Commit("main", "odd").
		Write("a.txt", "a\n").Write("empty", "").Exec("bin/run", "#!/bin/sh\n").
		Write("deep/er/and/deeper/f", "x").Write("deep/er/g", "y").
		Link("absolute", "/etc/passwd").Link("dangling", "no/where").Link("deep/up", "../../..").Link("to-folder", "deep").
		Write("aux.md", "fine here").Write("con", "c").Write("nul.txt", "n").
		Write("tab\tnewline\n", "t").Write("back\\slash", "b").Write("colon:x", "c").Write("blank ", "b").Write("dot.", "d").
		Write("latin1-\xe4", "l").Write("Twin", "upper").Write("twin", "lower").Write("quote\"'", "q").
		Write(".gitignore", "*.o").Write(".gitattributes", "*.txt text\n").Write(".gitmodules", "").
		Write("crlf.txt", "a\r\nb\r\n").Write("x.git/config", "no git").Write(".gitx/f", "x").Write("git~2", "x").
		Write("large", strings.Repeat("0123456789abcdef", 200_000)).
		Submodule("sub/module", strings.Repeat("1", 40))
	for n := range 300 {
		c.Write(fmt.Sprintf("many/f%d", n), fmt.Sprint("content ", n))
	}
	require.NoError(t, i.Done())

	s := openStore(t, r)
	dir := t.TempDir()
	require.NoError(t, s.Checkout(t.Context(), dir, filesOf(t, s, resolve(t, r, "main^{tree}"))))
	want := archived(t, r, "main")
	require.Greater(t, len(want), 300)
	assert.Equal(t, want, onDisk(t, dir))
}

func TestCheckoutWritesOldModesAsGitDoes(t *testing.T) {
	r := bare(t)
	blob, err := r.Object("blob", []byte("x"))
	require.NoError(t, err)
	tree, err := r.Tree(
		gittest.TreeEntry{Mode: "100600", Name: "a", Hash: blob},
		gittest.TreeEntry{Mode: "100664", Name: "b", Hash: blob},
		gittest.TreeEntry{Mode: "100775", Name: "c", Hash: blob},
	)
	require.NoError(t, err)
	s := openStore(t, r)
	dir := t.TempDir()
	require.NoError(t, s.Checkout(t.Context(), dir, filesOf(t, s, plumbing.NewHash(tree))))
	assert.Equal(t, map[string]string{"a": "file 600 x", "b": "file 600 x", "c": "file 700 x"}, onDisk(t, dir))
}

func TestCheckoutRefusesHostilePaths(t *testing.T) {
	regular, link := filemode.Regular, filemode.Symlink
	f := func(p string, m filemode.FileMode) File { return File{Path: p, Mode: m} }
	tests := map[string]struct {
		files []File
		want  string
	}{
		"parent":                    {[]File{f("../x", regular)}, "leads elsewhere"},
		"parent further down":       {[]File{f("a/../../x", regular)}, "leads elsewhere"},
		"itself":                    {[]File{f("a/./x", regular)}, "leads elsewhere"},
		"absolute":                  {[]File{f("/etc/x", regular)}, "empty name"},
		"empty":                     {[]File{f("", regular)}, "empty name"},
		"empty in the middle":       {[]File{f("a//b", regular)}, "empty name"},
		"zero byte":                 {[]File{f("a\x00b", regular)}, "zero byte"},
		"dot git":                   {[]File{f(".git/config", regular)}, "git keeps"},
		"dot git further down":      {[]File{f("a/.git/hooks/post-checkout", regular)}, "git keeps"},
		"dot git in capitals":       {[]File{f(".GIT/config", regular)}, "git keeps"},
		"dot git with dots":         {[]File{f(".git. . ./config", regular)}, "git keeps"},
		"dot git stream":            {[]File{f(".git::$INDEX_ALLOCATION/config", regular)}, "git keeps"},
		"dot git short name":        {[]File{f("GIT~1/config", regular)}, "git keeps"},
		"dot git invisible":         {[]File{f(".g\u200cit/config", regular)}, "git keeps"},
		"dot git behind backslash":  {[]File{f(`a\.git\config`, regular)}, "git keeps"},
		"dot git link":              {[]File{f(".git", link)}, "git keeps"},
		"submodule called dot git":  {[]File{f(".git", filemode.Submodule)}, "git keeps"},
		"gitmodules link":           {[]File{f(".gitmodules", link)}, "symbolic link"},
		"twice":                     {[]File{f("a", regular), f("a", regular)}, "twice"},
		"twice, link first":         {[]File{f("a", link), f("a", regular)}, "twice"},
		"link then folder":          {[]File{f("a", link), f("a/b", regular)}, "also as a file"},
		"folder then link":          {[]File{f("a/b", regular), f("a", link)}, "twice"},
		"file then folder":          {[]File{f("a", regular), f("a/b/c", regular)}, "also as a file"},
		"below a submodule":         {[]File{f("a", filemode.Submodule), f("a/b", regular)}, "also as a file"},
		"a folder":                  {[]File{f("a", filemode.Dir)}, "not one of a file"},
		"a device":                  {[]File{f("a", 0o060644)}, "not one of a file"},
		"too deep":                  {[]File{f(strings.Repeat("a/", 600)+"f", regular)}, "601 folders"},
		"too deep for any file":     {[]File{f(strings.Repeat("a/", 10_000)+"f", regular)}, "20001 bytes"},
		"a name that is too long":   {[]File{f(strings.Repeat("a", 256), regular)}, "256 bytes"},
		"good ones before the evil": {[]File{f("a", regular), f("b/c", regular), f("..", regular)}, "leads elsewhere"},
	}
	s := openStore(t, bare(t))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "get")
			require.NoError(t, os.Mkdir(dir, 0o755))
			err := s.Checkout(t.Context(), dir, tt.files)
			require.ErrorContains(t, err, tt.want)
			assert.Less(t, len(err.Error()), 700, "for people")
			assert.Equal(t, map[string]string{"get/": "folder"}, onDisk(t, outer), "nothing is written")
		})
	}
}

func TestCheckoutRefusesHostileTrees(t *testing.T) {
	r := bare(t)
	blob, err := r.Object("blob", []byte("/tmp"))
	require.NoError(t, err)
	sub, err := r.Tree(gittest.TreeEntry{Mode: "100644", Name: "f", Hash: blob})
	require.NoError(t, err)
	deep := sub
	for range 600 {
		deep, err = r.Tree(gittest.TreeEntry{Mode: "40000", Name: "d", Hash: deep})
		require.NoError(t, err)
	}
	s := openStore(t, r)
	for name, entries := range map[string][]gittest.TreeEntry{
		"link, then a folder of its name": {{Mode: "120000", Name: "a", Hash: blob}, {Mode: "40000", Name: "a", Hash: sub}},
		"folder dot dot":                  {{Mode: "40000", Name: "..", Hash: sub}},
		"slash in a name":                 {{Mode: "100644", Name: "../x", Hash: blob}},
		"folder .git":                     {{Mode: "40000", Name: ".git", Hash: sub}},
		"duplicate":                       {{Mode: "100644", Name: "a", Hash: blob}, {Mode: "100644", Name: "a", Hash: blob}},
		"deep":                            {{Mode: "40000", Name: "d", Hash: deep}},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := r.Tree(entries...)
			require.NoError(t, err)
			var files []File
			err = s.Walk(t.Context(), plumbing.NewHash(tree), func(string) bool { return true }, func(p string, e Entry) error {
				if e.Mode != filemode.Dir {
					files = append(files, File{Path: p, Mode: e.Mode, Hash: e.Hash})
				}
				return nil
			})
			dir := t.TempDir()
			if err == nil { // a store may refuse as well
				err = s.Checkout(t.Context(), dir, files)
			}
			require.Error(t, err)
			assert.Empty(t, onDisk(t, dir))
		})
	}
}

func TestCheckoutOverwritesNothing(t *testing.T) {
	r := bare(t)
	_, err := r.Commit("main", "one", map[string]string{"a": "new", "d/b": "new"})
	require.NoError(t, err)
	s := openStore(t, r)
	files := filesOf(t, s, resolve(t, r, "main^{tree}"))
	t.Run("a file", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600))
		require.ErrorIs(t, s.Checkout(t.Context(), dir, files), fs.ErrExist)
		assert.Equal(t, "file 600 old", onDisk(t, dir)["a"])
	})
	t.Run("a link out of the folder", func(t *testing.T) {
		dir, outside := t.TempDir(), t.TempDir()
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "d")))
		require.ErrorContains(t, s.Checkout(t.Context(), dir, files), "something else is in its place")
		assert.Empty(t, onDisk(t, outside))
	})
	t.Run("no folder", func(t *testing.T) {
		require.ErrorIs(t, s.Checkout(t.Context(), filepath.Join(t.TempDir(), "none"), files), fs.ErrNotExist)
	})
}

func TestCheckoutRefusesLinksWithoutTarget(t *testing.T) {
	r := bare(t)
	for name, target := range map[string]string{"empty": "", "zero byte": "a\x00b", "too long": strings.Repeat("a", 5000)} {
		t.Run(name, func(t *testing.T) {
			blob, err := r.Object("blob", []byte(target))
			require.NoError(t, err)
			s := openStore(t, r)
			err = s.Checkout(t.Context(), t.TempDir(), []File{{Path: "l", Mode: filemode.Symlink, Hash: plumbing.NewHash(blob)}})
			require.ErrorContains(t, err, "not a path")
		})
	}
}

func TestCheckoutOfNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, openStore(t, bare(t)).Checkout(t.Context(), dir, nil))
	assert.Empty(t, onDisk(t, dir))
}
