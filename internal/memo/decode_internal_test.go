package memo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Whatever the file holds: it is a miss, or exactly the answer whose checksum it carries.
func FuzzDecode(f *testing.F) {
	good, err := encode(kept[string]{"q", Answer[string]{
		Versions: []string{"1"}, Notes: []string{"n"}, Refs: map[string]git.Hash{"refs/heads/main": {1}}, Until: time.Unix(1, 0).UTC(),
	}})
	require.NoError(f, err)
	f.Add(good, uint16(0))
	f.Add(good, uint16(70))
	f.Add([]byte(sum([]byte("null"))+"\nnull"), uint16(1))
	f.Add([]byte(sum(nil)+"\n"), uint16(64))
	f.Add([]byte("{}"), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		k, ok := decode[string](data)
		if !ok {
			assert.Equal(t, kept[string]{}, k)
			return
		}
		data[int(at)%len(data)] ^= 0x40
		_, ok = decode[string](data)
		assert.False(t, ok, "another byte at %d", at)
	})
}
