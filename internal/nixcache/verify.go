package nixcache

import (
	"crypto/ed25519"
	"fmt"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/nixcache/edbatch"
)

const (
	// batch is how many signatures are verified at once.
	batch = 64
	// maxBatched is the size in memory, in bytes, of a narinfo that may wait for others.
	maxBatched = 8 << 10
)

// verifier verifies narinfo files by trusted keys, many at once, as they come in. It is safe for concurrent use: a goroutine that
// brings the last one of a batch verifies the batch, while the others bring those of the next.
type verifier struct {
	keys Keys // without any, nothing is verified

	mu      sync.Mutex
	waiting []unverified
}

// unverified is a narinfo with the signature that is likely to be good, and what to do if it is.
type unverified struct {
	info      Narinfo
	key       ed25519.PublicKey
	signature []byte
	take      func() error
}

// add calls take when the narinfo has turned out to be good, at the latest during flush. Its error may be about one that was added
// before.
func (v *verifier) add(n Narinfo, size int, take func() error) error {
	if len(v.keys) == 0 {
		return take()
	}
	one := unverified{info: n, take: take}
	one.key, one.signature = v.keys.claim(n)
	if one.signature == nil || size > maxBatched {
		return v.keys.verifyAll([]unverified{one})
	}
	v.mu.Lock()
	if v.waiting == nil {
		v.waiting = make([]unverified, 0, batch)
	}
	v.waiting = append(v.waiting, one)
	var full []unverified
	if len(v.waiting) == batch {
		full, v.waiting = v.waiting, nil
	}
	v.mu.Unlock()
	return v.keys.verifyAll(full)
}

// flush verifies what still waits.
func (v *verifier) flush() error {
	v.mu.Lock()
	rest := v.waiting
	v.waiting = nil
	v.mu.Unlock()
	return v.keys.verifyAll(rest)
}

// claim is the first signature that names a trusted key; nil for none.
func (k Keys) claim(n Narinfo) (key ed25519.PublicKey, made []byte) {
	for _, s := range n.Signatures {
		for _, key := range k {
			if key.Name == s.Name {
				return key.Data, s.Data
			}
		}
	}
	return nil, nil
}

// verifyAll takes those of which a signature is good. They are verified together; if that fails, one by one, which has the last
// word. A bad one does not keep the others from being taken.
func (k Keys) verifyAll(list []unverified) error {
	good := len(list) > 1 && together(list)
	var first error
	for _, one := range list {
		var err error
		if !good {
			err = k.Verify(one.info)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", one.info.Path, err)
		} else {
			err = one.take()
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func together(list []unverified) bool {
	signatures := make([]edbatch.Signature, len(list))
	for i, one := range list {
		signatures[i] = edbatch.Signature{Key: one.key, Message: []byte(one.info.Fingerprint()), Bytes: one.signature}
	}
	return edbatch.Good(signatures)
}
