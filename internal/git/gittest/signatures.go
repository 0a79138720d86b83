package gittest

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrNoVerifier says that a program which git verifies signatures with is not on PATH.
var ErrNoVerifier = errors.New("gpg or ssh-keygen is not on PATH, so git can't verify signatures (packages gnupg and openssh-client)")

// NewOpenPGPKey makes a key of kind "ed25519", "ecdsa" or "rsa" for one address, as armored texts. A passphrase encrypts the
// private part. The key expires lifetime seconds after born; with zero it does not expire.
func NewOpenPGPKey(kind, address, passphrase string, born time.Time, lifetime uint32) (Key, error) {
	config := &packet.Config{
		Time: func() time.Time { return born }, DefaultHash: crypto.SHA256, RSABits: 2048, KeyLifetimeSecs: lifetime,
	}
	algorithms := map[string]packet.PublicKeyAlgorithm{"ed25519": packet.PubKeyAlgoEdDSA, "ecdsa": packet.PubKeyAlgoECDSA, "rsa": packet.PubKeyAlgoRSA}
	var known bool
	if config.Algorithm, known = algorithms[kind]; !known {
		return Key{}, fmt.Errorf("unknown kind of key %q", kind)
	}
	if kind == "ecdsa" {
		config.Curve = packet.CurveNistP256
	}
	entity, err := openpgp.NewEntity("Robot", "", address, config)
	if err != nil {
		return Key{}, err
	}
	var private, public strings.Builder
	if passphrase != "" {
		if err := entity.EncryptPrivateKeys([]byte(passphrase), config); err != nil {
			return Key{}, err
		}
	}
	secret, err := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err != nil {
		return Key{}, err
	}
	open, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err != nil {
		return Key{}, err
	}
	err = errors.Join(entity.SerializePrivateWithoutSigning(secret, config), secret.Close(), entity.Serialize(open), open.Close())
	return Key{Private: private.String(), Authorised: public.String()}, err
}

// RequireSignatures makes a repository take no commit and no annotated tag that git does not verify as signed by one of the
// keys, as a branch that is protected does. SSH keys are those of address.
func (r *Repository) RequireSignatures(address string, keys ...Key) error {
	for _, program := range []string{"gpg", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			return ErrNoVerifier
		}
	}
	home, allowed := filepath.Join(r.Dir, "gnupg"), filepath.Join(r.Dir, "allowed_signers")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	var ssh strings.Builder
	for _, key := range keys {
		if !strings.HasPrefix(key.Authorised, "-----BEGIN") {
			fmt.Fprintf(&ssh, "%s %s\n", address, key.Authorised)
			continue
		}
		cmd := exec.CommandContext(r.ctx, "gpg", "--batch", "--quiet", "--no-autostart", "--homedir", home, "--import")
		cmd.Stdin = strings.NewReader(key.Authorised)
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("gpg --import: %w: %s", err, said)
		}
	}
	const hook = `# every new commit and tag object must be signed
GNUPGHOME=%q; export GNUPGHOME
case $(git cat-file -t "$3") in
tag) git verify-tag "$3" || { echo "refused: tag $1 is not signed by a key that is known here"; exit 1; } ;;
esac
for commit in $(git rev-list "$3" --not --all); do
	git verify-commit "$commit" || { echo "refused: commit $commit is not signed by a key that is known here"; exit 1; }
done
`
	return errors.Join(
		os.WriteFile(allowed, []byte(ssh.String()), 0o600),
		r.config("gpg.ssh.allowedSignersFile", allowed),
		r.Hook("update", fmt.Sprintf(hook, home)),
	)
}
