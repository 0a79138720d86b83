package world

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

func TestRepositoriesOfAddresses(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"git@github.com:acme/app.git":               "acme/app",
		"https://github.com/acme/app":               "acme/app",
		"https://git.example.com/team/acme/app.git": "acme/app",
		"ssh://git@host:2222/acme/app.git/":         "acme/app",
		"deployments":                               "deployments",
	} {
		assert.Equal(t, want, repositoryOf(uri), uri)
	}
}

func TestATypeThatNothingStandsInFor(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse("p.yml", []byte("resources: [{name: s, type: s3, source: {bucket: b}}]\njobs: [{name: j, plan: [{get: s}]}]\n"))
	require.NoError(t, err)
	w, err := open(t.Context(), t.TempDir(), "cache", nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.close() })
	_, err = w.types("p", p)
	require.ErrorContains(t, err, "p.yml:1: nothing stands in for the resource type s3")
}

// An ordinary clone has one branch that is checked out, and the others as its remote has
// them.
func TestTheCopyOfACloneHasAllBranches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	origin, err := gittest.Init(filepath.Join(dir, "origin.git"))
	require.NoError(t, err)
	for _, branch := range []string{"trunk", "version", "feature/x"} {
		_, err := origin.Commit(branch, branch, map[string]string{"folder/" + path.Base(branch): "1\n"})
		require.NoError(t, err)
	}
	_, err = origin.Git("symbolic-ref", "HEAD", "refs/heads/trunk")
	require.NoError(t, err)
	_, err = origin.Git("tag", "v1", "trunk")
	require.NoError(t, err)
	clone := filepath.Join(dir, "clone")
	_, err = origin.Git("clone", "--quiet", origin.Dir, clone)
	require.NoError(t, err)
	_, err = gittest.Open(clone).Git("commit", "--quiet", "--allow-empty", "-m", "not pushed")
	require.NoError(t, err)
	ahead, err := gittest.Open(clone).RevParse("trunk")
	require.NoError(t, err)
	_, err = gittest.Open(clone).Git("worktree", "add", "--quiet", "-b", "here", filepath.Join(dir, "linked"))
	require.NoError(t, err)
	for from, head := range map[string]string{clone: "trunk", filepath.Join(clone, "folder"): "trunk", filepath.Join(dir, "linked"): "here"} {
		to, err := gittest.Init(filepath.Join(t.TempDir(), "to.git"))
		require.NoError(t, err)
		require.NoError(t, copyClone(to, from), from)
		for branch, want := range map[string]string{"trunk": ahead, "here": ahead} {
			got, err := to.RevParse("refs/heads/" + branch)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		for _, ref := range []string{"refs/heads/version", "refs/heads/feature/x", "refs/tags/v1"} {
			want, err := origin.RevParse(ref)
			require.NoError(t, err)
			got, err := to.RevParse(ref)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		}
		is, err := to.Git("symbolic-ref", "HEAD")
		require.NoError(t, err)
		assert.Equal(t, "refs/heads/"+head, strings.TrimSpace(is))
		_, err = to.RevParse("refs/heads/HEAD")
		require.Error(t, err)
	}
}
