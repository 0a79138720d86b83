package conformance

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long a program may take for anything here, which only bounds a test that hangs: on a busy machine a program
// takes a hundred times as long as on a quiet one.
const patience = 30 * time.Minute

// outcome is what a program left.
type outcome struct {
	verb           string
	status         int
	stdout, stderr string
}

// run runs a verb with a request, in a new folder.
func (s Subject) run(t *testing.T, verb, stdin string) outcome {
	t.Helper()
	return s.start(t, verb, strings.NewReader(stdin), s.arguments(t, verb)...).wait(t)
}

func (s Subject) arguments(t *testing.T, verb string) []string {
	t.Helper()
	if verb == "check" {
		return nil
	}
	return []string{s.folder(t)}
}

// program is a program that runs.
type program struct {
	verb           string
	cmd            *exec.Cmd
	done           chan error
	stdout, stderr bytes.Buffer
}

func (s Subject) start(t *testing.T, verb string, stdin io.Reader, args ...string) *program {
	t.Helper()
	p := &program{verb: verb, cmd: exec.CommandContext(t.Context(), verb, args...), done: make(chan error, 1)}
	p.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "GOCOVERDIR=" + t.TempDir(),
		"BUILD_ID=1", "BUILD_NAME=2", "BUILD_JOB_NAME=job", "BUILD_PIPELINE_NAME=pipeline", "BUILD_TEAM_NAME=main",
		"ATC_EXTERNAL_URL=https://ci.example.com",
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, &p.stdout, &p.stderr
	p.cmd.WaitDelay = time.Second // a stdin of ours that stays open is no reason to wait
	require.NoError(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

func (p *program) wait(t *testing.T) outcome {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.NoError(t, p.cmd.Process.Kill())
		<-p.done
		t.Errorf("%s still ran after %s", p.verb, patience)
	}
	return outcome{p.verb, p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// refused checks that a run ended as a failure should: status 1, one error for
// people, nothing on stdout.
func (s Subject) refused(t *testing.T, r outcome) {
	t.Helper()
	assert.Equal(t, 1, r.status, "%s: exit status\n%s", r.verb, r.stderr)
	assert.Empty(t, r.stdout, "%s: stdout", r.verb)
	assert.Equal(t, 1, strings.Count(r.stderr, "error:\x1b[0m "), "%s: errors in\n%s", r.verb, r.stderr)
	for _, never := range []string{"goroutine ", "panic", "runtime error", "fault in this program", "exit status"} {
		assert.NotContains(t, r.stderr, never, r.verb)
	}
	s.discreet(t, r)
}

// discreet checks that no secret, and no line of one, was shown.
func (s Subject) discreet(t *testing.T, r outcome) {
	t.Helper()
	for _, secret := range s.Secrets {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "-----") {
				continue
			}
			assert.NotContains(t, r.stdout+r.stderr, line, "%s: a secret is shown", r.verb)
		}
	}
}
