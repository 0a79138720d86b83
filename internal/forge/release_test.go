package forge

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

func file(t *testing.T, name, content string) Upload {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(p, []byte(content), 0o600))
	return Upload{Name: name, Path: p}
}

func (w *world) head() string {
	w.t.Helper()
	tip, err := w.repo.Git().RevParse("main")
	require.NoError(w.t, err)
	return tip
}

func TestReleaseIsSeenWhenItIsComplete(t *testing.T) {
	w := start(t)
	drafts := 0
	w.server.Inject(github.Fault{Path: "/api/uploads/", Before: func() {
		for _, r := range w.repo.Releases() {
			if r.Draft {
				drafts++
			}
		}
	}})
	spec := ReleaseSpec{Tag: "0.42.0", Commit: w.head(), Title: "0.42.0", Body: "notes\n", Uploads: []Upload{file(t, "cli", "bytes"), file(t, "cli.sha256", "sum")}}
	r, done, err := w.EnsureRelease(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, Outcome{Created: true}, done)
	assert.Equal(t, 2, drafts, "it is a draft until all assets are there")
	assert.False(t, r.Draft)
	assert.Len(t, r.Assets, 2)
	assert.Equal(t, w.server.BaseURL()+"/team/code/releases/tag/0.42.0", r.URL)
	tagged, err := w.repo.Git().RevParse("refs/tags/0.42.0")
	require.NoError(t, err)
	assert.Equal(t, spec.Commit, tagged)

	w.server.Heal()
	w.server.Reset()
	_, done, err = w.EnsureRelease(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, Outcome{}, done)
	assert.Equal(t, []string{"GET /repos/team/code/releases/tags/0.42.0"}, w.requests(), "the same again is one look")

	spec.Body, spec.Uploads[0] = "better notes", file(t, "cli", "other")
	_, done, err = w.EnsureRelease(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, Outcome{Changed: []string{"cli", "body"}}, done)
	all := w.repo.Releases()
	require.Len(t, all, 1)
	assert.Equal(t, github.Release{
		Tag: "0.42.0", Title: "0.42.0", Body: "better notes", Assets: map[string]string{"cli": "other", "cli.sha256": "sum"},
	}, all[0])
}

func TestDraftReleaseIsFoundAndPublished(t *testing.T) {
	w := start(t)
	spec := ReleaseSpec{Tag: "1.0.0", Commit: w.head(), Title: "one", Draft: true}
	_, done, err := w.EnsureRelease(t.Context(), spec)
	require.NoError(t, err)
	assert.True(t, done.Created)
	r, err := w.release(t.Context(), "1.0.0")
	require.NoError(t, err)
	assert.True(t, r.Draft)
	assert.True(t, r.Published.IsZero())

	spec.Draft = false
	r, done, err = w.EnsureRelease(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, Outcome{Changed: []string{"draft"}}, done)
	assert.False(t, r.Published.IsZero())
}

func TestReleaseOfNoCommit(t *testing.T) {
	w := start(t)
	_, _, err := w.EnsureRelease(t.Context(), ReleaseSpec{Tag: "1.0.0", Commit: strings.Repeat("1", 40), Title: "x"})
	require.ErrorIs(t, err, errInvalid)
	assert.Contains(t, err.Error(), "Release target_commitish invalid")
	_, err = w.release(t.Context(), "1.0.0")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestUploadThatBreaks(t *testing.T) {
	for name, fault := range map[string]github.Fault{
		"before": {Path: "/api/uploads/", Status: http.StatusBadGateway, Times: 1},
		"after":  {Path: "/api/uploads/", Lose: true, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.server.Inject(fault)
			_, _, err := w.EnsureRelease(t.Context(), ReleaseSpec{Tag: "1.0.0", Commit: w.head(), Title: "x", Uploads: []Upload{file(t, "cli", "bytes")}})
			require.NoError(t, err)
			assert.Equal(t, map[string]string{"cli": "bytes"}, w.repo.Releases()[0].Assets)
			assert.False(t, w.repo.Releases()[0].Draft)
		})
	}
}

func TestUploadOfNothing(t *testing.T) {
	w := start(t)
	_, _, err := w.EnsureRelease(t.Context(), ReleaseSpec{Tag: "1.0.0", Commit: w.head(), Title: "x", Uploads: []Upload{{Name: "cli", Path: filepath.Join(t.TempDir(), "none")}}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "upload cli to the release of 1.0.0")
}

func TestReleaseWhoseCreationGotLost(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Method: http.MethodPost, Path: "/releases", Lose: true, Times: 1})
	_, _, err := w.EnsureRelease(t.Context(), ReleaseSpec{Tag: "1.0.0", Commit: w.head(), Title: "x"})
	require.NoError(t, err)
	assert.Len(t, w.repo.Releases(), 1)
}

func TestStatuses(t *testing.T) {
	w := start(t)
	commit := w.head()
	require.NoError(t, w.SetStatus(t.Context(), commit, Status{State: Pending, Context: "cache", Description: strings.Repeat("ä", 200), URL: "https://ci.example"}))
	require.NoError(t, w.SetStatus(t.Context(), commit, Status{State: Success, Context: "cache", Description: "done"}))
	history := w.repo.History(commit)
	require.Len(t, history, 2)
	assert.Equal(t, strings.Repeat("ä", 139)+"…", history[0].Description)
	assert.Equal(t, "https://ci.example", history[0].URL)
	assert.Equal(t, github.Status{Context: "cache", State: "success", Description: "done"}, w.repo.Statuses(commit)["cache"])

	require.ErrorContains(t, w.SetStatus(t.Context(), commit, Status{State: "green"}), `"green" is not one of`)
	err := w.SetStatus(t.Context(), strings.Repeat("1", 40), Status{State: Success, Context: "cache"})
	require.ErrorIs(t, err, errInvalid)
	assert.Contains(t, err.Error(), "No commit found for SHA")
}
