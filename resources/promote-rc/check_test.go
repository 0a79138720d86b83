package promoterc_test

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
)

func TestNothingIsReleasedBeforeAPersonMerges(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, []promoterc.Version{}, w.check(nil))
	v := w.put("0.42.0-rc.1").Version
	assert.Equal(t, []promoterc.Version{}, w.check(nil))
	assert.Equal(t, []promoterc.Version{}, w.check(&v), "what a put answered is not a release")
	require.NoError(t, w.repo.ClosePull(1))
	assert.Equal(t, []promoterc.Version{}, w.check(nil), "closed is not merged")
}

func TestMergedPullRequestsAreTheVersions(t *testing.T) {
	w := newWorld(t)
	var want []promoterc.Version
	for i, method := range []string{"merge", "squash", "rebase"} {
		want = append(want, w.release("0.4"+strconv.Itoa(i+2)+".0", method))
		w.commit("feat: next", map[string]string{"src/api.rs": method})
	}
	assert.Equal(t, want[2:], w.check(nil), "the first time only the newest")
	assert.Equal(t, want, w.check(&want[0]))
	assert.Equal(t, want[1:], w.check(&want[1]))
	assert.Equal(t, want[2:], w.check(&want[2]))
	forged := want[0]
	forged.Commit = strings.Repeat("0", 40)
	assert.Equal(t, want[2:], w.check(&forged), "one that can't be placed")
	assert.Equal(t, want[2:], w.check(&promoterc.Version{PR: "99", Version: "9.0.0"}))
	assert.Equal(t, want[2:], w.check(&promoterc.Version{}))
}

// A check where nothing was merged asks the forge three times, once more while a pull request is open, and git never.
func TestACheckIsCheap(t *testing.T) {
	w := newWorld(t)
	v := w.release("0.42.0", "squash")
	for range 3 {
		w.server.Reset()
		w.git.Reset()
		require.Equal(t, []promoterc.Version{v}, w.check(&v))
		assert.Len(t, w.server.Requests(), 3)
		assert.Empty(t, w.git.Requests())
	}
	w.commit("feat: next", map[string]string{"src/api.rs": "next\n"})
	w.put("0.43.0-rc.1")
	w.server.Reset()
	w.check(&v)
	assert.Len(t, w.server.Requests(), 4)
}

// The head of the pull request says whether merging it releases something, so that a rule can require it.
func TestTheFileCheckIsAStatusOfThePullRequest(t *testing.T) {
	const context = "promote-rc-file-check"
	w := newWorld(t)
	w.repo.Set(func(s *github.Settings) { s.RequiredChecks = []string{context} })
	v := w.put("0.42.0-rc.1").Version
	assert.Equal(t, github.Status{Context: context, State: "success", Description: "changes only CHANGELOG.md, docs-site/**"}, w.repo.Statuses(v.Commit)[context])

	bad, err := w.repo.Push("bot-promote-rc", "mallory", "ci: tidy", map[string]string{"src/main.rs": "evil\n"})
	require.NoError(t, err)
	w.check(nil)
	assert.Equal(t, github.Status{Context: context, State: "failure", Description: "merging releases nothing: it changes src/main.rs"}, w.repo.Statuses(bad)[context])
	require.NoError(t, w.repo.Ready(1))
	_, err = w.repo.Merge(1, "merge", "jane")
	require.Error(t, err, "the rule holds")

	w.src.AllowedFiles = []string{"CHANGELOG.md", "src/**"}
	w.check(nil)
	assert.Equal(t, "success", w.repo.Statuses(bad)[context].State)
	history := len(w.repo.History(bad))
	w.check(nil)
	assert.Len(t, w.repo.History(bad), history, "it is set once")
	_, err = w.repo.Merge(1, "merge", "jane")
	require.NoError(t, err)
}

// A token without the right to set statuses still opens pull requests and finds releases.
func TestAStatusThatIsRefusedIsAWarning(t *testing.T) {
	w := newWorld(t)
	refused := github.Refused(http.StatusForbidden, "Resource not accessible by integration")
	refused.Path = "/status"
	w.server.Inject(refused)
	v := w.put("0.42.0-rc.1").Version
	assert.Contains(t, w.logged(), "warning: the commit status promote-rc-file-check of pull request 1 is not set: ")
	v.Commit = w.merge(v.PR, "squash")
	assert.Equal(t, []promoterc.Version{v}, w.check(nil))
}

// A pull request that also touches src/main.rs is never a version, and that is
// explained.
func TestAPullRequestThatTouchesOtherFilesIsNoRelease(t *testing.T) {
	w := newWorld(t)
	before := w.release("0.42.0", "merge")
	w.commit("feat: next", map[string]string{"src/api.rs": "next\n"})
	v := w.put("0.43.0-rc.1").Version
	_, err := w.repo.Push("bot-promote-rc", "mallory", "ci: tidy", map[string]string{"src/main.rs": "fn main() { evil() }\n"})
	require.NoError(t, err)
	w.merge(v.PR, "merge")
	w.logged()

	assert.Equal(t, []promoterc.Version{before}, w.check(&before))
	assert.Contains(t, w.logged(), "warning: pull request 2 is not a release of 0.43.0: it changes src/main.rs, and only CHANGELOG.md, docs-site/** may be changed (")
	assert.Equal(t, []promoterc.Version{before}, w.check(nil))
	assert.Contains(t, w.logged(), "it changes src/main.rs")

	// The next one is a release again.
	w.commit("feat: more", map[string]string{"src/api.rs": "more\n"})
	after := w.release("0.44.0", "merge")
	assert.Equal(t, []promoterc.Version{before, after}, w.check(&before))
	assert.Contains(t, w.logged(), "it changes src/main.rs")
}

func TestPullRequestsThatAreNoReleases(t *testing.T) {
	w := newWorld(t)
	// Of the bot's branch, but opened by a person.
	w.branch("bot-promote-rc")
	_, err := w.repo.Push("bot-promote-rc", "jane", "docs: words", map[string]string{"CHANGELOG.md": "words\n"})
	require.NoError(t, err)
	number, err := w.repo.Open("bot-promote-rc", "main", "words", "jane")
	require.NoError(t, err)
	_, err = w.repo.Merge(number, "merge", "jane")
	require.NoError(t, err)
	assert.Equal(t, []promoterc.Version{}, w.check(nil))
	assert.Contains(t, w.logged(), "warning: pull request 1 is not a release: it does not have the label promote-rc")
	require.NoError(t, w.repo.Label(number, "promote-rc"))
	assert.Equal(t, []promoterc.Version{}, w.check(nil))
	assert.Contains(t, w.logged(), "warning: pull request 1 is not a release: its description does not say any more which candidate it is about")
}

func TestACheckThatIsRefused(t *testing.T) {
	for status, want := range map[int]error{401: forge.ErrAuth, 403: forge.ErrForbidden, 404: forge.ErrNotFound} {
		w := newWorld(t)
		w.server.Inject(github.Refused(status, "no"))
		_, err := promoterc.Resource{}.Check(t.Context(), w.step(""), w.src, nil)
		require.ErrorIs(t, err, want)
	}
}

// The files of a version follow from the version alone.
func TestAGetIsPure(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			entry := w.notes()
			v := w.release("0.42.0", method)
			w.server.Reset()
			first := w.get(v)
			assert.Equal(t, map[string]string{
				"version": "0.42.0", "release-notes.md": entry, "commit": v.Commit, "candidate": v.Candidate,
				"pr": "1", "url": w.server.BaseURL() + "/team/code/pull/1",
			}, first)
			assert.Empty(t, w.server.Requests(), "the forge is not asked")

			w.commit("docs: rewrite history", map[string]string{"CHANGELOG.md": "gone\n"})
			require.NoError(t, w.repo.Retitle(1, "something else"))
			w.release("0.43.0", method)
			assert.True(t, maps.Equal(first, w.get(v)))
			w.src.GitHub.AccessToken = "ghp_ended"
			assert.True(t, maps.Equal(first, w.get(v)))
		})
	}
}

func TestAGetAfterAPut(t *testing.T) {
	w := newWorld(t)
	files := w.get(w.put("0.42.0-rc.1").Version)
	assert.Equal(t, "0.42.0", files["version"])
	assert.Equal(t, w.notes(), files["release-notes.md"])
}

func TestAnEditedChangelogIsWhatIsReleased(t *testing.T) {
	w := newWorld(t)
	v := w.put("0.42.0-rc.1").Version
	text := strings.Replace(w.file("CHANGELOG.md"), "Transfers", "Transfers between accounts", 1)
	_, err := w.repo.Push("bot-promote-rc", "jane", "docs: better words", map[string]string{"CHANGELOG.md": text})
	require.NoError(t, err)
	v.Commit = w.merge(v.PR, "squash")
	assert.Equal(t, []promoterc.Version{v}, w.check(nil))
	assert.Contains(t, w.get(v)["release-notes.md"], "Transfers between accounts")
}

func TestVersionsThatCannotBeHad(t *testing.T) {
	w := newWorld(t)
	good := w.release("0.42.0", "merge")
	w.branch("topic")
	other, err := w.repo.Push("topic", "mallory", "feat: unseen", map[string]string{"src/main.rs": "evil\n"})
	require.NoError(t, err)
	for want, change := range map[string]func(*promoterc.Version){
		"is not a semantic version":                          func(v *promoterc.Version) { v.Version = "v1" },
		"not the number of a pull request":                   func(v *promoterc.Version) { v.PR = "one" },
		"version.commit: \"main\" is not a full commit hash": func(v *promoterc.Version) { v.Commit = "main" },
		"get release 0.42.0: commit 1111111":                 func(v *promoterc.Version) { v.Commit = strings.Repeat("1", 40) },
		"is not part of commit":                              func(v *promoterc.Version) { v.Candidate = other },
		"has no entry with a heading like":                   func(v *promoterc.Version) { v.Commit = v.Candidate },
		"was it renamed in pull request 1?":                  func(v *promoterc.Version) { v.Commit = v.Candidate },
	} {
		v := good
		change(&v)
		_, err := promoterc.Resource{}.In(t.Context(), w.step(t.TempDir()), w.src, v, promoterc.GetParams{})
		require.ErrorContains(t, err, want)
	}
}

// What each step asks git for, and that it is little.
func TestCostOfEachStep(t *testing.T) {
	w := newWorld(t)
	cost := func(want string, most int64, step func()) {
		t.Helper()
		t.Setenv("TMPDIR", t.TempDir())
		w.git.Reset()
		step()
		requests, size := w.git.Asked()
		assert.Equal(t, want, requests)
		assert.LessOrEqual(t, size, most)
	}
	var v promoterc.Version
	cost("ls-refs fetch fetch GET-git-receive-pack POST-git-receive-pack ls-refs ls-refs", 5000, func() { v = w.put("0.42.0-rc.1").Version })
	cost("", 0, func() { w.check(nil) }) // the forge knows
	cost("fetch fetch", 3000, func() { w.get(v) })
}
