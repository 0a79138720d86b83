package object

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzCheckName(f *testing.F) {
	for _, name := range []string{"a", "..", ".git", ".GIT ", "git~1", ".g\u200cit", "a\\.git", "a/b", "a\x00", "", "\xff", ".git:x", "con", "a\nb", ".gitx", ".git\\", "..."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		if name != path.Base(name) || !filepath.IsLocal(name) || strings.EqualFold(strings.TrimRight(name, " ."), ".git") {
			t.Fatalf("%q was taken for a good name", name)
		}
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		require.NoError(t, root.WriteFile(name, []byte("x"), 0o644))
		require.NoError(t, root.Close())
		found, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, name, found[0].Name())
	})
}

// git ignores refs with some names, and reads a name with a dash in front as an option.
func TestBranchesThatGitDoesNotHave(t *testing.T) {
	for _, name := range []string{"", "main", "release/1.2", "a-b", "a@b", "x/-y", "lock", "x.locked"} {
		require.NoError(t, CheckBranch(name), name)
	}
	for _, name := range []string{
		"x.lock", "a.lock/b", "a@{b}", "@{", "@", "-d", "--force", "HEAD", "a..b", "a.", "a/", "/a", "a//b", ".a", "a/.b",
		"a b", "a~1", "a^", "a:b", "a?", "a*", "a[", `a\b`, "a\nb", "a\x7f", "a\x00",
	} {
		require.Error(t, CheckBranch(name), name)
	}
	require.NoError(t, CheckRef("refs/tags/v1.0.0"))
	for _, ref := range []string{"", "main", "heads/main", "HEAD", "refs/", "refs/tags/-v", "refs/heads/x.lock"} {
		require.Error(t, CheckRef(ref), ref)
	}
}
