package semvergit_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// The README names every key, and what its example says is taken.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	schema := concourse.Describe(semvergit.Resource{})
	for _, keys := range [][]concourse.Key{schema.SourceKeys(), schema.GetKeys(), schema.PutKeys()} {
		require.NotEmpty(t, keys)
		for _, k := range keys {
			assert.Regexp(t, "`"+k.Name+"[`:]", string(readme))
		}
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(readme)
	require.NotNil(t, example)
	var pipeline struct {
		Resources []struct {
			Type   string
			Source map[string]any
		}
		Jobs []struct {
			Plan []struct {
				Put    string
				Params map[string]any
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(example[1], &pipeline))
	looked := 0
	accept := func(value map[string]any, by func([]byte) error) {
		data, err := json.Marshal(value)
		require.NoError(t, err)
		require.NoError(t, by(data), "%s", data)
		looked++
	}
	for _, r := range pipeline.Resources {
		if r.Type == "semver-git" {
			accept(r.Source, schema.Source)
		}
	}
	for _, j := range pipeline.Jobs {
		for _, s := range j.Plan {
			if s.Put == "version" {
				accept(s.Params, schema.PutParams)
			}
		}
	}
	assert.Equal(t, 3, looked)
}
