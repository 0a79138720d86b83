package pipelines

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ytt panics at a key that YAML 1.1 takes for a boolean: the rendering says what to do.
func TestAPanicOfYTTIsAnError(t *testing.T) {
	t.Parallel()
	values := filepath.Join(t.TempDir(), "v.yml")
	text, err := os.ReadFile(filepath.Join(examplesFolder, "small-team", "release", valuesFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(values, bytes.Replace(text, []byte("  command: make test\n"), []byte("  command: make test\n  params: {y: 1}\n"), 1), 0o600))
	_, err = Rendering{Template: "release", Values: values}.Render()
	require.Error(t, err)
	assert.Contains(t, err.Error(), "the values have a key that is not a text")
}
