package git

import (
	"errors"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func serve(tb testing.TB, o gittest.Options) *gittest.Server {
	tb.Helper()
	s, err := gittest.New(o)
	if errors.Is(err, gittest.ErrNoGit) || errors.Is(err, gittest.ErrNoSSHD) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, s.Close()) })
	return s
}

func served(tb testing.TB, s *gittest.Server) *gittest.Repository {
	tb.Helper()
	r, err := s.Create("team/deployments")
	require.NoError(tb, err)
	return r
}

func open(tb testing.TB, a Access) *Remote {
	tb.Helper()
	if a.Branch == "" {
		a.Branch = "main"
	}
	r, err := Open(a, Options{Logf: tb.Logf})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, r.Close()) })
	return r
}

func openIn(tb testing.TB, r *Remote, dir string) *Store {
	tb.Helper()
	s, err := r.Store(dir)
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, s.Close()) })
	return s
}

// tipOf is the commit that the branch main has, and is readable.
func tipOf(tb testing.TB, r *Remote, s *Store) Hash {
	tb.Helper()
	refs, err := r.Refs(tb.Context(), "refs/heads/main")
	require.NoError(tb, err)
	require.Contains(tb, refs, "refs/heads/main")
	require.NoError(tb, s.Advance(tb.Context(), "refs/heads/main", refs["refs/heads/main"]))
	return refs["refs/heads/main"]
}

// history is a repository with n commits after the first, each changing a file.
func madeHistory(tb testing.TB, r *gittest.Repository, n int) {
	tb.Helper()
	i := r.Import()
	i.Commit("main", "start").Files(map[string]string{"a/one": "1", "a/two": "2", "b/deep/three": "3", "top": "t"})
	for range n {
		i.Commit("main", "go on").Write("counter", plumbing.NewHash("").String()[:1]+string(rune('a'+n%26)))
	}
	require.NoError(tb, i.Done())
}

func TestReadOverHTTP(t *testing.T) {
	server := serve(t, gittest.Options{})
	repo := served(t, server)
	madeHistory(t, repo, 250)
	r := open(t, Access{URI: repo.URL()})
	for _, dir := range []string{"", t.TempDir()} {
		s := openIn(t, r, dir)
		server.Reset()
		tip := tipOf(t, r, s)
		c, err := s.Commit(t.Context(), tip)
		require.NoError(t, err)
		e, err := s.Lookup(t.Context(), c.Tree, "b/deep/three")
		require.NoError(t, err)
		content, err := s.Blob(t.Context(), e.Hash)
		require.NoError(t, err)
		assert.Equal(t, "3", string(content))
		n := 1
		for at := tip; ; n++ {
			parents, err := s.Parents(t.Context(), at)
			require.NoError(t, err)
			if len(parents) == 0 {
				break
			}
			at = parents[0]
		}
		assert.Equal(t, 251, n)
		for _, q := range server.Requests() {
			t.Logf("%s %s %s wants %d haves %d in %d out %d", q.Method, q.Path, q.Command, q.Wants, q.Haves, q.In, q.Out)
		}
	}
}
