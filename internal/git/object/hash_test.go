package object

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestHashBlob(t *testing.T) {
	r, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	require.NoError(t, err)
	for _, content := range []string{"", "x", strings.Repeat("long\n", 100_000)} {
		want, err := r.Object("blob", []byte(content))
		require.NoError(t, err)
		got, err := HashBlob(strings.NewReader(content), int64(len(content)))
		require.NoError(t, err)
		assert.Equal(t, want, got.String())
	}
	for _, size := range []int64{2, 4} {
		_, err := HashBlob(bytes.NewReader([]byte("abc")), size)
		require.ErrorContains(t, err, "got 3 bytes instead of")
	}
}
