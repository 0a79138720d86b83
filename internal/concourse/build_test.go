package concourse_test

import (
	"context"
	"os"
	"path/filepath"
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

func TestPathStaysInTheBuildsFolder(t *testing.T) {
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "image", "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "image", "digest"), nil, 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "image", "out")))
	require.NoError(t, os.Symlink("digest", filepath.Join(dir, "image", "link")))
	require.NoError(t, os.Symlink("../image/../../"+filepath.Base(dir)+"/image", filepath.Join(dir, "around")))
	step := concourse.Step{Dir: dir}
	for path, want := range map[string]string{
		"image/digest": "image/digest", "image": "image", "./image//deep/": "image/deep", "image/link": "image/digest", "image/deep/..": "image",
	} {
		got, err := step.Path(path)
		require.NoError(t, err, path)
		root, err := filepath.EvalSymlinks(dir)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(root, want), got)
	}
	for path, want := range map[string]string{
		"":                  "is empty",
		"../x":              "leaves the build's folder: write a path that starts with an artifact's name",
		"image/../../x":     "leaves the build's folder",
		"/etc/passwd":       "leaves the build's folder",
		"image/out/secret":  "leaves the build's folder through a symbolic link",
		"image/out":         "leaves the build's folder through a symbolic link",
		"imgae/digest":      "does not exist; the build's artifacts here are around, image",
		"image/digest/deep": "can't be followed",
	} {
		_, err := step.Path(path)
		require.ErrorContains(t, err, want, path)
	}
	_, err := step.Path("nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = concourse.Step{Dir: t.TempDir()}.Path("x")
	require.ErrorContains(t, err, "the build has no artifacts here")
}
