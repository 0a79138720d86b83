package workflow_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// here has the event of a pull request, a secret, and steps of which one failed.
func here() workflow.Scope {
	contexts := map[string]workflow.Value{
		"github": {Data: map[string]any{
			"event_name": "pull_request", "repository": "acme/bank",
			"event": map[string]any{"pull_request": map[string]any{
				"number": 7.0, "draft": false, "title": "feat: x",
				"head":   map[string]any{"ref": "topic", "repo": map[string]any{"full_name": "acme/bank"}},
				"labels": []any{map[string]any{"name": "bot"}, map[string]any{"name": "bank"}},
			}},
		}},
		"secrets": {Data: map[string]any{"TOKEN": "t0ken"}, Secret: true},
		"steps":   {Data: map[string]any{"try-1": map[string]any{"outcome": "failure"}}},
	}
	return workflow.Scope{
		Context: func(name string) workflow.Value {
			v, ok := contexts[name]
			return workflow.Value{Data: v.Data, Unknown: !ok, Secret: v.Secret}
		},
		Status: func(name string) workflow.Value { return workflow.Value{Data: name == "failure"} },
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"true && 'a' || 'b'":                                        "a",
		"false && 'a' || 'b'":                                       "b",
		"!github.event.merge_group":                                 true,
		"github.event.pull_request.number":                          7.0,
		"github.event.pull_request.Number == '7'":                   true,
		"github.event.merge_group.head_sha || 'x'":                  "x",
		"github['event_name'] == 'PULL_REQUEST'":                    true,
		"github.event_name != 'push' && 1 < 2":                      true,
		"steps.try-1.outcome == 'failure'":                          true,
		"steps.try-2.outcome == ''":                                 true,
		"null == 0":                                                 true,
		"'a' == 0":                                                  false,
		"'it''s' == 'IT''S'":                                        true,
		"contains(github.event.pull_request.labels.*.name, 'bank')": true,
		"contains(github.event.pull_request.labels.*.name, 'ban')":  false,
		"contains('hay needle', 'NEEDLE')":                          true,
		"startsWith(github.event.pull_request.title, 'feat')":       true,
		"endsWith('a.rs', '.go')":                                   false,
		"github.event.pull_request.labels[1].name":                  "bank",
		"always() && !success()":                                    true,
		"secrets.TOKEN":                                             "t0ken",
		"((1))":                                                     1.0,
	} {
		got, err := workflow.Evaluate(text, here())
		require.NoError(t, err, text)
		assert.Equal(t, want, got.Data, text)
		assert.False(t, got.Unknown, text)
	}
}

func TestUnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]workflow.Value{
		"env.X && secrets.TOKEN":              {Unknown: true, Secret: true},
		"secrets.TOKEN && env.X":              {Unknown: true},
		"env.X || secrets.TOKEN":              {Unknown: true, Secret: true},
		"env.X == secrets.TOKEN":              {Unknown: true},
		"format('{0}', secrets.TOKEN)":        {Unknown: true, Secret: true},
		"!env.X":                              {Unknown: true},
		"contains(env.X, 'a')":                {Unknown: true},
		"toJSON(secrets)":                     {Unknown: true, Secret: true},
		"secrets[env.X]":                      {Unknown: true, Secret: true},
		"false && secrets.TOKEN || ''":        {Data: ""},
		"github.event.nothing && env.X || ''": {Data: ""},
	} {
		got, err := workflow.Evaluate(text, here())
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestExpressionsThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              "something is missing at its end",
		"a &&":          "something is missing at its end",
		"(a":            "a ) is missing",
		"a[1":           "a ] is missing",
		"a.":            "it ends with a dot",
		"a b":           `"b" is left`,
		"a.'b'":         "stands where a name should",
		"'a":            "is not part of an expression",
		"|| a":          "stands where a value should",
		"contains('a')": "contains takes two arguments",
		"contains('a'":  "a ) is missing",
	} {
		_, err := workflow.Evaluate(text, here())
		assert.ErrorContains(t, err, want, text)
	}
	_, err := workflow.Interpolate("a ${{ b", here())
	require.ErrorContains(t, err, "an expression has no end")
}

func TestTextsAndConditions(t *testing.T) {
	t.Parallel()
	v, err := workflow.Interpolate("pr-${{ github.event.pull_request.number }} ${{ '}}' }} ${{ secrets.TOKEN }}", here())
	require.NoError(t, err)
	assert.Equal(t, workflow.Value{Data: "pr-7 }} t0ken", Secret: true}, v)
	for text, want := range map[string]bool{
		"": false, "true": false, "${{ always() }}": true, "failure() && github.event_name == 'pull_request'": true, "${{ !cancelled() }}": true,
	} {
		v, err := workflow.Condition(text, here())
		require.NoError(t, err, text)
		assert.Equal(t, want, v.Data, "%q, after a failure", text)
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{"a.b['c'] && !d(1, 'x') || e.*.f == null", "((", "a[b[c]]", "'''"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = workflow.Evaluate(text, here()) // it ends, and does not panic
	})
}

// A workflow or a ruleset of a repository is read, or is an error in words.
func FuzzParse(f *testing.F) {
	rendered, err := filepath.Glob("../../pipelines/examples/*/checks/want/.github/workflows/*.yml")
	require.NoError(f, err)
	for _, name := range rendered {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("on: {pull_request: {types: [opened]}}\njobs: {a: {needs: a, if: 1, steps: [{uses: x@y}, {run: z, env: {A: 1}}, null]}}\n"))
	f.Add([]byte("# nothing but a comment\n"))
	f.Add([]byte("on: [[x]]\njobs: {a: [], b: null, c: {steps: {}}}\n"))
	f.Add([]byte(`{"conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"]}}, "rules": [{"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "x"}, null]}}]}`))
	f.Add([]byte(`{"rules": [null, {"parameters": []}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, err := workflow.Parse("w.yml", data); err == nil {
			require.NotNil(t, w)
			require.True(t, workflow.IsWorkflow(data) || len(w.Jobs) == 0)
		} else {
			require.Contains(t, err.Error(), "w.yml")
		}
		if r, err := workflow.ParseRuleset("r.json", data); err == nil {
			require.NotNil(t, r)
		} else {
			require.Contains(t, err.Error(), "r.json")
		}
	})
}
