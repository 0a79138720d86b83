package concourse_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// TestJSONSchemaAgreesWithTheDecoder holds the schema of the sample against
// what the program itself takes.
func TestJSONSchemaAgreesWithTheDecoder(t *testing.T) {
	described := concourse.Describe(sample{})
	text, err := concourse.MarshalSchema(described.JSONSchema("sample", func(owner reflect.Type, field string) string {
		return owner.Name() + "." + field
	}))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"description": "access.PrivateKey"`, "an embedded struct is asked by its own name")
	schema := compile(t, string(text))
	for name, source := range map[string]string{
		"least":                `{"uri": "a", "branch": "b"}`,
		"everything":           `{"uri": "a", "branch": "b", "private_key": "k", "app_id": "1", "depth": 3, "quiet": true, "timeout": "1h30m", "paths": ["x"], "labels": {"a": "b"}}`,
		"number for text":      `{"uri": "a", "branch": "b", "app_id": 123}`,
		"text for a number":    `{"uri": "a", "branch": "b", "depth": "12"}`,
		"text for a truth":     `{"uri": "a", "branch": "b", "quiet": "false"}`,
		"vars":                 `{"uri": "((uri))", "branch": "b", "depth": "((depth))", "quiet": "((q))", "paths": "((paths))", "timeout": "((t))", "labels": "((l))"}`,
		"missing":              `{"uri": "a"}`,
		"unknown":              `{"uri": "a", "branch": "b", "brnach": "b"}`,
		"list for text":        `{"uri": ["a"], "branch": "b"}`,
		"word for a number":    `{"uri": "a", "branch": "b", "depth": "deep"}`,
		"word for a truth":     `{"uri": "a", "branch": "b", "quiet": "maybe"}`,
		"text for a list":      `{"uri": "a", "branch": "b", "paths": "x"}`,
		"list of the wrong":    `{"uri": "a", "branch": "b", "paths": [["x"]]}`,
		"map of the wrong":     `{"uri": "a", "branch": "b", "labels": {"a": []}}`,
		"no unit":              `{"uri": "a", "branch": "b", "timeout": "90"}`,
		"a truth for a number": `{"uri": "a", "branch": "b", "depth": true}`,
	} {
		t.Run(name, func(t *testing.T) {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"source": ` + source + `}`))
			require.NoError(t, err)
			byDecoder, bySchema := described.Source([]byte(source)), schema.Validate(value)
			assert.Equal(t, byDecoder == nil, bySchema == nil, "the decoder says %v, the schema %v", byDecoder, bySchema)
		})
	}
}

func compile(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", value))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return schema
}
