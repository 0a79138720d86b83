package pack

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

func TestLargePackGoesToAFile(t *testing.T) {
	large := make([]byte, 1<<20)
	var seed [32]byte
	_, _ = rand.NewChaCha8(seed).Read(large)
	objects := []object.Object{object.New(plumbing.BlobObject, large), object.New(plumbing.BlobObject, []byte("s"))}
	var sent bytes.Buffer
	require.NoError(t, Write(&sent, objects))

	temp := t.TempDir()
	s := NewStore(temp)
	s.inMemory = int64(len(large) / 2)
	require.NoError(t, s.Add(t.Context(), &sent))
	defer func() { require.NoError(t, s.Close()) }()
	for _, o := range objects {
		kind, content, size, err := s.Open(o.Hash)
		require.NoError(t, err)
		assert.Equal(t, plumbing.BlobObject, kind)
		assert.EqualValues(t, len(o.Content), size)
		got, err := io.ReadAll(content)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(o.Content, got))
		require.NoError(t, content.Close())
	}
	assert.NotNil(t, s.packs[0].data.file, "the pack is a file")
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, entries, "the file has no name any more")
}
