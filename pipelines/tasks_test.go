package pipelines

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
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
		assert.NotRegexp(t, `(?m)^[^#\n]*=\$\([^)\n]*\)[ \t]+\w+=\$\(`, string(data), "%s: of several assignments in a line only the last one's failure counts", s)
	}
}

func TestShellcheckLikesTheScripts(t *testing.T) {
	t.Parallel()
	without(t, "shellcheck")
	out, err := exec.CommandContext(t.Context(), "shellcheck", taskScripts(t)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// renderedTasks are the tasks of all examples, each script once, by the name of the script; a step of a test flight by its own, and
// "apply with the chart" where Terraform installs it.
func renderedTasks(t *testing.T) map[string]pipeline.TaskConfig {
	t.Helper()
	tasks, err := readTasks()
	require.NoError(t, err)
	return tasks
}

var readTasks = sync.OnceValues(func() (map[string]pipeline.TaskConfig, error) {
	cases, err := Examples(examplesFolder)
	tasks := map[string]pipeline.TaskConfig{}
	for _, c := range cases {
		data, err := os.ReadFile(c.Want())
		if err != nil {
			return nil, err
		}
		p, err := pipeline.Parse(c.Want(), data)
		if err != nil {
			return nil, err
		}
		for _, job := range p.Jobs {
			walk(job.Steps(), func(s pipeline.Step) {
				if s.Kind != pipeline.KindTask || s.Task.Config.Run.Path != "bash" {
					return
				}
				name := s.Task.Config.Run.Args[2]
				if name == "flight.sh" {
					name = s.Name()
				}
				if params := s.Task.Config.Params; params.Field("VERB").Data() != nil && params.Field("CHART").Data() != nil {
					name += " with the chart"
				}
				tasks[name] = *s.Task.Config
			})
		}
	}
	return tasks, err
})

// taskDir is a folder with a repo that has the files, and a PATH with the programs in front, shell scripts.
func taskDir(t *testing.T, programs, files map[string]string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	bin := t.TempDir()
	for name, text := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+text), 0o755))
	}
	for name, text := range files {
		file := filepath.Join(dir, "repo", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return dir, "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
}

// runTask runs a script as the rendered pipelines do, in a folder with a repo, with programs of its own in front of PATH.
func runTask(t *testing.T, script string, programs, files map[string]string, env ...string) (dir, output string, err error) {
	t.Helper()
	without(t, "bash")
	dir, path := taskDir(t, programs, files)
	task, ok := renderedTasks(t)[script]
	require.True(t, ok, "no example has the task %s", script)
	cmd := exec.CommandContext(t.Context(), "bash", task.Run.Args...)
	cmd.Dir = dir
	cmd.Env = append([]string{path}, env...)
	if task.Run.Args[2] == "flight.sh" {
		command, _ := task.Params.Field("COMMAND").Text()
		cmd.Env = append(cmd.Env, "COMMAND="+command)
	}
	out, err := cmd.CombinedOutput()
	return dir, string(out), err
}

func TestTerraformTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"gcp/qa/main.tf": ""}
	dir, out, err := runTask(t, "terraform.sh", map[string]string{"tofu": `echo "$PWD $*"`}, files, "DIRECTORY=gcp/qa", "PROGRAM=tofu")
	require.NoError(t, err, out)
	where := filepath.Join(dir, "repo", "gcp", "qa")
	assert.Equal(t, where+" init -input=false -no-color\n"+where+" apply -input=false -no-color -auto-approve\n", out)

	_, _, err = runTask(t, "terraform.sh", map[string]string{"tofu": `exit 3`}, files, "DIRECTORY=gcp/qa", "PROGRAM=tofu")
	require.Error(t, err, "a failing program must fail the task")
}

// helmEnv is the environment of a deployment with helm.
func helmEnv() []string {
	return []string{
		"RELEASE=app", "CHART=chart", "TIMEOUT=5m", "NAMESPACE=apps", "DIRECTORY=qa", "VALUES=values.yml", "KUBECONFIG_TEXT=clusters: []",
	}
}

func TestHelmTask(t *testing.T) {
	t.Parallel()
	chart := map[string]string{"chart/Chart.yaml": ""}
	helm := map[string]string{"helm": `case $1 in upgrade) echo "$*"; cat "$KUBECONFIG"; ls -l "$KUBECONFIG" | cut -c1-10 ;; esac`}
	_, out, err := runTask(t, "helm.sh", helm, chart, helmEnv()...)
	require.NoError(t, err, out)
	assert.Equal(t, "upgrade app ./repo/chart --install --wait --wait-for-jobs --timeout 5m --namespace apps --create-namespace "+
		"--values ./repo/qa/values.yml\nclusters: []\n-rw-------\n", out)

	dir, _, err := runTask(t, "helm.sh", map[string]string{"helm": `echo "$KUBECONFIG" >kubeconfig; [ "$1" != upgrade ]`}, chart, helmEnv()...)
	require.Error(t, err)
	name, err := os.ReadFile(filepath.Join(dir, "kubeconfig"))
	require.NoError(t, err)
	assert.NoFileExists(t, strings.TrimSpace(string(name)), "the kubeconfig must not be left behind")
}

// A release that fails goes back to the newest revision that was ever deployed, after a look at what went wrong.
func TestFailedReleaseGoesBack(t *testing.T) {
	t.Parallel()
	const helm = `
echo "helm $1${3:+ $3}" >>calls
case $1 in
history) cat history 2>/dev/null ;;
upgrade) [ -z "$RECORDED" ] || printf '%s\n' "$RECORDED" >history; exit 1 ;;
esac`
	history := func(statuses ...string) string {
		var b strings.Builder
		for i, status := range statuses {
			fmt.Fprintf(&b, "- app_version: \"\"\n  chart: app-1.0.0\n  description: 'status: deployed'\n  revision: %d\n  status: %s\n", i+1, status)
		}
		return b.String()
	}
	for what, c := range map[string]struct{ before, after, want string }{
		"to the revision before":     {history("superseded", "deployed"), history("superseded", "deployed", "failed"), "helm rollback 2\n"},
		"over failed ones":           {history("deployed", "failed"), history("deployed", "failed", "failed"), "helm rollback 1\n"},
		"to nothing":                 {"", history("failed"), "helm uninstall --namespace\n"},
		"not where nothing was done": {history("deployed"), "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			programs := map[string]string{"helm": helm, "kubectl": `echo "kubectl $5" >>calls`}
			files := map[string]string{"chart/Chart.yaml": "", "../history": c.before}
			dir, out, err := runTask(t, "helm.sh", programs, files, append(helmEnv(), "RECORDED="+c.after)...)
			require.Error(t, err)
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			require.NoError(t, err, out)
			assert.Equal(t, "helm dependency ./repo/chart\nhelm history --namespace\nhelm upgrade ./repo/chart\n"+
				"kubectl get\nkubectl get\nkubectl get\nhelm history --namespace\n"+c.want, string(calls))
		})
	}
}

// A release in the middle of somebody's work is left alone; the way out is named.
func TestPendingReleaseIsNamed(t *testing.T) {
	t.Parallel()
	for history, want := range map[string]string{
		"  revision: 1\n  status: deployed\n  revision: 2\n  status: pending-upgrade\n": "release app is pending-upgrade: an earlier run was killed. Run helm rollback app 1 --namespace apps, then this job again\n",
		"  revision: 1\n  status: pending-install\n":                                    "release app is pending-install: an earlier run was killed. Run helm uninstall app --namespace apps, then this job again\n",
	} {
		_, out, err := runTask(t, "helm.sh", map[string]string{"helm": `case $1 in history) cat history ;; upgrade) echo "$*" ;; esac`},
			map[string]string{"chart/Chart.yaml": "", "../history": history}, helmEnv()...)
		require.Error(t, err)
		assert.Equal(t, want, out)
	}
}

// A mistake in a secret is named without showing it.
func TestKubeconfigThatIsNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "is empty: store the text of a kubeconfig", "Y2x1c3RlcnM6IFtdCg==": "if the secret holds base64, store the decoded text",
	} {
		for _, script := range []string{"helm.sh", "install"} {
			_, out, err := runTask(t, script, map[string]string{"helm": "echo helm"}, map[string]string{"chart/Chart.yaml": "", ".git/short_ref": "e348f09"},
				append(helmEnv(), "KUBECONFIG_TEXT="+text)...)
			require.Error(t, err)
			assert.Contains(t, out, "the value kubeconfig (KUBECONFIG_TEXT) is ")
			assert.Contains(t, out, want)
			assert.NotContains(t, out, "Y2x1")
			assert.NotContains(t, out, "helm\n")
		}
	}
}

func TestChartThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{"helm.sh": "no chart in repo/chart: Chart.yaml is missing\n", "install": "no chart in chart: Chart.yaml is missing\n"} {
		_, out, err := runTask(t, script, map[string]string{"helm": "echo helm"}, map[string]string{".git/short_ref": "e348f09"}, helmEnv()...)
		require.Error(t, err)
		assert.Equal(t, want, out)
	}
}

func TestScriptTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"ci/deploy.sh": "basename \"$PWD\"; echo \"$ENVIRONMENT\"\n", "qa/file": ""}
	_, out, err := runTask(t, "script.sh", nil, files, "DIRECTORY=qa", "SCRIPT_PATH=ci/deploy.sh", "ENVIRONMENT=qa-1")
	require.NoError(t, err, out)
	assert.Equal(t, "qa\nqa-1\n", out)

	_, _, err = runTask(t, "script.sh", nil, files, "DIRECTORY=qa")
	require.Error(t, err, "a missing variable must fail the task")
}

func TestCommandTask(t *testing.T) {
	t.Parallel()
	dir, out, err := runTask(t, "command.sh", nil, map[string]string{"file": "text"}, "COMMAND=pwd; cat file")
	require.NoError(t, err, out)
	assert.Equal(t, filepath.Join(dir, "repo")+"\ntext", out)

	_, out, err = runTask(t, "command.sh", nil, map[string]string{"file": ""}, "COMMAND=false | true\necho went on")
	require.Error(t, err, "the first thing that fails must fail the task")
	assert.Empty(t, out)
}

// A test flight's steps know their namespace, and leave no access to the cluster behind.
func TestFlightTask(t *testing.T) {
	t.Parallel()
	env := []string{"RELEASE=bank", "KUBECONFIG_TEXT=clusters: []", "CHART=charts/bank", "VALUES=ci/values.yml", "TIMEOUT=15m"}
	helm := map[string]string{"helm": `echo "$*"; cat "$KUBECONFIG"; echo "$KUBECONFIG" >../kubeconfig`}
	files := map[string]string{".git/short_ref": "e348f09", "charts/bank/Chart.yaml": ""}
	const uninstall = "uninstall bank --namespace bank-testflight-e348f09 --ignore-not-found --wait --timeout 15m\nclusters: []\n"
	for step, want := range map[string]string{
		"install": uninstall + "install bank ./charts/bank --namespace bank-testflight-e348f09 --values ./ci/values.yml " +
			"--wait --wait-for-jobs --timeout 15m\nclusters: []\n",
		"uninstall": uninstall,
	} {
		dir, out, err := runTask(t, step, helm, files, env...)
		require.NoError(t, err, out)
		assert.Equal(t, want, out)
		name, err := os.ReadFile(filepath.Join(dir, "kubeconfig"))
		require.NoError(t, err)
		assert.NoFileExists(t, strings.TrimSpace(string(name)), "the kubeconfig must not be left behind")
	}
}

// A flight whose installation fails shows what went wrong before everything is removed: log lines of those that are not ready.
func TestFlightShowsItsEvidence(t *testing.T) {
	t.Parallel()
	programs := map[string]string{
		"helm": `[ "$1" != install ]`,
		"kubectl": `shift 4; case "$*" in
"get pods --no-headers") echo "bank-1 1/1 Running"; echo "bank-2 0/1 CrashLoopBackOff" ;;
*) echo "$*" ;;
esac`,
	}
	_, out, err := runTask(t, "install", programs, map[string]string{".git/short_ref": "e348f09", "charts/bank/Chart.yaml": ""},
		"RELEASE=bank", "KUBECONFIG_TEXT=clusters: []", "CHART=charts/bank", "VALUES=ci/values.yml", "TIMEOUT=15m")
	require.Error(t, err)
	assert.Equal(t, "get pods --output wide\nget events --sort-by .lastTimestamp\nlogs bank-2 --all-containers --prefix --tail 20\n", out)
}

// What apply made is what destroy finds, and its lock is another's.
func TestFlightKeepsTerraformsState(t *testing.T) {
	t.Parallel()
	files := map[string]string{".git/short_ref": "e348f09\n", "ci/main.tf": ""}
	tofu := map[string]string{"tofu": `echo "$TF_VAR_testflight_namespace ${KUBE_CONFIG_PATH:+cluster} $*"`}
	for _, verb := range []string{"apply", "destroy"} {
		dir, out, err := runTask(t, verb, tofu, files, "RELEASE=bank", "KUBECONFIG_TEXT=x: y", "PROGRAM=tofu", "VERB="+verb, "DIRECTORY=ci")
		require.NoError(t, err, out)
		assert.Equal(t, "bank-testflight-e348f09 cluster init -input=false -no-color\n"+
			"bank-testflight-e348f09 cluster init -input=false -no-color -reconfigure\n"+
			"bank-testflight-e348f09 cluster "+verb+" -input=false -no-color -auto-approve\n", out)
		override, err := os.ReadFile(filepath.Join(dir, "repo", "ci", "taxiway_override.tf"))
		require.NoError(t, err)
		assert.Contains(t, string(override), `path = "`+filepath.Join(dir, "state", "terraform.tfstate")+`"`)
	}
}

// What the command builds is watched, and knows the version where there is one.
func TestCachedTask(t *testing.T) {
	t.Parallel()
	cachix := map[string]string{
		"cachix": `echo "cachix $*" | head -1; if [ "$1" = watch-exec ]; then shift 3; exec "$@"; fi`,
		"git":    `echo "c0ffee"`,
	}
	_, out, err := runTask(t, "cached.sh", cachix, map[string]string{"flake.nix": "", "../version/version": "1.2.3-rc.1"},
		"CACHE=acme", `COMMAND=echo "$VERSION at $COMMITHASH"`)
	require.NoError(t, err, out)
	assert.Equal(t, "cachix use acme\ncachix watch-exec acme -- bash -euo pipefail -c echo \"$VERSION at $COMMITHASH\"\n1.2.3-rc.1 at c0ffee\n", out)

	_, _, err = runTask(t, "cached.sh", cachix, map[string]string{"file": ""}, "CACHE=acme", "COMMAND=false")
	require.Error(t, err, "a failing build must fail the task")
}

// A build knows its version; the source is changed in a copy, and the image leads back to the commit.
func TestPrepareTask(t *testing.T) {
	t.Parallel()
	git := map[string]string{"git": `case "$1" in rev-parse) echo c0ffee ;; show) echo 2026-11-24T10:00:00+00:00 ;; esac`, "cp": `mkdir -p prepared build && exec /bin/cp "$@"`}
	dir, out, err := runTask(t, "prepare.sh", git, map[string]string{"app/.env": "", "../version/version": "1.2.3-rc.1"},
		"SOURCE=https://example.org/acme/shop", `COMMAND=echo "V=$VERSION" >>app/.env`, "TITLE=v{version} of the shop, {version}")
	require.NoError(t, err, out)
	for file, want := range map[string]string{
		"build/title":   "v1.2.3-rc.1 of the shop, 1.2.3-rc.1\n",
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
	dir, out, err := runTask(t, "build.sh", nil, files, `COMMAND=mkdir -p "$OUTPUT"; ls >"$OUTPUT/app"; env | grep ^VERSION`)
	require.NoError(t, err, out)
	assert.Equal(t, "VERSION=1.2.3\n", out)
	assert.FileExists(t, filepath.Join(dir, "output", "app"))

	_, _, err = runTask(t, "build.sh", nil, map[string]string{"main": ""}, "COMMAND=true")
	require.Error(t, err, "without a version nothing is built")
}

// The command sees the deployments with the new copy in place of the old one.
func TestMadeTask(t *testing.T) {
	t.Parallel()
	files := map[string]string{"modules/bank/vendor/bank/chart/old": "", "../chart/charts/bank/Chart.yaml": "new", "../output/.keep": ""}
	dir, out, err := runTask(t, "made.sh", nil, files, "RELEASE=bank", "CHART_PATH=charts/bank", "COPY=modules/bank/vendor/bank/chart",
		`COMMAND=echo "$RELEASE" && ls "$COPY" >"$OUTPUT/list"`)
	require.NoError(t, err, out)
	assert.Equal(t, "bank\n", out)
	list, err := os.ReadFile(filepath.Join(dir, "output", "list"))
	require.NoError(t, err)
	assert.Equal(t, "Chart.yaml\n", string(list))
}

// A commit is no candidate while the edge image of what it has is not built; a newer one will do.
func TestEdgesTask(t *testing.T) {
	t.Parallel()
	without(t, "git")
	dir, path := taskDir(t, nil, nil)
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = []string{path, "HOME=" + dir, "APPS=bank-src\tapps/bank\tflake.nix\nshop-src\tapps/sh*", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	must := func(name string, args ...string) string {
		out, err := run(name, args...)
		require.NoError(t, err, out)
		return out
	}
	script := append([]string{}, renderedTasks(t)["edges.sh"].Run.Args...)
	must("git", "init", "--quiet", "repo")
	commit := func(file string, message ...string) string {
		must("bash", "-c", "mkdir -p repo/$(dirname "+file+") && date +%N >repo/"+file)
		must("git", "-C", "repo", "add", "--all")
		must("git", "-C", "repo", "commit", "--quiet", "--message", file+strings.Join(message, ""))
		return must("git", "-C", "repo", "rev-parse", "HEAD")
	}
	build := func(app string) { must("bash", "-c", "rm -rf "+app+"-src && cp -a repo "+app+"-src") }
	commit("README.md")
	build("bank")
	build("shop")
	_, err := run("bash", script...)
	require.NoError(t, err, "neither app has files")
	shop := commit("apps/shop/main")
	out, err := run("bash", script...)
	require.Error(t, err)
	assert.Equal(t, "shop-src: no edge image is built yet of commit "+shop[:7]+"; this job runs again when there is one", out)
	build("shop")
	must("bash", script...)
	flake := commit("flake.nix")
	out, err = run("bash", script...)
	require.Error(t, err)
	assert.Contains(t, out, "bank-src: no edge image is built yet of commit "+flake[:7])
	commit("apps/bank/x")
	build("bank")
	must("git", "-C", "repo", "checkout", "--quiet", flake)
	must("bash", script...)

	// The git resource makes no version of these, so that no image is built of them.
	must("git", "-C", "repo", "checkout", "--quiet", "-")
	commit("apps/shop/notes", " [ci skip]")
	commit("apps/shop/notes", "\n\nAs [skip ci] says.")
	must("bash", script...)
	counted := commit("apps/shop/notes", " [CI SKIP]")
	out, err = run("bash", script...)
	require.Error(t, err)
	assert.Contains(t, out, "shop-src: no edge image is built yet of commit "+counted[:7])

	// Of a merged branch it makes one version, the merge.
	must("git", "-C", "repo", "checkout", "--quiet", "-b", "side", "HEAD~1")
	commit("apps/bank/y")
	must("git", "-C", "repo", "checkout", "--quiet", "-b", "target", "HEAD~1")
	must("git", "-C", "repo", "merge", "--quiet", "--no-ff", "--message", "merge", "side")
	build("shop")
	merge := must("git", "-C", "repo", "rev-parse", "HEAD")
	out, err = run("bash", script...)
	require.Error(t, err)
	assert.Contains(t, out, "bank-src: no edge image is built yet of commit "+merge[:7])
	build("bank")
	must("bash", script...)
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
	assert.Equal(t, candidate, run("cat", "source/.git/ref"))
}

// A task that needs the version, or the commit, fails where either cannot be read, and does nothing with half of it.
func TestNoTaskWorksWithoutItsVersion(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"prepare.sh", "paths.sh", "cached.sh"} {
		for name, c := range map[string]struct{ version, git string }{
			"no version": {"../version/version/is/a/folder", "echo c0ffee"},
			"no commit":  {"../version/version", "exit 3"},
		} {
			t.Run(script+", "+name, func(t *testing.T) {
				t.Parallel()
				programs := map[string]string{"git": c.git, "cachix": `echo went on`}
				files := map[string]string{"flake.nix": "", c.version: "1.2.3", "../paths/.keep": "", "../build/.keep": ""}
				dir, out, err := runTask(t, script, programs, files, "COMMAND=echo went on >&2", "CACHE=bank", "SOURCE=https://example.org/acme/shop")
				require.Error(t, err, out)
				assert.NotContains(t, out, "went on")
				assert.NoFileExists(t, filepath.Join(dir, "build", "labels"))
			})
		}
	}
}

func TestPathsTask(t *testing.T) {
	t.Parallel()
	nix := map[string]string{"nix": `echo "$* $VERSION"`, "git": "echo c0ffee"}
	files := map[string]string{"flake.nix": "", "../version/version": "1.2.3-rc.1", "../paths/.keep": ""}
	dir, out, err := runTask(t, "paths.sh", nix, files, "COMMAND=nix build --dry-run --json")
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
	_, out, err := runTask(t, "webhook.sh", nil, nil, "URL="+server.URL+"/hook", `MESSAGE={"status":"failed"}`)
	require.NoError(t, err, out)
	assert.Equal(t, `POST application/json {"status":"failed"}`, <-received)
	files := map[string]string{"prod-out/message.json": `{"text":"it's \"there\""}` + "\n"}
	_, out, err = runTask(t, "webhook.sh", nil, files, "URL="+server.URL+"/hook", "MESSAGE_FILE=repo/prod-out/message.json")
	require.NoError(t, err, out)
	assert.Equal(t, `POST application/json {"text":"it's \"there\""}`, <-received)

	_, out, err = runTask(t, "webhook.sh", nil, nil, "URL="+server.URL+"/s3cret", "MESSAGE={}")
	require.Error(t, err, "a refused message must fail the task")
	assert.Contains(t, out, "the webhook did not take the message about this job: ")
	assert.True(t, strings.HasSuffix(strings.TrimSpace(out), "this changes nothing about the job: if it failed, the reason is above, before this message"), out)
	assert.NotContains(t, out, "s3cret")
}
