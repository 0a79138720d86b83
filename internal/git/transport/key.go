package transport

import (
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/secret"
)

// ParseKey reads the private SSH key that a source has under name, and its passphrase under name_passphrase. Errors name
// the key.
func ParseKey(name, text, passphrase string) (ssh.Signer, error) {
	text = secret.Unindent(text)
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, fmt.Errorf("%s: %s", name, secret.NoKey(text, "it is not a key in PEM or OpenSSH form; "+
			"it must have the lines -----BEGIN ... PRIVATE KEY----- and -----END ... PRIVATE KEY-----, each on its own line"))
	case strings.HasPrefix(block.Type, "PGP "):
		return nil, errors.New(name + ": it is an OpenPGP key; give an SSH key, such as one of ssh-keygen -t ed25519")
	case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%s: it is a %s; give a private key, which begins with -----BEGIN OPENSSH PRIVATE KEY----- or the like", name, block.Type)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New(name + ": it is an encrypted PKCS#8 key, which is not supported; convert it with: ssh-keygen -p -f FILE")
	}
	return signerOf(name, []byte(text), passphrase)
}

func signerOf(name string, text []byte, passphrase string) (ssh.Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	var missing *ssh.PassphraseMissingError
	switch {
	case err == nil && passphrase != "":
		return nil, errors.New(name + "_passphrase: the " + name + " is not encrypted; remove the passphrase")
	case err == nil:
		return key, nil
	case !errors.As(err, &missing):
		return nil, fmt.Errorf("%s: it is broken, or of a kind that is not supported: %w", name, err)
	case passphrase == "":
		return nil, errors.New(name + ": it is encrypted; give its passphrase as " + name + "_passphrase, or a key without one")
	}
	key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	if err != nil {
		return nil, errors.New(name + "_passphrase: it does not fit the " + name + ", which is encrypted")
	}
	return key, nil
}
