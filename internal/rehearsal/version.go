package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is one version of a resource: fields that only its type understands.
type Version map[string]string

// String lists the fields by name: "trigger:1f3c2aa version:3".
func (v Version) String() string {
	fields := make([]string, 0, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fields = append(fields, name+":"+v[name])
	}
	return strings.Join(fields, " ")
}

// key makes versions comparable.
func (v Version) key() string { return fmt.Sprintf("%q", v.sorted()) }

func (v Version) sorted() [][2]string {
	fields := make([][2]string, 0, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fields = append(fields, [2]string{name, v[name]})
	}
	return fields
}

// has tells whether the version agrees with every field of a pin, which may
// name only some.
func (v Version) has(pin map[string]string) bool {
	for name, value := range pin {
		if got, ok := v[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// MetadataField is one line of what a get or put tells about its version.
type MetadataField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// answer is what the in and out programs print.
type answer struct {
	Version  Version         `json:"version"`
	Metadata []MetadataField `json:"metadata"`
}

func decodeAnswer(verb Verb, out []byte) (answer, error) {
	var a answer
	if err := decodeOne(out, &a); err != nil {
		return a, fmt.Errorf("%s printed no answer: %w", verb, err)
	}
	if len(a.Version) == 0 {
		return a, fmt.Errorf("%s printed an answer without a version", verb)
	}
	return a, nil
}

func decodeVersions(out []byte) ([]Version, error) {
	var list []Version
	if err := decodeOne(out, &list); err != nil {
		return nil, fmt.Errorf("check printed no list of versions: %w", err)
	}
	return list, nil
}

func decodeOne(out []byte, into any) error {
	if err := json.Unmarshal(out, into); err != nil {
		const shown = 200
		return fmt.Errorf("%w in %q", err, string(out[:min(len(out), shown)]))
	}
	return nil
}
