package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/pipelines"
)

func TestSchemasPrintsOne(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pipeline", "release"} {
		out, err := taxiway(t, "schemas", name)
		require.NoError(t, err)
		assert.True(t, json.Valid([]byte(out)), name)
	}
	_, err := taxiway(t, "schemas", "relase")
	require.ErrorContains(t, err, "there is no schema relase, there are: charts, checks, deployments, nix-cache, release, pipeline")
}

func TestCommittedSchemasAreTrue(t *testing.T) {
	want, err := schemas("../..")
	require.NoError(t, err)
	require.NotEmpty(t, want)
	for name, data := range want {
		committed, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		require.NoError(t, err)
		assert.Equal(t, string(data), string(committed), "%s is stale: run `go run ./pipelines/taxiway schemas`", name)
	}
	there, err := filepath.Glob("../../resources/*/schema.json")
	require.NoError(t, err)
	assert.Len(t, there, len(want)-1, "a schema belongs to no resource type")
}

// TestSchemasTakeTheExamples also shows that a slip is not taken.
func TestSchemasTakeTheExamples(t *testing.T) {
	rendered, err := filepath.Glob(filepath.Join(examplesFolder, "*", "*", "want.yml"))
	require.NoError(t, err)
	looked := 0
	for _, file := range rendered {
		for _, used := range usesOf(t, file) {
			looked++
			assert.NoError(t, used.validate(t), "%s: %s", file, used.where)
			used.value["brnach"] = "main"
			assert.Error(t, used.validate(t), "%s: %s with a key that no type has", file, used.where)
		}
	}
	require.NotZero(t, looked, "no example uses a type of the suite")
}

// use is one place in a pipeline where a type of the suite gets its keys.
type use struct {
	where, typ, part string
	value            map[string]any
}

func (u use) validate(t *testing.T) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "resources", u.typ, "schema.json"))
	require.NoError(t, err)
	data, err := json.Marshal(map[string]any{u.part: u.value})
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	require.NoError(t, err)
	return schema.Validate(value)
}

// usesOf finds the sources and params of the suite's own types in a pipeline.
func usesOf(t *testing.T, file string) []use {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var p struct {
		Resources []struct {
			Name, Type string
			Source     map[string]any
		}
		Jobs []any
	}
	require.NoError(t, yaml.Unmarshal(data, &p))
	types, own := map[string]string{}, pipelines.OwnTypes()
	var all []use
	for _, r := range p.Resources {
		if own[r.Type] != nil {
			types[r.Name] = r.Type
			all = append(all, use{r.Name, r.Type, "source", r.Source})
		}
	}
	return append(all, steps(p.Jobs, types)...)
}

// steps are the get and put steps anywhere below node that have params.
func steps(node any, types map[string]string) []use {
	var all []use
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			all = append(all, steps(v, types)...)
		}
	case map[string]any:
		for _, verb := range []string{"get", "put"} {
			name, _ := n[verb].(string)
			if named, ok := n["resource"].(string); ok && name != "" {
				name = named
			}
			if params, ok := n["params"].(map[string]any); ok && types[name] != "" {
				all = append(all, use{verb + " " + name, types[name], verb + "_params", params})
			}
		}
		for _, v := range n {
			all = append(all, steps(v, types)...)
		}
	}
	return all
}
