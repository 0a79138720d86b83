package concourse_test

import (
	"bufio"
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASignalEndsTheWork(t *testing.T) {
	for what, c := range map[string]struct {
		do     string
		signal syscall.Signal
		want   string
	}{
		"a method that stops says what it was doing": {
			"wait", syscall.SIGTERM,
			"error: stopped by SIGTERM (push to https://example.com)\n",
		},
		"a method that does not is not waited for": {
			"ignore", syscall.SIGINT,
			"error: stopped by SIGINT\n",
		},
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "check")
			cmd.Env = append(cmd.Environ(), "NO_COLOR=1")
			cmd.Stdin = strings.NewReader(`{"source": {"uri": "https://example.com", "branch": "main", "do": "` + c.do + `"}}`)
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			pipe, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			stderr := bufio.NewReader(pipe)
			line, err := stderr.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "waiting\n", line)
			require.NoError(t, cmd.Process.Signal(c.signal))
			line, err = stderr.ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, c.want, line)
			require.Error(t, cmd.Wait())
			assert.Equal(t, 1, cmd.ProcessState.ExitCode())
			assert.Empty(t, stdout.String())
		})
	}
}
