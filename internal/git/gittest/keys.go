package gittest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Key is an SSH key pair.
type Key struct {
	Private    string // OpenSSH format, PEM
	Authorised string // one line for authorized_keys or known_hosts, without host and comment
}

// NewKey makes a key of kind "ed25519", "ecdsa", "rsa", or "rsa-pem" (the older
// PKCS#1 format). A passphrase encrypts all but rsa-pem.
func NewKey(kind, passphrase string) (Key, error) {
	private, err := newPrivate(kind)
	if err != nil {
		return Key{}, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Key{}, err
	}
	block, err := marshalPrivate(private, kind, passphrase)
	if err != nil {
		return Key{}, err
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	return Key{Private: string(pem.EncodeToMemory(block)), Authorised: public}, nil
}

func newPrivate(kind string) (crypto.PrivateKey, error) {
	switch kind {
	case "ed25519":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa", "rsa-pem":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("unknown kind of key %q", kind)
}

func marshalPrivate(private crypto.PrivateKey, kind, passphrase string) (*pem.Block, error) {
	if key, ok := private.(*rsa.PrivateKey); ok && kind == "rsa-pem" {
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, nil
	}
	if passphrase != "" {
		return ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	return ssh.MarshalPrivateKey(private, "")
}
