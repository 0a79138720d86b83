package github

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func serve(t *testing.T, o Options) (*Server, *Repository) {
	t.Helper()
	git, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	_, err = git.Create("team/code")
	require.NoError(t, err)
	o.Git = git
	s := New(o)
	t.Cleanup(s.Close)
	r := s.Repository("team/code")
	_, err = r.Push("main", "ann", "start", map[string]string{"a": "1\n"})
	require.NoError(t, err)
	return s, r
}

// open makes a branch with two commits and its pull request.
func open(t *testing.T, r *Repository, branch string) int {
	t.Helper()
	tip, err := r.Git().RevParse("main")
	require.NoError(t, err)
	require.NoError(t, r.Git().UpdateRef("refs/heads/"+branch, tip))
	for _, n := range []string{"one", "two"} {
		_, err = r.Push(branch, "bob", n, map[string]string{branch + "/" + n: n})
		require.NoError(t, err)
	}
	number, err := r.Open(branch, "main", "title of "+branch, "bob")
	require.NoError(t, err)
	return number
}

func TestMergesAreReal(t *testing.T) {
	for method, want := range map[string][]string{
		"merge":  {"Merge pull request #1 from team/topic", "two", "one", "meanwhile", "start"},
		"squash": {"title of topic (#1)", "meanwhile", "start"},
		"rebase": {"two", "one", "meanwhile", "start"},
	} {
		t.Run(method, func(t *testing.T) {
			_, r := serve(t, Options{})
			number := open(t, r, "topic")
			_, err := r.Push("main", "ann", "meanwhile", map[string]string{"a": "2\n"})
			require.NoError(t, err)
			commit, err := r.Merge(number, method, "ann")
			require.NoError(t, err)
			tip, err := r.Git().RevParse("main")
			require.NoError(t, err)
			assert.Equal(t, tip, commit)
			log, err := r.Git().Log("%s", "--topo-order", "main")
			require.NoError(t, err)
			assert.ElementsMatch(t, want, log)
			assert.Equal(t, want[0], log[0])
			files, err := r.Git().Files("main")
			require.NoError(t, err)
			assert.Equal(t, []string{"100644 a", "100644 topic/one", "100644 topic/two"}, files)
			require.NoError(t, r.Git().Fsck())
			_, err = r.Merge(number, method, "ann")
			require.ErrorContains(t, err, "Pull Request is not mergeable")
		})
	}
}

func TestConflictIsNotMerged(t *testing.T) {
	_, r := serve(t, Options{})
	number := open(t, r, "topic")
	_, err := r.Push("topic", "bob", "mine", map[string]string{"a": "mine\n"})
	require.NoError(t, err)
	_, err = r.Push("main", "ann", "ours", map[string]string{"a": "ours\n"})
	require.NoError(t, err)
	_, err = r.Merge(number, "merge", "ann")
	require.ErrorContains(t, err, "pull request 1 of team/code: Pull Request is not mergeable")
}

func TestPushesAreNoticed(t *testing.T) {
	_, r := serve(t, Options{})
	byHand, deleted, reset := open(t, r, "by-hand"), open(t, r, "deleted"), open(t, r, "reset")
	require.NoError(t, r.Git().UpdateRef("refs/heads/reset", "refs/heads/main"))
	require.NoError(t, r.Git().UpdateRef("refs/heads/main", "refs/heads/by-hand"))
	require.NoError(t, r.Git().UpdateRef("refs/heads/deleted", ""))
	p, err := r.Pull(byHand)
	require.NoError(t, err)
	assert.True(t, p.Merged, "its commits are on main")
	for _, number := range []int{deleted, reset} {
		p, err = r.Pull(number)
		require.NoError(t, err)
		assert.False(t, p.Open || p.Merged, number)
	}
}

func TestRulesHold(t *testing.T) {
	_, r := serve(t, Options{})
	r.Set(func(s *Settings) { s.RequiredApprovals, s.DeleteBranches, s.AllowSquash = 1, true, false })
	number := open(t, r, "topic")
	_, err := r.Merge(number, "merge", "ann")
	require.ErrorContains(t, err, "approving review is required")
	require.NoError(t, r.Approve(number, "ann"))
	_, err = r.Merge(number, "squash", "ann")
	require.ErrorContains(t, err, "not allowed")
	_, err = r.Merge(number, "merge", "ann")
	require.NoError(t, err)
	assert.Empty(t, r.branch("topic"))
	p, err := r.Pull(number)
	require.NoError(t, err)
	assert.Equal(t, []string{"topic/one", "topic/two"}, p.Files)
}

func get(t *testing.T, s *Server, path string) (status int, body string, header http.Header) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.APIURL()+path, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(q)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text), response.Header
}

func TestPagesAreLinked(t *testing.T) {
	s, r := serve(t, Options{})
	for i := range 5 {
		open(t, r, fmt.Sprint("b", i))
	}
	_, body, header := get(t, s, "/repos/team/code/pulls?per_page=2&page=2")
	assert.Equal(t, 2, strings.Count(body, `"node_id"`))
	at := s.APIURL() + "/repos/team/code/pulls?page=%d&per_page=2"
	want := fmt.Sprintf(`<`+at+`>; rel="prev", <`+at+`>; rel="first", <`+at+`>; rel="next", <`+at+`>; rel="last"`, 1, 1, 3, 3)
	assert.Equal(t, want, header.Get("Link"))
	assert.Equal(t, "5000", header.Get("X-Ratelimit-Limit"))
	assert.NotEmpty(t, header.Get("X-Ratelimit-Reset"))
}

func TestWhatIsUnknownIsNotFound(t *testing.T) {
	s, _ := serve(t, Options{})
	for _, path := range []string{"/repos/team/other", "/repos/team/code/pulls/7", "/repos/team/code/pulls/x", "/repos/team/code/releases/tags/1", "/teapot"} {
		status, body, _ := get(t, s, path)
		assert.Equal(t, http.StatusNotFound, status, path)
		assert.JSONEq(t, `{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}`, body, path)
	}
}

func TestTokensAreWanted(t *testing.T) {
	s, _ := serve(t, Options{Tokens: []string{"right"}})
	status, body, _ := get(t, s, "/repos/team/code")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, body, "Requires authentication")
}
