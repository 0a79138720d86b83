package pipelines

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onTerminal is a task as Concourse runs it: the leader of a session on a terminal of its own.
type onTerminal struct {
	cmd    *exec.Cmd
	read   chan struct{}
	mutex  sync.Mutex
	output bytes.Buffer
}

// startOnTerminal starts a rendered task in dir.
func startOnTerminal(t *testing.T, script, dir string, env ...string) *onTerminal {
	t.Helper()
	task, ok := renderedTasks(t)[script]
	require.True(t, ok, "no example has the task %s", script)
	if task.Run.Args[2] == "flight.sh" && !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "COMMAND=") }) {
		command, _ := task.Params.Field("COMMAND").Text()
		env = append(env, "COMMAND="+command)
	}
	master, slave := openTerminal(t)
	r := &onTerminal{cmd: exec.CommandContext(t.Context(), "bash", task.Run.Args...), read: make(chan struct{})}
	r.cmd.Dir, r.cmd.Env = dir, env
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = slave, slave, slave
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, r.cmd.Start())
	require.NoError(t, slave.Close())
	go r.copy(master)
	return r
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	return master, slave
}

// copy keeps what the task prints, until nothing that runs has the terminal any more.
func (r *onTerminal) copy(master *os.File) {
	defer close(r.read)
	defer master.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := master.Read(buffer)
		r.mutex.Lock()
		r.output.Write(buffer[:n])
		r.mutex.Unlock()
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

func (r *onTerminal) printed() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return strings.ReplaceAll(r.output.String(), "\r\n", "\n")
}

// abort does what Concourse does: SIGTERM to the first process alone.
func (r *onTerminal) abort() { _ = r.cmd.Process.Signal(syscall.SIGTERM) }

// end waits for the end. The kernel hangs up the terminal when its session's leader ends, so that nothing lives on.
func (r *onTerminal) end(t *testing.T) error {
	t.Helper()
	err := r.cmd.Wait()
	<-r.read
	return err
}

// waitFor waits until the file is there.
func waitFor(t *testing.T, r *onTerminal, file string) {
	t.Helper()
	for {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-r.read:
			t.Fatalf("the task ended before %s was there: %s", file, r.printed())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// long is a program that takes forever, and some time to clean up after an interrupt, as Terraform and helm do.
const long = `
case "$*" in *%s*) ;; *) exit 0 ;; esac
trap 'sleep 0.3; echo cleaned >"$MARKS/cleaned"; exit 1' INT
trap 'echo hung up >"$MARKS/hup"; exit 1' HUP
echo started >"$MARKS/started"
while :; do sleep 0.05; done
`

// abortCase says which program of a script takes long, with which arguments, and what the script needs to get there.
type abortCase struct {
	program, args string
	files         map[string]string
	env           []string
}

func abortCases() map[string]abortCase {
	version := map[string]string{"../version/version": "1.2.3", "file": "", "../build/.keep": "", "../paths/.keep": "", "../build/args": "", "../promote-rc/candidate": "c0ffee"}
	chart := map[string]string{"chart/Chart.yaml": "", ".git/short_ref": "e348f09", "qa/main.tf": "", "ci/deploy.sh": "set -e\nlong 1\necho went on"}
	flight := append(helmEnv(), "PROGRAM=long", "SCRIPT_PATH=ci/deploy.sh")
	command := []string{"COMMAND=long 1\necho went on"}
	return map[string]abortCase{
		"apply":   {"long", "apply", chart, slices.Concat(flight, []string{"VERB=apply"})},
		"destroy": {"long", "destroy", chart, slices.Concat(flight, []string{"VERB=destroy"})},
		"install": {"helm", "install", chart, flight},

		"apply with the chart":   {"long", "apply", chart, slices.Concat(flight, []string{"VERB=apply"})},
		"destroy with the chart": {"long", "destroy", chart, slices.Concat(flight, []string{"VERB=destroy"})},

		"made.sh":      {"long", "1", version, slices.Concat(command, []string{"CHART_PATH=bank", "COPY=copy"})},
		"uninstall":    {"helm", "uninstall", chart, flight},
		"smoketest":    {"long", "1", chart, flight},
		"helm.sh":      {"helm", "upgrade", chart, helmEnv()},
		"terraform.sh": {"long", "apply", chart, flight},
		"script.sh":    {"long", "1", chart, flight},
		"command.sh":   {"long", "1", version, command},
		"build.sh":     {"long", "1", version, command},
		"prepare.sh":   {"git", "show", version, command},
		"paths.sh":     {"long", "1", version, command},
		"candidate.sh": {"git", "checkout", version, nil},
		"edges.sh":     {"git", "log", version, []string{"APPS=app-src\tapp"}},
		"cached.sh":    {"cachix", "watch-exec", version, slices.Concat(command, []string{"CACHE=c"})},
		"webhook.sh":   {"curl", "json", version, []string{"URL=http://127.0.0.1", "MESSAGE={}"}},
	}
}

// An abort stops what a task runs as Ctrl-C would, the program has the time to clean up, and nothing comes after it. Every
// script of a tasks folder is here; a new one must be.
func TestAnAbortReachesWhatATaskRuns(t *testing.T) {
	t.Parallel()
	cases := abortCases()
	for script := range renderedTasks(t) {
		assert.Contains(t, cases, script, "this test does not abort the task %s", script)
	}
	for script, c := range cases {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			programs := map[string]string{"git": "", "cp": "mkdir -p prepared source build", "cachix": "", "helm": "", "kubectl": "echo kubectl"}
			programs[c.program] = fmt.Sprintf(long, c.args)
			dir, path := taskDir(t, programs, c.files)
			marks := t.TempDir()
			r := startOnTerminal(t, script, dir, append([]string{path, "MARKS=" + marks, "TMPDIR=" + marks}, c.env...)...)
			waitFor(t, r, filepath.Join(marks, "started"))
			r.abort()
			r.abort() // whoever is impatient does no harm
			require.Error(t, r.end(t), r.printed())
			assert.FileExists(t, filepath.Join(marks, "cleaned"), r.printed())
			assert.NoFileExists(t, filepath.Join(marks, "hup"))
			assert.NotContains(t, r.printed(), "went on")
			assert.NotContains(t, r.printed(), "kubectl", "there is no time for evidence")
			left, err := filepath.Glob(filepath.Join(marks, "tmp.*"))
			require.NoError(t, err)
			assert.Empty(t, left, "the kubeconfig must not be left behind")
		})
	}
}

// A task ends as its script does, whatever that is, and finds no terminal to ask a person at.
func TestATaskEndsAsItsScript(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 137, "read -r answer": 1, "read -r answer </dev/tty": 1} {
		dir, path := taskDir(t, nil, map[string]string{"file": ""})
		r := startOnTerminal(t, "command.sh", dir, path, "COMMAND="+command+"\necho went on")
		err := r.end(t)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			assert.Equal(t, want, exit.ExitCode(), "%s: %s", command, r.printed())
		} else {
			require.NoError(t, err)
			assert.Zero(t, want, command)
		}
		assert.NotContains(t, r.printed(), "went on")
	}
}
