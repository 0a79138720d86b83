package memo_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/memo"
)

// world is a served repository with checks that answer the commit of branch main.
type world struct {
	t      *testing.T
	server *gittest.Server
	repo   *gittest.Repository
	kind   string
	now    time.Time
	until  time.Time
	logged []string
	worked int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	server, err := gittest.New(gittest.Options{})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	repo, err := server.Create("charts")
	require.NoError(t, err)
	return &world{t: t, server: server, repo: repo, kind: "sample", now: time.Unix(1000, 0)}
}

func (w *world) commit(content string) string {
	w.t.Helper()
	h, err := w.repo.Commit("main", "to "+content, map[string]string{"file": content})
	require.NoError(w.t, err)
	return h
}

func (w *world) check(parts ...any) []string {
	w.t.Helper()
	w.logged, w.worked = nil, 0
	remote, err := git.Open(git.Access{URI: w.repo.URL(), Branch: "main"}, git.Options{Logf: w.t.Logf})
	require.NoError(w.t, err)
	defer func() { assert.NoError(w.t, remote.Close()) }()
	q := memo.Question{Kind: w.kind, Branch: "main", Refs: []string{"refs/heads/main"}, Parts: parts, Logf: func(format string, _ ...any) {
		w.logged = append(w.logged, format)
	}}
	answer, err := memo.Check(w.t.Context(), remote, q, w.now, func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (memo.Answer[string], error) {
		w.worked++
		tip := refs["refs/heads/main"]
		if err := store.Advance(ctx, "refs/heads/main", tip); err != nil {
			return memo.Answer[string]{}, err
		}
		c, err := store.Commit(ctx, tip)
		if err != nil {
			return memo.Answer[string]{}, err
		}
		out := memo.Answer[string]{Versions: []string{c.Hash.String()}, Notes: []string{"a note"}, Until: w.until}
		for h, err := range store.Log(ctx, git.Range{From: []git.Hash{tip}, Paths: git.OnlyPath("file")}) {
			if err != nil {
				return out, err
			}
			out.Versions = append(out.Versions, h.Message)
		}
		return out, nil
	})
	require.NoError(w.t, err)
	assert.Equal(w.t, []string{"a note"}, answer.Notes)
	return answer.Versions
}

// file is the one file or folder of the memory with a name.
func (w *world) file(name string) string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(os.TempDir(), "taxiway-"+w.kind+"-*", name))
	require.NoError(w.t, err)
	require.Len(w.t, found, 1)
	return found[0]
}

// cost is the number of requests since the last look, and the bytes of their answers.
func (w *world) cost() (requests int, out int64) {
	for _, r := range w.server.Requests() {
		requests++
		out += r.Out
	}
	w.server.Reset()
	return requests, out
}

func TestAnAnswerBelongsToItsQuestionAndRefs(t *testing.T) {
	w := newWorld(t)
	h := w.commit("1")
	want := []string{h, "to 1"}
	assert.Equal(t, want, w.check("a"))
	assert.Equal(t, 1, w.worked)
	w.cost()
	assert.Equal(t, want, w.check("a"))
	assert.Zero(t, w.worked)
	requests, _ := w.cost()
	assert.Equal(t, 1, requests)
	assert.Equal(t, want, w.check("b"))
	assert.Equal(t, 1, w.worked, "another question")
	requests, _ = w.cost()
	assert.Equal(t, 1, requests, "its objects are here")

	h = w.commit("2")
	assert.Equal(t, []string{h, "to 2", "to 1"}, w.check("b"))
	assert.Equal(t, 1, w.worked)
	assert.Empty(t, w.logged)
	assert.NoFileExists(t, w.file("answer")+".new")
}

func TestAnAnswerHoldsUntilItsTime(t *testing.T) {
	w := newWorld(t)
	w.commit("1")
	w.until = w.now.Add(time.Hour)
	w.check()
	w.check()
	assert.Zero(t, w.worked)
	w.now = w.until
	w.check()
	assert.Equal(t, 1, w.worked)
}

// One changed byte anywhere in the file is as good as no file.
func TestAFlippedDigitIsAMiss(t *testing.T) {
	w := newWorld(t)
	h := w.commit("1")
	w.check()
	good, err := os.ReadFile(w.file("answer"))
	require.NoError(t, err)
	at := strings.Index(string(good), h)
	require.Positive(t, at)
	for _, i := range []int{at, at + 39, 0, 63, 64, len(good) - 1} {
		bad := slices.Clone(good)
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(w.file("answer"), bad, 0o600))
		assert.Equal(t, []string{h, "to 1"}, w.check())
		assert.Equal(t, 1, w.worked, "byte %d", i)
		again, err := os.ReadFile(w.file("answer"))
		require.NoError(t, err)
		assert.Equal(t, string(good), string(again))
	}
	for _, text := range []string{"", "null", string(good[:len(good)-3]), string(good) + " "} {
		require.NoError(t, os.WriteFile(w.file("answer"), []byte(text), 0o600))
		w.check()
		assert.Equal(t, 1, w.worked, text)
	}
}

// Whatever stands in the place of the memory's files is replaced, and the next check finds it warm.
func TestTheMemoryIsBuiltAgain(t *testing.T) {
	folder := func(path string) error { return os.MkdirAll(filepath.Join(path, "in", "it"), 0o700) }
	file := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	for _, c := range []struct {
		name string
		put  func(path string) error
	}{
		{"answer", folder},
		{"lock", folder},
		{"objects", file},
		{"objects/state", folder},
		{"objects/state", file},
		{"objects/000001.pack", file},
		{"objects/000001.idx", folder},
		{".", file},
	} {
		w := newWorld(t)
		h := w.commit("1")
		w.check()
		path := filepath.Join(filepath.Dir(w.file("answer")), c.name)
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, c.put(path))
		h2 := w.commit("2")
		require.NotEqual(t, h, h2)
		assert.Equal(t, []string{h2, "to 2", "to 1"}, w.check(), c.name)
		w.check()
		assert.Zero(t, w.worked, c.name)
		h3 := w.commit("3")
		assert.Equal(t, []string{h3, "to 3", "to 2", "to 1"}, w.check(), c.name)
		assert.Empty(t, w.logged, c.name)
	}
}

func TestACheckBesideAnotherUsesNoMemory(t *testing.T) {
	w := newWorld(t)
	h := w.commit("1")
	w.check()
	other := flock.New(w.file("lock"))
	locked, err := other.TryLock()
	require.NoError(t, err)
	require.True(t, locked)
	assert.Equal(t, []string{h, "to 1"}, w.check())
	assert.Equal(t, []string{"checking without a cache: %v"}, w.logged)
	assert.Equal(t, 1, w.worked)
	require.NoError(t, other.Close())
	w.check()
	assert.Zero(t, w.worked)
}

func TestAFolderThatCannotBeMadeFailsNoCheck(t *testing.T) {
	w := newWorld(t)
	h := w.commit("1")
	place := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(place, nil, 0o600))
	t.Setenv("TMPDIR", filepath.Join(place, "below"))
	assert.Equal(t, []string{h, "to 1"}, w.check())
	assert.Equal(t, []string{"checking without a cache: %v"}, w.logged)
}

// After a commit, a check fetches that commit and not the files it has.
func TestWhatIsHereIsNotFetchedAgain(t *testing.T) {
	w := newWorld(t)
	im := w.repo.Import()
	for i := range 300 {
		c := im.Commit("main", "a commit")
		c.Write("file", strings.Repeat("x", i))
		c.Write("dir/other", strings.Repeat("y", i))
	}
	require.NoError(t, im.Done())
	w.check()
	cold, coldBytes := w.cost()
	w.commit("new")
	assert.Len(t, w.check(), 302)
	warm, warmBytes := w.cost()
	t.Logf("cold: %d requests, %d bytes; after one commit: %d requests, %d bytes", cold, coldBytes, warm, warmBytes)
	assert.LessOrEqual(t, warm, 3) // refs, what the server can do, one pack
	assert.Less(t, warmBytes, int64(2048))
}
