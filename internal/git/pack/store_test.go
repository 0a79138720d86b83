package pack

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
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
	t.Setenv("TMPDIR", temp)
	s := NewStore()
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

// Objects that are read one after the other share what decompresses them; those that are open at once do not.
func TestReadersAreUsedAgain(t *testing.T) {
	objects := make([]object.Object, 1000)
	for i := range objects {
		objects[i] = object.New(plumbing.BlobObject, fmt.Appendf(nil, "object %d", i))
	}
	var sent bytes.Buffer
	require.NoError(t, Write(&sent, objects))
	s := NewStore()
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Add(t.Context(), &sent))
	open := func(o object.Object) io.ReadCloser {
		_, content, _, err := s.Open(o.Hash)
		require.NoError(t, err)
		return content
	}
	read := func(r io.Reader) string {
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		return string(got)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, o := range objects {
		content := open(o)
		require.Equal(t, fmt.Sprintf("object %d", i), read(content))
		require.NoError(t, content.Close())
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(objects)*8<<10), "bytes; a decompressor alone has 40 KB")

	first, second := open(objects[1]), open(objects[2])
	assert.Equal(t, "object 2", read(second))
	assert.Equal(t, "object 1", read(first))
	for range 2 { // closed twice, it is still kept once
		require.NoError(t, first.Close())
	}
	_, err := first.Read(make([]byte, 1))
	require.ErrorIs(t, err, fs.ErrClosed)
	third, fourth := open(objects[3]), open(objects[4])
	assert.Equal(t, "object 4", read(fourth))
	assert.Equal(t, "object 3", read(third))
}
