package pipeline

import (
	"maps"
	"slices"
	"strings"
)

// everything is a pipeline with one mapping of each kind, so that its reader asks for every key that there is.
const everything = `
resource_types: [{}]
resources: [{}]
groups: [{}]
var_sources: [{}]
display: {}
jobs:
- plan:
  - {try: {get: a}, across: [{}]}
  - {get: a, across: [{}]}
  - {put: a, across: [{}]}
  - {task: a, across: [{}], config: {image_resource: {}, run: {}, inputs: [{}], outputs: [{}], caches: [{}]}}
  - {set_pipeline: a, across: [{}]}
  - {load_var: a, across: [{}]}
  - {do: [], across: [{}]}
  - {in_parallel: {}, across: [{}]}
`

// JSONSchema describes a whole pipeline for editors, as a JSON Schema, draft 2020-12. Its keys are those that Parse
// asks for. The types are the suite's own, as their JSON Schemas with the properties source, get_params and put_params:
// the source of a resource is held against its type's. Which type the params of a step belong to cannot be said in a
// schema, so these are only offered.
func JSONSchema(types map[string]map[string]any) map[string]any {
	r := &report{read: map[string]*mapping{}}
	r.parse([]byte(everything), nil)
	w := schemaWriter{read: r.read, definitions: map[string]any{}}
	for _, what := range slices.Sorted(maps.Keys(r.read)) {
		w.definitions[definition(what)] = w.mapping(r.read[what])
	}
	w.definitions["step"] = w.step()
	w.types(types)
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Concourse pipeline",
		"$ref": "#/$defs/pipeline", "$defs": w.definitions,
	}
}

// definition is the name of a kind of mapping inside the schema: "a get step" is get-step.
func definition(what string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(what, "a "), "an "), " ", "-")
}

type schemaWriter struct {
	read        map[string]*mapping
	definitions map[string]any
}

// parts are the keys whose values the reader takes apart, by the definition that they stand in.
func parts() map[string]map[string]any {
	ref := func(name string) any { return map[string]any{"$ref": "#/$defs/" + name} }
	list := func(name string) any { return map[string]any{"type": "array", "items": ref(name)} }
	return map[string]map[string]any{
		"pipeline": {
			"resource_types": list("resource-type"), "resources": list("resource"), "jobs": list("job"), "groups": list("group"),
			"var_sources": list("var-source"), "display": ref("display"),
		},
		"job":              {"plan": list("step")},
		"do-step":          {"do": list("step")},
		"in_parallel-step": {"in_parallel": map[string]any{"anyOf": []any{list("step"), ref("in_parallel")}}},
		"in_parallel":      {"steps": list("step")},
		"across-variable":  {"max_in_flight": map[string]any{"type": []string{"integer", "string"}, "pattern": `^(all|\(\([^()]+\)\))$`}},
		"task-step":        {"config": ref("task-config")},
		"task-config": {
			"image_resource": ref("image_resource"), "run": ref("run"), "inputs": list("task-input"), "outputs": list("task-output"),
			"caches": list("task-cache"),
		},
	}
}

// filledIn matches a ((reference)) that stands for a whole value.
const filledIn = `^\(\([^()]+\)\)$`

// mapping is the schema of one kind of mapping.
func (w *schemaWriter) mapping(m *mapping) map[string]any {
	own := parts()[definition(m.what)]
	properties := map[string]any{}
	for key, what := range m.asked {
		properties[key] = value(what)
		if part, ok := own[key]; ok {
			properties[key] = part
		}
	}
	if _, ok := properties["across"]; ok {
		properties["across"] = map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/across-variable"}}
	}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": m.what == "a pipeline"}
	if len(m.must) > 0 {
		schema["required"] = slices.Compact(slices.Sorted(slices.Values(m.must)))
	}
	return schema
}

func value(what holds) map[string]any {
	switch what {
	case holdsText:
		return map[string]any{"type": "string"}
	case holdsBoolean, holdsNumber, holdsMapping:
		return map[string]any{"type": []string{string(what), "string"}, "pattern": filledIn}
	case holdsTexts:
		return map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	case holdsStep:
		return map[string]any{"$ref": "#/$defs/step"}
	case holdsAny:
	}
	return map[string]any{}
}

// step is one of the kinds of step; which one, its key says.
func (w *schemaWriter) step() map[string]any {
	var one, rules []any
	for _, kind := range kinds() {
		has := map[string]any{"required": []string{string(kind)}}
		one = append(one, has)
		rules = append(rules, map[string]any{"if": has, "then": map[string]any{"$ref": "#/$defs/" + string(kind) + "-step"}})
	}
	return map[string]any{"type": "object", "oneOf": one, "allOf": rules}
}

// types brings in what the suite's resource types take.
func (w *schemaWriter) types(types map[string]map[string]any) {
	var sources []any
	offered := map[string][]any{}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		w.definitions[name] = map[string]any{"properties": types[name]["properties"]}
		part := func(of string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name + "/properties/" + of} }
		sources = append(sources, map[string]any{
			"if":   map[string]any{"required": []string{"type"}, "properties": map[string]any{"type": map[string]any{"const": name}}},
			"then": map[string]any{"properties": map[string]any{"source": part("source")}},
		})
		for _, of := range []string{"get_params", "put_params"} {
			offered[of] = append(offered[of], part(of))
		}
	}
	if len(sources) == 0 {
		return
	}
	w.in("resource")["allOf"] = sources
	w.offer("get-step", "params", offered["get_params"])
	w.offer("put-step", "params", offered["put_params"])
	w.offer("put-step", "get_params", offered["get_params"])
}

func (w *schemaWriter) in(name string) map[string]any {
	schema, _ := w.definitions[name].(map[string]any)
	return schema
}

// offer lets editors propose keys, and refuses none: the params may be those of any other type.
func (w *schemaWriter) offer(name, key string, schemas []any) {
	properties, _ := w.in(name)["properties"].(map[string]any)
	properties[key] = map[string]any{"type": []string{"object", "string"}, "anyOf": append(schemas, true)}
}
