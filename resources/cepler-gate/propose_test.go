package ceplergate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
)

// requireParts compares a text with the parts that it must have, in this order.
func requireParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		require.True(t, ok, "%q is missing, or not where it should be, in:\n%s", part, text)
		rest = after
	}
}

// One pull request has it all: what is there and what would come, and only the gate changes.
func TestProposal(t *testing.T) {
	w, record := behind(t)
	w.src.Reviewers = []string{"rosa", "team/owners"}
	pull := w.propose()
	assert.Equal(t, []string{"rosa", "owners"}, pull.Reviewers)
	assert.Equal(t, "Promote bank to production: 0.41.0 → 0.42.0", pull.Title)
	assert.Equal(t, []string{"promote-bank-production", "gates"}, []string{pull.Head, pull.Base})
	assert.Equal(t, []string{"bank.yml"}, pull.Files)
	assert.Equal(t, "# who may\nqa: HEAD\nproduction: "+record+" # by hand\n", w.gatesFile(pull.Head))
	requireParts(t, pull.Body,
		"opens the gate of **production** to `"+record[:7]+"`, with what **qa** runs: #2 since", "[this build](https://ci.example/builds/7)",
		"| state | #1 since", "| #2 of qa |",
		"| release | 0.41.0 | 0.42.0 |",
		"| image `registry.example/api` | `sha256:111111111111` from", "release 0.41.0", "`sha256:333333333333` from", "release 0.42.0 |",
		"| image `registry.example/web` | `sha256:222222222222`",
		"### github.com/team/bank", "https://github.com/team/bank/compare/",
		"#### Features", `*(api)* Transfers ([#7](https://github.com/team/bank/pull/7)) ([`, "https://github.com/team/bank/commit/",
		"#### Bug Fixes", "&lt;b>rounding&lt;/b> @\u200bteam", "3 commits in all; 3 of them are listed",
		"### 1 file of the deployments", "- changed `chart/values.yaml`", "chore: bump bank to 0.42.0",
		"No rule of the gate holds it", "runs now (#1)", "Made by https://ci.example/builds/9.",
	)
	assert.NotContains(t, pull.Body, "Not known")

	message, err := w.repo.Git().Log("%an|%B", "-1", pull.Head)
	require.NoError(t, err)
	requireParts(t, strings.Join(message, "\n"), "gate bot|Promote bank to production: 0.41.0 → 0.42.0", "Opens the gate of production to "+record[:7], "Build: https://ci.example/builds/9", "Proposal: cepler-gate ")
}

// The pull request follows the environment before, and keeps its number.
func TestKeptUpToDate(t *testing.T) {
	w, _ := behind(t)
	first := w.propose()
	for i := range 5 {
		name := fmt.Sprintf("0.43.%d", i)
		record := w.nextRelease(name, fmt.Sprint(4+i), "fix: number "+name)
		pull := w.propose()
		assert.Equal(t, first.Number, pull.Number)
		assert.Equal(t, "Promote bank to production: 0.41.0 → "+name, pull.Title)
		assert.Contains(t, w.gatesFile(pull.Head), "production: "+record)
		requireParts(t, pull.Body, "Number "+name, fmt.Sprintf("%d commits in all", 4+i))
	}
	requireParts(t, w.propose().Body, "qa had more than one state in between: production deploys them in turn")
	assert.Contains(t, w.logged(), "is already up to date")
}

// However a person merges it, the gate is open, and who did it can be told.
func TestMerged(t *testing.T) {
	w, record := behind(t)
	given := w.check(nil)
	require.Len(t, given, 1)
	for i, method := range []string{"merge", "squash", "rebase"} {
		pull := w.propose()
		w.gates("# moved on\n" + strings.TrimPrefix(w.gatesFile("gates"), "# who may\n")) // so that no method is a fast-forward
		commit, err := w.repo.Merge(pull.Number, method, "rosa")
		require.NoError(t, err)

		versions := w.check(&given[0])
		require.Len(t, versions, 2, method)
		assert.Equal(t, ceplergate.Version{Commit: commit, Gate: record}, versions[1], method)
		files := w.get(versions[1])
		assert.Equal(t, "rosa", files["by"], method)
		assert.Equal(t, "rosa", w.noted["by"], method)
		assert.Equal(t, record, files["gate"])
		assert.Equal(t, given[0].Gate, files["previous"])
		requireParts(t, files["changes.md"], "The gate of **production** was moved", "by rosa on", "- changed `chart/values.yaml`")
		given = versions[1:]

		w.put(ceplergate.PutParams{})
		all, err := w.repo.Pulls()
		require.NoError(t, err)
		assert.Len(t, all, i+1, "a gate that is open needs no pull request")
		w.deploy("production")
		record = w.nextRelease(fmt.Sprintf("0.5%d.0", i), fmt.Sprint(5+i), "feat: more "+method)
	}
}

// A gate that was opened by hand leaves nothing to propose, nor does an environment that has everything.
func TestClosedWithTheReason(t *testing.T) {
	w, record := behind(t)
	pull := w.propose()
	w.gates("production: HEAD\n")
	closed := w.propose()
	assert.Equal(t, pull.Number, closed.Number)
	assert.False(t, closed.Open)
	require.Len(t, closed.Comments, 1)
	assert.Equal(t, "Closed: the gate of production is open to "+record[:7]+" already, at HEAD.", closed.Comments[0])

	w.deploy("production")
	w.gates("production: " + record + "\n")
	w.put(ceplergate.PutParams{})
	assert.Contains(t, w.logged(), "nothing is left to promote: production runs everything that it can get")
}

// Two environments have a pull request each, whose edits do not touch each other.
func TestTwoEnvironments(t *testing.T) {
	w, record := behind(t)
	qa := w.src
	qa.Environment = "qa"
	w.chart("feat: settings", "replicas: 2\n")
	staged := w.deploy("staging")
	old := w.check(nil)[0].Gate
	w.gates("qa: " + record + "\n\n\n\nproduction:\n  commit: " + old + "\n  soak: 300h\n  freeze: {from: 2020-01-01, to: 2099-01-01, reason: audit}\n  approvals: {need: 2}\n")

	production := w.propose()
	requireParts(t, production.Body, "It still waits, as of now:", "frozen until 2099-01-02 00:00 UTC: audit", "soaks until", "0 of 2 approvals")
	assert.Equal(t, "qa: "+record+"\n\n\n\nproduction:\n  commit: "+record+"\n  soak: 300h\n  freeze: {from: 2020-01-01, to: 2099-01-01, reason: audit}\n  approvals: {need: 2}\n", w.gatesFile(production.Head))
	w.src, qa = qa, w.src
	other := w.propose()
	w.src = qa
	assert.NotEqual(t, production.Number, other.Number)
	_, err := w.repo.Merge(other.Number, "squash", "rosa")
	require.NoError(t, err)
	again := w.propose()
	assert.Equal(t, production.Number, again.Number)
	requireParts(t, w.gatesFile(again.Head), "qa: "+staged, "production:\n  commit: "+record)
	_, err = w.repo.Merge(again.Number, "merge", "rosa")
	require.NoError(t, err)
	requireParts(t, w.gatesFile("gates"), "qa: "+staged, "production:\n  commit: "+record)
}

// Two environments whose lines are neighbours have pull requests that git cannot merge one after the other: the next put of
// the second one makes it mergeable, under the same number. Puts of both at once do not disturb each other.
func TestNeighboursInTheFile(t *testing.T) {
	w, record := behind(t)
	old := w.check(nil)[0].Gate
	w.chart("feat: settings", "replicas: 2\n")
	staged := w.deploy("staging")
	w.gates("qa: " + record + "\nproduction: " + old + "\n")
	both := map[string]ceplergate.Source{"production": w.src, "qa": w.src}
	var group sync.WaitGroup
	for name, src := range both {
		src.Environment = name
		both[name] = src
		group.Go(func() {
			_, err := ceplergate.Resource{}.Out(t.Context(), w.step(""), src, ceplergate.PutParams{})
			assert.NoError(t, err)
		})
	}
	group.Wait()
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	require.Len(t, all, 2)

	w.src = both["qa"]
	_, err = w.repo.Merge(w.propose().Number, "squash", "rosa")
	require.NoError(t, err)
	w.src = both["production"]
	i := slices.IndexFunc(all, func(p github.Pull) bool { return p.Head == "promote-bank-production" })
	_, err = w.repo.Merge(all[i].Number, "merge", "rosa")
	require.ErrorContains(t, err, "not mergeable")
	again := w.propose()
	assert.Equal(t, all[i].Number, again.Number)
	_, err = w.repo.Merge(again.Number, "merge", "rosa")
	require.NoError(t, err)
	assert.Equal(t, "qa: "+staged+"\nproduction: "+record+"\n", w.gatesFile("gates"))
}

// Writers at once leave one pull request, and each of them succeeds.
func TestTwoWriters(t *testing.T) {
	w, record := behind(t)
	var group sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = ceplergate.Resource{}.Out(t.Context(), w.step(""), w.src, ceplergate.PutParams{})
		})
	}
	group.Wait()
	for _, err := range errs {
		assert.NoError(t, err)
	}
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Contains(t, w.gatesFile(all[0].Head), "production: "+record)
}

// What git does not know is said, and what is long is cut with the number of what is left.
func TestNothingIsGuessed(t *testing.T) {
	w, _ := behind(t)
	var subjects []string
	for i := range 300 {
		subjects = append(subjects, fmt.Sprintf("feat: number %d", i))
	}
	commit := w.codeCommits(subjects...)
	w.chart("chore: a lot", image("api", "7", commit), image("web", "8", ""))
	w.deploy("staging")
	w.deploy("qa", func(dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "qa", "a"), []byte("by hand\n"), 0o600))
	})
	pull := w.propose()
	assert.Equal(t, "Promote bank to production: qa #3", pull.Title, "no release has that commit")
	requireParts(t, pull.Body, "**#3 of qa is dirty**",
		"| release | 0.41.0 | – |", "`sha256:888888888888`, source not known",
		"303 commits in all; 100 of them are listed", "and the 203 oldest ones were not looked at",
		"### Not known", "`chart/values.yaml:8 web.image.digest`: there is no METADATA comment",
	)
	assert.Less(t, len(pull.Body), 32000)
	assert.Equal(t, 100, strings.Count(pull.Body, "Number "))

	w.src.Repositories = nil
	pull = w.propose()
	requireParts(t, pull.Body, "The commits between are not known: the repository is not among source.repositories", "### Not known")
}

// What goes back says so.
func TestRollback(t *testing.T) {
	w, record := behind(t)
	w.gates("production: " + record + "\n")
	w.deploy("production") // 0.42.0
	older := w.nextRelease("0.43.0", "4", "feat: loans")
	w.gates("production: " + older + "\n")
	w.deploy("production") // 0.43.0
	w.rollback("qa", 2)    // to 0.42.0
	pull := w.propose()
	assert.Equal(t, "Promote bank to production: 0.43.0 → 0.42.0", pull.Title)
	requireParts(t, pull.Body, "**qa was rolled back** from #3 on", "**Merging this takes back 1 commit** of github.com/team/bank", "0 commits in all")

	w.gates("production: " + w.tip("main") + "\n")
	w.rollback("production", 1)
	w.nextRelease("0.44.0", "5", "fix: loans")
	requireParts(t, w.propose().Body, "**production was rolled back** from #", "lets it have again what was taken back")
}
