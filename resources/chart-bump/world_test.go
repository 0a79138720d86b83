package chartbump_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
)

type object = map[string]any

// world is a charts repository at a forge, and a folder of a build.
type world struct {
	git   *gittest.Server
	repo  *gittest.Repository
	hub   *github.Server
	pulls *github.Repository
	dir   string
}

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digestC = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	digestD = "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	digestE = "sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

	values = "# The bank.\r\nlanaBank:\r\n  image:\r\n    repository: ghcr.io/acme/lana-bank\r\n" +
		"    digest: \"" + digestA + "\" # METADATA:: repository=https://github.com/acme/bank;commit_ref=1111111;app=lana-bank; pinned, ask Ana\r\n" +
		"  appVersion:   0.41.0\r\n\r\n\r\n  adminPanel: {image: {tag: 'v0.41.0@" + digestA + "'}}   # the panel\r\n" +
		"dagster:\r\n    deployments:\r\n    - name: other\r\n      image: ghcr.io/acme/other:edge@" + digestA + "\r\n" +
		"    - name: lana-dw\r\n      image: ghcr.io/acme/dw:edge@" + digestA + "\r\n"
	chartYAML = "apiVersion: v2\nname: lana-bank\nversion: 0.3.9   # ours\nappVersion: 0.41.0\n"
)

// newWorld has one chart, and the labels and the source of the code.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("acme/charts")
	require.NoError(tb, err)
	hub := github.New(github.Options{Git: server, Tokens: []string{"t0ken"}})
	tb.Cleanup(hub.Close)
	w := &world{git: server, repo: repo, hub: hub, pulls: hub.Repository("acme/charts"), dir: tb.TempDir()}
	w.commit(tb, "init", map[string]string{
		"README.md": "charts\n", "charts/bank/values.yaml": values, "charts/bank/Chart.yaml": chartYAML,
		"charts/bank/tf/old/gone.tf": "x\n", "charts/other/Chart.yaml": "name: other\n", "charts/other/values.yaml": "digest: " + digestA + "\n",
	})
	w.write(tb, map[string]string{"version/version": "0.42.0\n"})
	return w
}

func (w *world) commit(tb testing.TB, message string, files map[string]string) string {
	tb.Helper()
	hash, err := w.repo.Commit("main", message, files)
	require.NoError(tb, err)
	return hash
}

// write puts files into the build's folder.
func (w *world) write(tb testing.TB, files map[string]string) {
	tb.Helper()
	for name, content := range files {
		path := filepath.Join(w.dir, name)
		require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(tb, os.WriteFile(path, []byte(content), 0o644))
	}
}

// image is the folder of a registry-image.
func (w *world) image(tb testing.TB, name, digest, revision string) {
	tb.Helper()
	labels, err := json.Marshal(map[string]string{
		"org.opencontainers.image.source": "https://github.com/acme/bank", "org.opencontainers.image.revision": revision,
	})
	require.NoError(tb, err)
	w.write(tb, map[string]string{
		name + "/digest": digest, name + "/labels.json": string(labels), name + "/repository": "ghcr.io/acme/" + name + "\n", name + "/tag": "latest\n",
	})
}

const (
	revision1 = "1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	revision2 = "2222222aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	revision3 = "3333333aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// source is that of pull request mode, with changes.
func (w *world) source(change object) object {
	out := object{
		"uri": w.repo.URL(), "branch": "main", "git_user": "bump bot <bump@example.com>",
		"chart":  "charts/bank",
		"images": []object{{"name": "lana-bank", "path": "lanaBank.image.digest"}},
		"github": object{"repository": "acme/charts", "api_url": w.hub.APIURL(), "access_token": "t0ken"},

		"bot_branch": "bot-bump", "labels": []string{"galoybot", "lana-bank"},
	}
	for k, v := range change {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

// answer is what a program said.
type answer struct {
	status   int
	version  chartbump.Version
	versions []chartbump.Version
	metadata map[string]string
	stderr   string
}

// run runs a verb as Concourse does.
func (w *world) run(tb testing.TB, verb, dir string, request object) answer {
	tb.Helper()
	stdin, err := json.Marshal(request)
	require.NoError(tb, err)
	var stdout, stderr bytes.Buffer
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	a := answer{metadata: map[string]string{}}
	a.status = concourse.Run(tb.Context(), concourse.Process{
		Args: args, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Env: []string{"NO_COLOR=1", "ATC_EXTERNAL_URL=https://ci.example.org", "BUILD_ID=7", "BUILD_NAME=3", "BUILD_JOB_NAME=bump", "BUILD_PIPELINE_NAME=release", "BUILD_TEAM_NAME=main"},
	}, chartbump.Resource{})
	a.stderr = stderr.String()
	if a.status != 0 {
		require.Empty(tb, stdout.String())
		return a
	}
	if verb == "check" {
		require.NoError(tb, json.Unmarshal(stdout.Bytes(), &a.versions))
		return a
	}
	var result chartbump.Result
	require.NoError(tb, json.Unmarshal(stdout.Bytes(), &result))
	a.version = result.Version
	for _, f := range result.Metadata {
		a.metadata[f.Name] = f.Value
	}
	return a
}

func (w *world) put(tb testing.TB, source, params object) answer {
	tb.Helper()
	return w.run(tb, "out", w.dir, object{"source": source, "params": params})
}

// bumped puts one digest, which must work.
func (w *world) bumped(tb testing.TB, source object, digest, revision string) answer {
	tb.Helper()
	w.image(tb, "lana-bank", digest, revision)
	a := w.put(tb, source, object{"images": object{"lana-bank": "lana-bank"}})
	require.Zero(tb, a.status, a.stderr)
	return a
}

// refused checks that a put failed, said why, and left the repository alone.
func (w *world) refused(tb testing.TB, source, params object, words ...string) {
	tb.Helper()
	before := w.refs(tb)
	a := w.put(tb, source, params)
	require.NotZero(tb, a.status, a.stderr)
	for _, word := range words {
		require.Contains(tb, a.stderr, word)
	}
	require.NotContains(tb, a.stderr, "goroutine")
	require.Equal(tb, before, w.refs(tb), "a refused put changed the repository")
}

func (w *world) refs(tb testing.TB) string {
	tb.Helper()
	out, err := w.repo.Git("for-each-ref")
	require.NoError(tb, err)
	return out
}

func (w *world) show(tb testing.TB, revision, path string) string {
	tb.Helper()
	out, err := w.repo.Git("show", revision+":"+path)
	require.NoError(tb, err)
	return out
}

// changedLines are the lines that a commit takes away and adds.
func (w *world) changedLines(tb testing.TB, revision string) []string {
	tb.Helper()
	out, err := w.repo.Git("show", "--format=", "--unified=0", revision)
	require.NoError(tb, err)
	var lines []string
	for line := range strings.Lines(out) {
		if (line[0] == '-' || line[0] == '+') && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "+++") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// pull is the first pull request.
func (w *world) pull(tb testing.TB) github.Pull {
	tb.Helper()
	p, err := w.pulls.Pull(1)
	require.NoError(tb, err)
	return p
}

func (w *world) head(tb testing.TB, branch string) string {
	tb.Helper()
	hash, err := w.repo.RevParse(branch)
	require.NoError(tb, err)
	return hash
}
