package lineage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// What the real Rust program records is told apart from this suite's records,
// and the rest of the chain is followed all the same.
func TestARecordOfTheRealCepler(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("cepler")
	if err != nil {
		t.Skip("cepler is not on PATH")
	}
	b := newBank(t)
	work := filepath.Join(t.TempDir(), "work")
	_, err = b.deployments.Git("clone", "--quiet", b.deployments.Dir, work)
	require.NoError(t, err)
	clone := gittest.Open(work)
	for _, name := range []string{"user.name", "user.email"} {
		_, err = clone.Git("config", name, "bot@example.com")
		require.NoError(t, err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", "cepler/bank.yml", "record", "-e", "staging")
	cmd.Dir, cmd.Env = work, append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	b.options.Deployments = work

	e := b.trace("staging").Environments[0]
	assert.EqualValues(t, 1, e.Version)
	assert.Equal(t, lineage.NoBuild, e.Recorder)
	assert.Empty(t, broken(e), "the link is whole; only the build is not known")
	require.Len(t, e.Runs.Charts, 1)
	assert.True(t, e.Runs.Charts[0].Vendored.Verified)
	assert.Equal(t, "0.42.0", e.Runs.Charts[0].Images[0].Source.Releases[0])
}
