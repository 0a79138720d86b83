package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// runCommits runs the command and returns what it printed.
func runCommits(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	root := newRoot()
	var stdout bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stdout)
	root.SetArgs(append([]string{"commits"}, args...))
	err = root.ExecuteContext(t.Context())
	return stdout.String(), err
}

func TestCommitsOfARange(t *testing.T) {
	t.Parallel()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "code.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	i := repo.Import()
	start := i.Commit("main", "Initial commit")
	i.Tag("v0.4.0", "", start)
	i.Commit("topic", "feat(loans): interest by day").From(start)
	side := i.Commit("side", "fix round half to even").From(start)
	i.Commit("topic", "Merge branch 'side' into topic").Merge(side)
	i.Commit("topic", "chore: 100%\n\nsee above")
	require.NoError(t, i.Done())
	out, err := runCommits(t, "", "-C", repo.Dir, "main..topic")
	require.EqualError(t, err, "commits: 1 message is not well formed")
	for _, want := range []string{
		" minor: feat(loans): interest by day\n", ` not a conventional commit: "fix round half to even", did you mean "fix: round half to even"?` + "\n",
		" none: Merge branch 'side' into topic\n", " none: chore: 100%\n",
	} {
		assert.Contains(t, out, want)
	}
	assert.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 4)
	out, err = runCommits(t, "", "-C", repo.Dir, "--format", "github", "main..topic")
	require.Error(t, err)
	assert.Contains(t, out, "::error title=commit message::")
	assert.Contains(t, out, "::notice title=minor::")

	out, err = runCommits(t, "", "-C", repo.Dir, "refs/heads/main.."+start.Hash())
	require.NoError(t, err)
	assert.Empty(t, out)
	// a title is read after the same version as a range
	out, err = runCommits(t, "", "-C", repo.Dir, "--keep-zero", "--title", "feat!: loans")
	require.NoError(t, err)
	assert.Equal(t, "minor: feat!: loans\n", out)
	_, err = runCommits(t, "", "-C", repo.Dir, "main..nothing")
	require.EqualError(t, err, `commits: "nothing" is not a branch, a tag or a full hash in this clone`)
	_, err = runCommits(t, "", "-C", repo.Dir, "main")
	require.EqualError(t, err, `commits: "main" is not a range; write A..B, for example origin/main..HEAD`)
}

func TestCommitsOfAMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	message := filepath.Join(dir, "COMMIT_EDITMSG")
	require.NoError(t, os.WriteFile(message, []byte("fix!: tokens\n# Please enter the message\n#"+scissors+"\ndiff\nBREAKING CHANGE: not here\n"), 0o600))
	out, err := runCommits(t, "", "-C", dir, "--file", message)
	require.NoError(t, err)
	assert.Equal(t, "major: fix!: tokens\n", out)
	out, err = runCommits(t, "# only comments\n", "-C", dir, "--file", "-")
	require.Error(t, err)
	assert.Contains(t, out, `not a conventional commit: ""`)
	out, err = runCommits(t, "", "-C", dir, "--title", "deps: tokio", "--type", "deps=patch")
	require.NoError(t, err)
	assert.Equal(t, "patch: deps: tokio\n", out)
	_, err = runCommits(t, "", "-C", dir, "--title", "")
	require.Error(t, err, "an empty title is not well formed")

	// cog.toml in the folder counts, and so does one that --cog names
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cog.toml"), []byte("scopes = [\"api\"]\n"), 0o600))
	out, err = runCommits(t, "", "-C", dir, "--title", "fix(web): x")
	require.Error(t, err)
	assert.Equal(t, "fix(web): x: the scope web is not configured\n", out)
	_, err = runCommits(t, "", "--cog", filepath.Join(dir, "missing.toml"), "--title", "fix: x")
	require.ErrorContains(t, err, "read the configuration")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cog.toml"), []byte("tag_prefx = 'v'\n"), 0o600))
	_, err = runCommits(t, "", "-C", dir, "--title", "fix: x")
	require.ErrorContains(t, err, "tag_prefix")

	for _, args := range [][]string{{}, {"--title", "x", "--file", "y"}, {"a..b", "--title", "x"}} {
		_, err = runCommits(t, "", args...)
		require.EqualError(t, err, "commits: name a range like origin/main..HEAD, or give --file or --title")
	}
	_, err = runCommits(t, "", "--title", "fix: x", "--format", "json")
	require.EqualError(t, err, "commits: --format json is not one of github, text")
}

// Comments begin with what git's configuration says.
func TestCommitsOfAHookKnowTheCommentMark(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ key, mark, message, want string }{
		{"core.commentChar", ";", "fix: x\n\n#12 is done\n; BREAKING CHANGE: no\n;" + scissors + "\nBREAKING CHANGE: no\n", "patch: fix: x\n"},
		{"core.commentString", "//", "fix: x\n//\n// BREAKING CHANGE: no\n", "patch: fix: x\n"},
		{"core.commentChar", "auto", "fix: x\n\n#12\n\n; Please enter the message\n;BREAKING CHANGE: no\n; Changes to be committed:\n", "patch: fix: x\n"},
		{"core.commentChar", "auto", "fix!: x\n\n# Please enter the message\n", "major: fix!: x\n"},
		{"core.commentChar", "#", "# a comment\nfix: x\n", "patch: fix: x\n"},
	} {
		repo, err := gittest.Init(filepath.Join(t.TempDir(), "code.git"))
		if errors.Is(err, gittest.ErrNoGit) {
			t.Skip(err)
		}
		require.NoError(t, err)
		_, err = repo.Git("config", tc.key, tc.mark)
		require.NoError(t, err)
		out, err := runCommits(t, tc.message, "-C", repo.Dir, "--file", "-")
		require.NoError(t, err, tc.message)
		assert.Equal(t, tc.want, out, "%s %s", tc.key, tc.mark)
	}
	// a line that only looks like a comment is the message
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "code.git"))
	require.NoError(t, err)
	_, err = repo.Git("config", "core.commentChar", ";")
	require.NoError(t, err)
	out, err := runCommits(t, "# fix: x\n", "-C", repo.Dir, "--file", "-")
	require.Error(t, err)
	assert.Contains(t, out, "not a conventional commit")
}
