package pipeline_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

var update = flag.Bool("update", false, "write what the linter says into the .want files")

// keys is a schema that knows only which keys there are.
type keys struct{ source, get, put []string }

func (k keys) Source(data []byte) error    { return k.check("source", data, k.source) }
func (k keys) GetParams(data []byte) error { return k.check("params", data, k.get) }
func (k keys) PutParams(data []byte) error { return k.check("params", data, k.put) }

func (keys) check(what string, data []byte, known []string) error {
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		return err
	}
	var wrong []error
	for k := range got {
		if !slices.Contains(known, k) {
			wrong = append(wrong, fmt.Errorf("%s: unknown key %q", what, k))
		}
	}
	return errors.Join(wrong...)
}

func types() pipeline.Types {
	source := []string{"uri", "branch", "private_key", "config", "environment"}
	return pipeline.Types{
		"cepler-in":  keys{source: source, get: []string{"prepare"}},
		"cepler-out": keys{source: source, put: []string{"repository", "environment"}},
	}
}

const faulty = "testdata/faulty"

func faultyFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(faulty, "*.yml"))
	require.NoError(t, err)
	require.Greater(t, len(files), 20, "the faulty pipelines are missing")
	return files
}

// Each file has one fault; its .want says what the linter must say, no more and no less.
func TestLintFindsEachFault(t *testing.T) {
	t.Parallel()
	wants, err := filepath.Glob(filepath.Join(faulty, "*.want"))
	require.NoError(t, err)
	for _, file := range faultyFiles(t) {
		want := strings.TrimSuffix(file, ".yml") + ".want"
		wants = slices.DeleteFunc(wants, func(w string) bool { return w == want })
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			got := pipeline.Lint(filepath.Base(file), data, types()).String() + "\n"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
			}
			expected, err := os.ReadFile(want)
			require.NoError(t, err)
			assert.Equal(t, string(expected), got)
			assert.NotEqual(t, "\n", got, "the linter finds nothing")
		})
	}
	assert.Empty(t, wants, "these expectations have no pipeline")
}

// The first line of each file says what fly says of it: what fly refuses is a finding, and the rest is what lint adds.
func TestFlyAgreesAboutTheFaults(t *testing.T) {
	t.Parallel()
	fly, err := exec.LookPath("fly")
	if err != nil {
		t.Skip("fly is not on PATH")
	}
	for _, file := range append(faultyFiles(t), goodFiles(t)...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			first, _, _ := strings.Cut(string(data), "\n")
			out, err := exec.CommandContext(t.Context(), fly, "validate-pipeline", "--strict", "--config", file).CombinedOutput()
			verdict := "accepts"
			if err != nil {
				verdict = "refuses"
			}
			assert.Equal(t, "# fly validate-pipeline --strict: "+verdict, first, "%s", out)
		})
	}
}

func goodFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yml")
	require.NoError(t, err)
	require.Contains(t, files, "testdata/good.yml")
	return files
}

func TestLintHasNothingToSayAboutAGoodPipeline(t *testing.T) {
	t.Parallel()
	for _, file := range goodFiles(t) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Empty(t, pipeline.Lint(file, data, types()).String())
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(faulty, "*.yml"))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range append(files, "testdata/good.yml") {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := pipeline.Parse("p.yml", data)
		if p == nil {
			require.Error(t, err)
			return
		}
		findings := pipeline.Lint("p.yml", data, types())
		var invalid *pipeline.InvalidError
		if errors.As(err, &invalid) {
			require.NotEmpty(t, findings)
		}
		for _, finding := range findings {
			require.NotEmpty(t, finding.Text)
			require.LessOrEqual(t, finding.Line, strings.Count(string(data), "\n")+1)
		}
	})
}
