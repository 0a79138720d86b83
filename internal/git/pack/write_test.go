package pack

import (
	"bytes"
	"compress/zlib"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStoredIsZlib(t *testing.T) {
	for _, size := range []int{0, 1, 0xfffe, 0xffff, 0x10000, 0x1fffe, 200_000} {
		content := bytes.Repeat([]byte("7"), size)
		var out bytes.Buffer
		require.NoError(t, store(&out, int64(size), bytes.NewReader(content), make([]byte, longestStored)))
		r, err := zlib.NewReader(&out)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content, got), size)
	}
}
