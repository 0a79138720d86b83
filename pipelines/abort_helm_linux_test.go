package pipelines

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// helmChart has an object in the namespace, one outside of it, and a Job that helm waits for.
func helmChart() map[string]string {
	return map[string]string{
		"chart/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
		"chart/templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: app}
data: {is: {{ .Values.is | quote }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: app-reader}
rules: []
---
apiVersion: batch/v1
kind: Job
metadata:
  name: app-{{ .Values.is }}
  {{- if .Values.stuck }}
  annotations: {stuck: "yes"}
  {{- end }}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: x, image: x}]}}
`,
		".git/short_ref": "e348f09",
	}
}

// helmWorld is one cluster and one helm.
type helmWorld struct {
	*cluster

	helm string
}

func helms(t *testing.T, test func(t *testing.T, w helmWorld)) {
	t.Helper()
	for _, program := range []string{"helm", "helm3", "helm4"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			without(t, program)
			at, err := exec.LookPath(program)
			require.NoError(t, err)
			version, err := exec.CommandContext(t.Context(), at, "version", "--short").Output()
			require.NoError(t, err)
			t.Log("helm ", strings.TrimSpace(string(version)))
			test(t, helmWorld{newCluster(t), at})
		})
	}
}

// start starts a task that runs the real helm on the files and values.
func (w helmWorld) start(t *testing.T, step string, files map[string]string, values string, env ...string) *onTerminal {
	t.Helper()
	all := maps.Clone(files)
	all["qa/values.yml"] = values
	dir, path := taskDir(t, map[string]string{"helm": `echo "$PPID $$" >"$TMPDIR/running"; exec ` + w.helm + ` "$@"`, "kubectl": `echo "kubectl $*"`}, all)
	env = append(append(helmEnv(), path, "HOME="+dir, "TMPDIR="+dir, "KUBECONFIG_TEXT="+w.kubeconfig()), env...)
	if step != "helm.sh" {
		env = append(env, "VALUES=qa/values.yml")
	}
	return startOnTerminal(t, step, dir, env...)
}

// run runs a task that must succeed, and returns how long it took.
func (w helmWorld) run(t *testing.T, step string, files map[string]string, values string, env ...string) time.Duration {
	t.Helper()
	begin := time.Now()
	r := w.start(t, step, files, values, env...)
	require.NoError(t, r.end(t), "%s\nunanswered: %s", r.printed(), strings.Join(w.asked, "\n"))
	return time.Since(begin)
}

// abortedAt aborts a task at some moment of the time.
func (w helmWorld) abortedAt(t *testing.T, step string, takes time.Duration, values string) string {
	t.Helper()
	r := w.start(t, step, helmChart(), values)
	moment := rand.N(takes)
	time.Sleep(moment) //nolint:forbidigo // the moment of the abort is what is tested
	r.abort()
	_ = r.end(t) // it may have been done
	return "aborted after " + moment.String() + ":\n" + r.printed()
}

// kill ends the whole task at once, as the loss of a worker does: the script and the helm that it runs.
func (r *onTerminal) kill(t *testing.T) {
	t.Helper()
	running, err := os.ReadFile(filepath.Join(r.cmd.Dir, "running"))
	require.NoError(t, err)
	for pid := range strings.FieldsSeq(string(running)) {
		n, err := strconv.Atoi(pid)
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(n, syscall.SIGKILL))
	}
	require.NoError(t, r.cmd.Process.Kill())
	require.Error(t, r.end(t))
}

// status is that of the newest revision of the release in the namespace; "" when there is none.
func (w helmWorld) status(namespace string) string {
	newest, status := 0, ""
	for _, at := range w.names("secrets") {
		meta, _ := w.get(at)["metadata"].(object)
		labels, _ := meta["labels"].(object)
		revision, _ := labels["version"].(string)
		if n, err := strconv.Atoi(revision); err == nil && n > newest && strings.Contains(at, "/"+namespace+"/") {
			newest = n
			status, _ = labels["status"].(string)
		}
	}
	return status
}

const configMap = "/api/v1/namespaces/apps/configmaps/app"

func TestAbortedReleasesGoBack(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		takes := w.run(t, "helm.sh", helmChart(), "is: one")
		require.Equal(t, "deployed", w.status("apps"))
		for range *aborts {
			said := w.abortedAt(t, "helm.sh", 2*takes, "{is: two, stuck: true}")
			assert.Contains(t, []string{"deployed", "failed"}, w.status("apps"), said)
			assert.Equal(t, object{"is": "one"}, w.get(configMap)["data"], said)
		}
		w.run(t, "helm.sh", helmChart(), "is: three")
		assert.Equal(t, object{"is": "three"}, w.get(configMap)["data"])
	})
}

// A first release that is aborted leaves nothing behind, in its namespace and outside.
func TestAbortedFirstReleasesVanish(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		takes := w.run(t, "helm.sh", helmChart(), "is: one", "NAMESPACE=measured", "RELEASE=measured")
		w.destroy("measured")
		w.forget("/apis/rbac.authorization.k8s.io/v1/clusterroles/app-reader")
		for range *aborts {
			said := w.abortedAt(t, "helm.sh", 2*takes, "{is: one, stuck: true}")
			assert.Empty(t, w.status("apps"), said)
			assert.Empty(t, w.names("configmaps"), said)
			assert.Empty(t, w.names("clusterroles"), said)
		}
		w.run(t, "helm.sh", helmChart(), "is: one")
	})
}

// A release that does not get ready goes back, and what went wrong is shown before.
func TestFailedReleasesShowTheirEvidence(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		w.run(t, "helm.sh", helmChart(), "is: one")
		r := w.start(t, "helm.sh", helmChart(), "{is: two, stuck: true}", "TIMEOUT=2s")
		require.Error(t, r.end(t))
		assert.Contains(t, r.printed(), "kubectl --namespace apps --request-timeout 10s get pods --output wide")
		assert.Contains(t, r.printed(), "Rollback was a success")
		assert.Equal(t, "deployed", w.status("apps"))
		assert.Equal(t, object{"is": "one"}, w.get(configMap)["data"])

		r = w.start(t, "helm.sh", helmChart(), "{is: ", "TIMEOUT=2s")
		require.Error(t, r.end(t))
		assert.NotContains(t, r.printed(), "Rollback", "a mistake in the values is no reason to touch the release")
	})
}

// A release that a killed run has left is named with the command that helps; with it, the next deployment works.
func TestKilledReleasesAreNamed(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		w.run(t, "helm.sh", helmChart(), "is: one")
		r := w.start(t, "helm.sh", helmChart(), "{is: two, stuck: true}")
		for w.status("apps") != "pending-upgrade" {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a look at a process that says nothing
		}
		r.kill(t)

		r = w.start(t, "helm.sh", helmChart(), "is: three")
		require.Error(t, r.end(t))
		const way = "helm rollback app 1 --namespace apps"
		require.Contains(t, r.printed(), "release app is pending-upgrade: an earlier run was killed. Run "+way+", then this job again")
		w.run(t, "command.sh", helmChart(), "", `COMMAND=printf '%s' "$KUBECONFIG_TEXT" >config; KUBECONFIG=config `+way)
		w.run(t, "helm.sh", helmChart(), "is: three")
		assert.Equal(t, object{"is": "three"}, w.get(configMap)["data"])
	})
}

// A chart with an object outside of its namespace flies again and again, also after flights that failed or were aborted. The
// namespace goes with Terraform.
func TestClusterObjectsDoNotBlockTheNextFlight(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		flight := func(commit, values, timeout string) *onTerminal {
			chart := helmChart()
			chart[".git/short_ref"] = commit
			return w.start(t, "install", chart, values, "TIMEOUT="+timeout)
		}
		end := func(commit string) {
			chart := helmChart()
			chart[".git/short_ref"] = commit
			w.run(t, "uninstall", chart, "")
			w.destroy("app-testflight-" + commit)
			assert.Empty(t, w.names("clusterroles"))
		}
		for _, commit := range []string{"1111111", "2222222", "3333333"} {
			w.makeNamespace("app-testflight-" + commit)
			r := flight(commit, "is: one", "5m")
			require.NoError(t, r.end(t), r.printed())
			end(commit)
		}
		w.makeNamespace("app-testflight-4444444")
		r := flight("4444444", "{is: one, stuck: true}", "2s")
		require.Error(t, r.end(t))
		assert.Contains(t, r.printed(), "get events")
		end("4444444")
		for range *aborts {
			w.makeNamespace("app-testflight-5555555")
			r := flight("5555555", "{is: one, stuck: true}", "5m")
			time.Sleep(rand.N(5 * time.Second)) //nolint:forbidigo // the moment of the kill is what is tested
			r.abort()
			require.Error(t, r.end(t))
			end("5555555")
		}
		w.makeNamespace("app-testflight-6666666")
		r = flight("6666666", "{is: one, stuck: true}", "5m")
		for !slices.Contains([]string{"pending-install"}, w.status("app-testflight-6666666")) {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a look at a process that says nothing
		}
		r.kill(t)
		r = flight("6666666", "is: two", "5m") // the same commit once more, over what the killed one has left
		require.NoError(t, r.end(t), r.printed())
		end("6666666")
	})
}

// Two flights at once do not get in each other's way.
func TestTwoFlightsAtOnce(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		chart := helmChart()
		chart["chart/templates/all.yaml"] = strings.ReplaceAll(chart["chart/templates/all.yaml"], "app-reader", "{{ .Release.Name }}-reader")
		var flights []*onTerminal
		for _, name := range []string{"ledger", "statements"} {
			w.makeNamespace(name + "-testflight-e348f09")
			flights = append(flights, w.start(t, "install", chart, "is: one", "RELEASE="+name))
		}
		for _, r := range flights {
			require.NoError(t, r.end(t), r.printed())
		}
		w.run(t, "uninstall", chart, "", "RELEASE=ledger")
		assert.Equal(t, "deployed", w.status("statements-testflight-e348f09"))
		assert.Equal(t, []string{"/apis/rbac.authorization.k8s.io/v1/clusterroles/statements-reader"}, w.names("clusterroles"))
	})
}

// chartRepository serves a chart called common in two versions.
func chartRepository(t *testing.T, helm string) string {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), helm, args...)
		cmd.Dir = dir
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for _, version := range []string{"1.0.0", "1.1.0"} {
		source := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(source, "Chart.yaml"), []byte("apiVersion: v2\nname: common\nversion: "+version+"\n"), 0o644))
		run("package", source)
	}
	run("repo", "index", ".")
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// A chart that flies can be deployed: with what its lock says, wherever it comes from.
func TestChartsWithDependenciesFlyAndDeploy(t *testing.T) {
	t.Parallel()
	helms(t, func(t *testing.T, w helmWorld) {
		t.Helper()
		repository := chartRepository(t, w.helm)
		lock := "dependencies:\n- name: common\n  repository: " + repository + "\n  version: 1.0.0\n"
		for what, c := range map[string]struct{ repository, lock, want string }{
			"http, with a lock":    {repository, lock, "1.0.0"},
			"http, without a lock": {repository, "", "1.1.0"},
			"file, without a lock": {"file://../common", "", "1.0.5"},
		} {
			chart := helmChart()
			dependency := "- {name: common, repository: \"" + c.repository + "\", version: ^1.0.0}\n"
			chart["chart/Chart.yaml"] += "dependencies:\n" + dependency
			chart["common/Chart.yaml"] = "apiVersion: v2\nname: common\nversion: 1.0.5\n"
			chart["chart/templates/all.yaml"] = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: app}\ndata: {common: {{ .Subcharts.common.Chart.Version }}}\n"
			if c.lock != "" {
				chart["chart/Chart.lock"] = c.lock + "digest: " + lockDigest(t, dependency, c.lock) + "\ngenerated: \"2026-11-28T12:00:00Z\"\n"
			}
			w.makeNamespace("app-testflight-e348f09")
			r := w.start(t, "install", chart, "is: one")
			require.NoError(t, r.end(t), "%s: %s", what, r.printed())
			assert.Equal(t, object{"common": c.want}, w.get("/api/v1/namespaces/app-testflight-e348f09/configmaps/app")["data"], what)
			w.run(t, "helm.sh", chart, "is: one")
			assert.Equal(t, object{"common": c.want}, w.get(configMap)["data"], what)
		}
	})
}

// lockDigest is what helm writes below a lock: it ties the lock to the dependencies of Chart.yaml.
func lockDigest(t *testing.T, dependencies, lock string) string {
	t.Helper()
	type dependency struct {
		Name       string `yaml:"name" json:"name"`
		Version    string `yaml:"version" json:"version,omitempty"`
		Repository string `yaml:"repository" json:"repository"`
	}
	var wanted, locked []dependency
	require.NoError(t, yaml.Unmarshal([]byte(dependencies), &wanted))
	require.NoError(t, yaml.Unmarshal([]byte(strings.TrimPrefix(lock, "dependencies:\n")), &locked))
	text, err := json.Marshal([2][]dependency{wanted, locked})
	require.NoError(t, err)
	return fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}
