package gittest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

func start(t *testing.T, o gittest.Options) *gittest.Server {
	t.Helper()
	s, err := gittest.New(o)
	if errors.Is(err, gittest.ErrNoSSHD) || errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func create(t *testing.T, s *gittest.Server, name string) *gittest.Repository {
	t.Helper()
	r, err := s.Create(name)
	require.NoError(t, err)
	_, err = r.Commit("main", "feat: one", map[string]string{"a.txt": "one\n"})
	require.NoError(t, err)
	return r
}

// git runs the git program as a client; extra holds environment and is optional.
func git(t *testing.T, dir string, extra []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com"), extra...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func clone(t *testing.T, url string, extra []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	out, err := git(t, "", extra, "clone", "-q", url, dir)
	require.NoError(t, err, out)
	return dir
}

func pushOne(t *testing.T, dir string, extra []string) (string, error) {
	t.Helper()
	out, err := git(t, dir, extra, "commit", "-q", "--allow-empty", "-m", "pushed")
	require.NoError(t, err, out)
	return git(t, dir, extra, "push", "-q", "origin", "HEAD")
}

func TestHTTPServesReadsAndWritesAndCountsThem(t *testing.T) {
	s := start(t, gittest.Options{})
	r := create(t, s, "owner/deployments")
	dir := clone(t, strings.TrimSuffix(r.URL(), ".git"), nil)
	out, err := pushOne(t, dir, nil)
	require.NoError(t, err, out)
	log, err := r.Log("%s", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"pushed", "feat: one"}, log)
	require.NoError(t, r.Fsck())

	requests := s.Requests()
	require.NotEmpty(t, requests)
	var services []string
	for _, q := range requests {
		services = append(services, q.Service+" "+q.Command)
		assert.Equal(t, 200, q.Status)
		assert.Positive(t, q.Out)
	}
	assert.Contains(t, services, "git-upload-pack ls-refs")
	assert.Contains(t, services, "git-upload-pack fetch")
	assert.Contains(t, services, "git-receive-pack ")
	s.Reset()
	assert.Empty(t, s.Requests())
}

func TestNoV2(t *testing.T) {
	s := start(t, gittest.Options{NoV2: true})
	clone(t, create(t, s, "a").URL(), nil)
	for _, q := range s.Requests() {
		assert.Empty(t, q.Command)
	}
}

func TestCredentials(t *testing.T) {
	s := start(t, gittest.Options{Username: "ana", Password: "secret"})
	r := create(t, s, "a")
	dir := clone(t, strings.Replace(r.URL(), "http://", "http://ana:secret@", 1), nil)
	out, err := pushOne(t, dir, nil)
	require.NoError(t, err, out)
	out, err = git(t, dir, nil, "-c", "http.extraHeader=Authorization: Bearer abd", "ls-remote", r.URL())
	require.Error(t, err, out)
	scheme, token := s.Requests()[len(s.Requests())-1].Credentials()
	assert.Equal(t, "bearer abd", scheme+" "+token)
}

func TestTLSNeedsTheAuthority(t *testing.T) {
	s := start(t, gittest.Options{TLS: true})
	r := create(t, s, "a")
	out, err := git(t, "", nil, "ls-remote", r.URL())
	require.Error(t, err, out)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte(s.CA()), 0o600))
	out, err = git(t, "", []string{"GIT_SSL_CAINFO=" + ca}, "ls-remote", r.URL())
	require.NoError(t, err, out)
	assert.Contains(t, out, "refs/heads/main")
}

func TestPacksThatBreak(t *testing.T) {
	s := start(t, gittest.Options{})
	r := create(t, s, "a")
	for name, change := range map[string]func() server.Change{"cut": gittest.CutPack(20), "corrupt": gittest.CorruptPack()} {
		t.Run(name, func(t *testing.T) {
			s.Inject(gittest.Fault{Path: gittest.UploadPack, Method: http.MethodPost, Change: change})
			defer s.Heal()
			out, err := git(t, t.TempDir(), nil, "clone", "-q", r.URL(), "c")
			require.Error(t, err, out)
		})
	}
	clone(t, r.URL(), nil)
}

func TestRefuseWants(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := start(t, gittest.Options{RefuseWants: refuse})
		r := create(t, s, "a")
		old, err := r.RevParse("main")
		require.NoError(t, err)
		_, err = r.Commit("main", "feat: two", map[string]string{"a.txt": "two\n"})
		require.NoError(t, err)
		for _, wanted := range []string{"main", old} {
			dir := t.TempDir()
			out, err := git(t, dir, nil, "init", "-q")
			require.NoError(t, err, out)
			out, err = git(t, dir, nil, "fetch", "-q", r.URL(), wanted)
			if refuse && wanted == old {
				require.Error(t, err)
				assert.Contains(t, out, "not our ref")
			} else {
				require.NoError(t, err, out)
			}
		}
	}
}

func TestAPushWhoseAnswerIsLost(t *testing.T) {
	s := start(t, gittest.Options{})
	r := create(t, s, "a")
	dir := clone(t, r.URL(), nil)
	s.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Lose: true})
	out, err := pushOne(t, dir, nil)
	require.Error(t, err, out)
	log, err := r.Log("%s", "-1", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"pushed"}, log)
}

func TestHookRefusesAPush(t *testing.T) {
	s := start(t, gittest.Options{})
	r := create(t, s, "a")
	require.NoError(t, r.Hook("pre-receive", "echo no pushes on Fridays >&2; exit 1"))
	dir := clone(t, r.URL(), nil)
	out, err := pushOne(t, dir, nil)
	require.Error(t, err)
	assert.Contains(t, out, "no pushes on Fridays")
	require.NoError(t, r.Hook("pre-receive", ""))
	out, err = git(t, dir, nil, "push", "-q", "origin", "HEAD")
	require.NoError(t, err, out)
}

// sshCommand is the environment that makes git use a key and pinned host keys.
func sshCommand(t *testing.T, key gittest.Key, knownHosts string) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(key.Private), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "known"), []byte(knownHosts), 0o600))
	return []string{"GIT_SSH_COMMAND=ssh -F none -o IdentitiesOnly=yes -o BatchMode=yes -i " + filepath.Join(dir, "key") + " -o UserKnownHostsFile=" + filepath.Join(dir, "known")}
}

func TestSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("no ssh program on this machine")
	}
	s := start(t, gittest.Options{SSH: true})
	r := create(t, s, "owner/a")
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	ssh := sshCommand(t, key, s.KnownHosts())
	out, err := git(t, "", ssh, "ls-remote", r.SSHURL())
	require.Error(t, err, "the key is not authorised yet: %s", out)
	require.NoError(t, s.Authorise(key.Authorised))
	s.Reset()

	dir := clone(t, r.SSHURL(), ssh)
	out, err = pushOne(t, dir, ssh)
	require.NoError(t, err, out)
	commands := s.SSHCommands()
	require.Len(t, commands, 2)
	assert.Contains(t, commands[0], "git-upload-pack '")
	assert.Equal(t, 2, s.SSHConnections())

	require.NoError(t, r.CutPushes(true))
	out, err = pushOne(t, dir, ssh)
	require.Error(t, err, out)
	log, err := r.Log("%s", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"pushed", "pushed", "feat: one"}, log)

	assert.Len(t, strings.Split(strings.TrimSpace(s.KnownHosts("ssh-ed25519")), "\n"), 1)
	out, err = git(t, "", sshCommand(t, key, ""), "ls-remote", r.SSHURL())
	require.Error(t, err, "the host is not known: %s", out)
}

func TestSSHSilence(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("no ssh program on this machine")
	}
	s := start(t, gittest.Options{SSH: true})
	r := create(t, s, "a")
	s.SetSSHSilent(true)
	ssh := []string{"GIT_SSH_COMMAND=ssh -F none -o BatchMode=yes -o ConnectTimeout=1"}
	out, err := git(t, "", ssh, "ls-remote", r.SSHURL())
	require.Error(t, err, out)
	assert.Equal(t, 1, s.SSHConnections())
}

func TestKeyKinds(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa", "rsa-pem"} {
		key, err := gittest.NewKey(kind, "")
		require.NoError(t, err, kind)
		assert.Contains(t, key.Private, "PRIVATE KEY", kind)
		assert.NotEmpty(t, key.Authorised, kind)
	}
	_, err := gittest.NewKey("dsa", "")
	require.Error(t, err)
	key, err := gittest.NewKey("ed25519", "pass")
	require.NoError(t, err)
	assert.Contains(t, key.Private, "OPENSSH PRIVATE KEY")
}

func TestTheStateOfARepositoryIsThatOfItsRefs(t *testing.T) {
	t.Parallel()
	r, err := gittest.Init(filepath.Join(t.TempDir(), "r.git"))
	require.NoError(t, err)
	state := func() string {
		s, err := r.RefState()
		require.NoError(t, err)
		return s
	}
	seen := map[string]bool{state(): true}
	hash, err := r.Commit("main", "one", map[string]string{"a": "1"})
	require.NoError(t, err)
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return r.UpdateRef("refs/tags/1.0.0", hash) },
		func() error { _, err := r.Commit("main", "two", map[string]string{"a": "2"}); return err },
		func() error { return r.UpdateRef("refs/tags/1.0.0", "") },
		func() error { _, err := r.Git("symbolic-ref", "HEAD", "refs/heads/other"); return err },
	} {
		require.NoError(t, change())
		assert.False(t, seen[state()], "a ref has moved")
		seen[state()] = true
		assert.True(t, seen[state()])
	}
	before, err := r.RefState("refs/heads/main", "refs/heads/gone")
	require.NoError(t, err)
	require.NoError(t, r.UpdateRef("refs/tags/1.0.0", hash))
	same, err := r.RefState("refs/heads/main", "refs/heads/gone")
	require.NoError(t, err)
	assert.Equal(t, before, same, "of these refs none has moved")
	for _, moved := range []string{"refs/heads/gone", "refs/heads/main"} {
		require.NoError(t, r.UpdateRef(moved, hash))
		after, err := r.RefState("refs/heads/main", "refs/heads/gone")
		require.NoError(t, err)
		assert.NotEqual(t, before, after, moved)
		before = after
	}
	_, err = gittest.Open(filepath.Join(r.Dir, "none")).RefState()
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What git has answered once it need not answer again until a ref moves, as a repository without objects shows.
func TestAServerThatRemembers(t *testing.T) {
	t.Parallel()
	for _, remembers := range []bool{true, false} {
		s := start(t, gittest.Options{Remember: remembers})
		r := create(t, s, "repo")
		first, err := git(t, clone(t, s.URL("repo"), nil), nil, "rev-parse", "HEAD")
		require.NoError(t, err)
		cloned := func() (string, error) {
			dir := filepath.Join(t.TempDir(), "clone")
			if out, err := git(t, "", nil, "clone", "-q", s.URL("repo"), dir); err != nil {
				return out, err
			}
			return git(t, dir, nil, "rev-parse", "HEAD")
		}
		objects := filepath.Join(r.Dir, "objects")
		require.NoError(t, os.Rename(objects, objects+"-away"))
		again, err := cloned()
		assert.Equal(t, remembers, err == nil, again)
		require.NoError(t, os.Rename(objects+"-away", objects))
		next, err := r.Commit("main", "feat: two", map[string]string{"a.txt": "two\n"})
		require.NoError(t, err)
		again, err = cloned()
		require.NoError(t, err, again)
		assert.Equal(t, next, strings.TrimSpace(again), "a ref has moved")
		require.NoError(t, r.UpdateRef("refs/heads/main", strings.TrimSpace(first)))
		again, err = cloned()
		require.NoError(t, err, again)
		assert.Equal(t, first, again)
	}
}

func TestAWorktreeIsAsGitMakesIt(t *testing.T) {
	t.Parallel()
	r := create(t, start(t, gittest.Options{}), "app")
	one, err := r.Commit("main", "one", map[string]string{"a/b": "1\n", "c": "2\n"})
	require.NoError(t, err)
	folder := t.TempDir()
	clone := gittest.Open(filepath.Join(folder, "clone"))
	_, err = r.Git("clone", "--quiet", "-c", "core.checkStat=minimal", "-c", "core.trustctime=false", r.Dir, clone.Dir)
	require.NoError(t, err)
	require.ErrorContains(t, clone.Worktree(filepath.Join(folder, "early")), "a branch is checked out")
	_, err = clone.Git("checkout", "--quiet", "--detach")
	require.NoError(t, err)
	for _, name := range []string{"1", "2"} {
		require.NoError(t, clone.Worktree(filepath.Join(folder, name)))
		tree := gittest.Open(filepath.Join(folder, name))
		_, err = tree.Git("diff-files", "--exit-code") // believes the index, without a look into the files
		require.NoError(t, err)
		head, err := tree.Git("log", "-1", "--format=%H")
		require.NoError(t, err)
		assert.Equal(t, one+"\n", head)
		require.NoError(t, os.WriteFile(filepath.Join(tree.Dir, "c"), []byte("changed "+name), 0o600))
		_, err = tree.Git("commit", "--quiet", "-am", "two")
		require.NoError(t, err)
	}
	listed, err := clone.Git("worktree", "list", "--porcelain")
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(listed, "detached"), listed)
	assert.NotContains(t, listed, "prunable")
	status, err := clone.Git("status", "--porcelain")
	require.NoError(t, err)
	assert.Empty(t, status, "each has its own files")
}

// Git is not killed while it holds the lock of a ref when a client goes away: the lock would refuse all later pushes.
func TestAClientThatGoesAwayLeavesNoLock(t *testing.T) {
	s, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	r := create(t, s, "acme/app")
	require.NoError(t, r.UpdateRef("refs/heads/topic", "main"))
	tip, err := r.RevParse("refs/heads/topic")
	require.NoError(t, err)
	held := filepath.Join(t.TempDir(), "held")
	require.NoError(t, r.Hook("reference-transaction", fmt.Sprintf(`if [ "$1" = prepared ]; then >%[1]q; while [ -e %[1]q ] && kill -0 $PPID; do sleep 0.1; done; fi`, held)))
	ctx, cancel := context.WithCancel(t.Context())
	command := fmt.Sprintf("%s %s refs/heads/topic\x00report-status", tip, strings.Repeat("0", len(tip)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL()+"/git-receive-pack", strings.NewReader(fmt.Sprintf("%04x%s0000", len(command)+4, command)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	go func() {
		for {
			if _, err := os.Stat(held); err == nil {
				cancel()
				return
			}
			<-time.After(time.Millisecond)
		}
	}()
	_, err = new(http.Client).Do(request) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close()) // after the last answer
	assert.NoFileExists(t, filepath.Join(r.Dir, "refs", "heads", "topic.lock"))
	assert.NoError(t, os.Remove(held))
}
