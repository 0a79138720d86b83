package pipeline_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

const whole = `
display: {background_image: https://example.org/a.png}
user_data:
  image: &image
    type: registry-image
    source: {repository: ((registry)).example/tools, tag: "1.2.3"}
resource_types:
- name: cepler-in
  type: registry-image
  source: {repository: ghcr.io/taxiway-ci/cepler-in, tag: 1.0.0}
resources:
- name: source
  type: git
  check_every: never
  source: {uri: "git@example.org:a/b.git", branch: main, private_key: ((key.private))}
jobs:
- name: build
  serial: true
  on_failure: {put: source, params: {repository: source}}
  plan:
  - in_parallel:
      limit: 2
      fail_fast: true
      steps:
      - get: source
        trigger: true
        passed: [other]
        version: {ref: abc}
      - {get: again, resource: source, version: every}
  - load_var: tag
    file: source/tag
  - across:
    - {var: nr, values: [1, 2], max_in_flight: all}
    do:
    - task: unit
      attempts: 2
      timeout: 5m
      tags: [big]
      input_mapping: {code: source}
      config:
        platform: linux
        image_resource: *image
        inputs: [{name: code}]
        outputs: [{name: out, path: deep/out}]
        caches: [{path: cache}]
        params: {NR: ((.:nr)), FLAG: true}
        run: {path: sh, args: [-c, make]}
    ensure:
      try: {put: source, no_get: true, params: {repository: out}, inputs: [out]}
  - set_pipeline: self
    file: source/ci.yml
- name: other
  plan: [{get: source}]
groups:
- {name: all, jobs: ["*"]}
`

func TestParseReadsEveryStepKind(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse("ci.yml", []byte(whole))
	require.NoError(t, err)
	job, ok := p.Job("build")
	require.True(t, ok)
	assert.Equal(t, 17, job.Line)
	require.NotNil(t, job.OnFailure)
	require.Len(t, job.Plan, 4)

	parallel := job.Plan[0].InParallel
	require.NotNil(t, parallel)
	assert.Equal(t, 2, parallel.Limit)
	assert.True(t, parallel.FailFast)
	assert.Equal(t, map[string]string{"ref": "abc"}, parallel.Steps[0].Get.Version.Pinned)
	assert.Equal(t, []pipeline.Text{{Line: 27, Value: "other"}}, parallel.Steps[0].Get.Passed)
	assert.Equal(t, "source", parallel.Steps[1].Get.Resource)

	across := job.Plan[2]
	require.NotNil(t, across.Across)
	assert.Equal(t, pipeline.KindDo, across.Kind)
	assert.True(t, across.Across.Vars[0].MaxInFlightAll)
	task := across.Do[0]
	assert.Equal(t, 2, task.Attempts)
	assert.Equal(t, "5m", task.Timeout)
	assert.Equal(t, "1.2.3", task.Task.Config.ImageResource.Source.Field("tag").Data())
	assert.Equal(t, map[string]any{"NR": "((.:nr))", "FLAG": true}, task.Task.Config.Params.Data())
	require.NotNil(t, across.Ensure)
	assert.Equal(t, "out", across.Ensure.Try.Put.Inputs.Names[0].Value)

	known := pipeline.FirstOf(pipeline.LocalVars(map[string]any{"nr": 7}), pipeline.Vars(map[string]any{"registry": "r"}))
	params, err := task.Task.Config.Params.Interpolate(known)
	require.NoError(t, err)
	assert.Equal(t, int64(7), params.Field("NR").Data())
	image, err := task.Task.Config.ImageResource.Source.Interpolate(known)
	require.NoError(t, err)
	assert.Equal(t, "r.example/tools", image.Field("repository").Data())

	_, err = task.Task.Config.Params.Interpolate(pipeline.LocalVars(nil))
	require.ErrorIs(t, err, pipeline.ErrUndefined)
	assert.ErrorContains(t, err, "((.:nr))")
}

func TestParseWithFillsWhatItKnows(t *testing.T) {
	t.Parallel()
	p, err := pipeline.ParseWith("ci.yml", []byte(whole), pipeline.Vars(map[string]any{"key": map[string]any{"private": "PEM"}}))
	require.NoError(t, err)
	r, ok := p.Resource("source")
	require.True(t, ok)
	assert.Equal(t, "PEM", r.Source.Field("private_key").Data())
}

func TestParseNamesEveryFault(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":             {"", "p.yml:1: the file is empty"},
		"not yaml":          {"jobs: [", "p.yml:1: read YAML"},
		"list":              {"- a", "p.yml:1: a pipeline must be a mapping, this is a list"},
		"misspelt section":  {"jobs: []\nresouces: []\n", `p.yml:2: a pipeline has no key "resouces", Concourse would ignore it; did you mean "resources"?`},
		"misspelt step":     {"jobs:\n- name: a\n  plan:\n  - tusk: b\n", `p.yml:4: there is no step kind "tusk"; did you mean "task"?`},
		"misspelt modifier": {"jobs:\n- name: a\n  plan:\n  - get: b\n    trigge: true\n", `p.yml:5: a get step has no key "trigge"; did you mean "trigger"?`},
		"two kinds":         {"jobs:\n- name: a\n  plan:\n  - get: b\n    put: b\n", `p.yml:4: one step cannot be both "put" and "get"`},
		"no kind":           {"jobs:\n- name: a\n  plan:\n  - attempts: 2\n", `p.yml:4: this step says nothing to do`},
		"twice":             {"jobs:\n- name: a\n  name: b\n", `p.yml:3: a job has "name" twice, first in line 2`},
		"deep twice":        {"resources:\n- name: a\n  type: b\n  source: {x: 1, x: 2}\n", `p.yml:4: "source" of a resource has "x" twice`},
		"type":              {"jobs:\n- name: [a]\n", `p.yml:2: "name" of a job must be a string, this is a list`},
		"alias bomb":        {bomb(), "too large"},
		"endless alias":     {"jobs: &a [*a]\n", "nested too deeply"},
		"deep":              {strings.Repeat("[", 300) + strings.Repeat("]", 300), "nested too deeply"},
		"bad merge":         {"jobs: {<<: 3}\n", "only a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pipeline.Parse("p.yml", []byte(tc.text))
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// bomb asks for ten to the ninth nodes.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := range 9 {
		from := string(rune('0' + i))
		to := string(rune('1' + i))
		b.WriteString("a" + to + ": &a" + to + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+",", 10), ",") + "]\n")
	}
	return b.String()
}

func TestParseRef(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pipeline.Ref{
		"a":           {Path: "a", Fields: []string{}},
		"a.b.c":       {Path: "a", Fields: []string{"b", "c"}},
		"v:a.b":       {Source: "v", Path: "a", Fields: []string{"b"}},
		".:a":         {Source: ".", Path: "a", Fields: []string{}},
		`"a.b".c`:     {Path: "a.b", Fields: []string{"c"}},
		`v:"a:b".c`:   {Source: "v", Path: "a:b", Fields: []string{"c"}},
		"path/to-key": {Path: "path/to-key", Fields: []string{}},
	} {
		got, err := pipeline.ParseRef(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := pipeline.ParseRef(got.String())
		require.NoError(t, err)
		assert.Equal(t, got, again)
	}
	for _, text := range []string{":a", "a.", ".a", "v:", "", `a".b`, `"a`, `"v":a`} {
		_, err := pipeline.ParseRef(text)
		require.Error(t, err, text)
	}
}

func TestInterpolateText(t *testing.T) {
	t.Parallel()
	look := pipeline.Vars(map[string]any{"a": "x", "n": 3, "m": map[string]any{"k": "v"}})
	got, err := pipeline.InterpolateText("((a))-((n))-((m.k)) (()) ((not a ref))", look)
	require.NoError(t, err)
	assert.Equal(t, "x-3-v (()) ((not a ref))", got)
	_, err = pipeline.InterpolateText("a ((m))", look)
	require.ErrorContains(t, err, "cannot stand inside a text")
	_, err = pipeline.InterpolateText("((m))", look)
	require.ErrorContains(t, err, "a text is wanted here")
	_, err = pipeline.InterpolateText("((nope))", look)
	require.ErrorIs(t, err, pipeline.ErrUndefined)
}

func TestParseTask(t *testing.T) {
	t.Parallel()
	c, err := pipeline.ParseTask("unit.yml", []byte("platform: linux\ninputs: [{name: a, path: b, optional: true}]\nrun: {path: sh, args: [x], dir: d, user: u}\n"))
	require.NoError(t, err)
	assert.Equal(t, []pipeline.Input{{Line: 2, Name: "a", Path: "b", Optional: true}}, c.Inputs)
	assert.Equal(t, pipeline.Run{Line: 3, Path: "sh", Dir: "d", User: "u", Args: []string{"x"}}, c.Run)

	_, err = pipeline.ParseTask("unit.yml", []byte("plattform: linux\nrun: {path: sh}\n"))
	var invalid *pipeline.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "unit.yml:1: a task config has no \"platform\"; add it\n"+
		"unit.yml:1: a task config has no key \"plattform\"; did you mean \"platform\"?", err.Error())
	_, err = pipeline.ParseTask("unit.yml", []byte("a: ["))
	require.ErrorAs(t, err, &invalid)
}

func TestValueIsPlainData(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse("p.yml", []byte("resources:\n- name: r\n  type: t\n  source: {s: x, i: 7, h: 0x10, neg: -1, big: 18446744073709551615, huge: 99999999999999999999999, f: 1.5, nan: .nan, b: true, z: null, d: 2026-01-02, l: [1, a], m: {k: v}}\n"))
	require.NoError(t, err)
	source := p.Resources[0].Source
	data, err := source.JSON()
	require.NoError(t, err)
	assert.JSONEq(t, `{"s":"x","i":7,"h":16,"neg":-1,"big":18446744073709551615,"huge":1e23,"f":1.5,"nan":".nan","b":true,"z":null,"d":"2026-01-02","l":[1,"a"],"m":{"k":"v"}}`, string(data))
	assert.Equal(t, 4, source.Field("m").Line())
	assert.True(t, source.Field("z").IsZero())
	assert.True(t, source.Field("none").IsZero())
	absent, err := source.Field("none").JSON()
	require.NoError(t, err)
	assert.Equal(t, "null", string(absent))
}

func FuzzParseRef(f *testing.F) {
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := pipeline.ParseRef(text)
		if err != nil {
			return
		}
		for _, part := range append(ref.Fields, ref.Path) {
			require.NotEmpty(t, part)
		}
		if pipeline.IsRef("((" + text + "))") {
			again, err := pipeline.ParseRef(ref.String())
			require.NoError(t, err)
			require.Equal(t, ref.String(), again.String())
		}
	})
}
