package pack

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// packed is where an object is in a pack.
type packed struct {
	hash   object.Hash
	offset int
	crc    uint32
}

// packIndex is the index of n objects that are sorted by their hashes, for a pack
// with this checksum.
func packIndex(n int, at func(i int) packed, packSum []byte) []byte {
	out := make([]byte, 0, idxHeader+n*idxEntry+2*packTrailer)
	out = append(out, "\xfftOc\x00\x00\x00\x02"...)
	i := 0
	for first := range 256 {
		for i < n && int(at(i).hash[0]) <= first {
			i++
		}
		out = binary.BigEndian.AppendUint32(out, uint32(i))
	}
	for i := range n {
		h := at(i).hash
		out = append(out, h[:]...)
	}
	for i := range n {
		out = binary.BigEndian.AppendUint32(out, at(i).crc)
	}
	for i := range n {
		out = binary.BigEndian.AppendUint32(out, uint32(at(i).offset)) //nolint:gosec // at most maxPack
	}
	out = append(out, packSum...)
	return append(out, checksum(out)...)
}

// index is git's index of a pack in version 2, see gitformat-pack(5).
type index struct {
	count int
	// names are 20 bytes of each object in their order; offsets have 4 bytes, of which
	// the first bit says that the rest is a place in far; far has 8 bytes for each
	// offset of more than 31 bits.
	fanout              [256]uint32
	names, offsets, far []byte
	pack                []byte // checksum of the pack
}

const (
	idxHeader = 8 + 256*4
	idxEntry  = 20 + 4 + 4 // name, CRC, offset
	isFar     = 1 << 31
)

// readIdx reads an index and verifies its checksum.
func readIdx(data []byte) (*index, error) {
	x, err := parseIdx(data)
	if err != nil {
		return nil, err
	}
	if body := data[:len(data)-packTrailer]; !bytes.Equal(checksum(body), data[len(body):]) {
		return nil, fmt.Errorf("%w: the checksum of its index is wrong", errDamaged)
	}
	return x, nil
}

// parseIdx reads an index. The slices of the result are parts of data.
func parseIdx(data []byte) (*index, error) {
	if len(data) < idxHeader+2*packTrailer || string(data[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return nil, fmt.Errorf("%w: its index is not one of version 2", errDamaged)
	}
	var x index
	last := uint32(0)
	for i := range x.fanout {
		x.fanout[i] = binary.BigEndian.Uint32(data[8+4*i:])
		if x.fanout[i] < last {
			return nil, fmt.Errorf("%w: its index is not sorted", errDamaged)
		}
		last = x.fanout[i]
	}
	x.count = int(last)
	end := len(data) - 2*packTrailer
	far := end - idxHeader - x.count*idxEntry
	if far < 0 || far%8 != 0 || far/8 > x.count {
		return nil, fmt.Errorf("%w: the length of its index is wrong", errDamaged)
	}
	x.names = data[idxHeader : idxHeader+20*x.count]
	x.offsets = data[idxHeader+24*x.count : end-far]
	x.far = data[end-far : end]
	x.pack = data[end : end+packTrailer]
	return &x, nil
}

// find returns where an object begins in the pack.
func (x *index) find(h object.Hash) (offset int, ok bool) {
	lo, hi := 0, int(x.fanout[h[0]])
	if h[0] > 0 {
		lo = int(x.fanout[h[0]-1])
	}
	for lo < hi {
		mid := lo + (hi-lo)/2
		switch c := bytes.Compare(h[:], x.names[20*mid:20*mid+20]); {
		case c == 0:
			return x.offset(mid), true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return 0, false
}

// offset of the i-th object; one that is not in the pack if the index is damaged.
func (x *index) offset(i int) int {
	at := binary.BigEndian.Uint32(x.offsets[4*i:])
	if at&isFar == 0 {
		return int(at)
	}
	place := 8 * int(at&^isFar)
	if place+8 > len(x.far) {
		return -1
	}
	return int(binary.BigEndian.Uint64(x.far[place:])) //nolint:gosec // a negative one is not in the pack either
}

func (x *index) hash(i int) (h object.Hash) {
	copy(h[:], x.names[20*i:])
	return h
}
