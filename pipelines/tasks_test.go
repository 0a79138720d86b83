package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func taskScripts(t *testing.T) []string {
	t.Helper()
	scripts, err := filepath.Glob("*/tasks/*")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	return scripts
}

func TestScriptsAreShortAndStrict(t *testing.T) {
	t.Parallel()
	for _, s := range taskScripts(t) {
		data, err := os.ReadFile(s)
		require.NoError(t, err)
		lines := 0
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines++
			}
		}
		assert.LessOrEqual(t, lines, 12, s)
		assert.Contains(t, string(data), "\nset -euo pipefail\n", s)
	}
}

func TestShellcheckLikesTheScripts(t *testing.T) {
	t.Parallel()
	without(t, "shellcheck")
	out, err := exec.CommandContext(t.Context(), "shellcheck", taskScripts(t)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// runTask runs a script as a task does, in a folder with a repo, with programs of its own in front of PATH.
func runTask(t *testing.T, script string, programs, files map[string]string, env ...string) (dir, output string, err error) {
	t.Helper()
	without(t, "bash")
	dir = t.TempDir()
	bin := t.TempDir()
	for name, text := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755))
	}
	for name, text := range files {
		file := filepath.Join(dir, "repo", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	text, err := os.ReadFile(filepath.FromSlash(script))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", string(text))
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	return dir, string(out), err
}

func TestTerraformTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"gcp/qa/main.tf": ""}
	dir, out, err := runTask(t, "deployments/tasks/terraform.sh", map[string]string{"tofu": `echo "$PWD $*"`}, files, "DIRECTORY=gcp/qa", "PROGRAM=tofu")
	require.NoError(t, err, out)
	where := filepath.Join(dir, "repo", "gcp", "qa")
	assert.Equal(t, where+" init -input=false -no-color\n"+where+" apply -input=false -no-color -auto-approve\n", out)

	_, _, err = runTask(t, "deployments/tasks/terraform.sh", map[string]string{"tofu": `exit 3`}, files, "DIRECTORY=gcp/qa", "PROGRAM=tofu")
	require.Error(t, err, "a failing program must fail the task")
}

func TestHelmTask(t *testing.T) {
	t.Parallel()
	env := []string{
		"RELEASE=app", "CHART=chart", "TIMEOUT=5m", "NAMESPACE=apps", "DIRECTORY=qa", "VALUES=values.yml", "KUBECONFIG_TEXT=clusters: []",
	}
	_, out, err := runTask(t, "deployments/tasks/helm.sh", map[string]string{"helm": `echo "$*"; cat "$KUBECONFIG"; ls -l "$KUBECONFIG" | cut -c1-10; echo "$KUBECONFIG" >>kubeconfigs`}, nil, env...)
	require.NoError(t, err, out)
	assert.Equal(t, "upgrade app repo/chart --install --atomic --timeout 5m --namespace apps --create-namespace --values repo/qa/values.yml\nclusters: []\n-rw-------\n", out)

	dir, _, err := runTask(t, "deployments/tasks/helm.sh", map[string]string{"helm": `echo "$KUBECONFIG" >kubeconfig; exit 1`}, nil, env...)
	require.Error(t, err)
	name, err := os.ReadFile(filepath.Join(dir, "kubeconfig"))
	require.NoError(t, err)
	assert.NoFileExists(t, strings.TrimSpace(string(name)), "the kubeconfig must not be left behind")
}

func TestScriptTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"ci/deploy.sh": "basename \"$PWD\"; echo \"$ENVIRONMENT\"\n", "qa/file": ""}
	_, out, err := runTask(t, "deployments/tasks/script.sh", nil, files, "DIRECTORY=qa", "SCRIPT_PATH=ci/deploy.sh", "ENVIRONMENT=qa-1")
	require.NoError(t, err, out)
	assert.Equal(t, "qa\nqa-1\n", out)

	_, _, err = runTask(t, "deployments/tasks/script.sh", nil, files, "DIRECTORY=qa")
	require.Error(t, err, "a missing variable must fail the task")
}

func TestCommandTask(t *testing.T) {
	t.Parallel()
	dir, out, err := runTask(t, "shared/tasks/command.sh", nil, map[string]string{"file": "text"}, "COMMAND=pwd; cat file")
	require.NoError(t, err, out)
	assert.Equal(t, filepath.Join(dir, "repo")+"\ntext", out)

	_, out, err = runTask(t, "shared/tasks/command.sh", nil, map[string]string{"file": ""}, "COMMAND=false | true\necho went on")
	require.Error(t, err, "the first thing that fails must fail the task")
	assert.Empty(t, out)
}

// A test flight's steps know their namespace, and leave no access to the cluster behind.
func TestFlightTask(t *testing.T) {
	t.Parallel()
	install, err := os.ReadFile("charts/tasks/install.sh")
	require.NoError(t, err)
	env := []string{
		"RELEASE=bank", "KUBECONFIG_TEXT=clusters: []", "CHART=charts/bank", "VALUES=ci/values.yml", "TIMEOUT=15m", "COMMAND=" + string(install),
	}
	helm := map[string]string{"helm": `echo "$*"; cat "$KUBECONFIG"; echo "$KUBECONFIG" >../kubeconfig`}
	dir, out, err := runTask(t, "charts/tasks/flight.sh", helm, map[string]string{".git/short_ref": "e348f09"}, env...)
	require.NoError(t, err, out)
	assert.Equal(t, "dependency build charts/bank\nclusters: []\n"+
		"install bank charts/bank --namespace bank-testflight-e348f09 --values ci/values.yml --wait --timeout 15m\nclusters: []\n", out)
	name, err := os.ReadFile(filepath.Join(dir, "kubeconfig"))
	require.NoError(t, err)
	assert.NoFileExists(t, strings.TrimSpace(string(name)), "the kubeconfig must not be left behind")
}

// What apply made is what destroy finds.
func TestFlightKeepsTerraformsState(t *testing.T) {
	t.Parallel()
	terraform, err := os.ReadFile("charts/tasks/terraform.sh")
	require.NoError(t, err)
	files := map[string]string{".git/short_ref": "e348f09\n", "ci/main.tf": ""}
	for _, verb := range []string{"apply", "destroy"} {
		dir, out, err := runTask(t, "charts/tasks/flight.sh", map[string]string{"tofu": `echo "$TF_VAR_testflight_namespace ${KUBE_CONFIG_PATH:+cluster} $*"`}, files,
			"RELEASE=bank", "KUBECONFIG_TEXT=x", "PROGRAM=tofu", "VERB="+verb, "DIRECTORY=ci", "COMMAND="+string(terraform))
		require.NoError(t, err, out)
		assert.Equal(t, "bank-testflight-e348f09 cluster init -input=false -no-color\n"+
			"bank-testflight-e348f09 cluster "+verb+" -input=false -no-color -auto-approve -state="+filepath.Join(dir, "state", "terraform.tfstate")+"\n", out)
	}
}

// What the command builds is watched, and knows the version where there is one.
func TestCachedTask(t *testing.T) {
	t.Parallel()
	cachix := map[string]string{
		"cachix": `echo "cachix $*" | head -1; if [ "$1" = watch-exec ]; then shift 3; exec "$@"; fi`,
		"git":    `echo "c0ffee"`,
	}
	_, out, err := runTask(t, "nix-cache/tasks/cached.sh", cachix, map[string]string{"flake.nix": "", "../version/version": "1.2.3-rc.1"},
		"CACHE=acme", `COMMAND=echo "$VERSION at $COMMITHASH"`)
	require.NoError(t, err, out)
	assert.Equal(t, "cachix use acme\ncachix watch-exec acme -- bash -euo pipefail -c echo \"$VERSION at $COMMITHASH\"\n1.2.3-rc.1 at c0ffee\n", out)

	_, _, err = runTask(t, "nix-cache/tasks/cached.sh", cachix, map[string]string{"file": ""}, "CACHE=acme", "COMMAND=false")
	require.Error(t, err, "a failing build must fail the task")
}

// A build knows its version; the source is changed in a copy, and the image leads back to the commit.
func TestPrepareTask(t *testing.T) {
	t.Parallel()
	git := map[string]string{"git": `case "$1" in rev-parse) echo c0ffee ;; show) echo 2026-11-24T10:00:00+00:00 ;; esac`, "cp": `mkdir -p prepared build && exec /bin/cp "$@"`}
	dir, out, err := runTask(t, "release/tasks/prepare.sh", git, map[string]string{"app/.env": "", "../version/version": "1.2.3-rc.1"},
		"SOURCE=https://example.org/acme/shop", `COMMAND=echo "V=$VERSION" >>app/.env`)
	require.NoError(t, err, out)
	for file, want := range map[string]string{
		"repo/app/.env": "", "prepared/app/.env": "V=1.2.3-rc.1\n",
		"build/args": "VERSION=1.2.3-rc.1\nCOMMITHASH=c0ffee\nBUILDTIME=2026-11-24T10:00:00+00:00\n",
		"build/labels": "org.opencontainers.image.version=1.2.3-rc.1\norg.opencontainers.image.revision=c0ffee\n" +
			"org.opencontainers.image.source=https://example.org/acme/shop\norg.opencontainers.image.created=2026-11-24T10:00:00+00:00\n",
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), file)
	}
}

func TestBuildTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"main": "", "../build/args": "VERSION=1.2.3\nCOMMITHASH=c0ffee\n"}
	dir, out, err := runTask(t, "release/tasks/build.sh", nil, files, `COMMAND=mkdir -p "$OUTPUT"; ls >"$OUTPUT/app"; env | grep ^VERSION`)
	require.NoError(t, err, out)
	assert.Equal(t, "VERSION=1.2.3\n", out)
	assert.FileExists(t, filepath.Join(dir, "output", "app"))

	_, _, err = runTask(t, "release/tasks/build.sh", nil, map[string]string{"main": ""}, "COMMAND=true")
	require.Error(t, err, "without a version nothing is built")
}

// What is released is the candidate, whatever was committed after it.
func TestCandidateTask(t *testing.T) {
	t.Parallel()
	without(t, "git")
	script, err := os.ReadFile("release/tasks/candidate.sh")
	require.NoError(t, err)
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	run("git", "init", "--quiet", "repo")
	run("git", "-C", "repo", "commit", "--quiet", "--allow-empty", "--message", "one")
	candidate := run("git", "-C", "repo", "rev-parse", "HEAD")
	run("git", "-C", "repo", "commit", "--quiet", "--allow-empty", "--message", "two")
	for _, folder := range []string{"source", "promote-rc"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "promote-rc", "candidate"), []byte(candidate), 0o644))
	run("bash", "-c", string(script))
	assert.Equal(t, candidate, run("git", "-C", "source", "rev-parse", "HEAD"))
}

func TestPathsTask(t *testing.T) {
	t.Parallel()
	nix := map[string]string{"nix": `echo "$* $VERSION"`, "git": "echo c0ffee"}
	files := map[string]string{"flake.nix": "", "../version/version": "1.2.3-rc.1", "../paths/.keep": ""}
	dir, out, err := runTask(t, "release/tasks/paths.sh", nix, files, "COMMAND=nix build --dry-run --json")
	require.NoError(t, err, out)
	got, err := os.ReadFile(filepath.Join(dir, "paths", "paths"))
	require.NoError(t, err)
	assert.Equal(t, "build --dry-run --json 1.2.3-rc.1\n", string(got))
	assert.Empty(t, out)
}

func TestWebhookTask(t *testing.T) {
	t.Parallel()
	without(t, "curl")
	received := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/hook" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		received <- r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
	}))
	defer server.Close()
	_, out, err := runTask(t, "shared/tasks/webhook.sh", nil, nil, "URL="+server.URL+"/hook", `MESSAGE={"status":"failed"}`)
	require.NoError(t, err, out)
	assert.Equal(t, `POST application/json {"status":"failed"}`, <-received)

	_, out, err = runTask(t, "shared/tasks/webhook.sh", nil, nil, "URL="+server.URL+"/s3cret", "MESSAGE={}")
	require.Error(t, err, "a refused message must fail the task")
	assert.NotContains(t, out, "s3cret")
}
