package edbatch_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache/edbatch"
)

// signer is the n-th key of the tests.
func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// signed are good signatures of different messages, by the keys in turn.
func signed(n int, keys ...ed25519.PrivateKey) []edbatch.Signature {
	list := make([]edbatch.Signature, n)
	for i := range list {
		key := keys[i%len(keys)]
		message := fmt.Appendf(nil, "1;/nix/store/path-%d;sha256:x;%d;", i, i)
		list[i] = edbatch.Signature{Key: public(key), Message: message, Bytes: ed25519.Sign(key, message)}
	}
	return list
}

func public(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// single is what crypto/ed25519 says of all of them.
func single(list []edbatch.Signature) bool {
	return !slices.ContainsFunc(list, func(s edbatch.Signature) bool {
		return len(s.Key) != ed25519.PublicKeySize || !ed25519.Verify(s.Key, s.Message, s.Bytes)
	})
}

func TestGoodSignaturesAreGood(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 64, 100} {
		assert.True(t, edbatch.Good(signed(n, signer(1))), "%d of one key", n)
		assert.True(t, edbatch.Good(signed(n, signer(1), signer(2), signer(3))), "%d of three keys", n)
	}
	twice := signed(1, signer(1))
	assert.True(t, edbatch.Good(append(twice, twice...)), "the same one twice")
}

// One bad signature among good ones is found wherever it is, whatever is wrong with it.
func TestOneBadSignatureIsFound(t *testing.T) {
	order, ok := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	require.True(t, ok)
	flip := func(text []byte, bit int) []byte {
		text = slices.Clone(text)
		text[bit/8] ^= 1 << (bit % 8)
		return text
	}
	for name, spoil := range map[string]func(s *edbatch.Signature, n int){
		"message":              func(s *edbatch.Signature, n int) { s.Message = flip(s.Message, n%(8*len(s.Message))) },
		"longer message":       func(s *edbatch.Signature, _ int) { s.Message = append(slices.Clone(s.Message), 0) },
		"another key":          func(s *edbatch.Signature, _ int) { s.Key = public(signer(9)) },
		"key of another bit":   func(s *edbatch.Signature, n int) { s.Key = flip(s.Key, n%256) },
		"R of another bit":     func(s *edbatch.Signature, n int) { s.Bytes = flip(s.Bytes, n%256) },
		"s of another bit":     func(s *edbatch.Signature, n int) { s.Bytes = flip(s.Bytes, 256+n%256) },
		"R alone":              func(s *edbatch.Signature, _ int) { s.Bytes = s.Bytes[:32] },
		"a byte too much":      func(s *edbatch.Signature, _ int) { s.Bytes = append(slices.Clone(s.Bytes), 0) },
		"no signature":         func(s *edbatch.Signature, _ int) { s.Bytes = nil },
		"short key":            func(s *edbatch.Signature, _ int) { s.Key = s.Key[:31] },
		"no key":               func(s *edbatch.Signature, _ int) { s.Key = nil },
		"zeros":                func(s *edbatch.Signature, _ int) { s.Bytes = make([]byte, 64) },
		"s and the order more": func(s *edbatch.Signature, _ int) { s.Bytes = slices.Concat(s.Bytes[:32], plus(s.Bytes[32:], order)) },
	} {
		t.Run(name, func(t *testing.T) {
			for n := range 256 {
				list := signed(5, signer(1), signer(2))
				spoil(&list[n%len(list)], n)
				require.False(t, single(list))
				require.False(t, edbatch.Good(list), "at %d", n)
			}
		})
	}
}

// plus adds to a number whose lowest byte is the first.
func plus(number []byte, n *big.Int) []byte {
	slices.Reverse(number)
	sum := new(big.Int).Add(new(big.Int).SetBytes(number), n).FillBytes(make([]byte, len(number)))
	slices.Reverse(sum)
	return sum
}

// Faults of two signatures don't cancel out: neither two that are swapped, nor one too large by what the other is too small.
func TestFaultsDoNotCancelOut(t *testing.T) {
	list := signed(8, signer(1))
	list[2].Bytes, list[5].Bytes = list[5].Bytes, list[2].Bytes
	assert.False(t, edbatch.Good(list), "swapped signatures")

	list = signed(8, signer(1))
	list[2].Message, list[5].Message = list[5].Message, list[2].Message
	assert.False(t, edbatch.Good(list), "swapped messages")

	list = signed(8, signer(1), signer(2))
	list[2].Key, list[5].Key = list[5].Key, list[2].Key
	assert.False(t, edbatch.Good(list), "swapped keys")

	one, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	require.NoError(t, err)
	shift := func(s *edbatch.Signature, by *edwards25519.Scalar) {
		response, err := edwards25519.NewScalar().SetCanonicalBytes(s.Bytes[32:])
		require.NoError(t, err)
		s.Bytes = append(slices.Clone(s.Bytes[:32]), response.Add(response, by).Bytes()...)
	}
	for range 100 {
		list = signed(2, signer(1))
		shift(&list[0], one)
		shift(&list[1], edwards25519.NewScalar().Negate(one))
		require.False(t, edbatch.Good(list), "the sum of both is right")
	}
}

// small are all points whose order divides 8, in all of their forms (as in https://eprint.iacr.org/2020/1244, table 6).
func small() []string {
	return []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	}
}

// A key of small order would have all sign. crypto/ed25519 takes some of these, a batch takes none.
func TestKeysOfSmallOrderMakeNothingGood(t *testing.T) {
	for _, text := range small() {
		point, err := hex.DecodeString(text)
		require.NoError(t, err)
		for _, r := range small() {
			first, err := hex.DecodeString(r)
			require.NoError(t, err)
			list := append(signed(3, signer(1)), edbatch.Signature{Key: point, Message: []byte("x"), Bytes: append(first, make([]byte, 32)...)})
			assert.False(t, edbatch.Good(list), "key %s, R %s", text, r)
		}
	}
}

// Who does not hold the key can't make a signature of an R of small order.
func TestPointsOfSmallOrderAreNoSignatures(t *testing.T) {
	for _, r := range small() {
		first, err := hex.DecodeString(r)
		require.NoError(t, err)
		list := signed(3, signer(1))
		list[1].Bytes = append(first, list[1].Bytes[32:]...)
		assert.False(t, edbatch.Good(list), r)
	}
}

// The difference from crypto/ed25519: the holder of a key can make a signature whose R has a part of small order.
func TestOnlyTheHolderOfTheKeySignsDifferently(t *testing.T) {
	key := signer(1)
	digest := sha512.Sum512(key.Seed())
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(digest[:32])
	require.NoError(t, err)
	nonce, err := edwards25519.NewScalar().SetUniformBytes(digest[:])
	require.NoError(t, err)
	part, err := hex.DecodeString(small()[10])
	require.NoError(t, err)
	torsion, err := new(edwards25519.Point).SetBytes(part)
	require.NoError(t, err)
	r := new(edwards25519.Point).ScalarBaseMult(nonce)
	message := []byte("x")
	sign := func(r *edwards25519.Point) edbatch.Signature {
		k := sha512.Sum512(slices.Concat(r.Bytes(), public(key), message))
		challenge, err := edwards25519.NewScalar().SetUniformBytes(k[:])
		require.NoError(t, err)
		s := edwards25519.NewScalar().MultiplyAdd(challenge, secret, nonce)
		return edbatch.Signature{Key: public(key), Message: message, Bytes: append(r.Bytes(), s.Bytes()...)}
	}
	list := signed(3, key)
	list[1] = sign(r)
	assert.True(t, single(list))
	assert.True(t, edbatch.Good(list))
	list[1] = sign(r.Add(r, torsion))
	for range 50 {
		assert.False(t, single(list))
		assert.True(t, edbatch.Good(list), "and always the same")
	}
}

// FuzzGood holds a batch against its signatures one by one: what it calls good is good, and good signatures of ordinary keys are a good batch.
func FuzzGood(f *testing.F) {
	list := signed(2, signer(1))
	f.Add([]byte(list[0].Key), list[0].Message, list[0].Bytes, uint16(0), byte(0))
	f.Add([]byte(list[0].Key), list[0].Message, list[1].Bytes, uint16(0), byte(0))
	f.Add([]byte(list[0].Key), list[0].Message, list[0].Bytes, uint16(300), byte(1))
	f.Add([]byte(list[0].Key), []byte{}, list[0].Bytes, uint16(511), byte(0x80))
	for _, text := range small() {
		point, err := hex.DecodeString(text)
		require.NoError(f, err)
		f.Add(point, []byte("x"), append(point, make([]byte, 32)...), uint16(0), byte(0))
		f.Add([]byte(list[0].Key), list[0].Message, append(point, list[0].Bytes[32:]...), uint16(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, key, message, signature []byte, at uint16, change byte) {
		if len(signature) > 0 {
			signature = slices.Clone(signature)
			signature[int(at)%len(signature)] ^= change
		}
		fuzzed := edbatch.Signature{Key: key, Message: message, Bytes: signature}
		batch := append(signed(3, signer(1), signer(2)), fuzzed)
		if edbatch.Good(batch) {
			assert.True(t, single(batch), "only one who holds the key makes what is good in a batch alone")
		}
		// the key that follows from the fuzzed bytes signs the fuzzed message
		seed := sha512.Sum512(key)
		own := ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize])
		batch[3] = edbatch.Signature{Key: public(own), Message: message, Bytes: ed25519.Sign(own, message)}
		assert.True(t, edbatch.Good(batch))
	})
}

// BenchmarkGood is what one signature of a batch takes, and of crypto/ed25519.
func BenchmarkGood(b *testing.B) {
	for _, n := range []int{1, 4, 8, 16, 32, 64, 128} {
		list := signed(n, signer(1))
		b.Run(fmt.Sprintf("batch_of_%d", n), func(b *testing.B) {
			for b.Loop() {
				if !edbatch.Good(list) {
					b.Fatal("not good")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/signature")
		})
	}
	list := signed(1, signer(1))
	b.Run("crypto_ed25519", func(b *testing.B) {
		for b.Loop() {
			if !single(list) {
				b.Fatal("not good")
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/signature")
	})
}
