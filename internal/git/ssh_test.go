package git

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// overSSH is a server with a key that it accepts.
func overSSH(tb testing.TB, o gittest.Options) (*gittest.Server, *gittest.Repository, Access) {
	tb.Helper()
	o.SSH = true
	server := serve(tb, o)
	repo := served(tb, server)
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(tb, err)
	require.NoError(tb, server.Authorise(key.Authorised))
	return server, repo, Access{URI: repo.SSHURL(), Branch: "main", PrivateKey: key.Private, KnownHosts: server.KnownHosts()}
}

func TestOneConnectionForReadingAndWriting(t *testing.T) {
	server, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	r := open(t, a)
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "one"))
	require.NoError(t, err)
	_, err = s.UpdateRef(t.Context(), mainRef, appending(s, "two"))
	require.NoError(t, err)
	assert.Equal(t, "start\none\ntwo\n", logged(t, repo))
	assert.Equal(t, 1, server.SSHConnections())
	assert.Len(t, server.SSHCommands(), 4, "each change reads in one session and pushes in another: %s", server.SSHCommands())
}

func TestManyWritersOverSSH(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	manyWriters(t, repo, a, gittest.Writers(3, 20))
}

func TestSSHPushOfWhichTheAnswerIsLost(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	require.NoError(t, repo.CutPushes(true))
	r := open(t, a)
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "once"))
	require.NoError(t, err)
	assert.Equal(t, "start\nonce\n", logged(t, repo))
}

func TestSSHHookText(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	require.NoError(t, repo.Hook("update", "echo 'ask the owners first'; exit 1"))
	r := open(t, a)
	s := openIn(t, r, "")
	_, err := s.UpdateRef(t.Context(), mainRef, appending(s, "no"))
	var rejected *Rejected
	require.ErrorAs(t, err, &rejected)
	assert.Contains(t, err.Error(), "ask the owners first")
}

func TestSilentSSHServerEndsWithTheContext(t *testing.T) {
	server, _, a := overSSH(t, gittest.Options{})
	server.SetSSHSilent(true)
	r := open(t, a)
	reason := errors.New("the step was aborted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(reason) })
	_, err := r.Refs(ctx, mainRef)
	require.ErrorIs(t, err, reason)
}

func TestHostKeys(t *testing.T) {
	server, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	other, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	host := strings.Fields(server.KnownHosts("ssh-ed25519"))[0]
	presented, _, _, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimPrefix(server.KnownHosts("ssh-ed25519"), host+" ")))
	require.NoError(t, err)
	fingerprint := ssh.FingerprintSHA256(presented)

	read := func(knownHosts string, ignore bool) error {
		a := a
		a.KnownHosts, a.InsecureIgnoreHostKey = knownHosts, ignore
		_, err := open(t, a).Refs(t.Context(), mainRef)
		return err
	}
	t.Run("unknown", func(t *testing.T) {
		err := read("", false)
		require.ErrorIs(t, err, object.ErrHostKey)
		assert.Contains(t, err.Error(), "SHA256:")
		assert.Contains(t, err.Error(), "then set known_hosts to:\n"+host+" ", "the line to pin it with")
	})
	t.Run("another host's", func(t *testing.T) {
		require.ErrorIs(t, read("example.com "+other.Authorised, false), object.ErrHostKey)
	})
	t.Run("changed", func(t *testing.T) {
		err := read(host+" "+other.Authorised, false)
		require.ErrorIs(t, err, object.ErrHostKey)
		assert.Contains(t, err.Error(), fingerprint)
		assert.Contains(t, err.Error(), "somebody is in between")
	})
	t.Run("revoked", func(t *testing.T) {
		err := read("@revoked "+server.KnownHosts("ssh-ed25519")+server.KnownHosts("ssh-ed25519"), false)
		require.ErrorIs(t, err, object.ErrHostKey)
		assert.Contains(t, err.Error(), "revoked")
	})
	t.Run("only a kind that the server has not got", func(t *testing.T) {
		rsa, err := gittest.NewKey("rsa", "")
		require.NoError(t, err)
		require.ErrorIs(t, read(host+" "+rsa.Authorised, false), object.ErrHostKey)
	})
	for _, kind := range []string{"ssh-ed25519", "ecdsa-sha2-nistp256"} {
		t.Run("only "+kind, func(t *testing.T) {
			require.NoError(t, read(server.KnownHosts(kind), false))
		})
	}
	t.Run("ignored", func(t *testing.T) { require.NoError(t, read("", true)) })
}

func TestSSHKeyIsRefused(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	other, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	a.PrivateKey = other.Private
	_, err = open(t, a).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, object.ErrAuth)
	assert.Contains(t, err.Error(), "is its public part registered there?")
}

func TestSSHRepositoryIsMissing(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{})
	withLog(t, repo)
	a.URI = strings.Replace(a.URI, "deployments", "deploymints", 1)
	_, err := open(t, a).Refs(t.Context(), mainRef)
	require.ErrorIs(t, err, ErrNoRepository)
}

func TestOldProtocolOverSSH(t *testing.T) {
	_, repo, a := overSSH(t, gittest.Options{NoV2: true})
	madeHistory(t, repo, 130)
	for _, filter := range []bool{true, false} {
		if !filter {
			require.NoError(t, repo.RefuseFilter())
			_, err := repo.Git("config", "uploadpack.allowAnySHA1InWant", "false")
			require.NoError(t, err)
		}
		s := openIn(t, open(t, a), t.TempDir())
		readAll(t, s, 131)
	}
}

// readAll reads all of history and the files of the first commit.
func readAll(t *testing.T, s *Store, commits int) {
	t.Helper()
	tip := tipOf(t, s.remote, s)
	n, at := 1, tip
	for ; ; n++ {
		parents, err := s.Parents(t.Context(), at)
		require.NoError(t, err)
		if len(parents) == 0 {
			break
		}
		at = parents[0]
	}
	require.Equal(t, commits, n)
	c, err := s.Commit(t.Context(), at)
	require.NoError(t, err)
	found := map[string]string{}
	for _, f := range filesOf(t, s, c.Tree) {
		content, err := s.Blob(t.Context(), f.Hash)
		require.NoError(t, err)
		found[f.Path] = string(content)
	}
	assert.Equal(t, map[string]string{"a/one": "1", "a/two": "2", "b/deep/three": "3", "top": "t"}, found)
}
