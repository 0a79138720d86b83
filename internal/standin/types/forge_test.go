package types_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/standin/types"
)

// hosted is a repository with a commit on main, on a forge.
func hosted(t *testing.T) (api types.GitHub, r *gittest.Repository, pulls *github.Repository) {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	forge := github.New(github.Options{Git: server, Tokens: []string{"secret"}})
	t.Cleanup(forge.Close)
	r, err = server.Create("bank/app")
	require.NoError(t, err)
	commit(t, r, "feat: one", map[string]string{"a": "1\n"})
	return types.GitHub{API: forge.APIURL(), Token: "secret", Clone: server.URL}, r, forge.Repository("bank/app")
}

func TestReleases(t *testing.T) {
	t.Parallel()
	api, r, forge := hosted(t)
	d := newDouble(t, types.Release{GitHub: api})
	source := map[string]any{"owner": "bank", "repository": "app", "access_token": "of the real one"}
	assert.Empty(t, d.check(t, asked{Source: source}))
	head, err := r.RevParse("main")
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, dir, map[string]string{"v/tag": "0.9.0\n", "v/notes": "### Features\n", "v/commit": head, "bin/app": "program", "v10/tag": "0.10.0"})
	params := map[string]any{"name": "v/tag", "tag": "v/tag", "body": "v/notes", "commitish": "v/commit", "globs": []string{"bin/*"}}
	first := d.step(t, rehearsal.Out, dir, asked{Source: source, Params: params})
	assert.Equal(t, "0.9.0", first.Version["tag"])
	again := d.step(t, rehearsal.Out, dir, asked{Source: source, Params: params})
	assert.Equal(t, first.Version["id"], again.Version["id"], "the same release once more")
	tagged, err := r.RevParse("0.9.0^{commit}")
	require.NoError(t, err)
	assert.Equal(t, head, tagged)
	releases := forge.Releases()
	require.Len(t, releases, 1)
	assert.Equal(t, map[string]string{"app": "program"}, releases[0].Assets)
	assert.Equal(t, "### Features", releases[0].Body)

	second := d.step(t, rehearsal.Out, dir, asked{Source: source, Params: map[string]any{"name": "v10/tag", "tag": "v10/tag"}})
	assert.Len(t, d.check(t, asked{Source: source, Version: first.Version}), 2, "0.10.0 is after 0.9.0")
	assert.Equal(t, second.Version["id"], d.check(t, asked{Source: source})[0]["id"])
	got := t.TempDir()
	d.step(t, rehearsal.In, got, asked{Source: source, Version: first.Version})
	assert.Equal(t, "0.9.0", read(t, got, "version"))
	assert.Equal(t, "### Features", read(t, got, "body"))
	assert.ErrorContains(t, d.fails(t, rehearsal.Out, dir, asked{Source: source, Params: map[string]any{"name": "v/tag", "tag": "v/tag", "globs": []string{"none/*"}}}), `could not find a file that matches the glob "none/*"`)
}

func TestPullRequests(t *testing.T) {
	t.Parallel()
	api, r, forge := hosted(t)
	d := newDouble(t, types.PullRequest{GitHub: api})
	source := map[string]any{"repository": "bank/app", "base_branch": "main", "ignore_drafts": true}
	assert.Empty(t, d.check(t, asked{Source: source}))
	main, err := r.RevParse("main")
	require.NoError(t, err)
	require.NoError(t, r.UpdateRef("refs/heads/work", main))
	head, err := r.Commit("work", "feat: work", map[string]string{"b": "2\n"})
	require.NoError(t, err)
	number, err := forge.Open("work", "main", "Work", "ana")
	require.NoError(t, err)
	versions := d.check(t, asked{Source: source})
	require.Len(t, versions, 1)
	assert.Equal(t, head, versions[0]["commit"])
	assert.Equal(t, strconv.Itoa(number), versions[0]["pr"])
	source["paths"] = []string{"docs/**"}
	assert.Empty(t, d.check(t, asked{Source: source}))
	delete(source, "paths")

	meanwhile := commit(t, r, "feat: meanwhile", map[string]string{"c": "3\n"})
	build := t.TempDir()
	clone := filepath.Join(build, "pr")
	require.NoError(t, os.Mkdir(clone, 0o755))
	got := d.step(t, rehearsal.In, clone, asked{Source: source, Version: versions[0], Params: map[string]any{"list_changed_files": true}})
	assert.Equal(t, versions[0], got.Version)
	for _, file := range []string{"a", "b", "c"} {
		assert.FileExists(t, filepath.Join(clone, file), "the merge with main")
	}
	assert.Equal(t, head, read(t, clone, ".git", "resource", "head_sha"))
	assert.Equal(t, meanwhile, read(t, clone, ".git", "resource", "base_sha"))
	assert.Equal(t, "b\n", read(t, clone, ".git", "resource", "changed_files"))
	assert.Contains(t, read(t, clone, ".git", "resource", "metadata.json"), "Work")

	d.step(t, rehearsal.Out, build, asked{Source: source, Params: map[string]any{
		"path": "pr", "status": "success", "context": "cache", "target_url": "https://ci.example/$BUILD_ID", "comment": "Done in build $BUILD_ID.",
	}})
	assert.Equal(t, github.Status{Context: "concourse-ci/cache", State: "success", Description: "Concourse CI build success", URL: "https://ci.example/7"}, forge.Statuses(head)["concourse-ci/cache"])
	pull, err := forge.Pull(number)
	require.NoError(t, err)
	assert.Equal(t, []string{"Done in build 7."}, pull.Comments)
	checkedOut := t.TempDir()
	d.step(t, rehearsal.In, checkedOut, asked{Source: source, Version: versions[0], Params: map[string]any{"integration_tool": "checkout", "git_depth": 1}})
	assert.NoFileExists(t, filepath.Join(checkedOut, "c"))
	assert.ErrorContains(t, d.fails(t, rehearsal.Out, t.TempDir(), asked{Source: source, Params: map[string]any{"path": "none"}}), "not a get of a pull request")
}

func TestSlack(t *testing.T) {
	t.Parallel()
	mailbox := &rehearsal.Mailbox{}
	d := newDouble(t, types.Slack{Mailbox: mailbox})
	d.step(t, rehearsal.Out, t.TempDir(), asked{Source: map[string]any{"url": "x"}, Params: map[string]any{"text": "build $BUILD_ID", "channel": "#a"}})
	require.Len(t, mailbox.Messages(), 1)
	assert.Equal(t, "build 7", mailbox.Messages()[0].Text())
	assert.ErrorContains(t, d.fails(t, rehearsal.Out, t.TempDir(), asked{Params: map[string]any{"txt": "typo"}}), `unknown field "txt"`)
	assert.Empty(t, d.check(t, asked{}))
}
