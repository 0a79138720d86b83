package concourse_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// builds shows a put's build in its metadata.
type builds struct{ sample }

func (builds) Out(_ context.Context, step concourse.Step, _ source, _ putParams) (result, error) {
	out := result{Version: version{"x"}}
	out.Metadata.Add("at", "%s|%s", step.Build.URL(), step.Build.Pipeline())
	return out, nil
}

func TestBuild(t *testing.T) {
	job := []string{"BUILD_ID=7", "BUILD_NAME=2", "BUILD_JOB_NAME=deploy it", "BUILD_PIPELINE_NAME=app", "BUILD_TEAM_NAME=main"}
	const atc = "ATC_EXTERNAL_URL=https://ci.example.com/"
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"nothing known": {nil, "|"},
		"no address":    {job, "|main/app/deploy it #2"},
		"a job":         {append(job, atc), "https://ci.example.com/teams/main/pipelines/app/jobs/deploy%20it/builds/2|main/app/deploy it #2"},
		"an instance": {
			append(job, atc, `BUILD_PIPELINE_INSTANCE_VARS={"b": "x/y", "a": {"n": 1}}`),
			"https://ci.example.com/teams/main/pipelines/app/jobs/deploy%20it/builds/2?vars.a.n=1&vars.b=%22x%2Fy%22|main/app/a.n:1,b:x/y/deploy it #2",
		},
		"vars that are no JSON": {append(job, `BUILD_PIPELINE_INSTANCE_VARS=x`), "|main/app/deploy it #2"},
		"one-off":               {[]string{"BUILD_ID=7", atc}, "https://ci.example.com/builds/7|"},
		"an address of its own": {append(job, atc, "BUILD_URL=https://ci.example.com/x"), "https://ci.example.com/x|main/app/deploy it #2"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			status := concourse.Run(t.Context(), concourse.Process{
				Args:  []string{"out", t.TempDir()},
				Stdin: strings.NewReader(`{"source": {"uri": "u", "branch": "b"}, "params": {"repository": "r"}}`), Stdout: &stdout, Stderr: &stderr, Env: c.env,
			}, builds{})
			require.Equal(t, 0, status, stderr.String())
			assert.Contains(t, stdout.String(), `"value":`+quote(c.want))
		})
	}
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
