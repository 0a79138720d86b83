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
func packIndex(n int, object func(i int) packed, packSum []byte) []byte {
	out := make([]byte, 0, idxHeader+n*(20+4+4)+2*packTrailer)
	out = append(out, "\xfftOc\x00\x00\x00\x02"...)
	i := 0
	for first := range 256 {
		for i < n && int(object(i).hash[0]) <= first {
			i++
		}
		out = binary.BigEndian.AppendUint32(out, uint32(i)) //nolint:gosec // at most MaxObjects
	}
	for i := range n {
		h := object(i).hash
		out = append(out, h[:]...)
	}
	for i := range n {
		out = binary.BigEndian.AppendUint32(out, object(i).crc)
	}
	for i := range n {
		out = binary.BigEndian.AppendUint32(out, uint32(object(i).offset)) //nolint:gosec // at most MaxPack
	}
	out = append(out, packSum...)
	return append(out, Checksum(out)...)
}

// packIdx reads git's index of a pack, see gitformat-pack(5).
type packIdx struct {
	count          int
	fanout         [256]uint32
	names, offsets []byte
}

const idxHeader = 8 + 256*4

func readIdx(data []byte) (*packIdx, error) {
	if len(data) < idxHeader+2*packTrailer || string(data[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return nil, fmt.Errorf("%w: its index is not one of git", ErrDamaged)
	}
	body := data[:len(data)-packTrailer]
	if !bytes.Equal(Checksum(body), data[len(body):]) {
		return nil, fmt.Errorf("%w: the checksum of its index is wrong", ErrDamaged)
	}
	var x packIdx
	last := uint32(0)
	for i := range x.fanout {
		x.fanout[i] = binary.BigEndian.Uint32(data[8+4*i:])
		if x.fanout[i] < last {
			return nil, fmt.Errorf("%w: its index is not sorted", ErrDamaged)
		}
		last = x.fanout[i]
	}
	x.count = int(last)
	if len(data) != idxHeader+x.count*28+2*packTrailer {
		return nil, fmt.Errorf("%w: the length of its index is wrong", ErrDamaged)
	}
	x.names = data[idxHeader : idxHeader+20*x.count]
	x.offsets = data[idxHeader+24*x.count : idxHeader+28*x.count]
	return &x, nil
}

func (x *packIdx) find(h object.Hash) (offset int, ok bool) {
	lo, hi := 0, int(x.fanout[h[0]])
	if h[0] > 0 {
		lo = int(x.fanout[h[0]-1])
	}
	for lo < hi {
		mid := lo + (hi-lo)/2
		switch c := bytes.Compare(h[:], x.names[20*mid:20*mid+20]); {
		case c == 0:
			return int(binary.BigEndian.Uint32(x.offsets[4*mid:])), true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return 0, false
}

func (x *packIdx) hash(i int) (h object.Hash) {
	copy(h[:], x.names[20*i:])
	return h
}
