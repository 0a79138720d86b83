package strict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

func shape() *strict.Shape {
	item := strict.Keys("path", "includePaths").With("git", strict.Keys("url", "ref"))
	return strict.Keys("kind").With("contents", &strict.Shape{Each: item}).With("environments", &strict.Shape{Each: strict.Keys("passed", "latest")})
}

func judge(t *testing.T, text string) (mistakes, doubts []string) {
	t.Helper()
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &root))
	wrong, odd := shape().Judge(&root)
	for _, f := range wrong {
		mistakes = append(mistakes, fmt.Sprintf("%d: %s", f.Line, f))
	}
	for _, f := range odd {
		doubts = append(doubts, fmt.Sprintf("%d: %s", f.Line, f))
	}
	return mistakes, doubts
}

func TestJudge(t *testing.T) {
	for text, want := range map[string]struct{ mistake, doubt string }{
		"kind: x\nenvironments: {pased: {passed: a}}\n": {},
		"kimd: x\n":                                        {mistake: `1: unknown key "kimd"; did you mean "kind"?`},
		"environments:\n  qa: {pased: s}\n":                {mistake: `2: environments.qa: unknown key "pased"; did you mean "passed"?`},
		"contents:\n- git:\n    uri: x\n":                  {mistake: `3: contents[0].git: unknown key "uri"; did you mean "url"?`},
		"contents: [{path: a}, {IncludePaths: []}]\n":      {mistake: `1: contents[1]: unknown key "IncludePaths"; did you mean "includePaths"?`},
		"kind: x\nkind: y\n":                               {mistake: `2: the key "kind" is there twice, first in line 1; remove one`},
		"environments:\n  qa: {}\n  qa: {}\n":              {mistake: `3: environments: the key "qa" is there twice, first in line 2; remove one`},
		"contents: [{path: a}, {path: b, path: c}]\n":      {mistake: `1: contents[1]: the key "path" is there twice, first in line 1; remove one`},
		"owner: x\n":                                       {doubt: `1: unknown key "owner" has no effect; known are contents, environments, kind`},
		"x: &x {a: 1, a: 2}\n":                             {mistake: `1: x: the key "a" is there twice, first in line 1; remove one`, doubt: `1: unknown key "x" has no effect`},
		"environments:\n  qa: &q {latets: []}\n  st: *q\n": {mistake: `2: environments.qa: unknown key "latets"; did you mean "latest"?`},
	} {
		mistakes, doubts := judge(t, text)
		for _, side := range []struct {
			got  []string
			want string
		}{{mistakes, want.mistake}, {doubts, want.doubt}} {
			if side.want == "" {
				assert.Empty(t, side.got, text)
				continue
			}
			if assert.Len(t, side.got, 1, text) {
				assert.Contains(t, side.got[0], side.want, text)
			}
		}
	}
}

func TestAliasesAreJudgedOnce(t *testing.T) {
	var text strings.Builder
	text.WriteString("a: &a {kimd: 1}\ncontents: [" + strings.Repeat("*a,", 10_000) + "]\n")
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text.String()), &root))
	_, doubts := shape().Judge(&root)
	assert.Len(t, doubts, 2)
}

func TestAnAliasOfItselfEnds(t *testing.T) {
	mistakes, _ := judge(t, "environments: &e\n  qa: *e\n")
	assert.Empty(t, mistakes)
}

// Any text is judged: what is twice is named with its line, and no alias leads the judge in a circle.
func FuzzTwice(f *testing.F) {
	f.Add([]byte("a: 1\nb: {c: 1, c: 2}\n"))
	f.Add([]byte("a: &x [*x, *x]\n*x : 1\n"))
	f.Add([]byte("contents: &c\n- &i {git: {url: x, ur: y}}\n- *i\nenvironments: {*c : *c}\n"))
	f.Add([]byte("kind: x\n---\nkind: y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := strict.Twice(data); err != nil {
			assert.Contains(t, err.Error(), "is there twice, first in line ")
		}
		var root yaml.Node
		if yaml.Unmarshal(data, &root) != nil {
			return
		}
		mistakes, doubts := shape().Judge(&root)
		for _, found := range append(mistakes, doubts...) {
			assert.Positive(t, found.Line)
		}
	})
}
