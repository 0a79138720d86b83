package board_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// A page is published again when a wait that it shows has ended, and not before, as nothing else has changed.
func TestAPageIsPublishedAgainWhenAWaitEnds(t *testing.T) {
	t.Parallel()
	f := small(t)
	changed := map[string]*gittest.Commit{}
	i := f.repo.Continue("main")
	f.change(i.Commit("main", "feat: more"), "modules/bank/values.yaml", changed)
	f.done(i, changed)
	f.records(0)
	_, err := f.repo.Commit("cepler-gates", "chore: soak", map[string]string{"bank.yml": "r00-qa: {commit: HEAD, soak: 20h}\n"})
	require.NoError(t, err)
	ends := f.board().Until
	require.True(t, ends.After(later().Add(time.Minute)), "the soak ends at %s", ends)
	access := git.Access{URI: f.repo.Dir, Branch: "main"}
	r, err := board.Open(board.Options{Access: access}, "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	for _, look := range []struct {
		at   time.Time
		news bool
	}{{later(), true}, {later().Add(time.Second), false}, {ends.Add(-time.Second), false}, {ends, true}, {ends.Add(time.Second), false}} {
		done, err := r.Publish(t.Context(), board.Place{Ref: "refs/heads/pages", Path: "index.html", Committer: access.Committer(look.at)})
		require.NoError(t, err)
		assert.Equal(t, look.news, done.News, "at %s", look.at)
		assert.Equal(t, 8, done.Environments)
		tip, err := f.repo.RevParse("pages")
		require.NoError(t, err)
		assert.Equal(t, tip, done.Commit.Hash.String())
	}
}

// What stands in the page's place and is not a file stays, and is an error.
func TestAPageReplacesNoFolder(t *testing.T) {
	t.Parallel()
	f := small(t)
	_, err := f.repo.Commit("pages", "docs: a folder", map[string]string{"board/x": "1\n"})
	require.NoError(t, err)
	access := git.Access{URI: f.repo.Dir, Branch: "main"}
	r, err := board.Open(board.Options{Access: access}, "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	_, err = r.Publish(t.Context(), board.Place{Ref: "refs/heads/pages", Path: "board", Committer: access.Committer(later())})
	assert.ErrorContains(t, err, "read board at ")
	assert.ErrorContains(t, err, "is not a file there")
}
