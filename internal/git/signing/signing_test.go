package signing_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
)

const (
	address    = "robot@example.com"
	robot      = "Robot <" + address + ">"
	passphrase = "open sesame"
	mainRef    = "refs/heads/main"
)

// keys are of every kind that signs, all with the passphrase but the first.
func keys(t *testing.T) map[string]gittest.Key {
	t.Helper()
	all := map[string]gittest.Key{}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		plain, err := gittest.NewKey(kind, "")
		require.NoError(t, err)
		locked, err := gittest.NewKey(kind, passphrase)
		require.NoError(t, err)
		all["ssh "+kind], all["ssh locked "+kind] = plain, locked
		plain, err = gittest.NewOpenPGPKey(kind, address, "", time.Now().Add(-time.Hour), 0)
		require.NoError(t, err)
		locked, err = gittest.NewOpenPGPKey(kind, address, passphrase, time.Now().Add(-time.Hour), 0)
		require.NoError(t, err)
		all["openpgp "+kind], all["openpgp locked "+kind] = plain, locked
	}
	return all
}

// serve is a repository that takes what is signed by one of the keys.
func serve(t *testing.T, all map[string]gittest.Key) *gittest.Repository {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	repo, err := server.Create("protected")
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: first", map[string]string{"a": "1\n"})
	require.NoError(t, err)
	list := make([]gittest.Key, 0, len(all))
	for _, key := range all {
		list = append(list, key)
	}
	if err = repo.RequireSignatures(address, list...); errors.Is(err, gittest.ErrNoVerifier) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return repo
}

// push commits and tags, in one push.
func push(t *testing.T, a git.Access, content string) (*git.Commit, error) {
	t.Helper()
	remote, err := signing.Open(a, git.Options{Logf: t.Logf})
	if err != nil {
		return nil, err
	}
	defer remote.Close()
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	defer store.Close()
	by := a.Committer(time.Now())
	return store.UpdateRef(t.Context(), mainRef, func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		built, err := store.Build(ctx, git.NewCommit{
			Parent: tip.Hash, Edits: map[string]git.Edit{"a": {Content: []byte(content)}}, Committer: by, Message: "feat: " + content + "\n\nBody.\n",
		})
		if err != nil {
			return nil, err
		}
		tag, err := store.BuildTag("v-"+content, built.Hash, by)
		if err != nil || tag == nil {
			return built, err
		}
		built.Objects = append(built.Objects, *tag)
		built.Also = []git.Update{{Ref: "refs/tags/v-" + content, New: tag.Hash}}
		return built, nil
	})
}

func accessOf(repo *gittest.Repository, name string, key gittest.Key) git.Access {
	a := git.Access{URI: repo.URL(), Branch: "main", GitUser: robot, SigningKey: key.Private}
	if strings.Contains(name, "locked") {
		a.SigningKeyPassphrase = passphrase
	}
	return a
}

// A repository that requires signatures takes a commit and its tag of each kind of key, and refuses the same without one.
func TestProtectedRepositoryTakesWhatIsSigned(t *testing.T) {
	all := keys(t)
	repo := serve(t, all)
	_, err := push(t, git.Access{URI: repo.URL(), Branch: "main", GitUser: robot}, "unsigned")
	var rejected *git.Rejected
	require.ErrorAs(t, err, &rejected)
	assert.Contains(t, rejected.Remote, "is not signed by a key that is known here")
	stranger, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	_, err = push(t, accessOf(repo, "stranger", stranger), "stranger")
	require.ErrorAs(t, err, &rejected)

	for name, key := range all {
		content := strings.ReplaceAll(name, " ", "-")
		c, err := push(t, accessOf(repo, name, key), content)
		require.NoError(t, err, name)
		got, err := repo.RevParse("v-" + content + "^{commit}")
		require.NoError(t, err)
		assert.Equal(t, c.Hash.String(), got, name)
		kind, err := repo.Git("cat-file", "-t", "v-"+content)
		require.NoError(t, err)
		assert.Equal(t, "tag\n", kind, name)
		said, err := repo.Log("%an %s %b", "-1", "main")
		require.NoError(t, err)
		assert.Equal(t, "Robot feat: "+content+" Body.", strings.TrimSpace(strings.Join(said, "")))
	}
	require.NoError(t, repo.Fsck())
}

// gpg's own export is what people have: with subkeys, with an offline primary key, and with its way to encrypt.
func TestKeysThatGPGMakes(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip(gittest.ErrNoVerifier)
	}
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // short: its agent listens on a socket there
	require.NoError(t, err)
	gpg := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase, "--s2k-count", "65536"}, args...)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, "gpg %s: %s", strings.Join(args, " "), &stderr)
		return string(out)
	}
	t.Cleanup(func() {
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	gpg("--quick-generate-key", robot, "ed25519", "cert", "never")
	fingerprint := ""
	for line := range strings.SplitSeq(gpg("--with-colons", "--list-secret-keys"), "\n") {
		if rest, ok := strings.CutPrefix(line, "fpr:"); ok && fingerprint == "" {
			fingerprint = strings.Trim(rest, ":")
		}
	}
	err = signing.Check(git.Access{GitUser: robot, SigningKey: gpg("--armor", "--export-secret-keys"), SigningKeyPassphrase: passphrase})
	require.ErrorContains(t, err, "is not for signing")
	gpg("--quick-add-key", fingerprint, "rsa2048", "sign", "never")
	public := gpg("--armor", "--export")
	all := map[string]gittest.Key{
		"locked whole":   {Private: gpg("--armor", "--export-secret-keys"), Authorised: public},
		"locked subkeys": {Private: gpg("--armor", "--export-secret-subkeys"), Authorised: public},
	}
	all["locked indented"] = gittest.Key{Private: "  " + strings.ReplaceAll(all["locked whole"].Private, "\n", "\r\n  "), Authorised: public}
	repo := serve(t, all)
	for name, key := range all {
		_, err := push(t, accessOf(repo, name, key), strings.ReplaceAll(name, " ", "-"))
		require.NoError(t, err, name)
	}
}

// What can't sign is named when the source is read, without showing it.
func TestKeysThatCannotSign(t *testing.T) {
	hour := time.Now().Add(-time.Hour)
	pgp := func(address string, born time.Time, lifetime uint32, passphrase string) gittest.Key {
		key, err := gittest.NewOpenPGPKey("ed25519", address, passphrase, born, lifetime)
		require.NoError(t, err)
		return key
	}
	fine, locked := pgp(address, hour, 0, ""), pgp(address, hour, 0, passphrase)
	ssh, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	sshLocked, err := gittest.NewKey("ed25519", passphrase)
	require.NoError(t, err)
	for name, c := range map[string]struct{ key, passphrase, user, want string }{
		"fine":                     {fine.Private, "", robot, ""},
		"another case":             {fine.Private, "", "Robot <Robot@Example.com>", ""},
		"public":                   {fine.Authorised, "", robot, "signing_key: this is a public key; give the private one: gpg --armor --export-secret-keys ADDRESS"},
		"a signature":              {strings.ReplaceAll(fine.Authorised, "PUBLIC KEY BLOCK", "SIGNATURE"), "", robot, "signing_key: it is a PGP SIGNATURE, not a private key"},
		"cut short":                {fine.Private[:len(fine.Private)/2], "", robot, "signing_key: the OpenPGP key is broken"},
		"expired":                  {pgp(address, hour, 60, "").Private, "", robot, "has expired on " + hour.Add(time.Minute).UTC().Format(time.DateOnly) + "; extend it"},
		"from the future":          {pgp(address, time.Now().Add(time.Hour), 0, "").Private, "", robot, "is from the future"},
		"another address":          {pgp("ana@example.com", hour, 0, "").Private, "", robot, "git_user: the address robot@example.com is not one of the signing_key's (ana@example.com)"},
		"no passphrase":            {locked.Private, "", robot, "signing_key: it is encrypted; give its passphrase as signing_key_passphrase"},
		"wrong passphrase":         {locked.Private, "xyzzy", robot, "signing_key_passphrase: it does not fit the signing_key"},
		"needless passphrase":      {fine.Private, "xyzzy", robot, "signing_key_passphrase: the signing_key is not encrypted; remove the passphrase"},
		"public of ssh":            {ssh.Authorised, "", robot, "signing_key: this is a public key"},
		"no passphrase of ssh":     {sshLocked.Private, "", robot, "signing_key: it is encrypted; give its passphrase as signing_key_passphrase"},
		"wrong passphrase of ssh":  {sshLocked.Private, "xyzzy", robot, "signing_key_passphrase: it does not fit the signing_key"},
		"nonsense":                 {"nonsense", "", robot, "signing_key: it is not the text of a private key; give an OpenPGP key"},
		"a certificate":            {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", robot, "signing_key: it is a CERTIFICATE; give a private key"},
		"any address fits ssh":     {ssh.Private, "", "Ana <ana@example.com>", ""},
		"none, then nothing signs": {"", "", "", ""},
	} {
		err := signing.Check(git.Access{GitUser: c.user, SigningKey: c.key, SigningKeyPassphrase: c.passphrase})
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
		assert.NotContains(t, err.Error(), "xyzzy", name)
	}
}

// What is opened for reading with a signing_key refuses to push, so that no unsigned commit gets out.
func TestOpenedWithoutTheKey(t *testing.T) {
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	repo := serve(t, map[string]gittest.Key{"ssh": key})
	remote, err := git.Open(accessOf(repo, "ssh", key), git.Options{})
	require.NoError(t, err)
	defer remote.Close()
	store, err := remote.Store("")
	require.NoError(t, err)
	defer store.Close()
	err = remote.Push(t.Context(), store, &git.Built{}, git.Update{Ref: "refs/heads/new"})
	require.ErrorContains(t, err, "opened without it")
}

// Writers that overtake each other sign again what they build again.
func TestSignedAgainAfterALostRace(t *testing.T) {
	key, err := gittest.NewOpenPGPKey("ed25519", address, "", time.Now().Add(-time.Hour), 0)
	require.NoError(t, err)
	repo := serve(t, map[string]gittest.Key{"openpgp": key})
	var group sync.WaitGroup
	const writers = 4
	for i := range writers {
		group.Go(func() {
			_, err := push(t, accessOf(repo, "openpgp", key), fmt.Sprint(i))
			assert.NoError(t, err)
		})
	}
	group.Wait()
	subjects, err := repo.Log("%s", "main")
	require.NoError(t, err)
	assert.Len(t, subjects, writers+1)
}
