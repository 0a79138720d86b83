package concourse_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// shapes has one key of every kind that a resource type may have.
type shapes struct {
	Inner
	Word    string            `json:"word"`
	Maybe   *bool             `json:"maybe"`
	Small   int8              `json:"small"`
	Size    uint16            `json:"size"`
	Ratio   float64           `json:"ratio"`
	Level   level             `json:"level"`
	Own     own               `json:"own"`
	Any     any               `json:"any"`
	Raw     json.RawMessage   `json:"raw"`
	Nested  nested            `json:"nested"`
	List    []nested          `json:"list"`
	Free    map[string]nested `json:"free"`
	Ignored string            `json:"-"`
	NoTag   string
	private string
}

type (
	// Inner is embedded; its word is hidden by the outer one.
	Inner struct {
		Word  float64 `json:"word"`
		Below string  `json:"below"`
	}
	nested struct {
		Name string `json:"name" concourse:"required"`
		Max  int    `json:"max"`
	}
	level int
	own   struct{ raw string }
)

func (l *level) UnmarshalText(text []byte) error {
	i := strings.Index("low high", string(text))
	if i < 0 {
		return errors.New("want low or high")
	}
	*l = level(i)
	return nil
}

func (o *own) UnmarshalJSON(raw []byte) error {
	o.raw = string(raw)
	if o.raw == "1" {
		return errors.New("not 1")
	}
	return nil
}

func (shapes) Validate() error   { return nil }
func (shapes) Secrets() []string { return nil }

// probe hands the source to a test.
type probe struct {
	concourse.Resource[shapes, version, getParams, putParams]
}

func TestDecode(t *testing.T) {
	schema := concourse.Describe(probe{})
	for name, c := range map[string]struct{ source, want string }{
		"nothing":                      {``, ``},
		"null":                         {`null`, ``},
		"null values":                  {`{"word": null, "maybe": null, "nested": {"name": "x", "max": null}}`, ``},
		"every kind":                   {`{"word": "w", "below": "b", "maybe": false, "small": -128, "size": 65535, "ratio": 1.5, "level": "high", "own": {"x": 1}, "any": [1], "raw": {}, "nested": {"name": "n"}, "list": [{"name": "l"}], "free": {"x": {"name": "f"}}, "NoTag": "n"}`, ``},
		"numbers in strings":           {`{"small": "12", "size": "1", "ratio": "0.5", "maybe": "true"}`, ``},
		"a number for a string":        {`{"word": 1.10, "below": 123456789012345678901234567890}`, ``},
		"no number":                    {`{"small": "x"}`, `source.small: want a whole number, got other text`},
		"a fraction":                   {`{"small": 1.5}`, `source.small: want a whole number, got a number`},
		"too large":                    {`{"small": 128}`, `source.small: want a whole number that fits in 8 bits, got a number`},
		"negative":                     {`{"size": -1}`, `source.size: want a whole number that fits in 16 bits, got a number`},
		"a bool for a string":          {`{"word": true}`, `source.word: want a string, got true or false`},
		"a list for a bool":            {`{"maybe": []}`, `source.maybe: want true or false, got a list`},
		"a map for a list":             {`{"list": {}}`, `source.list: want a list, got a map`},
		"a list for a map":             {`{"free": []}`, `source.free: want a map, got a list`},
		"a string for a map":           {`{"nested": "x"}`, `source.nested: want a map, got a string`},
		"no object":                    {`[]`, `source: want a map, got a list`},
		"a word that is none":          {`{"level": "middle"}`, `source.level: want low or high`},
		"a bool for a word":            {`{"level": true}`, `source.level: want a string, got true or false`},
		"JSON of its own":              {`{"own": 1}`, `source.own: not 1`},
		"an unknown key below":         {`{"nested": {"name": "x", "mx": 1}}`, `source.nested: unknown key "mx", did you mean "max"? known keys: max, name`},
		"an unknown key in a list":     {`{"list": [{"name": "x"}, {"nam": 1, "name": "y"}]}`, `source.list[1]: unknown key "nam", did you mean "name"? known keys: max, name`},
		"nothing in a list":            {`{"list": [null]}`, `source.list[0]: is null; remove it or give a value`},
		"a key left out in a free map": {`{"free": {"a": {}}}`, `source.free.a.name: is required, but missing`},
		"a key twice":                  {`{"word": "a", "word": "b"}`, `source.word: appears twice`},
		"a key twice below":            {`{"any": [{"x": 1}, {"y": [], "z": {}, "y": 1}]}`, `source.any[1].y: appears twice`},
		"keys are exact":               {`{"Word": "a"}`, `source: unknown key "Word", did you mean "word"?`},
		"a field that is not a key":    {`{"Ignored": "a", "private": "b"}`, `unknown key "private"`},
		"no JSON":                      {"{\n \"word\": tru}", `source is not JSON at line 2, column 13: invalid character '}' in literal true`},
		"something behind it":          {`{} x`, `source is not JSON at line 1, column 4: invalid character 'x' after top-level value`},
	} {
		t.Run(name, func(t *testing.T) {
			err := schema.Source([]byte(c.source))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
	_ = shapes{private: ""}
}

func TestProblemsHaveTheirKey(t *testing.T) {
	err := concourse.Describe(sample{}).Source([]byte(`{"uri": "x", "branhc": "y"}`))
	several, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	problems := several.Unwrap()
	require.Len(t, problems, 2)
	require.ErrorContains(t, problems[0], `source: unknown key "branhc"`)
	assert.ErrorContains(t, problems[1], "source.branch: ")
}

func TestPlaceholders(t *testing.T) {
	schema := concourse.Describe(sample{})
	for source, want := range map[string]string{
		`{"uri": "https://((host))/r.git", "branch": "((branch))", "depth": "((depth))", "quiet": "((q))", "timeout": "((minutes))m"}`: "",
		`{"uri": "((vault:git.uri))", "branch": "main", "paths": "((paths))", "labels": "((labels))", "depth": 1}`:                     "",
		`{"uri": "((vault:git.uri))", "branch": "main", "paths": "((paths))", "labels": "((labels))", "depth": -1}`:                    "source: depth: must not be negative",
		`{"uri": "x", "branch": "main", "paths": "x ((paths))"}`:                                                                       "source.paths: want a list, got a string",
		`{"uri": "x", "branch": "main", "paths": ["((path))"], "depth": ["((depth))"]}`:                                                "source.depth: want a whole number, got a list",
		`{"uri": "x", "branch": "main", "depth": "(( broken"}`:                                                                         "source.depth: want a whole number, got other text",
		`{"uri": "((uri))", "brnach": "((branch))"}`:                                                                                   `did you mean "branch"?`,
		`{"uri": "x", "branch": "main", "depth": -1}`:                                                                                  "source: depth: must not be negative",
	} {
		err := schema.Source([]byte(source))
		if want == "" {
			require.NoError(t, err, source)
		} else {
			require.ErrorContains(t, err, want, source)
		}
	}
	require.NoError(t, schema.GetParams(nil))
	require.ErrorContains(t, schema.PutParams(nil), "params.repository: is required, but missing")
	require.ErrorContains(t, schema.PutParams([]byte(`{"repository": "x", "token": "none"}`)), "params: token: none is not a token")
}

func TestSchemaKeys(t *testing.T) {
	schema := concourse.Describe(sample{})
	assert.Contains(t, schema.SourceKeys(), concourse.Key{Name: "uri", Want: "a string", Required: true, Scalar: true})
	assert.Contains(t, schema.SourceKeys(), concourse.Key{Name: "timeout", Want: "a duration like 90s, 30m or 2h", Scalar: true})
	assert.Contains(t, schema.SourceKeys(), concourse.Key{Name: "labels", Want: "a map"})
	assert.Equal(t, []concourse.Key{{Name: "submodules", Want: "a list"}}, schema.GetKeys())
	assert.Len(t, schema.PutKeys(), 2)
}

// FuzzRequest feeds a program anything: it never panics, and stdout is empty
// when it fails and one JSON value when it does not.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"source": {"uri": "u", "branch": "b"}}`,
		`{"source": {"uri": 1, "branch": true, "paths": [1, null], "labels": {"a": null}, "timeout": "1h"}, "version": {"ref": 1}}`,
		`{"source": {"uri": "u", "branch": "b", "do": "tell", "password": "\n\ud800\u0000", "private_key": "a\nb"}, "version": {}}`,
		`[`, `{}`, `null`, `{"source": {}} {}`, `{"source": {"a": 1, "a": 1}}`, "\xff", ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stdin []byte) {
		for _, args := range [][]string{{"check"}, {"in", t.TempDir()}, {"out", t.TempDir()}} {
			if bytes.Contains(stdin, []byte(`"do"`)) && !bytes.Contains(stdin, []byte("tell")) {
				t.Skip("the sample would hang or print")
			}
			var stdout, stderr bytes.Buffer
			p := concourse.Process{Args: args, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr}
			switch status := concourse.Run(t.Context(), p, sample{}); status {
			case 0:
				assert.True(t, json.Valid(stdout.Bytes()), "stdout: %s", stdout.String())
			case 1:
				assert.Empty(t, stdout.String())
				assert.Contains(t, stderr.String(), "error:")
				assert.NotContains(t, stderr.String(), "a fault in this program")
			default:
				t.Errorf("status %d", status)
			}
		}
	})
}
