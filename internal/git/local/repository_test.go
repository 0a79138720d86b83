package local_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/local"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// town is a folder of repositories, all of them made by git.
type town struct {
	t    *testing.T
	dir  string
	home *gittest.Repository // from which the others are cloned
	tip  object.Hash
	blob object.Hash
}

// newTown has the folders home.git (bare), clone, linked (a work tree of clone), borrows
// (a clone with alternates) and a work tree below clone.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, dir: t.TempDir()}
	var err error
	w.home, err = gittest.Init(w.path("home.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	_, err = w.home.Commit("main", "one", map[string]string{"charts/bank/values.yaml": "a: 1\n", "x": "x\n"})
	require.NoError(t, err)
	_, err = w.home.Commit("other", "two", map[string]string{"y": "y\n"})
	require.NoError(t, err)
	w.tip, w.blob = w.hash("main"), w.hash("main:charts/bank/values.yaml")
	w.git("clone", "--quiet", w.path("home.git"), w.path("clone"))
	_, err = gittest.Open(w.path("clone")).Git("worktree", "add", "--quiet", "--detach", w.path("linked"))
	require.NoError(t, err)
	w.git("clone", "--quiet", "--reference", w.path("home.git"), w.path("home.git"), w.path("borrows"))
	return w
}

func (w *town) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *town) git(args ...string) {
	w.t.Helper()
	_, err := w.home.Git(args...)
	require.NoError(w.t, err)
}

func (w *town) hash(revision string) object.Hash {
	w.t.Helper()
	h, err := w.home.RevParse(revision)
	require.NoError(w.t, err)
	return plumbing.NewHash(h)
}

func (w *town) write(content string, parts ...string) {
	w.t.Helper()
	name := w.path(parts...)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(w.t, os.WriteFile(name, []byte(content), 0o644))
}

// reads requires that HEAD, its commit and a file of it can be read.
func (w *town) reads(l *local.Repository, err error) {
	w.t.Helper()
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, l.Close()) }()
	refs, err := l.Refs([]string{"HEAD"})
	require.NoError(w.t, err)
	require.Equal(w.t, w.tip, refs["HEAD"])
	require.True(w.t, l.Has(w.tip))
	kind, content, err := l.Read(w.tip)
	require.NoError(w.t, err)
	assert.Equal(w.t, plumbing.CommitObject, kind)
	assert.Contains(w.t, string(content), "\n\none")
	kind, content, err = l.Read(w.blob)
	require.NoError(w.t, err)
	assert.Equal(w.t, plumbing.BlobObject, kind)
	assert.Equal(w.t, "a: 1\n", string(content))
	require.False(w.t, l.Has(object.Hash{1}))
	_, _, err = l.Read(object.Hash{1})
	require.ErrorIs(w.t, err, object.ErrNotFound)
}

func TestEveryKindOfRepositoryIsFoundFromASiblingFolder(t *testing.T) {
	w := newTown(t)
	w.write("", "beside", "file")
	t.Chdir(w.path("beside"))
	for _, packed := range []bool{false, true} {
		if packed {
			for _, r := range []string{"home.git", "clone", "borrows"} {
				_, err := gittest.Open(w.path(r)).Git("gc", "--quiet")
				require.NoError(t, err)
			}
		}
		for _, dir := range []string{
			"../home.git", "../clone", "../clone/", "../clone/.git", "../clone/charts", "../clone/charts/bank", "../linked", "../linked/charts",
			"../borrows", "../borrows/charts", "../beside/../clone", w.path("linked"),
		} {
			t.Run(dir, func(t *testing.T) {
				w := *w
				w.t = t
				l, err := local.Find(dir)
				w.reads(l, err)
				l, err = local.OpenWithin("..", dir)
				if strings.Contains(dir, "charts") {
					require.ErrorIs(t, err, object.ErrNoRepository, "a put names the clone itself")
					return
				}
				w.reads(l, err)
			})
		}
	}
	for _, dir := range []string{"../home.git", "../clone", "../linked", "../borrows"} {
		l, err := local.Open(dir)
		w.reads(l, err)
	}
	_, err := local.Open("../clone/charts")
	require.ErrorIs(t, err, object.ErrNoRepository, "an address names the repository itself")
}

func TestFoldersThatAreNotRepositories(t *testing.T) {
	w := newTown(t)
	t.Chdir(w.dir)
	w.write("nonsense", "bad", ".git")
	w.write("gitdir: ../nowhere", "lost", ".git")
	for dir, want := range map[string]string{
		"none":                            "the folder none does not exist",
		"clone/x":                         "clone/x is not a folder",
		"bad":                             "does not say where the repository is",
		"lost":                            "names ../nowhere, which is not a git repository",
		"clone/.git/refs/../objects/pack": "",
	} {
		l, err := local.Find(dir)
		if want == "" {
			require.NoError(t, err, dir)
			require.NoError(t, l.Close())
			continue
		}
		require.ErrorIs(t, err, object.ErrNoRepository, dir)
		require.ErrorContains(t, err, want)
	}
	empty := t.TempDir()
	_, err := local.OpenWithin(empty, empty)
	require.ErrorContains(t, err, "is not a git repository")
	_, err = local.Find(empty)
	require.ErrorContains(t, err, "nor a folder above it is a git repository")
	_, err = local.Open(empty)
	require.ErrorContains(t, err, "is not a git repository")
}

func TestOtherFormatsAreRefusedByName(t *testing.T) {
	w := newTown(t)
	w.git("init", "--quiet", "--object-format=sha256", w.path("long"))
	_, err := local.Open(w.path("long"))
	require.ErrorContains(t, err, "names its objects by sha256; only sha1 is supported")
	_, err = gittest.Open(w.path("clone")).Git("config", "extensions.refStorage", "reftable")
	require.NoError(t, err)
	_, err = local.Open(w.path("clone"))
	require.ErrorContains(t, err, "keeps its refs in the format reftable, which is not supported")
	w.write("[broken", "clone", ".git", "config")
	_, err = local.Open(w.path("clone"))
	require.ErrorContains(t, err, filepath.Join("clone", ".git", "config"))
}

func TestBranchesAreThoseOfTheOrigin(t *testing.T) {
	w := newTown(t)
	clone := gittest.Open(w.path("clone"))
	_, err := clone.Git("commit", "--quiet", "--allow-empty", "-m", "ahead")
	require.NoError(t, err)
	ahead, err := clone.RevParse("main")
	require.NoError(t, err)
	for _, pack := range []bool{false, true} {
		if pack {
			_, err = clone.Git("pack-refs", "--all")
			require.NoError(t, err)
		}
		l, err := local.Find(w.path("clone"))
		require.NoError(t, err)
		found, err := l.Branches()
		require.NoError(t, err)
		assert.Equal(t, map[string]object.Hash{"main": plumbing.NewHash(ahead), "other": w.hash("other")}, found)
		head, err := l.Head()
		require.NoError(t, err)
		assert.Equal(t, "main", head)
		assert.Equal(t, w.path("home.git"), l.Origin())
		assert.False(t, l.IsShallow())
		require.NoError(t, l.Close())
	}
	l, err := local.Find(w.path("linked"))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	head, err := l.Head()
	require.NoError(t, err)
	assert.Empty(t, head, "a commit is checked out by itself")
	assert.Equal(t, w.path("home.git"), l.Origin())
}

func TestTagsArePeeledFromFilesAndFromPackedRefs(t *testing.T) {
	w := newTown(t)
	w.git("tag", "light", "main")
	w.git("tag", "-m", "annotated", "v1", "main")
	w.git("tag", "-m", "of a tag", "v2", "v1")
	want := map[string]object.Hash{"light": w.hash("light"), "v1": w.hash("v1"), "v1^{}": w.tip, "v2": w.hash("v2"), "v2^{}": w.tip}
	for _, pack := range []bool{false, true} {
		if pack {
			w.git("pack-refs", "--all")
		}
		l, err := local.Open(w.path("home.git"))
		require.NoError(t, err)
		all, err := l.AllRefs()
		require.NoError(t, err)
		found := map[string]object.Hash{}
		for name, h := range all {
			if short, ok := strings.CutPrefix(name, "refs/tags/"); ok {
				found[short] = h
			}
		}
		assert.Equal(t, want, found)
		require.NoError(t, l.Close())
	}
}

func TestBorrowedObjects(t *testing.T) {
	w := newTown(t)
	w.git("clone", "--quiet", "--shared", w.path("borrows"), w.path("chain"))
	alternates := []string{"chain", ".git", "objects", "info", "alternates"}
	for _, line := range []string{w.path("borrows", ".git", "objects"), "../../../borrows/.git/objects", `"` + w.path("borrows", ".git", "objects") + `"`} {
		w.write("# a comment\n"+line+"\n", alternates...)
		l, err := local.Find(w.path("chain"))
		w.reads(l, err)
	}
	w.write(w.path("gone")+"\n", alternates...)
	l, err := local.Find(w.path("chain"))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, _, err = l.Read(w.tip)
	require.ErrorIs(t, err, object.ErrNotFound)
	require.ErrorContains(t, err, "borrows objects from "+w.path("gone")+", which does not exist")
}

func TestAPartialCloneSaysWhyAnObjectIsMissing(t *testing.T) {
	w := newTown(t)
	w.git("config", "uploadpack.allowFilter", "true")
	w.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", "file://"+w.path("home.git"), w.path("partial"))
	l, err := local.Find(w.path("partial"))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, _, err = l.Read(w.blob)
	require.ErrorIs(t, err, object.ErrNotFound)
	require.ErrorContains(t, err, "the clone is a partial one")
}

// Nothing that a build has made may lead a put to files outside of the build's folder.
func TestNothingOutsideOfTheFolderIsRead(t *testing.T) {
	for name, lead := range map[string]func(w *town) (out string){
		"a file .git": func(w *town) string {
			w.write("gitdir: ../../clone/.git", "build", "code", ".git")
			return w.path("clone", ".git")
		},
		"an absolute file .git": func(w *town) string {
			w.write("gitdir: "+w.path("clone", ".git"), "build", "code", ".git")
			return w.path("clone", ".git")
		},
		"a link .git": func(w *town) string {
			w.write("", "build", "code", "x")
			require.NoError(w.t, os.Symlink("../../clone/.git", w.path("build", "code", ".git")))
			return filepath.Join("code", ".git")
		},
		"commondir": func(w *town) string {
			w.write("ref: refs/heads/main\n", "build", "code", ".git", "HEAD")
			w.write("../../../clone/.git\n", "build", "code", ".git", "commondir")
			return w.path("clone", ".git")
		},
		"alternates": func(w *town) string {
			w.git("clone", "--quiet", "--shared", w.path("home.git"), w.path("build", "code"))
			return w.path("home.git", "objects")
		},
		"a link to the objects": func(w *town) string {
			w.git("clone", "--quiet", w.path("home.git"), w.path("build", "code"))
			require.NoError(w.t, os.RemoveAll(w.path("build", "code", ".git", "objects")))
			require.NoError(w.t, os.Symlink(w.path("home.git", "objects"), w.path("build", "code", ".git", "objects")))
			return filepath.Join("code", ".git", "objects")
		},
		"a link to packed refs": func(w *town) string {
			w.git("clone", "--quiet", w.path("home.git"), w.path("build", "code"))
			w.git("pack-refs", "--all")
			require.NoError(w.t, os.Remove(w.path("build", "code", ".git", "packed-refs")))
			require.NoError(w.t, os.Symlink("../../../home.git/packed-refs", w.path("build", "code", ".git", "packed-refs")))
			return filepath.Join("code", ".git", "packed-refs")
		},
		"a link to a ref": func(w *town) string {
			w.git("clone", "--quiet", w.path("home.git"), w.path("build", "code"))
			ref := w.path("build", "code", ".git", "refs", "heads", "main")
			require.NoError(w.t, os.Remove(ref))
			require.NoError(w.t, os.Symlink(w.path("home.git", "refs", "heads", "main"), ref))
			return filepath.Join("heads", "main")
		},
		"the folder above": func(w *town) string {
			w.write("", "build", "code", "x")
			w.git("init", "--quiet", w.dir)
			return "is not a git repository"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			require.NoError(t, os.MkdirAll(w.path("build"), 0o755))
			out := lead(w)
			l, err := local.OpenWithin(w.path("build"), w.path("build", "code"))
			if err == nil {
				_, err = l.Refs([]string{"HEAD"})
				require.NoError(t, l.Close())
			}
			require.ErrorContains(t, err, out)
			if name != "the folder above" {
				require.ErrorContains(t, err, "what is outside of it is not read")
				trusted, err := local.Find(w.path("build", "code"))
				w.reads(trusted, err)
			}
		})
	}
}

func TestWhatOtherProcessesPackIsFound(t *testing.T) {
	w := newTown(t)
	l, err := local.Open(w.path("home.git"))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	require.True(t, l.Has(w.tip))
	w.git("gc", "--quiet", "--prune=now") // the files are gone
	_, _, err = l.Read(w.tip)
	require.NoError(t, err)
	_, err = w.home.Commit("main", "three", map[string]string{"z": "z"})
	require.NoError(t, err)
	w.git("gc", "--quiet", "--prune=now") // the pack is gone
	_, _, err = l.Read(w.hash("main"))
	require.NoError(t, err)
	_, _, err = l.Read(w.blob)
	require.NoError(t, err)
}

// FuzzRepository opens what somebody else may have put into the files of a .git.
func FuzzRepository(f *testing.F) {
	const id = "1111111111111111111111111111111111111111"
	f.Add("ref: refs/heads/main\n", "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = \"x\"\n", "# pack-refs with: peeled fully-peeled sorted \n"+id+" refs/heads/main\n^"+id+"\n", "../objects\n", "")
	f.Add(id, "[extensions]\n\tobjectFormat = sha1\n", id+" refs/remotes/origin/x\n", "\"a\\nb\"\n#\n", ".\n")
	f.Add("ref: ref: HEAD", "[remote \"origin", "^x\n"+id, "/", "..")
	f.Fuzz(func(t *testing.T, head, config, packed, alternates, common string) {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "r", ".git", "objects", "info"), 0o755))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "r", ".git", "refs"), 0o755))
		for name, text := range map[string]string{"HEAD": head, "config": config, "packed-refs": packed, "objects/info/alternates": alternates, "commondir": common} {
			if name != "commondir" || common != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "r", ".git", name), []byte(text), 0o644))
			}
		}
		l, err := local.OpenWithin(dir, filepath.Join(dir, "r"))
		if err != nil {
			return
		}
		defer func() { _ = l.Close() }()
		if all, err := l.AllRefs(); err == nil {
			for name, h := range all {
				if name == "" || h.IsZero() {
					t.Fatalf("the ref %q is %s", name, h)
				}
			}
		}
		_, _ = l.Head()
		_, _ = l.Branches()
		_ = l.Has(plumbing.NewHash(id))
	})
}

// A loose object of somebody else is read whole, or is an error.
func FuzzLooseObject(f *testing.F) {
	compressed := func(text string) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		_, err := z.Write([]byte(text))
		require.NoError(f, err)
		require.NoError(f, z.Close())
		return b.Bytes()
	}
	for _, text := range []string{"blob 1\x00x", "blob 2\x00x", "blob 99999999999999999999\x00x", "tree 0\x00", "odd 1\x00x", "blob 1", "blob -1\x00"} {
		f.Add(compressed(text))
	}
	f.Add([]byte("not compressed"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		id := plumbing.NewHash("1111111111111111111111111111111111111111")
		for name, content := range map[string][]byte{"HEAD": []byte("ref: refs/heads/main\n"), "config": nil, "refs/heads/main": []byte(id.String()), "objects/11/" + id.String()[2:]: raw} {
			file := filepath.Join(dir, "r.git", filepath.FromSlash(name))
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, content, 0o644))
		}
		l, err := local.OpenWithin(dir, filepath.Join(dir, "r.git"))
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		kind, content, err := l.Read(id)
		if err == nil && kind == plumbing.InvalidObject {
			t.Fatalf("%q has no kind", content)
		}
	})
}

// A lock that another process has made when ours was renamed is not removed with ours.
func TestALockOfAnotherProcessStays(t *testing.T) {
	w := newTown(t)
	l, err := local.Open(w.path("home.git"))
	require.NoError(t, err)
	const ref = "refs/tags/a"
	lock, stop, done := w.path("home.git", ref+".lock"), make(chan struct{}), make(chan struct{})
	require.NoError(t, l.Push(nil, []object.Update{{Ref: ref, New: w.tip}}))
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				assert.NoError(t, f.Close())
				<-time.After(time.Millisecond)
				assert.NoError(t, os.Remove(lock), "another's lock")
				<-time.After(20 * time.Millisecond) // for ours
			}
		}
	}()
	for range 100 {
		if !assert.NoError(t, l.Push(nil, []object.Update{{Ref: ref, Old: w.tip, New: w.tip}})) {
			break
		}
	}
	close(stop)
	<-done
}
