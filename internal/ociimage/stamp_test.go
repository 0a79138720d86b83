package ociimage_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
)

func TestAFolderWithoutRepositoryHasAFixedStamp(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	stamp, err := ociimage.ReadStamp(t.Context(), dir)
	require.NoError(t, err)
	assert.Equal(t, ociimage.Stamp{Revision: "unknown", Created: time.Unix(0, 0).UTC(), Version: "0.0.0-dev"}, stamp)
}

func TestTheStampIsTheCommits(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not on PATH")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		command := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		command.Dir = dir
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	read := func() ociimage.Stamp {
		stamp, err := ociimage.ReadStamp(t.Context(), dir)
		require.NoError(t, err)
		return stamp
	}
	t.Setenv("GIT_COMMITTER_DATE", "2026-03-01T13:30:00+01:00")
	run("init", "-q")
	assert.Equal(t, "unknown", read().Revision, "a repository without commits")

	writeFile(t, filepath.Join(dir, "a"), "a")
	run("add", ".")
	run("commit", "-qm", "start", "--author=b <b@example.com>", "--date=2020-01-01T00:00:00Z")
	untagged := read()
	assert.Regexp(t, `^[0-9a-f]{40}$`, untagged.Revision)
	assert.Equal(t, "0.0.0-dev.g"+untagged.Revision[:12], untagged.Version)
	assert.Equal(t, time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC), untagged.Created)

	for _, tag := range []string{"v1.9.0", "v1.10.0", "v1.10.0-rc.1", "nightly", "v2"} {
		run("tag", tag)
	}
	assert.Equal(t, "1.10.0", read().Version)

	writeFile(t, filepath.Join(dir, "b"), "not committed")
	dirty := read()
	assert.Equal(t, untagged.Revision+"-dirty", dirty.Revision)
	assert.Equal(t, "1.10.0-dirty", dirty.Version)
}
