package version_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a whole table with its file, so that neither may have a line
// that the other lacks.
func golden(t *testing.T, name, got string) {
	t.Helper()
	require.NotEmpty(t, got, "no cases")
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-file +now, -update writes it):\n%s", file, diff)
	}
}
