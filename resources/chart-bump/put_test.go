package chartbump_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everything is a source that uses each kind of place.
func everything(w *world) object {
	return w.source(object{
		"images": []object{
			{"name": "lana-bank", "path": "lanaBank.image.digest"},
			{"name": "admin-panel", "path": "lanaBank.adminPanel.image.tag", "monorepo_subdir": "apps/admin-panel"},
			{"name": "dagster", "path": "dagster.deployments[name=lana-dw].image", "app": "lana-dw", "repository": "https://github.com/acme/dw"},
		},
		"app_version_paths": []string{"lanaBank.appVersion"}, "chart_app_version": true, "chart_version": "patch",
	})
}

func TestPutOfEverything(t *testing.T) {
	w := newWorld(t)
	base, err := w.repo.RevParse("main")
	require.NoError(t, err)
	w.image(t, "bank", digestB, revision2)
	w.image(t, "panel", digestC, revision2)
	w.image(t, "dw", digestD, revision3)
	w.write(t, map[string]string{"code/tf/bq/main.tf": "bq\n", "code/tf/bq/deep/run.sh": "#!\n"})
	require.NoError(t, os.Chmod(filepath.Join(w.dir, "code", "tf", "bq", "deep", "run.sh"), 0o755))
	a := w.put(t, everything(w), object{
		"images":       object{"lana-bank": "bank", "admin-panel": object{"digest_file": "panel/digest"}, "dagster": "dw"},
		"version_file": "version/version",
		"copy":         []object{{"from": "code/tf/bq", "to": "tf/old"}},
		"files":        []object{{"path": "is-release", "content": "true"}},
	})
	require.Zero(t, a.status, a.stderr)
	assert.Equal(t, "1", a.version.PR)

	assert.Equal(t, base+"\n", must(w.repo.Git("log", "-1", "--format=%P", "bot-bump")), "one commit on top of the base")
	want := strings.NewReplacer(
		`digest: "`+digestA+`" # METADATA:: repository=https://github.com/acme/bank;commit_ref=1111111;app=lana-bank; pinned, ask Ana`,
		`digest: "`+digestB+`" # METADATA:: repository=https://github.com/acme/bank;commit_ref=2222222;app=lana-bank; pinned, ask Ana`,
		"appVersion:   0.41.0", "appVersion:   0.42.0",
		"'v0.41.0@"+digestA+"'}}   # the panel",
		"'v0.42.0@"+digestC+"'}}   # METADATA:: repository=https://github.com/acme/bank;commit_ref=2222222;app=admin-panel;monorepo_subdir=apps/admin-panel; the panel",
		"ghcr.io/acme/dw:edge@"+digestA, "ghcr.io/acme/dw:latest@"+digestD+" # METADATA:: repository=https://github.com/acme/dw;commit_ref=3333333;app=lana-dw;",
	).Replace(values)
	assert.Equal(t, want, w.show(t, "bot-bump", "charts/bank/values.yaml"))
	assert.Equal(t, "apiVersion: v2\nname: lana-bank\nversion: 0.3.10   # ours\nappVersion: 0.42.0\n", w.show(t, "bot-bump", "charts/bank/Chart.yaml"))
	assert.Equal(t, "M\tcharts/bank/Chart.yaml\nA\tcharts/bank/is-release\nA\tcharts/bank/tf/old/deep/run.sh\nD\tcharts/bank/tf/old/gone.tf\nA\tcharts/bank/tf/old/main.tf\nM\tcharts/bank/values.yaml\n",
		must(w.repo.Git("diff", "--no-renames", "--name-status", "main", "bot-bump")))
	assert.Equal(t, "true\n", w.show(t, "bot-bump", "charts/bank/is-release"))
	assert.Contains(t, must(w.repo.Git("ls-tree", "-r", "bot-bump")), "100755 blob")

	p := w.pull(t)
	assert.Equal(t, "chore(bank): bump 3 images to 0.42.0", p.Title)
	assert.Equal(t, []string{"galoybot", "lana-bank"}, p.Labels)
	assert.Contains(t, p.Body, "https://github.com/acme/bank/compare/1111111...2222222")
	assert.Contains(t, p.Body, digestC)
	assert.Contains(t, p.Body, "https://ci.example.org/teams/main/pipelines/release/jobs/bump/builds/3")
	message := must(w.repo.Git("log", "-1", "--format=%an <%ae>%n%B", "bot-bump"))
	assert.Contains(t, message, "bump bot <bump@example.com>\nchore(bank): bump 3 images to 0.42.0\n\nlana-bank: '"+digestB+"'\n")
	assert.Contains(t, message, "Pipeline: main/release/bump #3\n")

	again := w.put(t, everything(w), object{
		"images":       object{"lana-bank": "bank", "admin-panel": "panel", "dagster": "dw"},
		"version_file": "version/version",
		"copy":         []object{{"from": "code/tf/bq", "to": "tf/old"}},
		"files":        []object{{"path": "is-release", "content": "true"}},
	})
	require.Zero(t, again.status, again.stderr)
	assert.Equal(t, a.version, again.version)
	assert.Contains(t, again.stderr, "already up to date")
}

// What the comment beside a digest says already stays, unless the source says otherwise: app, monorepo_subdir, keys that are
// not known here, and a person's words.
func TestAPutKeepsWhatACommentSays(t *testing.T) {
	const before = "repository=https://github.com/acme/bank;commit_ref=1111111;app=the-bank;monorepo_subdir=core/bank;owner=ana; pinned, ask Ana"
	w := newWorld(t)
	old := strings.Replace(values, "repository=https://github.com/acme/bank;commit_ref=1111111;app=lana-bank; pinned, ask Ana", before, 1)
	require.NotEqual(t, values, old)
	w.commit(t, "describe it", map[string]string{"charts/bank/values.yaml": old})
	w.bumped(t, w.source(nil), digestB, revision2)
	want := strings.NewReplacer("\""+digestA, "\""+digestB, "1111111", "2222222").Replace(old)
	assert.Equal(t, want, w.show(t, "bot-bump", "charts/bank/values.yaml"))

	said := w.source(object{"images": []object{{"name": "lana-bank", "path": "lanaBank.image.digest", "app": "bank", "monorepo_subdir": "bank"}}})
	w.bumped(t, said, digestC, revision3)
	assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), ";commit_ref=3333333;app=bank;monorepo_subdir=bank;owner=ana; pinned, ask Ana")
}

func must(out string, err error) string {
	if err != nil {
		return err.Error()
	}
	return out
}

func TestBumpsInARow(t *testing.T) {
	w := newWorld(t)
	first := w.bumped(t, w.source(nil), digestB, revision2)
	require.NoError(t, w.pulls.Approve(1, "ana"))
	require.NoError(t, w.pulls.Label(1, "by-hand"))
	second := w.bumped(t, w.source(nil), digestC, revision3)
	assert.Equal(t, first.version.PR, second.version.PR)
	assert.NotEqual(t, first.version.Commit, second.version.Commit)
	p := w.pull(t)
	assert.Equal(t, "chore(bank): bump lana-bank image to '"+digestC+"'", p.Title)
	assert.Contains(t, p.Body, digestC)
	assert.NotContains(t, p.Body, digestB)
	assert.Contains(t, p.Body, "compare/1111111...3333333")
	assert.Equal(t, []string{"ana"}, p.Approvals)
	assert.ElementsMatch(t, []string{"galoybot", "lana-bank", "by-hand"}, p.Labels)
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))

	third := w.bumped(t, w.source(nil), digestA, revision1)
	assert.Empty(t, third.version.PR)
	p = w.pull(t)
	assert.False(t, p.Open)
	assert.False(t, p.Merged)
	require.NotEmpty(t, p.Comments)
	assert.Contains(t, p.Comments[0], "branch `main` has everything that this pull request was for")

	fourth := w.bumped(t, w.source(nil), digestA, revision1)
	assert.Equal(t, third.version, fourth.version)
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestBumpAfterAMerge(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.bumped(t, w.source(nil), digestB, revision2)
			merged, err := w.pulls.Merge(1, method, "ana")
			require.NoError(t, err)
			same := w.bumped(t, w.source(nil), digestB, revision2)
			assert.Equal(t, merged, same.version.Commit)
			assert.Empty(t, same.version.PR)
			next := w.bumped(t, w.source(nil), digestC, revision3)
			assert.Equal(t, "2", next.version.PR)
			assert.Equal(t, merged+"\n", must(w.repo.Git("log", "-1", "--format=%P", "bot-bump")))
		})
	}
}

func TestOneImageChangesOneLine(t *testing.T) {
	w := newWorld(t)
	a := w.bumped(t, w.source(nil), digestB, revision2)
	lines := w.changedLines(t, a.version.Commit)
	require.Len(t, lines, 2)
	assert.Contains(t, lines[0], digestA)
	assert.Contains(t, lines[1], digestB)
	assert.Equal(t, digestB, a.metadata["lana-bank"])
	assert.Equal(t, "https://github.com/acme/bank/compare/1111111...2222222", a.metadata["lana-bank/compare"])
}

func TestRebuiltImageIsNoChange(t *testing.T) {
	w := newWorld(t)
	a := w.bumped(t, w.source(nil), digestA, revision3) // the same digest from a later commit
	assert.Empty(t, a.version.PR)
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestPushMode(t *testing.T) {
	w := newWorld(t)
	source := w.source(object{"mode": "push", "github": nil, "bot_branch": nil, "labels": nil})
	a := w.bumped(t, source, digestB, revision2)
	assert.Equal(t, a.version.Commit+"\n", must(w.repo.Git("rev-parse", "main")))
	assert.Empty(t, a.version.PR)
	assert.Empty(t, w.hub.Requests())
	again := w.bumped(t, source, digestB, revision2)
	assert.Equal(t, a.version, again.version)
}

func TestSourceRepositorySaysTheCommit(t *testing.T) {
	w := newWorld(t)
	code, err := w.git.Create("acme/bank")
	require.NoError(t, err)
	old, err := code.Commit("main", "feat: old", map[string]string{"a": "1"})
	require.NoError(t, err)
	_, err = code.Commit("main", "fix: <b> for @ana, #1", map[string]string{"a": "2"})
	require.NoError(t, err)
	head, err := code.Commit("main", "feat: new", map[string]string{"a": "3"})
	require.NoError(t, err)
	_, err = code.Git("clone", "--quiet", code.Dir, filepath.Join(w.dir, "code"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "code", ".git", "config"), []byte("[core]\n\tbare = false\n[remote \"up\"]\n\turl = x\n[remote \"origin\"]\n\turl = git@github.com:acme/bank.git\n"), 0o644))
	w.commit(t, "older image", map[string]string{"charts/bank/values.yaml": strings.ReplaceAll(values, "1111111", old[:7])})
	w.image(t, "lana-bank", digestB, revision3)
	a := w.put(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}, "source_repository": "code"})
	require.Zero(t, a.status, a.stderr)
	assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), "repository=https://github.com/acme/bank;commit_ref="+head[:7]+";app=lana-bank; pinned, ask Ana\r\n")
	assert.Contains(t, a.stderr, "warning: lana-bank: the label org.opencontainers.image.revision says 3333333")
	body := w.pull(t).Body
	assert.Contains(t, body, "- "+head[:7]+" feat: new\n")
	assert.Contains(t, body, "fix: &lt;b> for @\u200bana, #\u200b1\n")
	assert.NotContains(t, body, "feat: old")
}
