package concourse

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is one key that a struct takes.
type field struct {
	name     string
	index    []int
	required bool
	filled   bool // an empty text does not count as absent
	refused  bool // known only so that Validate can say why it is not taken; editors do not offer it
	typ      reflect.Type
}

// shape is that of the value, or of what a pointer leads to.
func (f field) shape() shape { return shapeOf(f.valueType()) }

// valueType is the type without its pointers.
func (f field) valueType() reflect.Type {
	typ := f.typ
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ
}

// scalar reports whether the value is one text, number or truth value.
func (f field) scalar() bool {
	switch f.shape() {
	case text, duration, stringShape, boolShape, intShape, floatShape:
		return true
	default:
		return false
	}
}

// fieldsOf lists the keys of a struct. Embedded structs without a name of their
// own give theirs; of two equal keys the outer one counts.
func fieldsOf(t reflect.Type) []field {
	var fields, embedded []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				embedded = append(embedded, inner)
			}
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		marks := strings.Split(f.Tag.Get("concourse"), ",")
		fields = append(fields, field{name, []int{i}, slices.Contains(marks, "required"), slices.Contains(marks, "filled"), slices.Contains(marks, "refused"), f.Type})
	}
	for _, inner := range embedded {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == inner.name }) {
			fields = append(fields, inner)
		}
	}
	return fields
}

// shape is how a Go type is written in JSON.
type shape int

const (
	unsupported shape = iota
	anything          // any JSON
	custom            // reads its own JSON
	text              // encoding.TextUnmarshaler: a string or number
	duration          // a string like 1h30m
	stringShape
	boolShape
	intShape
	floatShape
	listShape
	mapShape // free keys
	structShape
)

// shapeOf is the shape of a type that is not a pointer.
func shapeOf(t reflect.Type) shape {
	switch {
	case t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return anything
	case t == reflect.TypeFor[time.Duration]():
		return duration
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return custom
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return text
	}
	switch t.Kind() {
	case reflect.String:
		return stringShape
	case reflect.Bool:
		return boolShape
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return intShape
	case reflect.Float32, reflect.Float64:
		return floatShape
	case reflect.Slice:
		return listShape
	case reflect.Map:
		return mapShape
	case reflect.Struct:
		return structShape
	default:
		return unsupported
	}
}

// want names the shape for people who write YAML.
func (s shape) want() string {
	switch s {
	case text, stringShape:
		return "a string"
	case duration:
		return "a duration like 90s, 30m or 2h"
	case boolShape:
		return "true or false"
	case intShape:
		return "a whole number"
	case floatShape:
		return "a number"
	case listShape:
		return "a list"
	case mapShape, structShape:
		return "a map"
	default:
		return "something else"
	}
}

// got names the kind of a JSON value for people who write YAML.
func got(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "a map"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
