package world

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeptFoldersAreFilledOnceAndGoWhenNobodyUsesThem(t *testing.T) {
	t.Parallel()
	k := keep{filepath.Join(t.TempDir(), "build", "kept")}
	write := func(dir string) error { return os.WriteFile(filepath.Join(dir, "program"), nil, 0o600) }
	one, made, err := k.folder("one", write)
	require.NoError(t, err)
	assert.True(t, made)
	assert.FileExists(t, filepath.Join(one, "program"))
	_, made, err = k.folder("one", func(string) error { return errors.New("filled again") })
	require.NoError(t, err)
	assert.False(t, made)

	broken := errors.New("broken")
	_, _, err = k.folder("two", func(dir string) error { return errors.Join(write(dir), broken) })
	require.ErrorIs(t, err, broken)
	all, err := os.ReadDir(k.dir)
	require.NoError(t, err)
	assert.Len(t, all, 1, "what was not finished is not kept")

	old := time.Now().Add(-2 * unused)
	require.NoError(t, os.Chtimes(one, old, old))
	_, _, err = k.folder("two", write)
	require.NoError(t, err)
	assert.NoDirExists(t, one)
	_, made, err = k.folder("two", func(string) error { return nil })
	require.NoError(t, err)
	assert.False(t, made)

	// Another run was faster.
	three, _, err := k.folder("three", func(string) error {
		_, _, err := k.folder("three", write)
		return err
	})
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(three, "program"))
}
