package pack

import (
	"bytes"
	"strings"
	"testing"
)

// indexPack gives git's index of a pack in memory.
func indexPack(content []byte, ext external) ([]byte, error) {
	x := newIndexer()
	if err := x.scan(bytes.NewReader(content)); err != nil {
		return nil, err
	}
	return x.index(inMemory(content), ext)
}

func FuzzIndexPack(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00" + strings.Repeat("x", 20)))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x30\x78\x9c\x03\x00\x00\x00\x00\x01" + strings.Repeat("x", 20)))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x6f\x01\x78\x9c\x03\x00\x00\x00\x00\x01" + strings.Repeat("x", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		idx, err := indexPack(data, NewStore().Read)
		if err != nil {
			return
		}
		if _, err := readIdx(idx); err != nil {
			t.Fatal(err)
		}
	})
}
