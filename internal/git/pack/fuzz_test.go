package pack

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

func emptyState() State {
	return State{Shallow: map[object.Hash]bool{}, Tips: map[string]object.Hash{}}
}

// One changed byte of the file that says which packs count is noticed.
func TestAChangedStateIsDamaged(t *testing.T) {
	st := emptyState()
	st.packs = []int{1, 17}
	st.Shallow[object.Hash{1}] = true
	st.Tips["refs/heads/main"] = object.Hash{2}
	good := st.text()
	again := emptyState()
	require.NoError(t, again.parse(good))
	assert.Equal(t, st, again)
	for i := range len(good) {
		bad := []byte(good)
		bad[i] ^= 1
		again := emptyState()
		require.Error(t, again.parse(string(bad)), "byte %d", i)
	}
	for i := range len(good) {
		again := emptyState()
		require.Error(t, again.parse(good[:i]), "%d bytes", i)
	}
}

// Whatever the state of a folder says: it is refused, or written as it was read.
func FuzzState(f *testing.F) {
	f.Add("pack 1\npack 2\nshallow 0102030405060708090a0b0c0d0e0f1011121314\n")
	f.Add("tip 0102030405060708090a0b0c0d0e0f1011121314 refs/heads/a b\n")
	f.Add("pack -1\npack 99999999999999999999\n")
	f.Add("tip x\n\n")
	f.Fuzz(func(t *testing.T, lines string) {
		text := stateFormat + "\n" + lines
		st := emptyState()
		if st.parse(text+stateEnd(text)) != nil {
			return
		}
		again := emptyState()
		require.NoError(t, again.parse(st.text()))
		require.Equal(t, st, again)
		require.ErrorContains(t, st.parse(text), "its file state is cut short")
	})
}

// Whatever an index says: it is refused, or every object that it names is found where it says.
func FuzzIdx(f *testing.F) {
	blob := object.New(plumbing.BlobObject, []byte("a"))
	one := []packed{{hash: blob.Hash, offset: 12}, {hash: object.Hash{0xff}, offset: 40}}
	slices.SortFunc(one, func(a, b packed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	good := packIndex(len(one), func(i int) packed { return one[i] }, make([]byte, packTrailer))
	f.Add(good)
	f.Add(packIndex(0, nil, make([]byte, packTrailer)))
	far := bytes.Clone(good)
	binary.BigEndian.PutUint32(far[idxHeader+len(one)*24:], isFar|7)
	f.Add(far)
	f.Add(good[:idxHeader+50])
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIdx(data)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			return
		}
		named := map[object.Hash]bool{}
		for i := range x.count {
			named[x.hash(i)] = true
			_ = x.offset(i) // anything; whoever reads the pack there verifies it
		}
		for h := range maps.Keys(named) {
			_, _ = x.find(h) // an index that is not sorted may hide it
		}
	})
}
