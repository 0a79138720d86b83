// Package conformance holds the tests that every resource type must pass,
// whatever it does: how it takes requests that are wrong, being stopped, servers
// that refuse or never answer, and secrets. They start the real program as
// Concourse does; internal/scripttest puts it on the PATH.
package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// Subject is a resource type under test. Its program is found on the PATH as
// check, in and out.
type Subject struct {
	// Schema is concourse.Describe of the resource type.
	Schema concourse.Schema
	// Source gives a valid source in JSON for a remote at url, which is on
	// loopback and speaks HTTP. It should have every secret the source may have.
	Source func(url string) string
	// Secrets are the secrets in Source.
	Secrets []string
	// Version is a valid version in JSON.
	Version string
	// GetParams and PutParams are valid params in JSON; empty for none.
	GetParams, PutParams string
	// Artifacts are the files PutParams need: path to content.
	Artifacts map[string]string
	// Offline are the verbs that ask no server: "check" of a type that is only
	// put, "out" of one that is only got.
	Offline []string
	// Live makes a source whose remote works, and a version that this remote
	// does not have. Nil for a type that asks no server.
	Live func(t *testing.T) (source, missing string)
}

// verbs in the order of a resource's life.
func verbs() []string { return []string{"check", "in", "out"} }

// nowhere is an address nobody is asked at.
const nowhere = "http://127.0.0.1:9/owner/repository.git"

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Helper()
	require.NotNil(t, s.Source, "a subject needs a source")
	require.NoError(t, s.Schema.Source([]byte(s.Source(nowhere))), "the subject's source must be valid")
	require.NoError(t, s.Schema.GetParams([]byte(s.GetParams)), "the subject's get params must be valid")
	require.NoError(t, s.Schema.PutParams([]byte(s.PutParams)), "the subject's put params must be valid")
	for name, test := range map[string]func(*testing.T, Subject){
		"an unknown key is named":                     unknownKeys,
		"a required key can't be left out":            missingKeys,
		"a value of the wrong type is named":          wrongTypes,
		"what is not a request is refused":            garbage,
		"a closed stdin is refused":                   closedStdin,
		"in and out want a folder":                    noFolder,
		"in wants a version":                          noVersion,
		"a signal stops it while it reads":            stoppedReading,
		"a signal stops it while a server is silent":  stoppedWaiting,
		"a server that shows secrets can't show them": indiscreetServer,
		"check answers a list":                        checkAnswers,
		"a version that is not there is an error":     missingVersion,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// request is a valid request for a verb, with changes.
func (s Subject) request(t *testing.T, verb, url string, change func(source, params map[string]any)) string {
	t.Helper()
	source, params := object(t, s.Source(url)), map[string]any{}
	q := map[string]any{"source": source}
	switch verb {
	case "in":
		q["version"] = object(t, s.Version)
		params = object(t, s.GetParams)
	case "out":
		params = object(t, s.PutParams)
	}
	if verb != "check" {
		q["params"] = params
	}
	if change != nil {
		change(source, params)
	}
	return text(t, q)
}

func object(t *testing.T, raw string) map[string]any {
	t.Helper()
	o := map[string]any{}
	if raw != "" {
		require.NoError(t, json.Unmarshal([]byte(raw), &o), raw)
	}
	return o
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func (s Subject) online() []string {
	return slices.DeleteFunc(verbs(), func(v string) bool { return slices.Contains(s.Offline, v) })
}

// folder is a new folder with the subject's artifacts.
func (s Subject) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range s.Artifacts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

// keys are the keys of a verb's params.
func (s Subject) keys(verb string) []concourse.Key {
	switch verb {
	case "in":
		return s.Schema.GetKeys()
	case "out":
		return s.Schema.PutKeys()
	}
	return nil
}

func unknownKeys(t *testing.T, s Subject) {
	t.Helper()
	for _, verb := range verbs() {
		known := s.Schema.SourceKeys()
		require.NotEmpty(t, known, "the source has no keys")
		typo := swap(known[0].Name)
		r := s.run(t, verb, s.request(t, verb, nowhere, func(source, _ map[string]any) { source[typo] = "x" }))
		s.refused(t, r)
		assert.Contains(t, r.stderr, fmt.Sprintf(`source: unknown key %q, did you mean`, typo), verb)
		if verb == "check" {
			continue
		}
		r = s.run(t, verb, s.request(t, verb, nowhere, func(_, params map[string]any) { params["no_such_key"] = true }))
		s.refused(t, r)
		assert.Contains(t, r.stderr, `params: unknown key "no_such_key"`, verb)
	}
}

// swap misspells a key.
func swap(key string) string {
	b := []byte(key)
	last := len(b) - 1
	if last < 1 || b[last] == b[last-1] {
		return key + "x"
	}
	b[last], b[last-1] = b[last-1], b[last]
	return string(b)
}

func missingKeys(t *testing.T, s Subject) {
	t.Helper()
	for _, verb := range verbs() {
		for _, k := range s.Schema.SourceKeys() {
			if k.Required {
				s.wants(t, verb, "source", k.Name, func(source, _ map[string]any) map[string]any { return source })
			}
		}
		for _, k := range s.keys(verb) {
			if k.Required {
				s.wants(t, verb, "params", k.Name, func(_, params map[string]any) map[string]any { return params })
			}
		}
	}
}

// wants checks that a key may be neither absent nor null nor empty.
func (s Subject) wants(t *testing.T, verb, where, key string, of func(source, params map[string]any) map[string]any) {
	t.Helper()
	for what, change := range map[string]func(map[string]any){
		"missing": func(m map[string]any) { delete(m, key) },
		"null":    func(m map[string]any) { m[key] = nil },
		"empty":   func(m map[string]any) { m[key] = "" },
	} {
		r := s.run(t, verb, s.request(t, verb, nowhere, func(source, params map[string]any) { change(of(source, params)) }))
		s.refused(t, r)
		assert.Contains(t, r.stderr, where+"."+key+": ", "%s %s", verb, what)
	}
}

func wrongTypes(t *testing.T, s Subject) {
	t.Helper()
	for _, verb := range verbs() {
		var named []string
		spoil := func(where string, values map[string]any, keys []concourse.Key) {
			for _, k := range keys {
				switch {
				case k.Scalar:
					values[k.Name] = []any{"x"}
				case k.Want == "a list" || k.Want == "a map":
					values[k.Name] = "x"
				default:
					continue
				}
				named = append(named, where+"."+k.Name+": want "+k.Want)
			}
		}
		r := s.run(t, verb, s.request(t, verb, nowhere, func(source, _ map[string]any) {
			spoil("source", source, s.Schema.SourceKeys())
		}))
		s.refused(t, r)
		if keys := s.keys(verb); len(keys) > 0 {
			params := s.run(t, verb, s.request(t, verb, nowhere, func(_, params map[string]any) { spoil("params", params, keys) }))
			s.refused(t, params)
			r.stderr += params.stderr
		}
		for _, want := range named {
			assert.Contains(t, r.stderr, want, verb)
		}
	}
}
