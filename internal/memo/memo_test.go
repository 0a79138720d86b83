package memo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/memo"
)

func open(t *testing.T, question ...any) memo.Memo[string] {
	t.Helper()
	m, err := memo.Open("sample", func(v string) bool { return v == "" }, question...)
	require.NoError(t, err)
	return m
}

func TestAnAnswerBelongsToItsQuestionAndCommit(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := open(t, "uri", "main")
	_, ok := m.Recall("c1")
	assert.False(t, ok, "nothing was kept")
	require.NoError(t, m.Keep("c1", []string{"1", "2"}))
	got, ok := open(t, "uri", "main").Recall("c1")
	assert.True(t, ok)
	assert.Equal(t, []string{"1", "2"}, got)
	_, ok = m.Recall("c2")
	assert.False(t, ok, "the branch moved")
	_, ok = open(t, "uri", "other").Recall("c1")
	assert.False(t, ok, "another question")
	files, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Len(t, files, 1, "no temporary file stays")
}

func TestWhatIsDamagedIsAbsent(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := open(t, "uri")
	require.NoError(t, m.Keep("c1", []string{"1"}))
	files, err := filepath.Glob(filepath.Join(os.TempDir(), "taxiway-sample-*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	for _, text := range []string{"", "null", `{"head": "c1"}`, `{"head": "c1", "versions": [""]}`, `{"head": "c1", "versions": ["1"]`, `{"head": "c1", "versions": [1]}`} {
		require.NoError(t, os.WriteFile(files[0], []byte(text), 0o600))
		_, ok := m.Recall("c1")
		assert.False(t, ok, text)
	}
}

func TestAFolderThatIsGoneIsAnError(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	assert.ErrorContains(t, open(t, "uri").Keep("c1", nil), "keep the answer of a check")
}
