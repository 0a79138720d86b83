package git

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

const mainRef = "refs/heads/main"

// appending gives a change that adds a line to the file "log".
func appending(s *Store, line string) func(context.Context, *Commit) (*Built, error) {
	return func(ctx context.Context, tip *Commit) (*Built, error) {
		spec := NewCommit{
			Committer: Signature{Name: "Writer", Email: "w@example.com", When: time.Unix(1700000000, 0)},
			Message:   "add " + line + "\n", Edits: map[string]Edit{},
		}
		var before []byte
		if tip != nil {
			spec.Parent = tip.Hash
			e, err := s.Lookup(ctx, tip.Tree, "log")
			if err == nil {
				before, err = s.Blob(ctx, e.Hash)
			}
			if err != nil {
				return nil, err
			}
		}
		spec.Edits["log"] = Edit{Content: []byte(string(before) + line + "\n")}
		return s.Build(ctx, spec)
	}
}

func build(tb testing.TB, s *Store, tip Hash, line string) *Built {
	tb.Helper()
	c, err := s.Commit(tb.Context(), tip)
	require.NoError(tb, err)
	b, err := appending(s, line)(tb.Context(), c)
	require.NoError(tb, err)
	return b
}

func logged(tb testing.TB, repo *gittest.Repository) string {
	tb.Helper()
	content, err := repo.Show("main", "log")
	require.NoError(tb, err)
	return content
}

func withLog(tb testing.TB, repo *gittest.Repository) {
	tb.Helper()
	_, err := repo.Commit("main", "start", map[string]string{"log": "start\n", "dir/other": "x"})
	require.NoError(tb, err)
}

func manyWriters(t *testing.T, repo *gittest.Repository, a Access, writers int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			r := open(t, a)
			s := openIn(t, r, "")
			c, err := s.UpdateRef(t.Context(), mainRef, appending(s, fmt.Sprintf("writer %02d", i)))
			if assert.NoError(t, err) {
				assert.NotNil(t, c)
			}
		})
	}
	wg.Wait()
	content := logged(t, repo)
	assert.Equal(t, writers+1, strings.Count(content, "\n"), content)
	for i := range writers {
		assert.Equal(t, 1, strings.Count(content, fmt.Sprintf("writer %02d\n", i)))
	}
	lines, err := repo.Log("%H", "main")
	require.NoError(t, err)
	assert.Len(t, lines, writers+1)
	require.NoError(t, repo.Fsck())
}

func TestManyWritersOverHTTP(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	manyWriters(t, repo, Access{URI: repo.URL()}, gittest.Writers(4, 20)) // twenty-four write in the tests of deployments
}

func TestManyWritersOnOneMachine(t *testing.T) {
	repo := bare(t)
	withLog(t, repo)
	manyWriters(t, repo, Access{URI: repo.Dir}, gittest.Writers(8, 20))
}

func TestPushToMovedBranch(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	for _, uri := range []string{repo.URL(), repo.Dir} {
		r := open(t, Access{URI: uri})
		s := openIn(t, r, "")
		tip := tipOf(t, r, s)
		b := build(t, s, tip, "late")
		_, err := repo.Commit("main", "first", map[string]string{"else": uri})
		require.NoError(t, err)
		err = r.Push(t.Context(), s, b, Update{Ref: mainRef, Old: tip, New: b.Hash})
		require.ErrorIs(t, err, ErrNonFastForward)
		assert.NotContains(t, logged(t, repo), "late")
	}
}

func TestPushRejectedByHook(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	require.NoError(t, repo.Hook("pre-receive", "echo 'main is frozen until Monday'; exit 1"))
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "no"))
	var rejected *Rejected
	require.ErrorAs(t, err, &rejected)
	assert.Equal(t, mainRef, rejected.Ref)
	assert.Contains(t, err.Error(), "main is frozen until Monday")
	assert.Contains(t, err.Error(), "pre-receive hook declined")
}

func TestPushOfWhichTheAnswerIsLost(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: "POST", Lose: true, Times: 1})
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "once"))
	require.NoError(t, err)
	assert.Equal(t, "start\nonce\n", logged(t, repo))

	// The answer is lost, and before one can look someone else has gone on.
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: "POST", Lose: true, Times: 1})
	server.Inject(gittest.Fault{Path: gittest.UploadPack, Times: 1, Before: func() {
		_, err := repo.Commit("main", "someone else", map[string]string{"else": "1"})
		assert.NoError(t, err)
	}})
	_, err = s.UpdateRef(t.Context(), mainRef, appending(s, "twice"))
	require.NoError(t, err)
	assert.Equal(t, "start\nonce\ntwice\n", logged(t, repo))
}

func TestPushOfWhichTheRequestIsLost(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: "POST", Status: 502, Times: 1})
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "later"))
	require.NoError(t, err)
	assert.Equal(t, "start\nlater\n", logged(t, repo))
}

func TestPushBranchAndTagTogether(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	require.NoError(t, repo.UpdateRef("refs/tags/v1", "main"))
	for _, uri := range []string{repo.URL(), repo.Dir} {
		r := open(t, Access{URI: uri})
		s := openIn(t, r, "")
		tip := tipOf(t, r, s)
		b := build(t, s, tip, "release "+uri)
		branch := Update{Ref: mainRef, Old: tip, New: b.Hash}
		err := r.Push(t.Context(), s, b, branch, Update{Ref: "refs/tags/v1", New: b.Hash})
		require.ErrorIs(t, err, ErrNonFastForward, "the tag is there")
		assert.NotContains(t, logged(t, repo), "release "+uri)

		require.NoError(t, r.Push(t.Context(), s, b, branch, Update{Ref: "refs/tags/v2", New: b.Hash}))
		assert.Contains(t, logged(t, repo), "release "+uri)
		require.NoError(t, r.Push(t.Context(), s, b, branch, Update{Ref: "refs/tags/v2", New: b.Hash}), "the same again does no harm")
		require.NoError(t, r.Push(t.Context(), s, nil, Update{Ref: "refs/tags/v2", Old: b.Hash}), "and a ref can be deleted")
		refs, err := r.Refs(t.Context(), mainRef, "refs/tags/v2")
		require.NoError(t, err)
		assert.Equal(t, map[string]Hash{mainRef: b.Hash}, refs)
	}
	require.NoError(t, repo.Fsck())
}

func TestFirstPush(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	refs, err := r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	assert.Empty(t, refs)
	c, err := s.UpdateRef(t.Context(), mainRef, appending(s, "first"))
	require.NoError(t, err)
	assert.Equal(t, "first\n", logged(t, repo))
	again, err := s.UpdateRef(t.Context(), mainRef, func(context.Context, *Commit) (*Built, error) { return nil, nil })
	require.NoError(t, err)
	assert.Equal(t, c.Hash, again.Hash)
}

// Over HTTP a push begins with the look at the refs.
func TestALookForAPushIsItsBeginning(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	update := func(line string, build func(*Commit)) string {
		server.Reset()
		s := openIn(t, open(t, Access{URI: repo.URL()}), "")
		_, err := s.UpdateRef(t.Context(), mainRef, func(ctx context.Context, tip *Commit) (*Built, error) {
			build(tip)
			return appending(s, line)(ctx, tip)
		})
		require.NoError(t, err)
		var made []string
		for _, r := range server.Requests() {
			made = append(made, strings.TrimPrefix(r.Method+" "+r.Service+" "+r.Command, "POST git-upload-pack "))
		}
		return strings.Join(made, ", ")
	}
	const look, push = "GET git-receive-pack , ", "POST git-receive-pack "
	assert.Equal(t, look+"fetch, fetch, "+push, update("one", func(*Commit) {}))

	tries := 0
	assert.Equal(t, look+"fetch, fetch, "+push+", ls-refs, "+look+"fetch, "+push, update("two", func(*Commit) {
		tries++
		if tries == 1 {
			_, err := repo.Commit("main", "faster", map[string]string{"else": "1"})
			require.NoError(t, err)
		}
	}), "someone else was faster")
	assert.Equal(t, "start\none\ntwo\n", logged(t, repo))
}

// Who may not push is told so when there is something to push, and not before.
func TestALookForAPushByAReader(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	server.Inject(gittest.Fault{Path: gittest.ReceivePack, Status: http.StatusForbidden})
	s := openIn(t, open(t, Access{URI: repo.URL()}), "")
	tip, err := s.UpdateRef(t.Context(), mainRef, func(context.Context, *Commit) (*Built, error) { return nil, nil })
	require.NoError(t, err)
	assert.Equal(t, "start", tip.Message)
	_, err = s.UpdateRef(t.Context(), mainRef, appending(s, "no"))
	require.ErrorIs(t, err, object.ErrForbidden)
}

// A push does not go on with a look that is older than what its update is based on.
func TestALookForAPushThatIsTooOld(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	withLog(t, repo)
	r := open(t, Access{URI: repo.URL()})
	s := openIn(t, r, "")
	r.ExpectPush()
	_, err := r.Refs(t.Context(), mainRef)
	require.NoError(t, err)
	_, err = repo.Commit("main", "faster", map[string]string{"else": "1"})
	require.NoError(t, err)
	tip := tipOf(t, r, s)
	b := build(t, s, tip, "late")
	require.NoError(t, r.Push(t.Context(), s, b, Update{Ref: mainRef, Old: tip, New: b.Hash}))
	assert.Equal(t, "start\nlate\n", logged(t, repo))
}
