package pipelines

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	data, err := Schema(name)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource(name+".json", document))
	schema, err := compiler.Compile(name + ".json")
	require.NoError(t, err)
	return schema
}

// validate holds YAML against a schema.
func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal(text, &value))
	data, err := json.Marshal(value)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return schema.Validate(document)
}

func TestSchemasOfValuesTakeTheExamples(t *testing.T) {
	t.Parallel()
	for _, c := range append(allExamples(t), checkExamples(t)...) {
		values, err := os.ReadFile(c.Rendering().Values)
		require.NoError(t, err)
		schema := compiled(t, c.Template())
		require.NoError(t, validate(t, schema, values), c.Dir)
		require.ErrorContains(t, validate(t, schema, append(values, "\nnotfy: {}\n"...)), "notfy", c.Dir)
	}
}

// The schemas of values are those of the templates' own schemas.
func TestSchemasOfValuesAreTrue(t *testing.T) {
	t.Parallel()
	names, err := Templates()
	require.NoError(t, err)
	for _, name := range names {
		committed, err := Schema(name)
		require.NoError(t, err)
		made, err := schemaDigest(name)
		require.NoError(t, err)
		assert.Contains(t, string(committed), made, "the schema of %s is stale: run `taxiway schemas`", name)
	}
	for _, name := range names {
		committed, err := Schema(name)
		require.NoError(t, err)
		want, err := MakeValuesSchema(name)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(committed))
	}
}

func TestSchemaOfAPipeline(t *testing.T) {
	t.Parallel()
	schema := compiled(t, PipelineSchema)
	for _, c := range allExamples(t) {
		want, err := os.ReadFile(c.Want())
		require.NoError(t, err)
		require.NoError(t, validate(t, schema, want), c.Dir)
	}
	good, err := os.ReadFile(filepath.Join("..", "internal", "pipeline", "testdata", "good.yml"))
	require.NoError(t, err)
	require.NoError(t, validate(t, schema, good))
	text, err := os.ReadFile(exampleOf("two-environments", "deployments").Want())
	require.NoError(t, err)
	for old, replacement := range map[string]string{
		"  serial: true\n":            "  serail: true\n",
		"    trigger: true\n":         "    trigger: often\n",
		"  - get: staging\n":          "  - gett: staging\n",
		"    environment: staging\n":  "    enviromnt: staging\n", // of the source of a cepler-in
		"      platform: linux\n":     "      plattform: linux\n",
		"- name: deploy-production\n": "- nam: deploy-production\n",
	} {
		require.Contains(t, string(text), old)
		assert.Error(t, validate(t, schema, []byte(strings.Replace(string(text), old, replacement, 1))), replacement)
	}
}
