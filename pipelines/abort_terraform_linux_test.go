package pipelines

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aborts is how many random moments each test of a real program aborts it at.
var aborts = flag.Int("aborts", 1, "random moments at which each real program is aborted")

// terraformConfig makes three things. MADE knows what was begun in the world, whatever the state says.
const terraformConfig = `
variable "testflight_namespace" {
  default = ""
}

resource "terraform_data" "thing" {
  count = 3
  input = var.testflight_namespace
  provisioner "local-exec" {
    command = "echo ${count.index} >>$MADE; sleep 0.3"
  }
}
`

// stateServer is Terraform's backend "http": one state and its lock.
type stateServer struct {
	mutex       sync.Mutex
	state, lock []byte
}

func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == "LOCK" && s.lock != nil:
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(s.lock)
	case r.Method == "LOCK":
		s.lock = body
	case r.Method == "UNLOCK":
		s.lock = nil
	case r.Method == http.MethodPost:
		s.state = body
	case s.state == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(s.state)
	}
}

func (s *stateServer) kept() (state []byte, locked bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.state, s.lock != nil
}

// things are the indices of the things in a state.
func things(t *testing.T, state []byte) []string {
	t.Helper()
	if len(state) == 0 {
		return nil
	}
	var s struct {
		Resources []struct {
			Instances []struct {
				Key int `json:"index_key"`
			} `json:"instances"`
		} `json:"resources"`
	}
	require.NoError(t, json.Unmarshal(state, &s))
	var found []string
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			found = append(found, strconv.Itoa(i.Key))
		}
	}
	return found
}

// terraformWorld is what the steps of one flight or deployment share: the program, the files, and the folder of the state.
type terraformWorld struct {
	program, config, state, made string
}

// start starts a task in a container of its own, as each step has one.
func (w terraformWorld) start(t *testing.T, step string) *onTerminal {
	t.Helper()
	dir, path := taskDir(t, nil, map[string]string{".git/short_ref": "e348f09", "env/main.tf": w.config})
	require.NoError(t, os.Symlink(w.state, filepath.Join(dir, "state")))
	return startOnTerminal(t, step, dir, path, "HOME="+dir, "TMPDIR="+t.TempDir(), "CHECKPOINT_DISABLE=1", "MADE="+w.made, "PROGRAM="+w.program,
		"VERB="+step, "DIRECTORY=env", "RELEASE=bank", "KUBECONFIG_TEXT=clusters: []")
}

// run runs a task that must succeed and returns how long it took.
func (w terraformWorld) run(t *testing.T, step string) time.Duration {
	t.Helper()
	begin := time.Now()
	r := w.start(t, step)
	require.NoError(t, r.end(t), r.printed())
	return time.Since(begin)
}

// abortedAt aborts a task at some moment of the time it takes.
func (w terraformWorld) abortedAt(t *testing.T, step string, takes time.Duration) string {
	t.Helper()
	r := w.start(t, step)
	moment := rand.N(takes)
	time.Sleep(moment) //nolint:forbidigo // the moment of the abort is what is tested
	r.abort()
	_ = r.end(t) // it may have been done
	return "aborted after " + moment.String() + ":\n" + r.printed()
}

func (w terraformWorld) begun(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(w.made)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

func terraforms(t *testing.T, test func(t *testing.T, program string)) {
	t.Helper()
	for _, program := range []string{"terraform", "tofu"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			without(t, program)
			version, err := exec.CommandContext(t.Context(), program, "version").Output()
			require.NoError(t, err)
			t.Log(strings.SplitN(string(version), "\n", 2)[0])
			test(t, program)
		})
	}
}

// Whenever a flight is aborted, destroy knows everything that was begun, and nothing is locked.
func TestAbortedFlightsAreDestroyed(t *testing.T) {
	t.Parallel()
	for backend, config := range map[string]string{"none": "", "local": "terraform {\n  backend \"local\" {\n    path = \"elsewhere.tfstate\"\n  }\n}\n"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			terraforms(t, func(t *testing.T, program string) {
				t.Helper()
				fresh := func() terraformWorld {
					return terraformWorld{program, config + terraformConfig, t.TempDir(), filepath.Join(t.TempDir(), "made")}
				}
				state := func(w terraformWorld) []string {
					text, err := os.ReadFile(filepath.Join(w.state, "terraform.tfstate"))
					if err != nil {
						return nil
					}
					return things(t, text)
				}
				w := fresh()
				takes := w.run(t, "apply")
				require.ElementsMatch(t, []string{"0", "1", "2"}, state(w))
				w.run(t, "destroy")
				require.Empty(t, state(w))
				for range *aborts {
					w := fresh()
					said := w.abortedAt(t, "apply", takes)
					assert.Subset(t, append(state(w), "-"), append(w.begun(t), "-"), "the state has lost things; %s", said)
					said = w.abortedAt(t, "destroy", takes)
					assert.NoFileExists(t, filepath.Join(w.state, ".terraform.tfstate.lock.info"), said)
					w.run(t, "destroy")
					assert.Empty(t, state(w), said)
				}
			})
		})
	}
}

// An aborted deployment keeps its state, lets go of the lock, and the next one finishes the work.
func TestAbortedDeploymentsGoOn(t *testing.T) {
	t.Parallel()
	terraforms(t, func(t *testing.T, program string) {
		t.Helper()
		var takes time.Duration
		for i := range *aborts + 1 {
			backend := &stateServer{}
			server := httptest.NewServer(backend)
			t.Cleanup(server.Close)
			config := fmt.Sprintf("terraform {\n  backend \"http\" {\n    address = %[1]q\n    lock_address = %[1]q\n    unlock_address = %[1]q\n  }\n}\n", server.URL)
			w := terraformWorld{program, config + terraformConfig, t.TempDir(), filepath.Join(t.TempDir(), "made")}
			if i == 0 {
				takes = w.run(t, "terraform.sh")
				continue
			}
			said := w.abortedAt(t, "terraform.sh", takes)
			state, locked := backend.kept()
			assert.False(t, locked, said)
			assert.Subset(t, append(things(t, state), "-"), append(w.begun(t), "-"), "the state has lost things; %s", said)
			w.run(t, "terraform.sh")
			state, locked = backend.kept()
			assert.False(t, locked)
			assert.ElementsMatch(t, []string{"0", "1", "2"}, things(t, state))
		}
	})
}

// Without a backend, what a deployment knows would end with its container.
func TestDeploymentsNeedABackend(t *testing.T) {
	t.Parallel()
	terraforms(t, func(t *testing.T, program string) {
		t.Helper()
		w := terraformWorld{program, terraformConfig, t.TempDir(), filepath.Join(t.TempDir(), "made")}
		r := w.start(t, "terraform.sh")
		require.Error(t, r.end(t))
		assert.Contains(t, r.printed(), "env: the state is in a file of this container and ends with it: configure a backend")
	})
}

// A configuration that installs the chart finds it beside itself, and one that fails shows what went wrong.
func TestFlightOfTerraformsOwnRelease(t *testing.T) {
	t.Parallel()
	terraforms(t, func(t *testing.T, program string) {
		t.Helper()
		const installs = `output "chart" { value = file("${path.module}/chart/Chart.yaml") }
output "left" { value = fileexists("${path.module}/chart/left") }
variable "testflight_namespace" {}
resource "terraform_data" "release" {
  provisioner "local-exec" { command = "test ! -e chart/broken" }
}
`
		files := map[string]string{".git/short_ref": "e348f09", "ci/main.tf": installs, "ci/chart/left": "of an old flight", "charts/bank/Chart.yaml": "name: bank"}
		env := []string{"HOME=" + t.TempDir(), "CHECKPOINT_DISABLE=1", "RELEASE=bank", "KUBECONFIG_TEXT=x: y", "PROGRAM=" + program, "VERB=apply", "DIRECTORY=ci", "CHART=charts/bank"}
		kubectl := map[string]string{"cp": `mkdir -p ../state && exec /bin/cp "$@"`, "kubectl": `echo "kubectl $*"`}
		_, out, err := runTask(t, "apply with the chart", kubectl, files, env...)
		require.NoError(t, err, out)
		assert.Contains(t, out, `chart = "name: bank"`)
		assert.Contains(t, out, `left = false`)
		assert.NotContains(t, out, "kubectl")
		files["charts/bank/broken"] = ""
		_, out, err = runTask(t, "apply with the chart", kubectl, files, env...)
		require.Error(t, err)
		assert.Contains(t, out, "kubectl --namespace bank-testflight-e348f09 --request-timeout 10s get pods --output wide")
	})
}
