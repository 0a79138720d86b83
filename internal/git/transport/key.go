package transport

import (
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// parsePrivateKey reads a key as people paste it: indented, with Windows line
// ends, without the last line end.
func parsePrivateKey(text, passphrase string) (ssh.Signer, error) {
	var clean strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		clean.WriteString(strings.TrimSpace(line) + "\n")
	}
	block, _ := pem.Decode([]byte(clean.String()))
	switch {
	case strings.HasPrefix(clean.String(), "ssh-") || strings.HasPrefix(clean.String(), "ecdsa-"):
		return nil, errors.New("private_key: this is a public key; give the private one, which begins with -----BEGIN")
	case block == nil:
		return nil, errors.New("private_key: it is not a key in PEM or OpenSSH form; it must have the lines -----BEGIN ... PRIVATE KEY----- and -----END ... PRIVATE KEY-----, each on its own line")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("private_key: it is an encrypted PKCS#8 key, which is not supported; convert it with: ssh-keygen -p -f FILE")
	}
	return signerOf([]byte(clean.String()), passphrase)
}

func signerOf(text []byte, passphrase string) (ssh.Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	var missing *ssh.PassphraseMissingError
	switch {
	case err == nil && passphrase != "":
		return nil, errors.New("private_key_passphrase: the private_key is not encrypted; remove the passphrase")
	case err == nil:
		return key, nil
	case !errors.As(err, &missing):
		return nil, fmt.Errorf("private_key: it is broken, or of a kind that is not supported: %w", err)
	case passphrase == "":
		return nil, errors.New("private_key: it is encrypted; give its passphrase as private_key_passphrase, or a key without one")
	}
	key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	if err != nil {
		return nil, errors.New("private_key_passphrase: it does not fit the private_key, which is encrypted")
	}
	return key, nil
}
