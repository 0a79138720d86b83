package promoterc_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
)

// world is a code repository at a stand-in for GitHub.
type world struct {
	t      *testing.T
	git    *gittest.Server
	server *github.Server
	repo   *github.Repository
	src    promoterc.Source

	mu  sync.Mutex
	log []string
}

const token = "ghp_right"

// newWorld has the release 0.41.0, and two commits since.
func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	content, err := server.Create("team/code")
	require.NoError(t, err)
	i := content.Import()
	first := i.Commit("main", "feat: everything").Files(map[string]string{
		"src/main.rs": "fn main() {}\n", "CHANGELOG.md": "## [0.41.0] - 2019-12-01\n\n### Features\n\n- Everything\n", "docs-site/index.md": "hello\n", "docs-site/old.md": "old\n",
	})
	i.Tag("0.41.0", "", first)
	i.Commit("main", "feat(api): transfers (#7)").Write("src/api.rs", "1\n")
	i.Commit("main", "fix: rounding (#8)").Write("src/api.rs", "2\n")
	require.NoError(t, i.Done())

	w := &world{t: t, git: server}
	clock := time.Now().Add(-time.Hour)
	w.server = github.New(github.Options{Git: server, Tokens: []string{token}, Now: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}})
	t.Cleanup(w.server.Close)
	w.repo = w.server.Repository("team/code")
	w.src = promoterc.Source{
		Access: git.Access{URI: content.URL(), Branch: "main"},
		GitHub: forge.Access{Repository: "team/code", APIURL: w.server.APIURL(), AccessToken: token},
	}
	require.NoError(t, w.src.Validate())
	return w
}

// step runs in a new folder, or in the one that is given.
func (w *world) step(dir string) concourse.Step {
	w.t.Helper()
	return concourse.Step{Dir: dir, Logf: func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, fmt.Sprintf(format, args...))
	}}
}

// logged are all lines since the last look.
func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.Join(w.log, "\n")
	w.log = nil
	return text
}

// build is a folder with a clone of main, as a get makes it, and the version of a
// candidate.
func (w *world) build(number string, files map[string]string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	w.run("clone", "--quiet", w.repo.Git().Dir, filepath.Join(dir, "repo"))
	write(w.t, dir, map[string]string{"version/version": number + "\n"})
	write(w.t, dir, files)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
}

// run runs git.
func (w *world) run(args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "git %v: %s", args, out)
}

func params() promoterc.PutParams {
	return promoterc.PutParams{VersionFile: "version/version", Repository: "repo"}
}

// put puts a candidate of main, which must succeed.
func (w *world) put(number string) promoterc.Result {
	w.t.Helper()
	got, err := w.tryPut(w.build(number, nil), params())
	require.NoError(w.t, err)
	return got
}

func (w *world) tryPut(dir string, p promoterc.PutParams) (promoterc.Result, error) {
	w.t.Helper()
	return promoterc.Resource{}.Out(w.t.Context(), w.step(dir), w.src, p)
}

func (w *world) check(given *promoterc.Version) []promoterc.Version {
	w.t.Helper()
	got, err := promoterc.Resource{}.Check(w.t.Context(), w.step(""), w.src, given)
	require.NoError(w.t, err)
	return got
}

// get gives the files of a version.
func (w *world) get(v promoterc.Version) map[string]string {
	w.t.Helper()
	dir := w.t.TempDir()
	got, err := promoterc.Resource{}.In(w.t.Context(), w.step(dir), w.src, v, promoterc.GetParams{})
	require.NoError(w.t, err)
	require.Equal(w.t, v, got.Version)
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(w.t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(w.t, err)
		files[e.Name()] = string(data)
	}
	return files
}

// pull is the only pull request.
func (w *world) pull() github.Pull {
	w.t.Helper()
	all, err := w.repo.Pulls()
	require.NoError(w.t, err)
	require.Len(w.t, all, 1)
	return all[0]
}

// commit adds to main.
func (w *world) commit(message string, files map[string]string) string {
	w.t.Helper()
	hash, err := w.repo.Push("main", "jane", message, files)
	require.NoError(w.t, err)
	return hash
}

// branch begins a branch at main.
func (w *world) branch(name string) {
	w.t.Helper()
	_, err := w.repo.Git().Git("branch", name, "main")
	require.NoError(w.t, err)
}

// merge merges a pull request as a person.
func (w *world) merge(pr, method string) string {
	w.t.Helper()
	var number int
	_, err := fmt.Sscan(pr, &number)
	require.NoError(w.t, err)
	require.NoError(w.t, w.repo.Ready(number))
	hash, err := w.repo.Merge(number, method, "jane")
	require.NoError(w.t, err)
	return hash
}

func (w *world) tip(ref string) string {
	w.t.Helper()
	hash, err := w.repo.Git().RevParse(ref)
	require.NoError(w.t, err)
	return hash
}

// file is a file as the bot's branch has it.
func (w *world) file(name string) string {
	w.t.Helper()
	out, err := w.repo.Git().Git("show", "bot-promote-rc:"+name)
	require.NoError(w.t, err)
	return out
}

// release is a candidate that a person promotes at once.
func (w *world) release(number, method string) promoterc.Version {
	w.t.Helper()
	v := w.put(number + "-rc.1").Version
	v.Commit = w.merge(v.PR, method)
	_, err := w.repo.Git().Git("tag", number, v.Candidate)
	require.NoError(w.t, err)
	return v
}
