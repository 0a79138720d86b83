package signing

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// openPGP is a key that may sign now.
type openPGP struct {
	entity    *openpgp.Entity
	id        uint64   // of the key or subkey that signs
	addresses []string // of the key's user ids
}

// parseOpenPGP reads a private key as gpg --armor --export-secret-keys writes it.
func parseOpenPGP(text, passphrase string, now time.Time) (*openPGP, error) {
	block, err := armor.Decode(strings.NewReader(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("signing_key: the OpenPGP key is broken: %w", err)
	case block.Type == openpgp.PublicKeyType:
		return nil, errors.New("signing_key: this is a public key; give the private one: gpg --armor --export-secret-keys ADDRESS")
	case block.Type != openpgp.PrivateKeyType:
		return nil, fmt.Errorf("signing_key: it is a %s, not a private key; give what this prints: gpg --armor --export-secret-keys ADDRESS", block.Type)
	}
	ring, err := openpgp.ReadKeyRing(block.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("signing_key: the OpenPGP key is broken, or of a kind that is not supported: %w", err)
	case len(ring) != 1:
		return nil, fmt.Errorf("signing_key: there are %d keys in it; give one", len(ring))
	}
	entity := ring[0]
	key, ok := entity.SigningKey(now)
	if !ok {
		return nil, fmt.Errorf("signing_key: the OpenPGP key %s %s", entity.PrimaryKey.KeyIdString(), whyNot(entity, now))
	}
	if err := unlock(key, passphrase); err != nil {
		return nil, err
	}
	out := &openPGP{entity: entity, id: key.PublicKey.KeyId}
	for _, name := range slices.Sorted(maps.Keys(entity.Identities)) {
		if id := entity.Identities[name]; !id.Revoked(now) && id.UserId.Email != "" {
			out.addresses = append(out.addresses, id.UserId.Email)
		}
	}
	return out, nil
}

// whyNot says why no part of a key may sign.
func whyNot(entity *openpgp.Entity, now time.Time) string {
	self, _ := entity.PrimarySelfSignature()
	born := entity.PrimaryKey.CreationTime
	switch {
	case entity.Revoked(now):
		return "is revoked; give another one"
	case born.After(now):
		return fmt.Sprintf("is from the future, %s; check the clock of the worker", born.UTC().Format(time.RFC3339))
	case self != nil && entity.PrimaryKey.KeyExpired(self, now):
		end := born.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
		return fmt.Sprintf("has expired on %s; extend it with gpg --quick-set-expire, and give it anew", end.UTC().Format(time.DateOnly))
	}
	if _, once := entity.SigningKey(born.Add(time.Second)); once {
		return "has no subkey left that may sign: it has expired or is revoked; extend it with gpg --quick-set-expire, and give the key anew"
	}
	return "is not for signing; give one that gpg --list-secret-keys shows with an S, as in [SC]"
}

func unlock(key openpgp.Key, passphrase string) error {
	secret := key.PrivateKey
	switch {
	case secret == nil || secret.Dummy():
		return fmt.Errorf("signing_key: the private part of %s, the key that signs, is not in it; give what this prints: gpg --armor --export-secret-keys ADDRESS", key.PublicKey.KeyIdString())
	case secret.Encrypted && passphrase == "":
		return errors.New("signing_key: it is encrypted; give its passphrase as signing_key_passphrase, or a key without one")
	case !secret.Encrypted && passphrase != "":
		return errors.New("signing_key_passphrase: the signing_key is not encrypted; remove the passphrase")
	case !secret.Encrypted:
		return nil
	}
	if secret.Decrypt([]byte(passphrase)) != nil {
		return errors.New("signing_key_passphrase: it does not fit the signing_key, which is encrypted")
	}
	return nil
}

// sign makes a detached, armored signature that is dated at, as the commit or tag is.
func (k *openPGP) sign(content []byte, at time.Time) ([]byte, error) {
	same := false
	var out bytes.Buffer
	err := openpgp.ArmoredDetachSign(&out, k.entity, bytes.NewReader(content), &packet.Config{
		Time: func() time.Time { return at }, SigningKeyId: k.id, NonDeterministicSignaturesViaNotation: &same,
	})
	if err != nil {
		return nil, fmt.Errorf("sign with the OpenPGP key %s: %w", k.entity.PrimaryKey.KeyIdString(), err)
	}
	return out.Bytes(), nil
}
