package semvergit_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// keys are a part of a request.
type keys map[string]any

// world is a repository and a source that leads to it.
type world struct {
	tb     testing.TB
	server *gittest.Server
	repo   *gittest.Repository
	source keys
	dir    string // the build's folder
}

// newWorld serves a repository over HTTP.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	server, repo := serve(tb, gittest.Options{})
	w := &world{tb: tb, server: server, repo: repo, dir: tb.TempDir()}
	w.source = keys{"uri": repo.URL(), "branch": "version", "file": "version"}
	tb.Setenv("TMPDIR", tb.TempDir())
	return w
}

// newWorldOverSSH serves a repository over SSH.
func newWorldOverSSH(tb testing.TB) *world {
	tb.Helper()
	server, repo := serve(tb, gittest.Options{SSH: true})
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(tb, err)
	require.NoError(tb, server.Authorise(key.Authorised))
	tb.Setenv("TMPDIR", tb.TempDir())
	return &world{tb: tb, server: server, repo: repo, dir: tb.TempDir(), source: keys{
		"uri": repo.SSHURL(), "branch": "version", "file": "version",
		"private_key": key.Private, "known_hosts": server.KnownHosts(),
	}}
}

// says is what a program answered.
type says struct {
	status  int
	stdout  string
	stderr  string
	version semvergit.Version
	meta    map[string]string
}

func (w *world) run(verb string, request keys, args ...string) says {
	w.tb.Helper()
	data, err := json.Marshal(request)
	require.NoError(w.tb, err)
	var stdout, stderr bytes.Buffer
	status := concourse.Run(w.tb.Context(), concourse.Process{
		Args: append([]string{verb}, args...), Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr,
		Env: []string{"NO_COLOR=1", "ATC_EXTERNAL_URL=https://ci.example.org", "BUILD_TEAM_NAME=main", "BUILD_PIPELINE_NAME=release", "BUILD_JOB_NAME=build-rc", "BUILD_NAME=7"},
	}, semvergit.Resource{})
	s := says{status: status, stdout: stdout.String(), stderr: stderr.String(), meta: map[string]string{}}
	var r semvergit.Result
	if verb != "check" && json.Unmarshal(stdout.Bytes(), &r) == nil {
		s.version = r.Version
		for _, f := range r.Metadata {
			s.meta[f.Name] += f.Value
		}
	}
	return s
}

// tryPut puts, whatever comes of it.
func (w *world) tryPut(params keys) says {
	w.tb.Helper()
	return w.run("out", keys{"source": w.source, "params": params}, w.dir)
}

// put puts, and the answer must be on the remote.
func (w *world) put(params keys) says {
	w.tb.Helper()
	s := w.tryPut(params)
	require.Zero(w.tb, s.status, s.stderr)
	if s.version.Commit != "" {
		content, err := w.repo.Show(s.version.Commit, w.file())
		require.NoError(w.tb, err)
		require.Equal(w.tb, s.version.Number, strings.TrimSpace(content))
	}
	return s
}

// refused puts what can't be put: nothing may be claimed, and nothing may move.
func (w *world) refused(params keys) string {
	w.tb.Helper()
	before := w.refs()
	s := w.tryPut(params)
	require.Equal(w.tb, 1, s.status, s.stdout)
	require.Empty(w.tb, s.stdout)
	require.Equal(w.tb, before, w.refs())
	return s.stderr
}

func (w *world) refs() string {
	w.tb.Helper()
	refs, err := w.repo.Git("for-each-ref")
	require.NoError(w.tb, err)
	return refs
}

func (w *world) file() string {
	name, ok := w.source["file"].(string)
	require.True(w.tb, ok)
	return name
}

func (w *world) tryCheck(given any) says {
	w.tb.Helper()
	request := keys{"source": w.source}
	if given != nil {
		request["version"] = given
	}
	return w.run("check", request)
}

func (w *world) check(given any) []semvergit.Version {
	w.tb.Helper()
	s := w.tryCheck(given)
	require.Zero(w.tb, s.status, s.stderr)
	var versions []semvergit.Version
	require.NoError(w.tb, json.Unmarshal([]byte(s.stdout), &versions))
	return versions
}

// get fetches and gives the files.
func (w *world) get(v any, params keys) map[string]string {
	w.tb.Helper()
	dir := w.tb.TempDir()
	s := w.run("in", keys{"source": w.source, "version": v, "params": params}, dir)
	require.Zero(w.tb, s.status, s.stderr)
	return read(w.tb, dir)
}

func read(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(tb, err)
	files := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(tb, err)
		files[e.Name()] = string(content)
	}
	return files
}

// with is the same world with another source.
func (w *world) with(change keys) *world {
	other := *w
	other.source = maps.Clone(w.source)
	for key, value := range change {
		if value == nil {
			delete(other.source, key)
			continue
		}
		other.source[key] = value
	}
	return &other
}

// is puts a version on the branch as a person would.
func (w *world) is(content string) string {
	w.tb.Helper()
	h, err := w.repo.Commit("version", "by hand", map[string]string{"version": content})
	require.NoError(w.tb, err)
	return h
}

// artifact writes a file into the build's folder.
func (w *world) artifact(name, content string) {
	w.tb.Helper()
	file := filepath.Join(w.dir, filepath.FromSlash(name))
	require.NoError(w.tb, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(w.tb, os.WriteFile(file, []byte(content), 0o644))
}

// clone makes the artifact of a get of a git resource.
func (w *world) clone(artifact string, args ...string) {
	w.tb.Helper()
	dir := filepath.Join(w.dir, artifact)
	require.NoError(w.tb, os.RemoveAll(dir))
	_, err := w.repo.Git(append(append([]string{"clone", "-q", "--branch=main"}, args...), "file://"+w.repo.Dir, dir)...)
	require.NoError(w.tb, err)
}

// code makes a commit on main.
func (w *world) code(message string) string {
	w.tb.Helper()
	h, err := w.repo.Commit("main", message, map[string]string{"src/main.go": message})
	require.NoError(w.tb, err)
	return h
}

func (w *world) tag(name, commit string) {
	w.tb.Helper()
	require.NoError(w.tb, w.repo.UpdateRef("refs/tags/"+name, commit))
}
