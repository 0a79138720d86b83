//go:build unix

package semvergit_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// A put or check that is stopped at any moment says nothing false, leaves the branch whole, and the next run is right: a put that
// claims success has its commit, and one that fails without saying that it does not know has none.
func TestStoppedAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	w.is("1.2.3\n")
	random := rand.New(rand.NewPCG(3, 8)) // the same moments each time, as far as a machine is as busy
	done, unknown, cut := 0, 0, 0
	late := 0 // commits that the server may still make for a put that was stopped before
	stops := gittest.Writers(4, 200)
	for i := range 2 * stops {
		verb, before := "out", commitsOf(t, w)
		if i%2 == 1 {
			verb = "check"
		}
		signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i/2%2]
		status, stderr := stopped(t, w, verb, signal, time.Duration(random.IntN(500))*time.Millisecond)
		made := commitsOf(t, w) - before
		least, most := 0, late
		late = 0
		switch {
		case verb == "check":
		case status == 0:
			done++
			least, most = 1, most+1
		case strings.Contains(stderr, "not known"):
			unknown++
			most, late = most+1, 1
		case signal == syscall.SIGKILL:
			cut++
			most, late = most+1, 1
		}
		assert.True(t, least <= made && made <= most, "%s made %d commits, not %d to %d: %s", verb, made, least, most, stderr)
		assert.NotContains(t, stderr, "panic")
	}
	require.NoError(t, w.repo.Fsck())
	last := w.put(keys{"bump": "patch"})
	versions := w.check(nil)
	assert.Equal(t, last.version, versions[len(versions)-1])
	t.Logf("%d puts and %d checks stopped: %d puts were done, %d did not know, %d were killed, %d commits", stops, stops, done, unknown, cut, commitsOf(t, w)-2)
}

func commitsOf(t *testing.T, w *world) int {
	t.Helper()
	history, err := w.repo.Log("%H", "version")
	require.NoError(t, err)
	return len(history)
}

// stopped runs a verb of the program and sends a signal after a while.
func stopped(t *testing.T, w *world, verb string, signal syscall.Signal, after time.Duration) (status int, stderr string) {
	t.Helper()
	request, err := json.Marshal(keys{"source": w.source, "params": keys{"bump": "patch"}})
	require.NoError(t, err)
	args := []string{}
	if verb == "out" {
		args = append(args, w.dir)
	}
	cmd := exec.CommandContext(t.Context(), verb, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), &said
	require.NoError(t, cmd.Start())
	stop := time.AfterFunc(after, func() { _ = cmd.Process.Signal(signal) })
	defer stop.Stop()
	if err := cmd.Wait(); err != nil {
		return 1, said.String()
	}
	return 0, said.String()
}
