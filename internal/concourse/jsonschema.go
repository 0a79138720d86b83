package concourse

import (
	"maps"
	"reflect"
)

// selfWriter is a type that reads its own JSON and can say what it takes, as
// a JSON Schema without $ref.
type selfWriter interface {
	JSONSchema() map[string]any
}

// documentation gives the comment of a struct's field, "" for a field without a comment.
type documentation func(structure reflect.Type, field string) string

// JSONSchema describes the source and the params of a resource type as a JSON
// Schema, draft 2020-12, for editors and other programs. It takes what the
// programs take: also a number for a string, text for a number or truth value,
// and a ((var)) in place of any value.
func (s Schema) JSONSchema(title string, doc documentation) map[string]any {
	w := schemaWriter{doc}
	part := func(t reflect.Type, about string) map[string]any {
		schema := w.structure(t)
		schema["description"] = about
		return schema
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   title,
		"type":    "object",
		"properties": map[string]any{
			"source":     part(s.source.typ, "what is written under source of a resource of this type"),
			"get_params": part(s.get.typ, "what is written under params of a get step"),
			"put_params": part(s.put.typ, "what is written under params of a put step"),
		},
		"additionalProperties": false,
	}
}

// laterText matches a text that Concourse still fills in.
const laterText = `\(\([^()]+\)\)`

type schemaWriter struct{ doc documentation }

func (w schemaWriter) structure(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if t.Kind() != reflect.Struct {
		return schema
	}
	for _, f := range fieldsOf(t) {
		if f.refused {
			continue
		}
		property := w.value(f.typ)
		owner, name := ownerOf(t, f.index)
		if text := w.doc(owner, name); text != "" {
			property["description"] = text
		}
		properties[f.name] = property
		if f.required {
			required = append(required, f.name)
		}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// ownerOf is the struct in which the field at index stands, and its Go name.
func ownerOf(t reflect.Type, index []int) (owner reflect.Type, name string) {
	for _, i := range index[:len(index)-1] {
		t = t.Field(i).Type
	}
	return t, t.Field(index[len(index)-1]).Name
}

func (w schemaWriter) value(t reflect.Type) map[string]any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if own, ok := reflect.New(t).Interface().(selfWriter); ok {
		return maps.Clone(own.JSONSchema())
	}
	switch shapeOf(t) {
	case text, stringShape:
		return map[string]any{"type": []string{"string", "number"}}
	case duration:
		return stringLike("string", `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`)
	case boolShape:
		return stringLike("boolean", `^(true|false)$`)
	case intShape:
		return stringLike("integer", `^-?[0-9]+$`)
	case floatShape:
		return stringLike("number", `^-?[0-9.]+([eE][-+]?[0-9]+)?$`)
	case listShape:
		return orPlaceholder("array", map[string]any{"items": w.value(t.Elem())})
	case mapShape:
		return orPlaceholder("object", map[string]any{"additionalProperties": w.value(t.Elem())})
	case structShape:
		inner := w.structure(t)
		delete(inner, "type")
		return orPlaceholder("object", inner)
	case unsupported, anything, custom:
	}
	return map[string]any{} // anything
}

// stringLike is a value of the kind, or text that reads as one.
func stringLike(kind, pattern string) map[string]any {
	if kind == "string" {
		return map[string]any{"type": "string", "pattern": pattern + "|" + laterText}
	}
	return map[string]any{"type": []string{kind, "string"}, "pattern": pattern + "|" + laterText}
}

// orPlaceholder is a value of the kind, or a ((var)) that becomes one.
func orPlaceholder(kind string, schema map[string]any) map[string]any {
	schema["type"] = []string{kind, "string"}
	schema["pattern"] = "^" + laterText + "$"
	return schema
}

// MarshalSchema is the text of a schema as it is kept in a file: the same for
// the same types.
func MarshalSchema(schema map[string]any) ([]byte, error) { return marshal(schema, "  ") }
