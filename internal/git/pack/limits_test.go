package pack

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// bomb builds packs that git would not make.
type bomb struct{ gittest.Pack }

// entry adds an object and returns its offset.
func (b *bomb) entry(t *testing.T, kind plumbing.ObjectType, base, size int, content io.Reader) int {
	t.Helper()
	at, err := b.Entry(kind, base, size, content)
	require.NoError(t, err)
	return at
}

// refused adds a pack to a store and checks that a limit refuses it by name, for
// little memory.
func refused(t *testing.T, content []byte, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := NewStore()
	err := s.Add(t.Context(), bytes.NewReader(content))
	runtime.ReadMemStats(&after)
	require.NoError(t, s.Close())
	require.ErrorIs(t, err, object.ErrLimit)
	assert.ErrorContains(t, err, want)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "bytes allocated for a pack of %d bytes", len(content))
}

func TestADeltaThatMakesAGigabyteIsRefused(t *testing.T) {
	var b bomb
	const size = 8 << 20
	base := b.entry(t, plumbing.BlobObject, 0, size, gittest.Zeros(size))
	delta := gittest.CopyDelta(size, 128)
	b.entry(t, plumbing.OFSDeltaObject, base, len(delta), bytes.NewReader(delta))
	refused(t, b.Bytes(), "an object that a delta makes has 1073741824 bytes, and the limit is 268435456")
}

func TestALargeObjectUnderADeltaIsRefused(t *testing.T) {
	var b bomb
	const size = maxDelta + 1
	base := b.entry(t, plumbing.BlobObject, 0, size, gittest.Zeros(size))
	delta := []byte{1, 1, 1, 'x'}
	b.entry(t, plumbing.OFSDeltaObject, base, len(delta), bytes.NewReader(delta))
	refused(t, b.Bytes(), "an object that a delta builds on has 268435457 bytes, and the limit is 268435456")
}

func TestAChainOfTooManyDeltasIsRefused(t *testing.T) {
	var b bomb
	at := b.entry(t, plumbing.BlobObject, 0, 1, bytes.NewReader([]byte("x")))
	delta := gittest.CopyDelta(1, 1)
	for range maxChain + 1 {
		at = b.entry(t, plumbing.OFSDeltaObject, at, len(delta), bytes.NewReader(delta))
	}
	refused(t, b.Bytes(), "a chain of deltas has 4097 deltas or more, and the limit is 4096")
}

func TestTooManyObjectsAreRefusedByTheirNumber(t *testing.T) {
	head := []byte("PACK\x00\x00\x00\x02\x00\x20\x00\x00")
	refused(t, append(head, make([]byte, packTrailer)...), "the pack has 2097152 objects, and the limit is 1048576")
}

// A chain of deltas, each of which makes a megabyte, needs the memory of two
// objects, not of all.
func TestALongChainNeedsTheMemoryOfTwoObjects(t *testing.T) {
	const size, deltas = 1 << 20, 300
	var b bomb
	at := b.entry(t, plumbing.BlobObject, 0, size, gittest.Zeros(size))
	for range deltas {
		delta := gittest.CopyDelta(size, 1)
		at = b.entry(t, plumbing.OFSDeltaObject, at, len(delta), bytes.NewReader(delta))
	}
	x := newIndexer()
	content := b.Bytes()
	require.NoError(t, x.scan(bytes.NewReader(content)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	idx, err := x.index(inMemory(content), func(h object.Hash) (plumbing.ObjectType, []byte, error) {
		t.Fatalf("asked for %s", h)
		return 0, nil, nil
	})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(64<<20), "bytes that the heap grew for %d objects of 1 MiB", deltas)
	read, err := readIdx(idx)
	require.NoError(t, err)
	assert.Equal(t, deltas+1, read.count)
}

// Where several deltas build on each of the objects of a chain, the largest tree
// of deltas comes last, so that few objects are held.
func TestATreeOfDeltasHoldsFewObjects(t *testing.T) {
	const size, levels = 1 << 20, 100
	var b bomb
	at := b.entry(t, plumbing.BlobObject, 0, size, gittest.Zeros(size))
	for i := range levels {
		for range 2 { // the second one is the base of the next level, and a short branch hangs on the first
			delta := gittest.CopyDelta(size, 1)
			short := b.entry(t, plumbing.OFSDeltaObject, at, len(delta), bytes.NewReader(delta))
			b.entry(t, plumbing.OFSDeltaObject, short, len(delta), bytes.NewReader(delta))
			if i%2 == 0 {
				at = short
			}
		}
	}
	s := NewStore()
	require.NoError(t, s.Add(t.Context(), bytes.NewReader(b.Bytes())), "%d levels of 1 MiB are more than may be held at once", levels)
	require.NoError(t, s.Close())
}

// Objects of deltas that are larger than what is kept in memory are made in files,
// and give the same content.
func TestLargeDeltasAreMadeInFiles(t *testing.T) {
	const size = spoolFrom + 12345
	var b bomb
	base := b.entry(t, plumbing.BlobObject, 0, size, gittest.Zeros(size))
	delta := gittest.CopyDelta(size, 3)
	at := b.entry(t, plumbing.OFSDeltaObject, base, len(delta), bytes.NewReader(delta))
	last := append(binary.AppendUvarint(binary.AppendUvarint(nil, 3*size), 3), 3, 'e', 'n', 'd')
	b.entry(t, plumbing.OFSDeltaObject, at, len(last), bytes.NewReader(last))
	s := NewStore()
	require.NoError(t, s.Add(t.Context(), bytes.NewReader(b.Bytes())))
	defer func() { require.NoError(t, s.Close()) }()
	want := plumbing.NewHasher(plumbing.BlobObject, 3*size)
	_, err := io.Copy(want, gittest.Zeros(3*size))
	require.NoError(t, err)
	kind, r, n, err := s.Open(want.Sum())
	require.NoError(t, err)
	assert.Equal(t, plumbing.BlobObject, kind)
	assert.EqualValues(t, 3*size, n)
	got := plumbing.NewHasher(plumbing.BlobObject, n)
	_, err = io.Copy(got, r)
	require.NoError(t, err)
	assert.Equal(t, want.Sum(), got.Sum())
	require.NoError(t, r.Close())
	_, content, err := s.Read(plumbing.ComputeHash(plumbing.BlobObject, []byte("end")))
	require.NoError(t, err)
	assert.Equal(t, "end", string(content))
}
