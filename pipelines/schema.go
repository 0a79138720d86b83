package pipelines

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"carvel.dev/ytt/pkg/cmd/template"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

//go:embed schemas
var schemas embed.FS

// PipelineSchema is the name of the schema of a whole pipeline; those of values have the name of their template.
const PipelineSchema = "pipeline"

// Schema is a JSON Schema for editors by its name: PipelineSchema, or a template's for its values.
func Schema(name string) ([]byte, error) {
	data, err := schemas.ReadFile(path.Join("schemas", name+".json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	known, err := Templates()
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("there is no schema %s, there are: %s", name, strings.Join(append(known, PipelineSchema), ", "))
}

// MakeValuesSchema makes the schema of a template's values from what ytt says of them.
func MakeValuesSchema(name string) ([]byte, error) {
	made, err := schemaDigest(name)
	if err != nil {
		return nil, err
	}
	files, err := templateFiles(name)
	if err != nil {
		return nil, err
	}
	options := template.NewOptions()
	options.DataValuesFlags.InspectSchema = true
	options.RegularFilesSourceOpts.OutputType.Types = []string{"openapi-v3"}
	said, err := runYTT(options, under(files, sharedFolder), under(files, name))
	if err != nil {
		return nil, fmt.Errorf("describe the values of %s: %w", name, err)
	}
	var described struct {
		Components struct {
			Schemas struct {
				DataValues map[string]any `yaml:"dataValues"`
			}
		}
	}
	if err := yaml.Unmarshal(said, &described); err != nil {
		return nil, fmt.Errorf("describe the values of %s: %w", name, err)
	}
	schema := described.Components.Schemas.DataValues
	fromOpenAPI(schema)
	schema["$schema"], schema["title"], schema["$comment"] = "https://json-schema.org/draft/2020-12/schema", "Values of the template "+name, made
	return concourse.MarshalSchema(schema)
}

// fromOpenAPI turns what OpenAPI 3.0 says in a way of its own into JSON Schema.
func fromOpenAPI(schema any) {
	switch s := schema.(type) {
	case []any:
		for _, one := range s {
			fromOpenAPI(one)
		}
	case map[string]any:
		if nullable, ok := s["nullable"].(bool); ok {
			delete(s, "nullable")
			if kind, ok := s["type"].(string); ok && nullable {
				s["type"] = []any{kind, "null"}
			}
		}
		if example, ok := s["example"]; ok {
			delete(s, "example")
			s["examples"] = []any{example}
		}
		delete(s, "x-example-description")
		for _, key := range []string{"items", "anyOf", "oneOf", "allOf"} {
			fromOpenAPI(s[key])
		}
		if properties, ok := s["properties"].(map[string]any); ok {
			for _, one := range properties {
				fromOpenAPI(one)
			}
		}
	}
}

// schemaDigest identifies the files that say what values a template has.
func schemaDigest(name string) (string, error) {
	files := map[string][]byte{}
	for _, file := range []string{path.Join(sharedFolder, "schema.lib.yml"), path.Join(name, "schema.yml")} {
		data, err := templates.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the values of template %s: %w", name, err)
		}
		files[file] = data
	}
	return "Made from: " + digest(files), nil
}
