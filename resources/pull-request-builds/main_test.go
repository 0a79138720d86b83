package pullrequestbuilds_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
	builds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "pull-request-builds", func() { concourse.Main(builds.Resource{}) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

const nowhere = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

func TestConformance(t *testing.T) {
	version := `{"pr": "7", "commit": "` + nowhere + `", "open": "7@1f3c2aa01f"}`
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(builds.Resource{}),
		Source: func(url string) string {
			data, err := json.Marshal(map[string]any{"repository": "team/code", "access_token": "s3cr3t-t0k3n", "api_url": url, "uri": url + "/code.git"})
			require.NoError(t, err)
			return string(data)
		},
		Secrets:   []string{"s3cr3t-t0k3n"},
		Version:   version,
		GetParams: `{"skip_download": false}`,
		PutParams: `{"path": "got", "status": "success", "context": "x", "stop_outdated": true}`,
		Artifacts: map[string]string{"got/.git/resource/version.json": version},
		Live: func(t *testing.T) (source, missing string) {
			t.Helper()
			w := newWorld(t)
			w.pull(t, "one")
			data, err := json.Marshal(w.source)
			require.NoError(t, err)
			return string(data), version
		},
	})
}

// world is a repository at a forge.
type world struct {
	git    *gittest.Server
	server *github.Server
	repo   *github.Repository
	source map[string]any
}

func newWorld(t *testing.T) *world {
	t.Helper()
	git, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	code, err := git.Create("team/code")
	require.NoError(t, err)
	_, err = code.Commit("main", "init", map[string]string{"README.md": "hello\n"})
	require.NoError(t, err)
	server := github.New(github.Options{Git: git, Tokens: []string{"t0k3n"}})
	t.Cleanup(server.Close)
	return &world{git, server, server.Repository("team/code"), map[string]any{
		"repository": "team/code", "access_token": "t0k3n", "api_url": server.APIURL(), "uri": code.URL(),
	}}
}

// pull opens a pull request, and gives its number and commit.
func (w *world) pull(t *testing.T, branch string) (number int, commit string) {
	t.Helper()
	commit = w.push(t, branch, "x: "+branch+"\n")
	number, err := w.repo.Open(branch, "main", "feat: "+branch, "ann")
	require.NoError(t, err)
	return number, commit
}

func (w *world) push(t *testing.T, branch, content string) (commit string) {
	t.Helper()
	commit, err := w.repo.Push(branch, "ann", "feat: work on "+branch, map[string]string{"x.yml": content, "ci/README.md": "hello\n"})
	require.NoError(t, err)
	return commit
}

type answer struct {
	Version  builds.Version
	Metadata concourse.Metadata
}

// run runs a verb as Concourse does, in this process.
func (w *world) run(t *testing.T, verb, dir string, request map[string]any, into any) (log string, status int) {
	t.Helper()
	request["source"] = w.source
	data, err := json.Marshal(request)
	require.NoError(t, err)
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	var stdout, stderr bytes.Buffer
	status = concourse.Run(context.Background(), concourse.Process{
		Args: args, Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr,
		Env: []string{"NO_COLOR=1", "ATC_EXTERNAL_URL=https://ci.example.org", "BUILD_TEAM_NAME=main", "BUILD_PIPELINE_NAME=nix-cache", "BUILD_JOB_NAME=populate", "BUILD_NAME=7"},
	}, builds.Resource{})
	if status == 0 && into != nil {
		require.NoError(t, json.Unmarshal(stdout.Bytes(), into), stdout.String())
	} else if status != 0 {
		assert.Empty(t, stdout.String())
	}
	return stderr.String(), status
}

func (w *world) check(t *testing.T, from *builds.Version) []builds.Version {
	t.Helper()
	var versions []builds.Version
	log, status := w.run(t, "check", "", map[string]any{"version": from}, &versions)
	require.Zero(t, status, log)
	return versions
}

// got is a build's folder with a get of a version.
func (w *world) got(t *testing.T, v builds.Version) (dir string) {
	t.Helper()
	dir = t.TempDir()
	log, status := w.run(t, "in", filepath.Join(dir, "prs"), map[string]any{"version": v}, nil)
	require.Zero(t, status, log)
	return dir
}

func last(versions []builds.Version) *builds.Version { return &versions[len(versions)-1] }

// commits are those of versions, without the first one, which was given.
func commits(versions []builds.Version) []string {
	out := make([]string, len(versions))
	for i, v := range versions {
		out[i] = v.Commit
	}
	return out
}

func TestEachCommitIsOfferedOnce(t *testing.T) {
	w := newWorld(t)
	assert.Empty(t, w.check(t, nil), "nothing there yet is not an error")
	_, one := w.pull(t, "one")
	_, two := w.pull(t, "two")
	first := w.check(t, nil)
	assert.Equal(t, []string{one, two}, commits(first))

	w.server.Reset()
	assert.Equal(t, first[1:], w.check(t, last(first)), "nothing moved: the given version")
	assert.Len(t, w.server.Requests(), 1)

	// an older one of the list offers what came after it, and nothing else
	assert.Equal(t, first, w.check(t, &first[0]))

	newer := w.push(t, "one", "y\n")
	_, three := w.pull(t, "three")
	second := w.check(t, last(first))
	assert.Equal(t, []string{two, newer, three}, commits(second))
	require.NoError(t, w.repo.ClosePull(1))
	assert.Equal(t, []string{three}, commits(w.check(t, last(second))))
}

// Concourse builds no version that it has seen before, so a branch that is forced
// back to an older commit must be a new one.
func TestABranchThatIsForcedBackIsOfferedAgain(t *testing.T) {
	w := newWorld(t)
	_, one := w.pull(t, "one")
	first := w.check(t, nil)
	w.push(t, "one", "y\n")
	second := w.check(t, last(first))
	require.Len(t, second, 2)
	require.NoError(t, w.repo.Git().UpdateRef("refs/heads/one", one))
	third := w.check(t, last(second))
	require.Equal(t, []string{second[1].Commit, one}, commits(third))
	assert.NotContains(t, append(first, second...), third[1])
	assert.Equal(t, third[1:], w.check(t, last(third)))
}

func TestDraftsForksOtherBasesAndLabelsAreLeftOut(t *testing.T) {
	w := newWorld(t)
	_, one := w.pull(t, "one")
	two, _ := w.pull(t, "two")
	w.source["labels"] = []string{"cache"}
	assert.Empty(t, w.check(t, nil))
	require.NoError(t, w.repo.Label(two, "cache"))
	assert.Len(t, w.check(t, nil), 1)
	delete(w.source, "labels")
	w.source["base_branch"] = "release"
	assert.Empty(t, w.check(t, nil))
	w.source["base_branch"] = "main"
	assert.Equal(t, one, w.check(t, nil)[0].Commit)
}

// The addresses of github-pr-resource lead to the same place.
func TestAddressesOfTheOlderType(t *testing.T) {
	w := newWorld(t)
	w.pull(t, "one")
	w.source["v3_endpoint"], w.source["v4_endpoint"] = w.source["api_url"].(string)+"/", "https://unused.example.com/api/graphql"
	delete(w.source, "api_url")
	assert.Len(t, w.check(t, nil), 1)
}

func TestGetDeliversTheCommitThatWasOffered(t *testing.T) {
	w := newWorld(t)
	_, commit := w.pull(t, "one")
	v := w.check(t, nil)[0]
	w.push(t, "one", "something newer\n")
	dir := filepath.Join(w.got(t, v), "prs")
	for name, want := range map[string]string{
		"x.yml": "x: one\n", "ci/README.md": "hello\n", ".git/resource/pr": "1", ".git/resource/head_sha": commit,
	} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(content), name)
	}
	var a answer
	only := filepath.Join(t.TempDir(), "prs")
	log, status := w.run(t, "in", only, map[string]any{"version": v, "params": map[string]any{"skip_download": true}}, &a)
	require.Zero(t, status, log)
	assert.NoFileExists(t, filepath.Join(only, "x.yml"))
	assert.Equal(t, v, a.Version)
}

// What builds a commit from git, as nix does with a flake, finds all of it in the
// folder: no remote is asked.
func TestTheFolderIsARepositoryOfItsOwn(t *testing.T) {
	w := newWorld(t)
	_, commit := w.pull(t, "one")
	dir := filepath.Join(w.got(t, w.check(t, nil)[0]), "prs")
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "safe.directory=*"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "git %v: %s", args, out)
		return strings.TrimSpace(string(out))
	}
	git("remote", "set-url", "origin", "file:///nowhere")
	assert.Equal(t, commit, git("rev-parse", "HEAD"))
	assert.Empty(t, git("status", "--porcelain"))
	assert.Equal(t, "x: one", git("show", "HEAD:x.yml"))
	git("fsck", "--full", "--strict")
	assert.Contains(t, git("config", "--list", "--local"), "core.repositoryformatversion=0")

	nix, err := nixcache.OpenNix(t.TempDir())
	if errors.Is(err, nixcache.ErrNoNix) {
		t.Skip(err)
	}
	require.NoError(t, err)
	text, err := nix.Run(t.Context(), "eval", "--impure", "--raw", "--expr", `builtins.readFile ((builtins.fetchGit { url = "file://`+dir+`"; shallow = true; }) + "/x.yml")`)
	require.NoError(t, err)
	assert.Equal(t, "x: one", text)
}

func TestStatusAroundAPhase(t *testing.T) {
	w := newWorld(t)
	_, commit := w.pull(t, "one")
	v := w.check(t, nil)[0]
	dir := w.got(t, v)
	put := func(params map[string]any) (answer, string, int) {
		var a answer
		log, status := w.run(t, "out", dir, map[string]any{"params": params}, &a)
		return a, log, status
	}
	params := map[string]any{"path": "prs", "base_context": "nix-cache", "context": "deps", "status": "pending", "description": "is built", "stop_outdated": true}
	a, log, status := put(params)
	require.Zero(t, status, log)
	assert.Equal(t, v, a.Version, "a status makes no new version")
	assert.Equal(t, github.Status{
		Context: "nix-cache/deps", State: "pending", Description: "is built",
		URL: "https://ci.example.org/teams/main/pipelines/nix-cache/jobs/populate/builds/7",
	}, w.repo.Statuses(commit)["nix-cache/deps"])

	// a newer commit stops the build before its next phase
	w.push(t, "one", "newer\n")
	params["context"] = "release"
	_, log, status = put(params)
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "has the newer commit")
	assert.Contains(t, log, "stops, nobody waits for it")
	assert.NotContains(t, w.repo.Statuses(commit), "nix-cache/release", "no status on the way")

	// but how it ended can still be said
	params["stop_outdated"], params["status"] = false, "failure"
	_, log, status = put(params)
	require.Zero(t, status, log)
	assert.Equal(t, "failure", w.repo.Statuses(commit)["nix-cache/release"].State)

	require.NoError(t, w.repo.ClosePull(1))
	_, log, status = put(map[string]any{"path": "prs", "stop_outdated": true})
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "is closed")
}

func TestBuildAgainOffersEveryOpenPullRequest(t *testing.T) {
	w := newWorld(t)
	w.pull(t, "zero")
	require.NoError(t, w.repo.ClosePull(1))
	var a answer
	log, status := w.run(t, "out", t.TempDir(), map[string]any{"params": map[string]any{"build_again": true}}, &a)
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "has no open pull request to build again")

	_, one := w.pull(t, "one")
	_, two := w.pull(t, "two")
	_, three := w.pull(t, "three")
	seen := w.check(t, nil)
	require.Len(t, seen, 3)
	log, status = w.run(t, "out", t.TempDir(), map[string]any{"params": map[string]any{"build_again": true}}, &a)
	require.Zero(t, status, log)
	all := w.check(t, &a.Version)
	assert.Equal(t, []string{one, two, three}, commits(all))
	assert.Equal(t, a.Version, all[0])
	for _, v := range all {
		assert.NotContains(t, seen, v, "Concourse builds only what it has not seen")
		w.got(t, v)
	}
	assert.Equal(t, all[2:], w.check(t, last(all)), "once")
	newer := w.push(t, "two", "newer\n")
	assert.Equal(t, []string{three, newer}, commits(w.check(t, last(all))))
}

func TestPutRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	for want, params := range map[string]map[string]any{
		"path: is required": {"status": "success", "context": "x"},
		"status: is required beside path, or stop_outdated": {"path": "prs"},
		"is not one of pending, success":                    {"path": "prs", "status": "green", "context": "x"},
		"context: is required":                              {"path": "prs", "status": "success"},
		"status: is required beside context":                {"path": "prs", "stop_outdated": true, "context": "x"},
		"build_again: is about all":                         {"path": "prs", "build_again": true},
		`"prs" does not exist`:                              {"path": "prs", "stop_outdated": true},
	} {
		log, status := w.run(t, "out", t.TempDir(), map[string]any{"params": params}, nil)
		assert.Equal(t, 1, status)
		assert.Contains(t, log, want)
	}
}
