package forge

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

func TestLabelsWithAnyCharacters(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	spec := w.spec()
	spec.Labels = []string{"100%", "what?", "a/b #c", "größer"}
	p, _, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.ElementsMatch(t, spec.Labels, p.Labels)
	_, done, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Empty(t, done.Changed, "a label that is there is found")
	for _, l := range spec.Labels {
		assert.Contains(t, w.repo.Labels(), l)
	}
}

func TestLabelsThatGitHubRefuses(t *testing.T) {
	require.NoError(t, CheckLabels([]string{"galoybot", strings.Repeat("ü", maxLabel)}))
	for want, label := range map[string]string{
		"labels[0]: is empty": " ", "has 51 characters, and GitHub takes no more than 50": strings.Repeat("l", 51), "contains a comma": "a,b",
	} {
		require.ErrorContains(t, CheckLabels([]string{label}), want)
	}
}

// GitHub answers 422 to a longer text, each time.
func TestALongTextIsCutWhereALineEnds(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	spec := w.spec()
	spec.Title = strings.Repeat("ü", 300)
	spec.Body = strings.Repeat("- ein längerer Satz\n", 5_000)
	spec.Foot = "\n<!-- the end -->\n"
	for range 2 {
		p, _, err := w.Ensure(t.Context(), spec)
		require.NoError(t, err)
		assert.LessOrEqual(t, utf8.RuneCountInString(p.Body), maxBody)
		assert.Greater(t, utf8.RuneCountInString(p.Body), maxBody-200, "no more than needed is cut")
		assert.True(t, strings.HasSuffix(p.Body, "- ein längerer Satz\n\n… The rest is left out: GitHub takes no more than 65536 characters here.\n\n<!-- the end -->\n"), p.Body[len(p.Body)-200:])
		assert.Equal(t, maxTitle, utf8.RuneCountInString(p.Title))
	}
	_, done, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Empty(t, done.Changed, "what was cut counts as unchanged")
	require.NoError(t, w.comment(t.Context(), 1, spec.Body))
	assert.Equal(t, "short\nfoot", fit("short\n", "foot", 10))
}

// A null where GitHub has an object is an error of the server's answer.
func TestNullInAnAnswer(t *testing.T) {
	w := start(t)
	w.pull()
	for path, body := range map[string]string{
		"/pulls": "[null]", "/pulls/1": "null", "/files": "[null]", "/repos/team/code": "null", "/releases/tags/x": "null",
	} {
		w.server.Inject(github.Fault{Method: http.MethodGet, Path: path, Status: http.StatusOK, Body: body})
		_, err := w.Pull(t.Context(), "bot", "main")
		if path != "/pulls" {
			_, err = w.PullByNumber(t.Context(), 1)
		}
		switch path {
		case "/files":
			_, err = w.Files(t.Context(), 1)
		case "/repos/team/code":
			_, err = w.usualMethod(t.Context())
		case "/releases/tags/x":
			_, err = w.release(t.Context(), "x")
		}
		require.ErrorIs(t, err, errEmpty, path)
		assert.ErrorContains(t, err, "is api_url the address of GitHub's API?")
		w.server.Heal()
	}
}
