package concourse

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// decoder fills Go values from JSON that people wrote as YAML. It goes on after
// a problem, so that one run names all of them.
type decoder struct {
	// versions are written by programs, perhaps by older ones: unknown keys are
	// ignored.
	lenient bool
	// partial does not ask for required keys.
	partial bool
	// placeholders takes a string with a ((var)) for any scalar, and one that is
	// nothing else for any value.
	placeholders bool
	// elsewhere says where a key belongs that is unknown here: "" if nowhere.
	elsewhere func(key string) string

	problems []error
	listed   map[string]bool // the paths whose known keys a problem has listed
}

// decode fills *into from raw, which is valid JSON, or absent when empty.
func (d *decoder) decode(path string, raw json.RawMessage, into any) {
	if len(raw) == 0 || raw[0] == 'n' {
		raw = json.RawMessage("{}")
	}
	d.value(path, raw, reflect.ValueOf(into).Elem())
}

func (d *decoder) report(path, format string, args ...any) {
	d.problems = append(d.problems, &keyError{path, fmt.Sprintf(format, args...)})
}

// err joins all problems.
func (d *decoder) err() error { return errors.Join(d.problems...) }

// keyError is one thing wrong with a request: a key that is unknown, missing or of the wrong type.
type keyError struct {
	path string // of the value: "source", "source.branch", "params.labels[2]"
	text string // what is wrong and what to do
}

// Error is the path and the text.
func (e *keyError) Error() string { return e.path + ": " + e.text }

func (d *decoder) value(path string, raw json.RawMessage, v reflect.Value) {
	if raw[0] == 'n' { // null is the same as nothing
		return
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	s := shapeOf(v.Type())
	if d.placeholders && placeholder(raw, s) {
		return
	}
	var err error
	switch s {
	case structShape:
		d.object(path, raw, v)
	case listShape:
		d.list(path, raw, v)
	case mapShape:
		d.free(path, raw, v)
	case anything:
		err = json.Unmarshal(raw, v.Addr().Interface())
	case custom:
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			err = u.UnmarshalJSON(raw)
		}
	default:
		d.scalar(path, raw, v, s)
	}
	if err != nil {
		d.report(path, "%v", err)
	}
}

// object fills a struct.
func (d *decoder) object(path string, raw json.RawMessage, v reflect.Value) {
	if raw[0] != '{' {
		d.report(path, "want a map, got %s", got(raw))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for _, m := range members(raw) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.key })
		if i < 0 {
			d.unknown(path, m.key, fields)
			continue
		}
		f := fields[i]
		seen[f.name] = m.value[0] != 'n'
		before := len(d.problems)
		if !isEmpty(m.value) || !f.scalar() {
			d.value(path+"."+f.name, m.value, v.FieldByIndex(f.index))
		}
		if len(d.problems) == before {
			d.notEmpty(path+"."+f.name, m.value, f)
		}
	}
	if d.partial {
		return
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			d.report(path+"."+f.name, "is required, but missing")
		}
	}
}

func (d *decoder) unknown(path, key string, fields []field) {
	if d.lenient {
		return
	}
	var names []string
	for _, f := range fields {
		if !f.refused {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	said := fmt.Sprintf("unknown key %q", key)
	meant := cmp.Or(nearest.Of(key, names), nearest.Part(key, names))
	if place := d.place(path, key, meant, fields); place != "" {
		d.report(path, "%s: move it to %s", said, place)
		return
	}
	if meant != "" {
		said += fmt.Sprintf(", did you mean %q?", meant)
	}
	d.report(path, "%s%s", said, d.known(path, names, meant != ""))
}

// place is where a key belongs that is unknown in a path: on the request's first level, or in one of the maps of this one. Below
// the first level, where keys are few, one that resembles a known one is a misspelt one.
func (d *decoder) place(path, key, meant string, fields []field) string {
	below := strings.Contains(path, ".")
	if d.elsewhere != nil && (!below || meant == "") {
		if place := d.elsewhere(key); place != "" {
			return place
		}
	}
	for _, f := range fields {
		if f.shape() == structShape && !below && slices.ContainsFunc(fieldsOf(f.valueType()), func(inner field) bool { return inner.name == key }) {
			return path + "." + f.name
		}
	}
	return ""
}

// known lists the known keys of a path, once.
func (d *decoder) known(path string, names []string, asked bool) string {
	if d.listed[path] {
		return ""
	}
	if d.listed == nil {
		d.listed = map[string]bool{}
	}
	d.listed[path] = true
	before := "; "
	if asked {
		before = " "
	}
	if len(names) == 0 {
		return before + "there are no keys here"
	}
	return before + "known keys: " + strings.Join(names, ", ")
}

// notEmpty refuses an empty value of a required key, and of one that is marked
// `concourse:"filled"` because it must not count as absent.
func (d *decoder) notEmpty(path string, raw json.RawMessage, f field) {
	empty := isEmpty(raw) || raw[0] == '[' && len(items(raw)) == 0 || raw[0] == '{' && len(members(raw)) == 0
	switch {
	case !empty:
	case f.required:
		d.report(path, "is required, but empty")
	case f.filled && !d.lenient:
		d.report(path, "is empty: give it a value, or omit the key")
	}
}

// isEmpty reports a text that holds nothing. For an optional key it is the same as
// null, as with older resource types: pre: "".
func isEmpty(raw json.RawMessage) bool {
	var s string
	return raw[0] == '"' && json.Unmarshal(raw, &s) == nil && strings.TrimSpace(s) == ""
}

func (d *decoder) list(path string, raw json.RawMessage, v reflect.Value) {
	if raw[0] != '[' {
		d.report(path, "want a list, got %s", got(raw))
		return
	}
	for i, item := range items(raw) {
		element := reflect.New(v.Type().Elem()).Elem()
		at := fmt.Sprintf("%s[%d]", path, i)
		if item[0] == 'n' {
			d.report(at, "is null; remove it or give a value")
		}
		d.value(at, item, element)
		v.Set(reflect.Append(v, element))
	}
}

func (d *decoder) free(path string, raw json.RawMessage, v reflect.Value) {
	if raw[0] != '{' {
		d.report(path, "want a map, got %s", got(raw))
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.report(path, "can't be given: %s", v.Type())
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, m := range members(raw) {
		element := reflect.New(v.Type().Elem()).Elem()
		if m.value[0] == 'n' {
			d.report(path+"."+m.key, "is null; remove it or give a value")
		}
		d.value(path+"."+m.key, m.value, element)
		v.SetMapIndex(reflect.ValueOf(m.key).Convert(v.Type().Key()), element)
	}
}

// scalar takes a number for a string and a string for a number or bool, where a
// person may write either. The value is never shown: it could be a secret that
// stands at the wrong key.
func (d *decoder) scalar(path string, raw json.RawMessage, v reflect.Value, s shape) {
	word, isScalar := scalarText(raw)
	if !isScalar || (s == stringShape || s == text) && (raw[0] == 't' || raw[0] == 'f') {
		d.report(path, "want %s, got %s", s.want(), got(raw))
		return
	}
	var ok bool
	wanted := s.want()
	switch s {
	case stringShape:
		ok = true
		v.SetString(word)
	case duration:
		t, err := time.ParseDuration(word)
		if ok = err == nil; !ok && wholeNumber(word) {
			d.report(path, "want %s, got a number without its unit", wanted)
			return
		}
		v.SetInt(int64(t))
	case boolShape:
		ok = word == "true" || word == "false"
		v.SetBool(word == "true")
	case intShape:
		ok = setInt(v, word)
		if bits := v.Type().Bits(); !ok && wholeNumber(word) {
			wanted = fmt.Sprintf("a whole number that fits in %d bits", bits)
		}
	case floatShape:
		f, err := strconv.ParseFloat(word, v.Type().Bits())
		ok = err == nil
		v.SetFloat(f)
	default:
		d.textual(path, word, v)
		return
	}
	switch {
	case ok:
	case raw[0] == '"':
		d.report(path, "want %s, got other text", wanted)
	default:
		d.report(path, "want %s, got %s", wanted, got(raw))
	}
}

// textual sets a value that reads itself, and says what it says of the text.
func (d *decoder) textual(path, word string, v reflect.Value) {
	u, is := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !is {
		d.report(path, "can't be given: %s", v.Type())
	} else if err := u.UnmarshalText([]byte(word)); err != nil {
		d.report(path, "%v", err)
	}
}

// scalarText is the text of a string, number or bool.
func scalarText(raw json.RawMessage) (string, bool) {
	switch raw[0] {
	case '{', '[':
		return "", false
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	default:
		return string(raw), true
	}
}

func setInt(v reflect.Value, word string) bool {
	if v.CanUint() {
		n, err := strconv.ParseUint(word, 10, v.Type().Bits())
		if err == nil {
			v.SetUint(n)
		}
		return err == nil
	}
	n, err := strconv.ParseInt(word, 10, v.Type().Bits())
	if err == nil {
		v.SetInt(n)
	}
	return err == nil
}

func wholeNumber(word string) bool {
	digits := strings.TrimPrefix(word, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// placeholder reports whether Concourse will put something else in raw's place
// that may have the shape.
func placeholder(raw json.RawMessage, s shape) bool {
	word, ok := scalarText(raw)
	if !ok || raw[0] != '"' {
		return false
	}
	_, after, found := strings.Cut(word, "((")
	if !found || !strings.Contains(after, "))") {
		return false
	}
	whole := strings.HasPrefix(word, "((") && strings.HasSuffix(word, "))")
	return whole || s != listShape && s != mapShape && s != structShape
}

type member struct {
	key   string
	value json.RawMessage
}

// members lists the keys of a JSON object that is known to be valid.
func members(raw json.RawMessage) []member {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var list []member
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return list
		}
		name, ok := key.(string)
		m := member{key: name}
		if err := dec.Decode(&m.value); err != nil || !ok {
			return list
		}
		list = append(list, m)
	}
	return list
}

func items(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil
	}
	return list
}
