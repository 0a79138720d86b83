package board_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

func environments(b *board.Board) map[string]board.Environment {
	all := map[string]board.Environment{}
	for _, d := range b.Deployments {
		for _, e := range d.Environments {
			all[e.Name] = e
		}
	}
	return all
}

// The board says of each environment how it is, what holds it and who moved its gate.
func TestHowEnvironmentsAre(t *testing.T) {
	t.Parallel()
	b := small(t).board()
	all := environments(b)
	require.Len(t, all, 8)
	for name, want := range map[string]string{
		"r00-staging": "up to date", "r00-preprod": "needs approval", "r00-production": "waits for r00-preprod", "r01-staging": "up to date",
		"r01-production": "held after rollback",
	} {
		assert.Equal(t, want, all[name].Status().Text, "%s: %q %q", name, all[name].Waits, all[name].AllBroken())
	}
	assert.Equal(t, "taxiway gate approve bank/r00-preprod --deployments .", all["r00-preprod"].Command())
	assert.Equal(t, "taxiway gate resume bank/r01-production --deployments .", all["r01-production"].Command())
	assert.Equal(t, board.GateFrozen, all["r01-preprod"].Gate.State, "though nothing is pending")
	require.NotNil(t, all["r00-production"].Gate.Moved)
	assert.Equal(t, hostileName, all["r00-production"].Gate.Moved.By)
	require.NotNil(t, all["r01-production"].Rollback)
	assert.EqualValues(t, 2, all["r01-production"].Rollback.Of)
	assert.NotNil(t, all["r01-production"].Behind)
	assert.NotEmpty(t, all["r01-production"].Ahead())
}

// An environment without a line in the gates file gets nothing, and a person has to add it.
func TestAnEnvironmentWithoutALineIsClosed(t *testing.T) {
	t.Parallel()
	f := small(t)
	gates := f.repo.Continue("cepler-gates")
	gates.Commit("cepler-gates", "chore: fewer gates").Write("bank.yml", "r01-staging: HEAD\n")
	require.NoError(t, gates.Done())
	e := environments(f.board())["r00-preprod"]
	assert.Equal(t, board.GateClosed, e.Gate.State)
	assert.Equal(t, "taxiway gate open bank/r00-preprod --deployments .", e.Command())
}

// The history has every record with what it replaced, its build, and rollbacks.
func TestHistoryOfRecords(t *testing.T) {
	t.Parallel()
	f := small(t)
	h := f.board().History
	want, err := f.repo.Log("%H", "main", "--", ".cepler")
	require.NoError(t, err)
	assert.Equal(t, len(want), h.Total)
	require.Len(t, h.Records, h.Total)
	newest := h.Records[0]
	assert.Equal(t, "bank/r01-production", newest.Environment)
	assert.EqualValues(t, 3, newest.Number)
	assert.EqualValues(t, 2, newest.RollbackOf)
	assert.NotEqual(t, newest.From.Hash, newest.To.Hash)
	assert.Equal(t, 1, h.Keys.Rollbacks)
	for i := 1; i < len(h.Records); i++ {
		assert.False(t, h.Records[i].When.After(h.Records[i-1].When), "the newest first")
	}
	first := h.Records[len(h.Records)-1]
	assert.Empty(t, first.From.Hash, "nothing was there before")
	assert.EqualValues(t, 1, first.Number)
}

// What comes from the repository is text on the page, and nothing else.
func TestHostileTextIsText(t *testing.T) {
	t.Parallel()
	f := small(t)
	page, err := f.board().Page()
	require.NoError(t, err)
	text := string(page)
	for _, acting := range []string{"<script>alert", "</style><script>", "\x1b", "\a", "\u202e", "href=\"javascript", "onmouseover=\""} {
		assert.NotContains(t, text, acting)
	}
	assert.Contains(t, text, `\u202e`, "a character that turns text around is seen")
	assert.Contains(t, text, "&amp;lt;", "what looks escaped is text too")
	assert.NotContains(t, text, strings.Repeat("long ", 200), "a subject of 10,000 characters is cut")
	scripts, ids := 0, map[string]int{}
	attribute := regexp.MustCompile(`([a-zA-Z:-]+)="([^"]*)"`)
	for _, tag := range regexp.MustCompile(`<([a-z0-9]+)((?:\s+[a-zA-Z:-]+(?:="[^"]*")?)*)\s*/?>`).FindAllStringSubmatch(text, -1) {
		if tag[1] == "script" {
			scripts++
		}
		for _, a := range attribute.FindAllStringSubmatch(tag[2], -1) {
			assert.False(t, strings.HasPrefix(a[1], "on"), "%s has the handler %s", tag[1], a[1])
			assert.NotEqual(t, "style", a[1], "the policy forbids styles of elements")
			switch a[1] {
			case "id":
				ids[a[2]]++
			case "href", "src":
				assert.Regexp(t, `^(https?:|#|data:,$|$)`, a[2])
			}
		}
	}
	assert.Equal(t, 2, scripts, "the facts and the page's own script")
	for id, n := range ids {
		assert.Equal(t, 1, n, "the name %s is there once", id)
	}
}

// The page needs nothing besides, says so to the browser, and is the same for the same board.
func TestThePageNeedsNothingBesides(t *testing.T) {
	t.Parallel()
	f := small(t)
	b := f.board()
	page, err := b.Page()
	require.NoError(t, err)
	again, err := f.board().Page()
	require.NoError(t, err)
	assert.Equal(t, string(page), string(again))
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(string(page))
	require.NotNil(t, policy)
	assert.Regexp(t, `^default-src &#39;none&#39;; style-src &#39;sha256-\S+&#39;; script-src &#39;sha256-\S+&#39;; `, policy[1])
	assert.NotContains(t, policy[1], "unsafe")
	assert.NotRegexp(t, `(src|href)="(https?:)?//[^"]*\.(js|css|png|woff2?)"`, string(page))
}

// A hundred environments stay below 300 kB, with the history cut, which the page says.
func TestSizeOfAHundredEnvironments(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 25, 1700)
	b := f.board()
	page, err := b.Page()
	require.NoError(t, err)
	assert.Less(t, len(page), 300_000)
	assert.Len(t, environments(b), 100)
	assert.Len(t, b.History.Records, 100)
	assert.Greater(t, b.History.Total, 100)
	assert.Contains(t, string(page), "The newest 100 of ")
	for _, name := range f.environments() {
		assert.Contains(t, string(page), `id="e-bank/`+name+`"`)
	}
}

// Times are told in words that a person uses.
func TestNothingWasRecordedYet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, 1)
	b := f.board()
	assert.Zero(t, b.History.Total)
	all := environments(b)
	assert.Equal(t, "deploys next", all["r00-staging"].Status().Text)
	assert.Equal(t, "waits for r00-staging", all["r00-qa"].Status().Text)
	page, err := b.Page()
	require.NoError(t, err)
	assert.Contains(t, string(page), "Nothing was recorded yet.")
}

// Two configs may have one deployment name: with states in folders of their own, or by mistake in one. Each environment is shown
// once, below its own config.
func TestTwoConfigsOfOneDeploymentName(t *testing.T) {
	t.Parallel()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: x", map[string]string{
		"a/cepler.yml": "deployment: shop\nenvironments:\n  staging:\n    latest: [x/*]\n  production:\n    passed: staging\n    propagated: [x/*]\n",
		"b/cepler.yml": "deployment: shop\nenvironments:\n  staging:\n    latest: [x/*]\n",
		"x/x":          "1",
	})
	require.NoError(t, err)
	open := func() *board.Board {
		r, err := board.Open(board.Options{Options: lineage.Options{Deployments: repo.Dir}}, "")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		refs, err := r.Refs(t.Context())
		require.NoError(t, err)
		b, err := r.Board(t.Context(), refs, time.Now())
		require.NoError(t, err)
		return b
	}
	var keys []string
	b := open()
	for _, d := range b.Deployments {
		for _, e := range d.Environments {
			assert.Equal(t, d.Name, e.Deployment)
			keys = append(keys, e.Key())
		}
	}
	assert.Equal(t, []string{"shop@a/cepler.yml/staging", "shop@a/cepler.yml/production", "shop@b/cepler.yml/staging"}, keys)
	assert.Empty(t, b.Trace.NotAsked, "their states are in folders of their own")

	_, err = repo.Commit("main", "feat: y", map[string]string{"a/cepler/more.yml": "deployment: shop\nenvironments: {qa: {latest: [x/*]}}\n", "a/cepler/most.yml": "deployment: shop\nenvironments: {qa: {latest: [x/*]}}\n"})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(open().Trace.NotAsked, "\n"),
		"a/cepler/more.yml and a/cepler/most.yml both keep the state of qa in a/cepler/.cepler/shop/qa.state, so that what each of them shows may be the other's: give one of the configs another deployment name")
}
