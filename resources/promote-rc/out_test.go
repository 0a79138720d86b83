package promoterc_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
)

const notes = `## [0.42.0](BASE/team/code/compare/0.41.0...0.42.0) - 2020-01-01

### Features

- *(api)* Transfers ([#7](BASE/team/code/pull/7)) (FEAT)

### Bug Fixes

- Rounding ([#8](BASE/team/code/pull/8)) (FIX)
`

// notes fills in what differs from run to run.
func (w *world) notes() string {
	w.t.Helper()
	link := func(ref string) string {
		h := w.tip(ref)
		return "[" + h[:7] + "](" + w.server.BaseURL() + "/team/code/commit/" + h + ")"
	}
	return strings.NewReplacer("BASE", w.server.BaseURL(), "FEAT", link("main~1"), "FIX", link("main")).Replace(notes)
}

func TestTheFirstCandidateOpensThePullRequest(t *testing.T) {
	w := newWorld(t)
	head := w.tip("main")
	p := params()
	p.Images = []string{"registry.example.org/team/app"}
	got, err := w.tryPut(w.build("0.42.0-rc.1", nil), p)
	require.NoError(t, err)

	pull := w.pull()
	assert.Equal(t, promoterc.Version{PR: "1", Version: "0.42.0", Commit: w.tip("bot-promote-rc"), Candidate: head}, got.Version)
	assert.True(t, pull.Draft)
	assert.Equal(t, "ci: release 0.42.0", pull.Title)
	assert.ElementsMatch(t, []string{"promote-rc", "galoybot"}, pull.Labels)
	assert.Equal(t, []string{"CHANGELOG.md"}, pull.Files)
	for _, want := range []string{
		"releases **0.42.0**", "| candidate | 0.42.0-rc.1 |", "/commit/" + head, "/compare/0.41.0..." + head, "`registry.example.org/team/app:0.42.0-rc.1`",
		"**To promote:**", "CHANGELOG.md`, `docs-site/**", w.notes(), "<!-- promote-rc version=0.42.0 commit=" + head + " -->",
	} {
		assert.Contains(t, pull.Body, want)
	}
	assert.Equal(t, head, w.tip("bot-promote-rc~1"), "on top of the candidate's commit")
	assert.Equal(t, w.notes()+"\n## [0.41.0] - 2019-12-01\n\n### Features\n\n- Everything\n", w.file("CHANGELOG.md"))
	assert.Contains(t, w.logged(), "opened pull request "+pull.URL+": merging it releases 0.42.0")
	message, err := w.repo.Git().Git("log", "-1", "--format=%B", "bot-promote-rc")
	require.NoError(t, err)
	assert.Contains(t, message, "ci: release 0.42.0\n\nCandidate: 0.42.0-rc.1\n")
}

// The words that switch off the checks of a pull request are there only if the source says so.
func TestChecksAreSkippedOnRequestOnly(t *testing.T) {
	w := newWorld(t)
	subject := func() string {
		out, err := w.repo.Git().Git("log", "-1", "--format=%B", "bot-promote-rc")
		require.NoError(t, err)
		return out
	}
	w.put("0.42.0-rc.1")
	assert.NotRegexp(t, `(?i)skip|no ci`, w.pull().Title+subject())
	w.src.SkipCI = true
	w.commit("fix: more", map[string]string{"src/api.rs": "3\n"})
	w.put("0.42.0-rc.2")
	assert.Equal(t, "ci: release 0.42.0 [ci skip]", w.pull().Title)
	assert.True(t, strings.HasPrefix(subject(), "ci: release 0.42.0 [ci skip]\n"), subject())
}

// A subject that opens a comment would hide the breaking change below it from the person who promotes.
func TestSubjectsHideNothingFromTheReader(t *testing.T) {
	w := newWorld(t)
	w.commit("feat: <!-- x, closes #1 for @team \x1b[2J\n", map[string]string{"src/a.rs": "1\n"})
	w.commit("chore!: <details> drop the old runtime\n", map[string]string{"src/b.rs": "1\n"})
	w.put("1.0.0-rc.1")
	for name, text := range map[string]string{"description": w.pull().Body, "changelog": w.file("CHANGELOG.md")} {
		assert.Contains(t, text, "- &lt;!-- x, closes\u200b #1 for @\u200bteam \\x1b[2J (", name)
		assert.Contains(t, text, "- [**breaking**] &lt;details> drop the old runtime (", name)
		assert.NotContains(t, strings.ReplaceAll(text, "<!-- promote-rc ", ""), "<!--", name)
	}
}

// A pull request that is not a draft cannot be marked as ready.
func TestOnlyADraftIsToBeMarkedAsReady(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	assert.Contains(t, w.pull().Body, "try the candidate, mark this pull request as ready, and merge it.")

	open := newWorld(t)
	draft := false
	open.src.Draft = &draft
	open.put("0.42.0-rc.1")
	assert.False(t, open.pull().Draft)
	assert.Contains(t, open.pull().Body, "try the candidate, and merge it.")
}

// A pull request that is updated ten times keeps its number, its reviews, its
// draft state, and one entry in the changelog.
func TestTenCandidatesAreOnePullRequest(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	require.NoError(t, w.repo.Approve(1, "jane"))
	require.NoError(t, w.repo.Label(1, "reviewed"))
	require.NoError(t, w.repo.Comment(1, "jane", "looks good"))
	require.NoError(t, w.repo.Ready(1))
	for i := range 10 {
		w.commit("fix: another\n", map[string]string{"src/api.rs": strings.Repeat("x", i+3)})
		got := w.put("0.42.0-rc." + strconv.Itoa(i+2))
		assert.Equal(t, "1", got.Version.PR)
	}
	pull := w.pull()
	assert.Equal(t, 1, pull.Number)
	assert.True(t, pull.Open)
	assert.False(t, pull.Draft, "a person made it ready")
	assert.Equal(t, []string{"jane"}, pull.Approvals)
	assert.Contains(t, pull.Labels, "reviewed")
	assert.Equal(t, []string{"looks good"}, pull.Comments)
	log := w.file("CHANGELOG.md")
	assert.Equal(t, 1, strings.Count(log, "## [0.42.0]"))
	assert.Equal(t, 10, strings.Count(log, "- Another"))
	assert.Equal(t, w.tip("main"), w.tip("bot-promote-rc~1"), "one commit on top of the newest candidate")
	assert.Contains(t, pull.Body, "commit="+w.tip("main"))
	assert.Equal(t, 1, strings.Count(pull.Body, "<!-- promote-rc"))
}

func TestTheSamePutAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42.0-rc.1", nil)
	first, err := w.tryPut(dir, params())
	require.NoError(t, err)
	before := w.pull()
	again, err := w.tryPut(dir, params())
	require.NoError(t, err)
	assert.Equal(t, first.Version, again.Version)
	assert.Equal(t, before, w.pull())
}

func TestPutsAtTheSameTimeAreOnePullRequest(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	results := make([]promoterc.Result, 5)
	failures := make([]error, 5)
	for i := range results {
		dir := w.build("0.42.0-rc.1", nil)
		all.Go(func() { results[i], failures[i] = w.tryPut(dir, params()) })
	}
	all.Wait()
	for i := range results {
		require.NoError(t, failures[i])
		assert.Equal(t, "1", results[i].Version.PR)
		assert.Equal(t, w.tip("bot-promote-rc"), results[i].Version.Commit, "what is claimed is there")
	}
	w.pull()
}

func TestAFinalVersionInTheFile(t *testing.T) {
	w := newWorld(t)
	_, err := w.repo.Git().Git("tag", "v0.42.0-rc.7", "main")
	require.NoError(t, err)
	w.put("0.42.0")
	assert.Contains(t, w.pull().Body, "| candidate | 0.42.0-rc.7 |", "from the tag at the commit")
}

// What people commit to the bot's branch is never lost without a word.
func TestAnEditedBranchIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	edit, err := w.repo.Push("bot-promote-rc", "jane", "docs: better words", map[string]string{"CHANGELOG.md": "better\n"})
	require.NoError(t, err)
	body := w.pull().Body
	w.commit("fix: more", map[string]string{"src/api.rs": "3\n"})
	dir := w.build("0.42.0-rc.2", nil)

	_, err = w.tryPut(dir, params())
	require.ErrorIs(t, err, proposal.ErrEdited)
	assert.ErrorContains(t, err, edit[:7]+` "docs: better words" by jane`)
	assert.ErrorContains(t, err, "nothing was changed")
	assert.Equal(t, edit, w.tip("bot-promote-rc"))
	assert.Equal(t, body, w.pull().Body)

	p := params()
	p.Overwrite = true
	_, err = w.tryPut(dir, p)
	require.NoError(t, err)
	assert.Contains(t, w.logged(), "warning: overwrite is set: bot-promote-rc loses "+edit[:7])
	assert.Equal(t, w.tip("main"), w.tip("bot-promote-rc~1"))
}

func TestAnAmendedCommitIsAnEdit(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	clone := filepath.Join(t.TempDir(), "clone")
	w.run("clone", "--quiet", "--branch", "bot-promote-rc", w.repo.Git().Dir, clone)
	write(t, clone, map[string]string{"CHANGELOG.md": "better\n"})
	w.run("-C", clone, "-c", "user.name=jane", "-c", "user.email=j@e", "commit", "--quiet", "--all", "--amend", "--no-edit")
	w.run("-C", clone, "push", "--quiet", "--force")
	_, err := w.tryPut(w.build("0.42.0-rc.2", nil), params())
	require.ErrorIs(t, err, proposal.ErrEdited)
}

// The forge's button "Update branch" merges main into the pull request.
func TestAMergeOfMainIsNoEdit(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	w.commit("fix: more", map[string]string{"src/api.rs": "3\n"})
	clone := filepath.Join(t.TempDir(), "clone")
	w.run("clone", "--quiet", "--branch", "bot-promote-rc", w.repo.Git().Dir, clone)
	w.run("-C", clone, "-c", "user.name=jane", "-c", "user.email=j@e", "merge", "--quiet", "--no-edit", "origin/main")
	w.run("-C", clone, "push", "--quiet")
	w.put("0.42.0-rc.2")
	assert.Equal(t, w.tip("main"), w.tip("bot-promote-rc~1"))

	// But not one that brings in something else.
	w.run("-C", clone, "fetch", "--quiet")
	w.run("-C", clone, "reset", "--quiet", "--hard", "origin/bot-promote-rc")
	w.commit("fix: even more", map[string]string{"src/api.rs": "4\n"})
	w.run("-C", clone, "fetch", "--quiet")
	w.run("-C", clone, "-c", "user.name=jane", "-c", "user.email=j@e", "merge", "--quiet", "--no-commit", "--no-ff", "origin/main")
	write(t, clone, map[string]string{"CHANGELOG.md": "mine\n"})
	w.run("-C", clone, "-c", "user.name=jane", "-c", "user.email=j@e", "commit", "--quiet", "--all", "--no-edit")
	w.run("-C", clone, "push", "--quiet")
	_, err := w.tryPut(w.build("0.42.0-rc.3", nil), params())
	require.ErrorIs(t, err, proposal.ErrEdited)
}

// A branch that is left from a merged pull request, of this resource or of
// scripts before it, holds up nothing.
func TestTheNextReleaseTakesTheBranchOver(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.release("0.42.0", method)
			w.commit("feat: next", map[string]string{"src/next.rs": "1\n"})
			got := w.put("0.43.0-rc.1")
			assert.Equal(t, "2", got.Version.PR)
			log := w.file("CHANGELOG.md")
			assert.Equal(t, 1, strings.Count(log, "## [0.43.0]"))
			assert.Equal(t, 1, strings.Count(log, "## [0.42.0]"))
		})
	}
	t.Run("an older tool's branch", func(t *testing.T) {
		w := newWorld(t)
		w.branch("bot-promote-rc")
		old, err := w.repo.Push("bot-promote-rc", "ci", "ci: release 0.41.5", map[string]string{"CHANGELOG.md": "## 0.41.5\n"})
		require.NoError(t, err)
		_, err = w.tryPut(w.build("0.42.0-rc.1", nil), params())
		require.ErrorIs(t, err, proposal.ErrEdited, "%s waits for nobody knows whom", old)

		number, err := w.repo.Open("bot-promote-rc", "main", "ci: release 0.41.5", "ci")
		require.NoError(t, err)
		_, err = w.repo.Merge(number, "squash", "jane")
		require.NoError(t, err)
		got := w.put("0.42.0-rc.1")
		assert.Equal(t, "2", got.Version.PR, "it is merged")
	})
}

func TestAVersionIsReleasedOnce(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42.0-rc.1", nil)
	first, err := w.tryPut(dir, params())
	require.NoError(t, err)
	commit := w.merge(first.Version.PR, "squash")

	again, err := w.tryPut(dir, params())
	require.NoError(t, err)
	want := first.Version
	want.Commit = commit
	assert.Equal(t, want, again.Version, "as asked, by the same candidate")
	assert.Contains(t, w.logged(), "0.42.0 is promoted already, by pull request 1")

	w.commit("fix: late", map[string]string{"src/api.rs": "9\n"})
	_, err = w.tryPut(w.build("0.42.0-rc.2", nil), params())
	require.ErrorIs(t, err, promoterc.ErrReleased)
	assert.ErrorContains(t, err, "pull request 1 was merged for the candidate "+first.Version.Candidate[:7]+"; the next candidate must be of a higher version")

	_, err = w.tryPut(w.build("0.41.0-rc.9", nil), params())
	require.ErrorIs(t, err, promoterc.ErrReleased)
	assert.ErrorContains(t, err, "there is a tag 0.41.0 at")
	w.pull()
}

func TestACandidateThatIsNotOnTheBranch(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42.0-rc.1", nil)
	_, err := w.repo.Push("topic", "jane", "feat: unseen", map[string]string{"src/x.rs": "1\n"})
	require.NoError(t, err)
	w.run("-C", filepath.Join(dir, "repo"), "fetch", "--quiet", "origin", "topic")
	w.run("-C", filepath.Join(dir, "repo"), "checkout", "--quiet", "FETCH_HEAD")
	_, err = w.tryPut(dir, params())
	require.ErrorIs(t, err, promoterc.ErrNotOnBranch)
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestExtraFiles(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42.0-rc.1", map[string]string{"docs/site/new.md": "new\n", "docs/site/index.md": "hello again\n", "docs/one.md": "one\n"})
	require.NoError(t, os.Symlink("new.md", dir+"/docs/site/link.md"))
	p := params()
	p.ExtraFiles = []proposal.ExtraFile{{From: "docs/site", To: "docs-site/"}, {From: "docs/one.md", To: "docs-site/v1/one.md"}}
	_, err := w.tryPut(dir, p)
	require.NoError(t, err)
	assert.Equal(t, []string{"CHANGELOG.md", "docs-site/index.md", "docs-site/link.md", "docs-site/new.md", "docs-site/v1/one.md"}, w.pull().Files)
	assert.Equal(t, "new.md", w.file("docs-site/link.md"), "a link stays a link")

	p.ExtraFiles[0].Replace = true
	_, err = w.tryPut(dir, p)
	require.NoError(t, err)
	assert.Contains(t, w.pull().Files, "docs-site/old.md", "it is deleted")
}

// Two puts before a merge, for two sets of documentation, with a base that moves between: the pull request
// has both, on top of the newer candidate.
func TestAPutKeepsTheExtraFilesOfAnEarlierOne(t *testing.T) {
	w := newWorld(t)
	put := func(number string, files map[string]string, extra ...proposal.ExtraFile) promoterc.Result {
		p := params()
		p.ExtraFiles = extra
		got, err := w.tryPut(w.build(number, files), p)
		require.NoError(t, err)
		return got
	}
	put("0.42.0-rc.1", map[string]string{"api/index.md": "api\n", "api/old.md": "old\n"}, proposal.ExtraFile{From: "api", To: "docs-site/api", Replace: true})
	w.commit("fix: more", map[string]string{"src/api.rs": "3\n", "docs-site/index.md": "by a person\n"})
	second := put("0.42.0-rc.2", map[string]string{"cli/index.md": "cli\n"}, proposal.ExtraFile{From: "cli", To: "docs-site/cli"})
	assert.Equal(t, "1", second.Version.PR)
	assert.Equal(t, []string{"CHANGELOG.md", "docs-site/api/index.md", "docs-site/api/old.md", "docs-site/cli/index.md"}, w.pull().Files)
	assert.Contains(t, w.file("CHANGELOG.md"), "- More")
	assert.Equal(t, "by a person\n", w.file("docs-site/index.md"))
	assert.Equal(t, w.tip("main"), w.tip("bot-promote-rc~1"))

	put("0.42.0-rc.2", map[string]string{"api/index.md": "api\n"}, proposal.ExtraFile{From: "api", To: "docs-site/api", Replace: true})
	assert.Equal(t, []string{"CHANGELOG.md", "docs-site/api/index.md", "docs-site/cli/index.md"}, w.pull().Files, "what is replaced is replaced whole")

	w.commit("docs: the command line, by hand", map[string]string{"docs-site/cli/index.md": "by a person\n"})
	w.put("0.42.0-rc.3")
	assert.Equal(t, []string{"CHANGELOG.md", "docs-site/api/index.md"}, w.pull().Files)
	assert.Contains(t, w.logged(), "docs-site/cli/index.md: the candidate has a newer version than the pull request, and it stays")
	w.src.AllowedFiles = []string{"CHANGELOG.md"}
	w.put("0.42.0-rc.3")
	assert.Equal(t, []string{"CHANGELOG.md"}, w.pull().Files, "nothing that would make the pull request void")
}

func TestExtraFilesThatMayNotBeThere(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42.0-rc.1", map[string]string{"out/main.rs": "evil\n"})
	require.NoError(t, os.Symlink("/etc", dir+"/out/etc"))
	for name, c := range map[string]struct {
		file proposal.ExtraFile
		want string
	}{
		"not allowed":    {proposal.ExtraFile{From: "out/main.rs", To: "src/main.rs"}, "src/main.rs is not among source.allowed_files"},
		"leaves":         {proposal.ExtraFile{From: "out/main.rs", To: "../main.rs"}, "params.extra_files[0].to"},
		"absent":         {proposal.ExtraFile{From: "out/absent", To: "docs-site"}, "params.extra_files[0].from"},
		"leaves by link": {proposal.ExtraFile{From: "out/etc", To: "docs-site"}, "leaves the build's folder"},
		"the changelog":  {proposal.ExtraFile{From: "out/main.rs", To: "CHANGELOG.md"}, "is the changelog, which this resource writes itself"},
	} {
		t.Run(name, func(t *testing.T) {
			p := params()
			p.ExtraFiles = []proposal.ExtraFile{c.file}
			_, err := w.tryPut(dir, p)
			require.ErrorContains(t, err, c.want)
		})
	}
	w.src.AllowedFiles = []string{"CHANGELOG.md", "src/*.md"}
	p := params()
	p.ExtraFiles = []proposal.ExtraFile{{From: "out/site", To: "src", Replace: true}}
	_, err := w.tryPut(w.build("0.42.0-rc.1", map[string]string{"out/site/new.md": "new\n"}), p)
	require.ErrorContains(t, err, "extra_files would delete src/")
	_, err = w.repo.Git().RevParse("refs/heads/bot-promote-rc")
	require.Error(t, err, "nothing was pushed")
}

// A server that refuses the push: its words are shown, and no pull request.
func TestARefusedPush(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.repo.Git().Hook("pre-receive", "#!/bin/sh\necho 'bots may not push: ask the platform team' >&2\nexit 1\n"))
	_, err := w.tryPut(w.build("0.42.0-rc.1", nil), params())
	var refused *git.Rejected
	require.ErrorAs(t, err, &refused)
	assert.ErrorContains(t, err, "write release 0.42.0 to bot-promote-rc")
	assert.ErrorContains(t, err, "bots may not push: ask the platform team")
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

// The forge says no after the push: the error says what it is, and the next put
// goes on from there.
func TestAForgeThatRefuses(t *testing.T) {
	for status, want := range map[int]error{401: forge.ErrAuth, 403: forge.ErrForbidden} {
		w := newWorld(t)
		dir := w.build("0.42.0-rc.1", nil)
		w.server.Inject(github.Refused(status, "no"))
		_, err := w.tryPut(dir, params())
		require.ErrorIs(t, err, want)
		assert.ErrorContains(t, err, "team/code")
		w.server.Heal()
		_, err = w.tryPut(dir, params())
		require.NoError(t, err)
		w.pull()
	}
}

// Another put is faster: this one reads again, and the branch has the newer
// commit of the two, on top of its own candidate.
func TestAMovedBranch(t *testing.T) {
	w := newWorld(t)
	w.put("0.42.0-rc.1")
	first := w.tip("bot-promote-rc")
	w.commit("fix: more", map[string]string{"src/api.rs": "3\n"})
	dir := w.build("0.42.0-rc.2", nil)
	other := filepath.Join(t.TempDir(), "other")
	w.run("clone", "--quiet", "--branch", "bot-promote-rc", w.repo.Git().Dir, other)
	// The branch goes away while the put is on its way, as a merge may do.
	hook := "#!/bin/sh\nif [ ! -e moved ]; then touch moved; unset GIT_QUARANTINE_PATH; git update-ref -d refs/heads/bot-promote-rc " + first + "; fi\n"
	require.NoError(t, w.repo.Git().Hook("pre-receive", hook))
	got, err := w.tryPut(dir, params())
	require.NoError(t, err)
	assert.Equal(t, w.tip("bot-promote-rc"), got.Version.Commit)
	assert.Contains(t, w.logged(), "someone else pushed first, trying again")
}

// Somebody merges while the put runs: there is no second pull request.
func TestAMergeWhileThePutRuns(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.repo.Git().Hook("post-receive", "#!/bin/sh\ngit update-ref refs/heads/main refs/heads/bot-promote-rc\n"))
	_, err := w.tryPut(w.build("0.42.0-rc.1", nil), params())
	require.ErrorIs(t, err, promoterc.ErrReleased)
	assert.ErrorContains(t, err, "CHANGELOG.md on main has its entry")
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestWhatAPutNeeds(t *testing.T) {
	w := newWorld(t)
	dir := w.build("0.42", nil)
	_, err := w.tryPut(dir, params())
	require.ErrorContains(t, err, `params.version_file: version/version: "0.42" is not a semantic version: it needs three numbers, as in 0.42.0`)

	_, err = w.tryPut(w.build(strings.Repeat(" ", 1<<20)+"0.42.0-rc.1", nil), params())
	require.ErrorContains(t, err, `params.version_file: read version/version: it has 1048588 bytes, and such a file may have no more than 4 KiB`)
	p := params()
	p.VersionFile = "version"
	_, err = w.tryPut(dir, p)
	require.ErrorContains(t, err, `params.version_file: read version: it is not a file: name the file itself, as in version/version`)

	p = params()
	p.Repository = "version"
	_, err = w.tryPut(w.build("0.42.0-rc.1", nil), p)
	require.ErrorContains(t, err, "params.repository version")

	w.src.CogTOML = "cog.toml"
	_, err = w.tryPut(w.build("0.42.0-rc.1", nil), params())
	require.ErrorContains(t, err, "source.cog_toml: the commit has no file cog.toml")
}

func TestRulesOfACogToml(t *testing.T) {
	w := newWorld(t)
	w.commit("docs: words", map[string]string{"cog.toml": "tag_prefix = \"\"\n[commit_types]\nfeat = { changelog_title = \"New\" }\nfix = { omit_from_changelog = true }\n"})
	w.src.CogTOML = "cog.toml"
	w.put("0.42.0-rc.1")
	log := w.file("CHANGELOG.md")
	assert.Contains(t, log, "### New\n\n- *(api)* Transfers")
	assert.NotContains(t, log, "Rounding")
}

func TestGroupsOfGitCliff(t *testing.T) {
	w := newWorld(t)
	w.commit("docs: words", map[string]string{"ci/cliff.toml": "[git]\ntag_pattern = \"v*\"\ncommit_parsers = [{message = \"^feat\", group = \"<!-- 0 -->New\"}, {message = \"^fix\", skip = true}]\n"})
	w.src.CliffTOML = "ci/cliff.toml"
	w.put("0.42.0-rc.1")
	log := w.file("CHANGELOG.md")
	assert.Contains(t, log, "### New\n\n- *(api)* Transfers")
	assert.Contains(t, log, "### Docs\n\n- Words")
	assert.NotContains(t, log, "Rounding")
	w.src.CliffTOML = "cliff.toml"
	_, err := w.tryPut(w.build("0.42.0-rc.2", nil), params())
	require.ErrorContains(t, err, "source.cliff_toml: the commit has no file cliff.toml")
}

// Links lead to tags as they are called.
func TestLinksHaveThePrefixOfTheTags(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{{"tag", "v0.41.0", "0.41.0"}, {"tag", "-d", "0.41.0"}} {
		_, err := w.repo.Git().Git(args...)
		require.NoError(t, err)
	}
	w.put("0.42.0-rc.1")
	assert.Contains(t, w.file("CHANGELOG.md"), "/compare/v0.41.0...v0.42.0)")
	assert.Contains(t, w.pull().Body, "/compare/v0.41.0..."+w.tip("main"))
}

// An app's tokens end; each step asks for its own.
func TestAGitHubApp(t *testing.T) {
	w := newWorld(t)
	key, err := w.server.AddApp("4711", "team/code")
	require.NoError(t, err)
	w.src.GitHub.AccessToken, w.src.GitHub.AppID, w.src.GitHub.AppPrivateKey = "", "4711", key
	require.NoError(t, w.src.Validate())
	v := w.put("0.42.0-rc.1").Version
	w.server.ExpireTokens()
	v.Commit = w.merge(v.PR, "squash")
	assert.Equal(t, []promoterc.Version{v}, w.check(nil))

	w.server.SuspendApp("4711", true)
	_, err = promoterc.Resource{}.Check(t.Context(), w.step(""), w.src, nil)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "PRIVATE KEY")
}
