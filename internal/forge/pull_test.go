package forge

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

func TestPullIsOpenedOnceAndChangedInPlace(t *testing.T) {
	w := start(t)
	first := w.pull()
	assert.Equal(t, 1, first.Number)
	assert.Equal(t, []string{"galoybot"}, first.Labels)
	assert.Contains(t, w.repo.Labels(), "galoybot", "a missing label is created")
	assert.Equal(t, w.server.BaseURL()+"/team/code/pull/1", first.URL)

	require.NoError(t, w.repo.Approve(1, "ann"))
	require.NoError(t, w.repo.Label(1, "urgent"))
	for i := range 10 {
		commit := w.branch("bot", fmt.Sprint(i))
		spec := w.spec()
		spec.Title, spec.Body = fmt.Sprintf("bump %d", i), fmt.Sprintf("body %d", i)
		p, done, err := w.Ensure(t.Context(), spec)
		require.NoError(t, err)
		assert.Equal(t, Outcome{Changed: []string{"title", "body"}}, done)
		assert.Equal(t, 1, p.Number)
		assert.Equal(t, commit, p.HeadCommit)
	}
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.Equal(t, "bump 9", seen.Title)
	assert.Equal(t, []string{"galoybot", "urgent"}, seen.Labels)
	assert.Equal(t, []string{"ann"}, seen.Approvals)
	assert.NotContains(t, seen.Events, "closed")
}

func TestPullAsSpecifiedIsLeftAlone(t *testing.T) {
	w := start(t)
	w.pull()
	w.server.Reset()
	_, done, err := w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	assert.Equal(t, Outcome{}, done)
	assert.Equal(t, []string{"GET /repos/team/code/pulls"}, w.requests())
}

func TestLabelsDoNotDifferInCase(t *testing.T) {
	w := start(t)
	w.pull()
	spec := w.spec()
	spec.Labels = []string{"GaloyBot", "Bug"}
	p, done, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, []string{"labels"}, done.Changed)
	assert.Equal(t, []string{"galoybot", "bug"}, p.Labels)
}

func TestBaseOfAnOpenPullChanges(t *testing.T) {
	w := start(t)
	w.pull()
	_, err := w.repo.Push("next", "ann", "next", map[string]string{"next": ""})
	require.NoError(t, err)
	spec := w.spec()
	spec.Base = "next"
	p, done, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, []string{"base"}, done.Changed)
	assert.Equal(t, "next", p.Base)
	_, err = w.Pull(t.Context(), "bot", "main")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestDraftState(t *testing.T) {
	w := start(t)
	spec := w.spec()
	spec.Draft = true
	w.branch("bot", "one")
	p, _, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.True(t, p.Draft)

	require.NoError(t, w.repo.Ready(1))
	spec.KeepDraft = true
	p, done, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.False(t, p.Draft, "a person's choice is kept")
	assert.Empty(t, done.Changed)

	spec.KeepDraft = false
	p, done, err = w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.True(t, p.Draft)
	assert.Equal(t, []string{"draft"}, done.Changed)

	spec.Draft = false
	_, done, err = w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Equal(t, []string{"draft"}, done.Changed)
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.False(t, seen.Draft)
}

func TestPlanWithoutDrafts(t *testing.T) {
	w := start(t)
	w.repo.Set(func(s *github.Settings) { s.NoDrafts = true })
	spec := w.spec()
	spec.Draft, spec.KeepDraft = true, true
	w.branch("bot", "one")
	p, _, err := w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.False(t, p.Draft)
	assert.Contains(t, w.logged(), "has no draft pull requests")
}

func TestPullWithoutItsBranch(t *testing.T) {
	w := start(t)
	_, _, err := w.Ensure(t.Context(), w.spec())
	require.ErrorIs(t, err, errInvalid)
	assert.Contains(t, err.Error(), "open a pull request from bot into main of team/code")
	assert.Contains(t, err.Error(), "PullRequest head invalid")

	w.branch("bot", "one")
	spec := w.spec()
	spec.Base = "nowhere"
	_, _, err = w.Ensure(t.Context(), spec)
	require.ErrorIs(t, err, errInvalid)
	assert.Contains(t, err.Error(), "PullRequest base invalid")

	require.NoError(t, w.repo.Git().UpdateRef("refs/heads/bot", "refs/heads/main"))
	_, _, err = w.Ensure(t.Context(), w.spec())
	require.ErrorIs(t, err, errInvalid)
	assert.Contains(t, err.Error(), "No commits between main and bot")
}

func TestCloseSaysWhy(t *testing.T) {
	w := start(t)
	w.pull()
	require.NoError(t, w.Close(t.Context(), 1, "main has it already"))
	require.NoError(t, w.Close(t.Context(), 1, "said twice"))
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.False(t, seen.Open)
	assert.False(t, seen.Merged)
	assert.Equal(t, []string{"main has it already"}, seen.Comments)

	w.branch("bot", "two")
	p, done, err := w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	assert.True(t, done.Created, "a closed one is not used again")
	assert.Equal(t, 2, p.Number)
}

func TestFilesOfAPull(t *testing.T) {
	w := start(t)
	i := w.repo.Git().Import()
	base := i.Commit("main", "base").Files(map[string]string{"old.txt": "a long enough text\nto be found again\n"})
	i.Commit("bot", "much").From(base).Delete("old.txt").Files(map[string]string{"new.txt": "a long enough text\nto be found again\n", "CHANGELOG.md": "x\n"}).Delete("src/main.rs")
	require.NoError(t, i.Done())
	_, _, err := w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	files, err := w.Files(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"CHANGELOG.md", "new.txt", "old.txt", "src/main.rs"}, files)

	_, err = w.repo.Merge(1, "squash", "ann")
	require.NoError(t, err)
	after, err := w.Files(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, files, after, "a merged one still tells")
}

func TestFilesOverSeveralPages(t *testing.T) {
	w := start(t)
	many := map[string]string{}
	for i := range 250 {
		many[fmt.Sprintf("f/%03d", i)] = fmt.Sprint(i)
	}
	_, err := w.repo.Push("bot", "bot", "much", map[string]string{})
	require.NoError(t, err)
	require.NoError(t, w.repo.Git().UpdateRef("refs/heads/bot", "refs/heads/main"))
	_, err = w.repo.Push("bot", "bot", "much", many)
	require.NoError(t, err)
	_, _, err = w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	w.server.Reset()
	files, err := w.Files(t.Context(), 1)
	require.NoError(t, err)
	assert.Len(t, files, 250)
	assert.Len(t, w.requests(), 3)
}

func TestMergedOldestFirstAndNoFurtherBackThanAsked(t *testing.T) {
	w := start(t)
	const all = 13
	w.perPage = 10
	var times []time.Time
	for i := range all {
		w.branch("bot", fmt.Sprint(i))
		p, _, err := w.Ensure(t.Context(), w.spec())
		require.NoError(t, err)
		commit, err := w.repo.Merge(p.Number, "merge", "ann")
		require.NoError(t, err)
		seen, err := w.repo.Pull(p.Number)
		require.NoError(t, err)
		require.Equal(t, commit, seen.MergeCommit)
		times = append(times, seen.MergedAt)
	}
	// these are no versions: closed, of another branch, into another branch
	w.branch("bot", "closed")
	p, _, err := w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	require.NoError(t, w.repo.ClosePull(p.Number))
	w.branch("other", "other")
	other, err := w.repo.Open("other", "main", "other", "ann")
	require.NoError(t, err)
	_, err = w.repo.Merge(other, "merge", "ann")
	require.NoError(t, err)

	w.server.Reset()
	pulls, err := w.Merged(t.Context(), "main", "bot", times[all-3])
	require.NoError(t, err)
	require.Len(t, pulls, 3)
	assert.Equal(t, []int{all - 2, all - 1, all}, []int{pulls[0].Number, pulls[1].Number, pulls[2].Number})
	assert.True(t, pulls[0].MergedAt.Equal(times[all-3]))
	assert.NotEmpty(t, pulls[0].MergeCommit)
	assert.Len(t, w.requests(), 1, "one page is enough")

	pulls, err = w.Merged(t.Context(), "main", "bot", time.Time{})
	require.NoError(t, err)
	require.Len(t, pulls, all)
	assert.Equal(t, 1, pulls[0].Number)
}

func TestOpenPulls(t *testing.T) {
	w := start(t)
	for i := range 33 {
		name := fmt.Sprintf("b%02d", i)
		w.branch(name, name)
		_, err := w.repo.Open(name, "main", name, "ann")
		require.NoError(t, err)
	}
	require.NoError(t, w.repo.ClosePull(7))
	open, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	require.Len(t, open, 32)
	assert.Equal(t, 1, open[0].Number)
	assert.Equal(t, 33, open[31].Number)
}

func TestAutoMergeWaitsForTheRules(t *testing.T) {
	w := start(t)
	w.repo.Set(func(s *github.Settings) { s.AllowAutoMerge, s.RequiredChecks = true, []string{"ci"} })
	p := w.pull()
	require.NoError(t, w.AutoMerge(t.Context(), p, "squash"))
	assert.True(t, p.AutoMerge)
	again, err := w.PullByNumber(t.Context(), p.Number)
	require.NoError(t, err)
	require.NoError(t, w.AutoMerge(t.Context(), again, "squash"), "once is enough")

	require.NoError(t, w.SetStatus(t.Context(), p.HeadCommit, Status{State: Success, Context: "ci"}))
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.True(t, seen.Merged)
	body, err := w.repo.Git().Show("main", "CHANGELOG.md")
	require.NoError(t, err)
	assert.Equal(t, "one\n", body)
}

func TestAutoMergeOfWhatNeedsNoWaiting(t *testing.T) {
	w := start(t)
	w.repo.Set(func(s *github.Settings) { s.AllowAutoMerge, s.AllowMerge = true, false })
	p := w.pull()
	// another merge is in the way for a moment
	fault := github.Refused(405, "Base branch was modified. Review and try the merge again.")
	fault.Method, fault.Times = "PUT", 1
	w.server.Inject(fault)
	require.NoError(t, w.AutoMerge(t.Context(), p, ""))
	assert.True(t, p.Merged)
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.Equal(t, seen.MergeCommit, p.MergeCommit)
	parents, err := w.repo.Git().Log("%p", "-1", "main")
	require.NoError(t, err)
	assert.NotContains(t, parents[0], " ", "the repository allows no merge commits")
}

// A server with pre-receive hooks calls has_hooks what others call clean.
func TestAutoMergeOnAServerWithHooks(t *testing.T) {
	w := start(t)
	w.repo.Set(func(s *github.Settings) { s.AllowAutoMerge, s.Hooks = true, true })
	p := w.pull()
	require.NoError(t, w.AutoMerge(t.Context(), p, "squash"))
	assert.True(t, p.Merged)
}

func TestAutoMergeThatIsNotPossibleIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*github.Settings)
		draft  bool
		status State
		method string
		says   string
	}{
		"off":       {func(s *github.Settings) { s.AllowAutoMerge = false }, false, "", "squash", `"Allow auto-merge"`},
		"draft":     {func(*github.Settings) {}, true, "", "squash", "it is a draft"},
		"no squash": {func(s *github.Settings) { s.AllowSquash = false }, false, "", "squash", "the repository does not allow the method squash"},
		"red":       {func(*github.Settings) {}, false, Failure, "", "checks that no rule requires are not green"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.repo.Set(func(s *github.Settings) {
				s.AllowAutoMerge = true
				c.set(s)
			})
			w.branch("bot", "one")
			spec := w.spec()
			spec.Draft = c.draft
			p, _, err := w.Ensure(t.Context(), spec)
			require.NoError(t, err)
			if c.status != "" {
				require.NoError(t, w.SetStatus(t.Context(), p.HeadCommit, Status{State: c.status, Context: "ci"}))
			}
			err = w.AutoMerge(t.Context(), p, c.method)
			require.ErrorIs(t, err, ErrAutoMergeOff)
			assert.Contains(t, err.Error(), c.says)
			assert.False(t, p.Merged || p.AutoMerge)
		})
	}
}

func TestAutoMergeWithAnUnknownMethod(t *testing.T) {
	w := start(t)
	require.ErrorContains(t, w.AutoMerge(t.Context(), w.pull(), "octopus"), `"octopus" is not one of merge, squash, rebase`)
}

// Reviewers are asked once, and again only while nobody is asked and nobody has reviewed.
func TestReviewersAreAskedOnce(t *testing.T) {
	w := start(t)
	spec := w.spec()
	spec.Reviewers = []string{"ana", "team/deployers"}
	w.branch("bot", "one")
	w.server.Inject(github.Fault{Path: "/requested_reviewers", Status: http.StatusForbidden, Times: 1})
	_, _, err := w.Ensure(t.Context(), spec)
	require.ErrorIs(t, err, ErrForbidden)
	require.ErrorContains(t, err, "ask ana, team/deployers to review pull request 1")

	_, done, err := w.Ensure(t.Context(), spec) // after a put that failed half way
	require.NoError(t, err)
	assert.Equal(t, []string{"reviewers"}, done.Changed)
	seen, err := w.repo.Pull(1)
	require.NoError(t, err)
	assert.Equal(t, []string{"ana", "deployers"}, seen.Reviewers)

	w.server.Reset()
	_, done, err = w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Empty(t, done.Changed)
	assert.Len(t, w.requests(), 1)

	spec.Reviewers = []string{"rosa"}
	require.NoError(t, w.repo.Approve(1, "ana"))
	_, done, err = w.Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.Empty(t, done.Changed, "people have taken over")
	require.NoError(t, w.repo.ClosePull(1))

	w.branch("bot", "two")
	w.repo.Set(func(s *github.Settings) { s.Strangers = []string{"rosa"} })
	_, _, err = w.Ensure(t.Context(), spec)
	require.ErrorIs(t, err, errInvalid)
	require.ErrorContains(t, err, "Reviews may only be requested from collaborators")
}

func TestCheckReviewers(t *testing.T) {
	t.Parallel()
	require.NoError(t, CheckReviewers([]string{"ana", "Team/deploy.ers", "renovate[bot]"}, "team/code"))
	for name, says := range map[string]string{
		"":            `reviewers[0]: "" is not a login name (ana) or a team (team/deployers)`,
		"@ana":        "is not a login name",
		"a b":         "is not a login name",
		"team/":       "is not a login name",
		"other/owner": "reviewers[0]: other/owner is a team of other, and the repository belongs to team: write team/owner",
	} {
		require.ErrorContains(t, CheckReviewers([]string{name}, "team/code"), says)
	}
	require.ErrorContains(t, CheckReviewers(slices.Repeat([]string{"ana"}, 16), "team/code"), "16 of them, and GitHub takes no more than 15")
}
