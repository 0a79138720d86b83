package timeline_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
)

const commit = "1f3c2aa9d3b0c8f0a1b2c3d4e5f60718293a4b5c"

// waiting is an environment behind a closed gate.
func waiting() lineage.Environment {
	return lineage.Environment{
		Deployment: "bank", Name: "production",
		Waits: []string{"the gate is closed at 1234567, and 89abcde (feat: x) is beyond it: modules/main.tf; to open it set production to 89abcde"},
	}
}

func show(t *timeline.Timeline) {
	t.Title("A play", "What it is about.")
	t.Act(1, 2, scenario.Act{Title: "Something happens", Shows: "A sentence that says what it shows, which is so long that it does not fit on one line of the page and must be wrapped."})
	t.Did("Ana pushes 1f3c2aa")
	b := &rehearsal.Build{Pipeline: "deployments", Job: "deploy", Number: 3, By: "Rosa", Status: rehearsal.Failed, Took: 1500 * time.Millisecond}
	t.Found("state", nil)
	t.Started(b)
	t.Step(b, rehearsal.StepRecord{Kind: "get", Name: "state", Attempt: 1, Status: rehearsal.Succeeded, Version: rehearsal.Version{"version": "7", "trigger": commit, "files": "abc"}, Took: 20 * time.Millisecond})
	t.Step(b, rehearsal.StepRecord{Kind: "task", Name: "tofu", Attempt: 1, Status: rehearsal.Succeeded})
	t.Step(b, rehearsal.StepRecord{Kind: "task", Name: "verify", Attempt: 2, Status: rehearsal.Failed, Log: "1\n2\n3\n4\n5\n6\n\x1b[31merror:\x1b[0m no luck\n"})
	t.Step(b, rehearsal.StepRecord{Kind: "put", Name: "record", Attempt: 1, Status: rehearsal.Errored, Err: errors.New("no such artifact")})
	t.Step(b, rehearsal.StepRecord{Kind: "put", Name: "chat", Attempt: 1, Status: rehearsal.Succeeded, Version: rehearsal.Version{"message": "1"}})
	t.Ended(b)
	t.CheckFailed("state", errors.New("no such branch"))
	t.Waits(waiting())
	t.Held("as it must be: 1 build")
}

func TestPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	line := timeline.New(&out, 0, false)
	show(line)
	require.NoError(t, line.Err())
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile("testdata/plain.golden", out.Bytes(), 0o644))
	}
	want, err := os.ReadFile("testdata/plain.golden")
	require.NoError(t, err)
	assert.Equal(t, string(want), out.String())
}

// With colours the text is the same.
func TestColours(t *testing.T) {
	t.Parallel()
	var plain, coloured bytes.Buffer
	show(timeline.New(&plain, 0, false))
	show(timeline.New(&coloured, 0, true))
	assert.Contains(t, coloured.String(), "\x1b[32m")
	stripped := bytes.ReplaceAll(coloured.Bytes(), []byte("\x1b[0m"), nil)
	for _, c := range []string{"1", "2", "31", "32", "33", "36"} {
		stripped = bytes.ReplaceAll(stripped, []byte("\x1b["+c+"m"), nil)
	}
	assert.Equal(t, plain.String(), string(stripped))
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAFaultOfWritingIsKept(t *testing.T) {
	t.Parallel()
	line := timeline.New(closed{}, 0, false)
	show(line)
	require.ErrorIs(t, line.Err(), os.ErrClosed)
}

// Lines of a build that stand below another build's get its heading again, and a check that fails as before is not shown again.
func TestLinesStandUnderTheirOwnBuild(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	line := timeline.New(&out, 60, false)
	outer := &rehearsal.Build{Job: "outer", Number: 1, Status: rehearsal.Succeeded}
	inner := &rehearsal.Build{Job: "inner", Number: 2, Status: rehearsal.Succeeded}
	line.Started(outer)
	line.Started(inner)
	line.Ended(inner)
	line.Step(outer, rehearsal.StepRecord{Kind: "put", Name: "x", Status: rehearsal.Errored, Err: errors.New(strings.Repeat("long ", 14))})
	line.Ended(outer)
	for range 3 {
		line.CheckFailed("state", errors.New("no such branch"))
	}
	line.CheckFailed("state", errors.New("no such file"))
	line.CheckFailed("other", errors.New("no such file"))
	line.Step(inner, rehearsal.StepRecord{Kind: "put", Name: "version", Status: rehearsal.Succeeded, Version: rehearsal.Version{"number": "0.1.0-rc.1", "commit": commit}})
	assert.Equal(t, `  outer #1
  inner #2
    succeeded in 0.00s
  outer #1, continued
    put   x            errored                       0.00s
          | long long long long long long long long long lon
          | g long long long long 
    succeeded in 0.00s
  ✗ check of state: no such branch
  ✗ check of state: no such file
  ✗ check of other: as that of state
  inner #2, continued
    put   version   version 0.1.0-rc.1 from 1f3c2aa  0.00s
`, out.String())
}
