package scripttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// compareJSON compares two files, or stdout and a file:
//
//	[!] json equal GOT WANT
//	[!] json contains GOT WANT
//
// With "contains", objects may have more keys than wanted, at every level.
func compareJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || !slices.Contains([]string{"equal", "contains"}, args[0]) {
		ts.Fatalf("usage: json equal|contains GOT WANT")
	}
	got, want := readJSON(ts, args[1]), readJSON(ts, args[2])
	if args[0] == "contains" {
		got = only(got, want)
	}
	diff := cmp.Diff(want, got)
	if neg && diff == "" {
		ts.Fatalf("%s is as in %s", args[1], args[2])
	}
	if !neg && diff != "" {
		ts.Fatalf("%s differs from %s (-want +got):\n%s", args[1], args[2], diff)
	}
}

// getJSON sets a variable to a part of a JSON file:
//
//	json-get NAME FILE PATH
//
// PATH is keys and indices with dots between them ("-1.ref" is in the last
// item), or "." for everything. A string is given without its quotes.
func getJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: json-get NAME FILE PATH")
	}
	part, err := at(readJSON(ts, args[1]), args[2])
	if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	text, ok := part.(string)
	if !ok {
		raw, err := json.Marshal(part)
		ts.Check(err)
		text = string(raw)
	}
	ts.Setenv(args[0], text)
}

func readJSON(ts *testscript.TestScript, name string) any {
	text := ts.ReadFile(name)
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		ts.Fatalf("%s is not JSON: %v\n%s", name, err, text)
	}
	if dec.More() {
		ts.Fatalf("%s is more than one JSON value:\n%s", name, text)
	}
	return value
}

// only is got without the keys that want does not have.
func only(got, want any) any {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return got
		}
		less := map[string]any{}
		for key, wanted := range want {
			if value, ok := object[key]; ok {
				less[key] = only(value, wanted)
			}
		}
		return less
	case []any:
		list, ok := got.([]any)
		if !ok {
			return got
		}
		list = slices.Clone(list)
		for i := range min(len(list), len(want)) {
			list[i] = only(list[i], want[i])
		}
		return list
	}
	return got
}

func at(value any, path string) (any, error) {
	if path == "." {
		return value, nil
	}
	for key := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			part, ok := v[key]
			if !ok {
				return nil, fmt.Errorf("no %q on the path %s", key, path)
			}
			value = part
		case []any:
			i, err := strconv.Atoi(key)
			if i < 0 {
				i += len(v)
			}
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("no item %q on the path %s: the list has %d", key, path, len(v))
			}
			value = v[i]
		default:
			return nil, fmt.Errorf("nothing below %v on the path %s", v, path)
		}
	}
	return value, nil
}
