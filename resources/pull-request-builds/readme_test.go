package pullrequestbuilds_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	builds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
)

// The README names every key, and what its example says is taken.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	schema := concourse.Describe(builds.Resource{})
	for _, keys := range [][]concourse.Key{schema.SourceKeys(), schema.GetKeys(), schema.PutKeys()} {
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
	sources, puts := 0, 0
	for _, r := range pipeline.Resources {
		if r.Type == "pull-request-builds" {
			sources++
			require.NoError(t, schema.Source(inJSON(t, r.Source)))
		}
	}
	for _, j := range pipeline.Jobs {
		for _, s := range j.Plan {
			if s.Put != "" {
				puts++
				require.NoError(t, schema.PutParams(inJSON(t, s.Params)))
			}
		}
	}
	assert.Positive(t, sources)
	assert.Positive(t, puts)
}

func inJSON(t *testing.T, value map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return data
}
