package git

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func signature() Signature {
	return Signature{Name: "Ana", Email: "ana@example.com", When: time.Date(2026, 3, 1, 12, 30, 0, 0, time.FixedZone("", 5*3600+1800))}
}

func change(parent Hash, edits map[string]Edit) NewCommit {
	return NewCommit{Parent: parent, Edits: edits, Committer: signature(), Message: "feat: change\n\nwith a body\n"}
}

// install writes what was built into a repository, as a push would, and gives
// the commit.
func install(t *testing.T, r *gittest.Repository, b *Built) string {
	t.Helper()
	for _, o := range b.Objects {
		got, err := r.Object(o.Kind.String(), o.Content)
		require.NoError(t, err)
		require.Equal(t, o.Hash.String(), got)
	}
	require.NoError(t, r.UpdateRef("refs/heads/built", b.Hash.String()))
	return b.Hash.String()
}

func write(content string) Edit { return Edit{Content: []byte(content)} }

func TestBuildKeepsWhatIsNotEdited(t *testing.T) {
	r := bare(t)
	blob, err := r.Object("blob", []byte("x"))
	require.NoError(t, err)
	unread := strings.Repeat("2", 40) // a tree that is not there: nobody may read it
	dir, err := r.Tree(
		gittest.TreeEntry{Mode: "100664", Name: "group-writable", Hash: blob},
		gittest.TreeEntry{Mode: "100755", Name: "run", Hash: blob},
		gittest.TreeEntry{Mode: "40000", Name: "unread", Hash: unread},
	)
	require.NoError(t, err)
	tree, err := r.Tree(
		gittest.TreeEntry{Mode: "40000", Name: "dir", Hash: dir},
		gittest.TreeEntry{Mode: "100664", Name: "dir.old", Hash: blob},
		gittest.TreeEntry{Mode: "120000", Name: "link", Hash: blob},
		gittest.TreeEntry{Mode: "160000", Name: "sub", Hash: strings.Repeat("3", 40)},
	)
	require.NoError(t, err)
	parent, err := r.CommitTree(tree, "base")
	require.NoError(t, err)

	b, err := openStore(t, r).Build(t.Context(), change(plumbing.NewHash(parent), map[string]Edit{
		"dir/run":     write("changed"),
		"dir/new/a/b": {Mode: filemode.Executable, Content: []byte("new")},
		"dir-a":       write("sorts before dir/"),
		"dir.old":     {Mode: filemode.Regular, Content: []byte("replaced")},
	}))
	require.NoError(t, err)
	commit := install(t, r, b)

	var got []string // git ls-tree would show tidied modes
	s := openStore(t, r)
	for _, tree := range []Hash{b.Commit.Tree, resolve(t, r, commit+":dir")} {
		entries, err := s.Tree(t.Context(), tree)
		require.NoError(t, err)
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%o %s", uint32(e.Mode), e.Name))
		}
	}
	assert.Equal(t, []string{
		"100644 dir-a", "100664 dir.old", "40000 dir", "120000 link", "160000 sub",
		"100664 group-writable", "40000 new", "100755 run", "40000 unread",
	}, got)
	text, err := r.Show(commit, "dir/new/a/b")
	require.NoError(t, err)
	assert.Equal(t, "new", text)
	assert.Len(t, b.Objects, 4+4+1, "4 blobs, 4 trees on the way, 1 commit")
}

func TestBuildWritesTheCommit(t *testing.T) {
	r := bare(t)
	first, err := openStore(t, r).Build(t.Context(), change(Hash{}, map[string]Edit{"version": write("1.0.0\n")}))
	require.NoError(t, err)
	install(t, r, first)
	c := change(first.Hash, map[string]Edit{"version": write("1.0.1\n")})
	c.Author = Signature{Name: "Bo <x>\n", Email: "bo@example.com", When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -3*3600))}
	second, err := openStore(t, r).Build(t.Context(), c)
	require.NoError(t, err)
	raw, err := r.Git("cat-file", "commit", install(t, r, second))
	require.NoError(t, err)
	read, err := openStore(t, r).Commit(t.Context(), second.Hash)
	require.NoError(t, err)
	assert.Equal(t, read.Author.When.Format(time.RFC3339), second.Commit.Author.When.Format(time.RFC3339))
	read.Author.When, read.Committer.When = second.Commit.Author.When, second.Commit.Committer.When // the zones are equal but not the same
	assert.Equal(t, read, second.Commit)
	tree := resolve(t, r, "built^{tree}")
	assert.Equal(t, fmt.Sprintf("tree %s\nparent %s\nauthor Bo x <bo@example.com> 1767333845 -0300\n"+
		"committer Ana <ana@example.com> 1772348400 +0530\n\nfeat: change\n\nwith a body\n", tree, first.Hash), raw)
	require.NoError(t, r.Fsck())
}

// TestBuildFollowsAModel applies random edits to random trees and compares with
// a map of files, with git as the reader.
func TestBuildFollowsAModel(t *testing.T) {
	paths := []string{"a", "b/c", "b/d", "b.txt", "b-x/y", "e/f/g", "e/f/h", "e/i", "z"}
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 2))
		r := bare(t)
		files := map[string]string{}
		var tip Hash
		for range 6 {
			edits := map[string]Edit{}
			for range 1 + random.IntN(4) {
				p := paths[random.IntN(len(paths))]
				if random.IntN(3) == 0 {
					edits[p] = Edit{Delete: true}
					delete(files, p)
				} else {
					files[p] = fmt.Sprint(random.IntN(3))
					edits[p] = write(files[p])
				}
			}
			b, err := openStore(t, r).Build(t.Context(), change(tip, edits))
			require.NoError(t, err)
			tip = plumbing.NewHash(install(t, r, b))
			got := map[string]string{}
			s := openStore(t, r)
			for _, f := range filesOf(t, s, b.Commit.Tree) {
				content, err := s.Blob(t.Context(), f.Hash)
				require.NoError(t, err)
				got[f.Path] = string(content)
			}
			require.Equal(t, files, got, "seed %d", seed)
			listed, err := r.Files(b.Hash.String())
			require.NoError(t, err)
			require.Len(t, listed, len(files))
		}
		require.NoError(t, r.Fsck(), "seed %d", seed)
	}
}

func TestBuildMakesFoldersVanish(t *testing.T) {
	r := bare(t)
	tip, err := r.Commit("main", "one", map[string]string{"a/b/c": "1", "k": "1", "dir/x": "1", "dir/y": "2"})
	require.NoError(t, err)
	s := openStore(t, r)
	b, err := s.Build(t.Context(), change(plumbing.NewHash(tip), map[string]Edit{
		"a/b/c": {Delete: true}, "dir": {Delete: true}, "never/was/there": {Delete: true}, "k/below/file": {Delete: true},
	}))
	require.NoError(t, err)
	files, err := r.Files(install(t, r, b))
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 k"}, files)
	require.Len(t, b.Objects, 2, "the root and the commit, no trees of vanished folders")

	b, err = s.Build(t.Context(), change(plumbing.NewHash(tip), map[string]Edit{"a": {Delete: true}, "dir": {Delete: true}, "k": {Delete: true}}))
	require.NoError(t, err)
	assert.Equal(t, "4b825dc642cb6eb9a060e54bf8d69288fbee4904", b.Commit.Tree.String(), "git's empty tree")
	install(t, r, b)
	require.NoError(t, r.Fsck())
}

func TestBuildReplacesAFolderByItsEdits(t *testing.T) {
	r := bare(t)
	tip, err := r.Commit("main", "one", map[string]string{"dir/x": "1", "dir/y": "2", "f": "f"})
	require.NoError(t, err)
	b, err := openStore(t, r).Build(t.Context(), change(plumbing.NewHash(tip), map[string]Edit{
		"dir": {Delete: true}, "dir/z": write("3"), "f": {Delete: true}, "f/g": write("4"),
	}))
	require.NoError(t, err)
	files, err := r.Files(install(t, r, b))
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 dir/z", "100644 f/g"}, files)
}

// A folder whose files all go makes room for a file of its name, as when a copy
// follows its origin.
func TestBuildPutsAFileWhereAFolderIsEmptied(t *testing.T) {
	r := bare(t)
	tip, err := r.Commit("main", "one", map[string]string{"dir/x": "1", "dir/y/z": "2", "k": "1"})
	require.NoError(t, err)
	edits := map[string]Edit{"dir": write("now a file"), "dir/x": {Delete: true}, "dir/y/z": {Delete: true}}
	b, err := openStore(t, r).Build(t.Context(), change(plumbing.NewHash(tip), edits))
	require.NoError(t, err)
	files, err := r.Files(install(t, r, b))
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 dir", "100644 k"}, files)
	require.NoError(t, r.Fsck())

	delete(edits, "dir/y/z")
	_, err = openStore(t, r).Build(t.Context(), change(plumbing.NewHash(tip), edits))
	require.ErrorContains(t, err, "there is a folder in its place")
}

func TestBuildWithoutChangeKeepsTheTree(t *testing.T) {
	r := bare(t)
	tip, err := r.Commit("main", "one", map[string]string{"d/x": "1"})
	require.NoError(t, err)
	b, err := openStore(t, r).Build(t.Context(), change(plumbing.NewHash(tip), map[string]Edit{"d/x": write("1"), "none": {Delete: true}}))
	require.NoError(t, err)
	assert.Equal(t, resolve(t, r, "main^{tree}"), b.Commit.Tree)
	assert.Len(t, b.Objects, 1, "the commit alone")
}

func TestBuildRefuses(t *testing.T) {
	r := bare(t)
	i := r.Import()
	c := i.Commit("main", "one").Write("f", "1").Write("dir/x", "1").Link("link", "f")
	require.NoError(t, i.Done())
	tip := plumbing.NewHash(c.Hash())
	tests := map[string]struct {
		alter func(*NewCommit)
		want  string
	}{
		"a path that leads out":       {func(c *NewCommit) { c.Edits = map[string]Edit{"../x": write("")} }, "leads elsewhere"},
		"a path into .git":            {func(c *NewCommit) { c.Edits = map[string]Edit{".git/config": write("")} }, "git keeps"},
		"an absolute path":            {func(c *NewCommit) { c.Edits = map[string]Edit{"/x": write("")} }, "empty name"},
		"deleting an empty name":      {func(c *NewCommit) { c.Edits = map[string]Edit{"a//b": {Delete: true}} }, "empty name"},
		"a mode that no file has":     {func(c *NewCommit) { c.Edits = map[string]Edit{"x": {Mode: filemode.Dir}} }, "not one of a file"},
		"a file where a folder is":    {func(c *NewCommit) { c.Edits = map[string]Edit{"dir": write("")} }, "there is a folder in its place"},
		"a file below a file":         {func(c *NewCommit) { c.Edits = map[string]Edit{"f/x": write("")} }, "it is a file"},
		"a file and a folder at once": {func(c *NewCommit) { c.Edits = map[string]Edit{"n": write(""), "n/x": write("")} }, "at once"},
		"writing through a link":      {func(c *NewCommit) { c.Edits = map[string]Edit{"link": write("")} }, "symbolic link"},
		"an empty message":            {func(c *NewCommit) { c.Message = " \n" }, "message is empty"},
		"a message with a zero byte":  {func(c *NewCommit) { c.Message = "a\x00b" }, "zero byte"},
		"nobody":                      {func(c *NewCommit) { c.Committer.Name, c.Committer.Email = "<>", " " }, "no author"},
		"a time git can't store":      {func(c *NewCommit) { c.Committer.When = time.Time{} }, "before 1970"},
		"a parent that is not there":  {func(c *NewCommit) { c.Parent = Hash{1} }, "not"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := change(tip, map[string]Edit{"new": write("x")})
			tt.alter(&spec)
			_, err := openStore(t, r).Build(t.Context(), spec)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	r := bare(t)
	tip, err := r.Commit("main", "one", map[string]string{"a": "1", "d/x": "1"})
	require.NoError(t, err)
	edits := map[string]Edit{}
	for n := range 20 {
		edits[fmt.Sprintf("d%d/f", n)] = write(fmt.Sprint(n))
	}
	var hashes []string
	for range 5 {
		b, err := openStore(t, r).Build(t.Context(), change(plumbing.NewHash(tip), maps.Clone(edits)))
		require.NoError(t, err)
		hashes = append(hashes, b.Hash.String())
	}
	assert.Len(t, slices.Compact(hashes), 1)
}
