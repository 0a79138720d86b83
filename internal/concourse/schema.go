package concourse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Schema is what a resource type takes, for tools that look at a pipeline without running it. It takes a string with a ((var))
// for any scalar, and one that is nothing else for any value, since Concourse fills them in later; such a value has the problems
// that nothing in their place cures.
type Schema struct{ source, get, put part }

// part is the source or the params of a step.
type part struct {
	typ   reflect.Type
	check func(raw json.RawMessage) error
}

// Key is a key of a source or of params.
type Key struct {
	Name     string
	Want     string // what the value must be, in words: "a string"
	Required bool
	Scalar   bool // neither list nor map
}

// Describe gives the schema of a resource type.
func Describe[S Source, V, G, P any](_ Resource[S, V, G, P]) Schema {
	keys := sync.OnceValue(newSampleKeys)
	return Schema{
		source: describe[S]("source", keys, placeOf[S, G, P]),
		get:    describe[G]("params", keys, placeOf[S, G, P]),
		put:    describe[P]("params", keys, placeOf[S, G, P]),
	}
}

// ReadSource fills a source from JSON as check, in and out do, for tools that look at a pipeline without running it: what the JSON has
// beside it is passed over, and values with ((vars)) are left as they are in a zero source.
func ReadSource[S any](raw []byte) (S, error) {
	var src S
	if !json.Valid(raw) {
		return src, errors.New("source: is not JSON")
	}
	d := decoder{lenient: true, partial: true, placeholders: true}
	d.decode("source", bytes.TrimSpace(raw), &src)
	return src, d.err()
}

// Source checks a source as check, in and out do. Empty input is an empty source; several problems are several errors.
func (s Schema) Source(raw []byte) error { return s.source.check(raw) }

// GetParams checks the params of a get step, like Source.
func (s Schema) GetParams(raw []byte) error { return s.get.check(raw) }

// PutParams checks the params of a put step, like Source.
func (s Schema) PutParams(raw []byte) error { return s.put.check(raw) }

// SourceKeys lists the source's keys.
func (s Schema) SourceKeys() []Key { return keysOf(s.source.typ) }

// GetKeys lists the keys of a get step's params.
func (s Schema) GetKeys() []Key { return keysOf(s.get.typ) }

// PutKeys lists the keys of a put step's params.
func (s Schema) PutKeys() []Key { return keysOf(s.put.typ) }

// placeOf says where a key of a resource type belongs: "" if it has no such key.
func placeOf[S, G, P any](key string) string {
	has := func(t reflect.Type) bool {
		return t.Kind() == reflect.Struct && slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.name == key })
	}
	get, put := has(reflect.TypeFor[G]()), has(reflect.TypeFor[P]())
	switch {
	case has(reflect.TypeFor[S]()):
		return "source of the resource"
	case get && put:
		return "params of the get or put step"
	case get:
		return "params of the get step"
	case put:
		return "params of the put step"
	}
	return ""
}

// describe checks one value like the programs do.
func describe[T any](path string, keys func() *sampleKeys, elsewhere func(key string) string) part {
	return part{reflect.TypeFor[T](), func(raw json.RawMessage) error {
		raw = bytes.TrimSpace(raw)
		if len(raw) > 0 {
			if err := checkJSON(raw); err != nil {
				return fmt.Errorf("%s %w", path, err)
			}
			if err := checkKeys(path, raw); err != nil {
				return err
			}
		}
		var value T
		d := decoder{placeholders: true, elsewhere: elsewhere}
		d.decode(path, raw, &value)
		if err := foreign(path, value, d.err()); err != nil {
			return err
		}
		if g := referencesIn(raw, keys, func(filled json.RawMessage) error { return valid[T](path, filled) }); g != nil {
			return g.certain()
		}
		return validated(path, value)
	}}
}

// valid decodes a value without placeholders and validates it.
func valid[T any](path string, raw json.RawMessage) error {
	var value T
	var d decoder
	d.decode(path, raw, &value)
	if err := d.err(); err != nil {
		return err
	}
	return validated(path, value)
}

// validated is what a value says is wrong with it; several problems stay several errors.
func validated(path string, value any) error {
	v, ok := value.(validator)
	if !ok {
		return nil
	}
	err := v.Validate()
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, one := range several.Unwrap() {
			errs = append(errs, fmt.Errorf("%s: %w", path, one))
		}
		return errors.Join(errs...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func keysOf(t reflect.Type) []Key {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []Key
	for _, f := range fieldsOf(t) {
		keys = append(keys, Key{Name: f.name, Want: f.shape().want(), Required: f.required, Scalar: f.scalar()})
	}
	return keys
}
