package transport

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestPrivateKeys(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa", "rsa-pem"} {
		key, err := gittest.NewKey(kind, "")
		require.NoError(t, err)
		for name, text := range map[string]string{
			"as it is":         key.Private,
			"no last line end": strings.TrimSpace(key.Private),
			"windows":          strings.ReplaceAll(key.Private, "\n", "\r\n"),
			"indented":         "  " + strings.ReplaceAll(key.Private, "\n", "\n  "),
		} {
			_, err := ParseKey("private_key", text, "")
			require.NoError(t, err, "%s %s", kind, name)
		}
	}
	locked, err := gittest.NewKey("ed25519", "open sesame")
	require.NoError(t, err)
	_, err = ParseKey("private_key", locked.Private, "open sesame")
	require.NoError(t, err)

	plain, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	for name, c := range map[string]struct{ key, passphrase, want string }{
		"no passphrase":       {locked.Private, "", "private_key: it is encrypted"},
		"wrong passphrase":    {locked.Private, "xyzzy", "private_key_passphrase: it does not fit"},
		"needless passphrase": {plain.Private, "xyzzy", "private_key_passphrase: the private_key is not encrypted"},
		"public":              {plain.Authorised, "", "this is a public key"},
		"nonsense":            {"nonsense", "", "not a key in PEM or OpenSSH form"},
		"cut short":           {plain.Private[:len(plain.Private)/2], "", "not a key in PEM or OpenSSH form"},
		"on one line":         {strings.ReplaceAll(plain.Private, "\n", " "), "", "it is in one line"},
		"something else":      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "it is a CERTIFICATE; give a private key"},
		"broken":              {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "", "it is broken"},
		"OpenPGP":             {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n", "", "it is an OpenPGP key; give an SSH key"},
		"escaped":             {strings.ReplaceAll(plain.Private, "\n", `\n`), "", `its line breaks are written as \n`},
		"base64":              {base64.StdEncoding.EncodeToString([]byte(plain.Private)), "", "it is a key in base64"},
		"a file":              {"~/.ssh/id_ed25519", "", "it is the path of a file"},
		"encrypted in PKCS#8": {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "", "ssh-keygen -p"},
	} {
		_, err := ParseKey("private_key", c.key, c.passphrase)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), c.want, name)
		assert.NotContains(t, err.Error(), "xyzzy", name)
	}
}
