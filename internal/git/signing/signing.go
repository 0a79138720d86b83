// Package signing signs commits and tags as the git program does, with the OpenPGP or SSH key of a source. Only types that
// write to git import it, so that the others do without the code of OpenPGP.
package signing

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/transport"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// Open is git.Open for what commits: signing_key, where there is one, signs.
func Open(a git.Access, o git.Options) (*git.Remote, error) {
	key, err := keyOf(a)
	if err != nil {
		return nil, err
	}
	o.Sign = key
	return git.Open(a, o)
}

// Validate is Access.Validate for what commits.
func Validate(a git.Access) error {
	if err := a.Validate(); err != nil {
		return err
	}
	return Check(a)
}

// Check reports what is wrong with the signing_key of a source, such as a passphrase that does not fit, a key that has
// expired, or a git_user who is not the key's. The other keys are as Access.Validate wants them.
func Check(a git.Access) error {
	_, err := keyOf(a)
	return err
}

// keyOf is what signs with the key of a source; nil without one.
func keyOf(a git.Access) (git.Sign, error) {
	if a.SigningKey == "" {
		return nil, nil //nolint:nilnil // nothing signs
	}
	text := secret.Unindent(a.SigningKey)
	if !strings.HasPrefix(text, "-----BEGIN ") {
		return nil, errors.New("signing_key: " + secret.NoKey(text, "it is not the text of a private key; give an OpenPGP key as gpg --armor --export-secret-keys ADDRESS prints it, or an SSH key"))
	}
	if !strings.HasPrefix(text, "-----BEGIN PGP ") {
		return sshKey(text, a.SigningKeyPassphrase)
	}
	key, err := parseOpenPGP(text, a.SigningKeyPassphrase, time.Now())
	if err != nil {
		return nil, err
	}
	if by := a.Committer(time.Time{}).Email; !slices.ContainsFunc(key.addresses, func(of string) bool { return strings.EqualFold(of, by) }) {
		return nil, fmt.Errorf("git_user: the address %s is not one of the signing_key's (%s), and forges verify a signature only for those: use one of them, or add the address to the key",
			by, strings.Join(key.addresses, ", "))
	}
	return key.sign, nil
}

// gitNamespace is what a signature of SSH says it is for, as git asks ssh-keygen -Y sign for it.
const gitNamespace = "git"

func sshKey(text, passphrase string) (git.Sign, error) {
	key, err := transport.ParseKey("signing_key", text, passphrase)
	if err != nil {
		return nil, err
	}
	if key.PublicKey().Type() == ssh.InsecureKeyAlgoDSA { //nolint:staticcheck // that is why
		return nil, errors.New("signing_key: it is a DSA key, which ssh no longer accepts; make an Ed25519 key with: ssh-keygen -t ed25519 -f FILE")
	}
	return func(content []byte, _ time.Time) ([]byte, error) {
		signature, err := sshsig.Sign(bytes.NewReader(content), key, sshsig.HashSHA512, gitNamespace)
		if err != nil {
			return nil, fmt.Errorf("sign with the SSH key %s: %w", ssh.FingerprintSHA256(key.PublicKey()), err)
		}
		return sshsig.Armor(signature), nil
	}, nil
}
