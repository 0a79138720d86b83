package ceplerout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

// protocol runs one step in this process and keeps everything it said.
type protocol struct {
	t     *testing.T
	heard bytes.Buffer
}

func (p *protocol) step(verb, dir string, request map[string]any) (status int, answer []byte) {
	p.t.Helper()
	data, err := json.Marshal(request)
	require.NoError(p.t, err)
	var out bytes.Buffer
	process := concourse.Process{Args: []string{verb, dir}, Stdin: bytes.NewReader(data), Stdout: &out, Stderr: &p.heard}
	if verb == "check" {
		process.Args = []string{verb}
	}
	if verb == "out" {
		status = concourse.Run(context.Background(), process, ceplerout.Resource{})
	} else {
		status = concourse.Run(context.Background(), process, ceplerin.Resource{})
	}
	p.heard.Write(out.Bytes())
	return status, out.Bytes()
}

// A credential is written nowhere, whether a step succeeds or fails: not to stdout, stderr or metadata, and
// not to any file.
func TestCredentialsAreWrittenNowhere(t *testing.T) {
	t.Run("password", func(t *testing.T) {
		_, repo := served(t, gittest.Options{Username: "robot", Password: "s3cr3t-p4ssw0rd"})
		everyStep(t, repo, map[string]any{"uri": repo.URL(), "username": "robot", "password": "s3cr3t-p4ssw0rd"}, "s3cr3t-p4ssw0rd")
	})
	t.Run("password in the address", func(t *testing.T) {
		_, repo := served(t, gittest.Options{Username: "robot", Password: "s3cr3t-p4ssw0rd"})
		everyStep(t, repo, map[string]any{"uri": strings.Replace(repo.URL(), "://", "://robot:s3cr3t-p4ssw0rd@", 1)}, "s3cr3t-p4ssw0rd")
	})
	t.Run("private key", func(t *testing.T) {
		server, repo := served(t, gittest.Options{SSH: true})
		key, err := gittest.NewKey("ed25519", "")
		require.NoError(t, err)
		require.NoError(t, server.Authorise(key.Authorised))
		lines := strings.Split(strings.TrimSpace(key.Private), "\n")
		everyStep(t, repo, map[string]any{"uri": repo.SSHURL(), "private_key": key.Private, "known_hosts": server.KnownHosts()}, lines[1:len(lines)-1]...)
	})
}

func everyStep(t *testing.T, repo *gittest.Repository, access map[string]any, secrets ...string) {
	t.Helper()
	disk := t.TempDir()
	t.Setenv("TMPDIR", filepath.Join(disk, "tmp"))
	require.NoError(t, os.Mkdir(filepath.Join(disk, "tmp"), 0o755))
	_, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments: {tf: {latest: [a]}}\n", "a": "1\n"})
	require.NoError(t, err)
	source := map[string]any{"branch": "main", "environment": "tf"}
	maps.Copy(source, access)
	p := &protocol{t: t}
	request := map[string]any{"source": source}
	status, answer := p.step("check", "", request)
	require.Zero(t, status, "%s", &p.heard)
	var versions []json.RawMessage
	require.NoError(t, json.Unmarshal(answer, &versions))
	request["version"] = versions[0]
	status, _ = p.step("in", filepath.Join(disk, "build", "got"), request)
	require.Zero(t, status, "%s", &p.heard)
	request["params"] = map[string]any{"repository": "got"}
	status, _ = p.step("out", filepath.Join(disk, "build"), request)
	require.Zero(t, status, "%s", &p.heard)

	source["branch"] = "no-such-branch"
	for _, verb := range []string{"check", "out"} {
		status, _ = p.step(verb, filepath.Join(disk, "build"), request)
		require.NotZero(t, status)
	}
	for _, secret := range secrets {
		assert.NotContains(t, p.heard.String(), secret)
		requireNotOnDisk(t, disk, secret)
		requireNotOnDisk(t, repo.Dir, secret)
	}
}

func requireNotOnDisk(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		assert.NotContains(t, string(data), secret, path)
		return err
	})
	require.NoError(t, err)
	require.NotZero(t, files)
}
