package cepler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

func patterns(globs cepler.Globs) []string {
	var out []string
	for _, g := range globs {
		out = append(out, g.String())
	}
	return out
}

// lines are the rows of a file.
func lines(rows ...string) []byte { return []byte(strings.Join(rows, "\n") + "\n") }

func TestConfig(t *testing.T) {
	t.Parallel()
	c, err := cepler.ParseConfig("./sub/cepler.yml", lines(
		"deployment: lana-bank",
		"environments:",
		"  gcp-galoy-staging:",
		"    latest: [modules/**, gcp/galoy-staging/*.tf]",
		"  gcp-volcano-qa:",
		"    passed: gcp-galoy-staging",
		"    propagated: [modules/**]",
		"    latest:",
		"    - gcp/volcano-qa/*.tf",
		"    ignore_queue: true",
	))
	require.NoError(t, err)
	assert.Equal(t, "sub/cepler.yml", c.Path)
	assert.Equal(t, "lana-bank", c.Deployment)
	assert.Equal(t, "sub/.cepler/lana-bank", c.StateDir())
	assert.Equal(t, "sub/.cepler/lana-bank/gcp-volcano-qa.state", c.StatePath("gcp-volcano-qa"))
	qa, err := c.Environment("gcp-volcano-qa")
	require.NoError(t, err)
	assert.Equal(t, "gcp-volcano-qa", qa.Name)
	assert.Equal(t, "gcp-galoy-staging", qa.Passed)
	assert.Equal(t, []string{"modules/**"}, patterns(qa.Propagated))
	assert.Equal(t, []string{"gcp/volcano-qa/*.tf"}, patterns(qa.Latest))
	assert.True(t, qa.IgnoreQueue)
	assert.True(t, qa.Propagated.Match("modules/lana-bank/main.tf"))

	_, err = c.Environment("gcp-volcano-qs")
	require.ErrorIs(t, err, cepler.ErrUnknownEnvironment)
	assert.EqualError(t, err, `no such environment "gcp-volcano-qs" in sub/cepler.yml; did you mean "gcp-volcano-qa"?`)
	_, err = c.Environment("azure")
	assert.ErrorContains(t, err, "known are gcp-galoy-staging, gcp-volcano-qa")
}

func TestConfigIsReadAsCeplerReadsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"defaults":              {"environments: {}", "default|"},
		"number as deployment":  {"deployment: 5\nenvironments: {}", "5|"},
		"null deployment":       {"deployment:\nenvironments: {}", "~|"},
		"null word":             {"deployment: null\nenvironments: {}", "null|"},
		"tagged":                {"deployment: !!null 5\nenvironments: {}", "5|"},
		"hexadecimal":           {"deployment: 0x10\nenvironments: {}", "0x10|"},
		"deployment of folders": {"deployment: a/b\nenvironments: {}", "a/b|"},
		"scalars as files":      {"environments: {tf: {latest: [1, true, 2020-01-01, ~, null, '']}}", `default|tf passed "" latest ["1" "true" "2020-01-01" "~" "null" ""] propagated []`},
		"name of digits":        {"environments: {1: {}}", `default|1 passed "" latest [] propagated []`},
		"null name":             {"environments:\n  ~: {}", `default|~ passed "" latest [] propagated []`},
		"no environment before": {"environments: {tf: {passed: ~, propagated: ['k**']}}", `default|tf passed "" latest [] propagated []`},
		"null with a tag":       {"environments: {tf: {passed: !!null ~}}", `default|tf passed "" latest [] propagated []`},
		"last duplicate counts": {"environments:\n  tf: {latest: [a]}\n  tf: {latest: [b]}", `default|tf passed "" latest ["b"] propagated []`},
		"unknown keys":          {"x: 1\nx: 2\nenvironments: {tf: {x: [1], x: {}, owner: ana}}", `default|tf passed "" latest [] propagated []`},
		"no merge keys":         {"base: &b {latest: [a]}\nenvironments: {tf: {<<: *b}}", `default|tf passed "" latest [] propagated []`},
		"merge key as a name":   {"environments: {<<: {latest: [a]}}", `default|<< passed "" latest ["a"] propagated []`},
		"anchors":               {"environments: {tf: {latest: &l [a, &x b, *x]}, up: {latest: *l}}", `default|tf passed "" latest ["a" "b" "b"] propagated []|up passed "" latest ["a" "b" "b"] propagated []`},
		"hidden name":           {"environments: {tf: {name: other}}", `default|tf passed "" latest [] propagated []`},
		"boolean with a tag":    {"environments: {tf: {ignore_queue: !!bool 'true'}}", `default|tf passed "" latest [] propagated [] ignore_queue`},
		"directives":            {"%YAML 1.2\n---\nenvironments: {}\n...\n", "default|"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := cepler.ParseConfig("cepler.yml", []byte(c.text))
			require.NoError(t, err)
			assert.Equal(t, c.want, show(config))
		})
	}
}

// show is a config on one line.
func show(c *cepler.Config) string {
	var envs []string
	for _, name := range []string{"1", "<<", "tf", "up", "~"} {
		e, err := c.Environment(name)
		if err != nil {
			continue
		}
		text := fmt.Sprintf("%s passed %q latest %q propagated %q", e.Name, e.Passed, patterns(e.Latest), patterns(e.Propagated))
		if e.IgnoreQueue {
			text += " ignore_queue"
		}
		envs = append(envs, text)
	}
	return c.Deployment + "|" + strings.Join(envs, "|")
}

func TestConfigFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "cepler.yml: the file is empty",
		"# nothing\n":                    "cepler.yml: the file is empty",
		"environments: [":                "cepler.yml:1: not YAML",
		"a: b\nenvironments:\n  x: [\n":  "not YAML: did not find expected node content",
		"a: 1\n":                         "cepler.yml:1: the config has no environments",
		"environmnts: {a: {}}\n":         `cepler.yml:1: unknown key "environmnts"; did you mean "environments"?`,
		"environments:\n":                "cepler.yml:1: environments: want a mapping, got nothing",
		"environments: [a]\n":            "cepler.yml:1: environments: want a mapping, got a list",
		"- a\n":                          "cepler.yml:1: the config: want a mapping, got a list",
		"environments: {}\n---\na: b\n":  "a second document begins",
		"environments:\n  tf:\n":         "cepler.yml:2: environments.tf: want a mapping, got nothing",
		"environments: {tf: {latest: }}": "cepler.yml:1: environments.tf.latest: want a list of patterns, got nothing",
		"environments:\n  tf:\n    latest: a.yml\n":                             `cepler.yml:3: environments.tf.latest: want a list of patterns, got "a.yml"`,
		"environments:\n  tf:\n    latest:\n    - a\n    - {b: c}\n":            "cepler.yml:5: environments.tf.latest: want a text, got a mapping",
		"environments:\n  tf:\n    latest:\n    - a\n    - 'k**'\n":             `cepler.yml:5: environments.tf.latest: pattern "k**": ** must be a whole part of the path`,
		"environments:\n  tf:\n    latest: ['[a']\n":                            `cepler.yml:3: environments.tf.latest: pattern "[a": a set`,
		"environments:\n  tf:\n    latest: ['***']\n":                           `pattern "***": more than two stars in a row`,
		"environments:\n  tf:\n    ignore_queue: yes\n":                         `cepler.yml:3: environments.tf.ignore_queue: want true or false, got "yes"`,
		"environments:\n  tf:\n    ignore_queue: 'true'\n":                      `want true or false, got "true"`,
		"environments:\n  tf:\n    ignore_queue:\n":                             "want true or false, got nothing",
		"environments:\n  tf:\n    latest: []\n    latest: []\n":                "cepler.yml:4: environments.tf has latest twice, first in line 3",
		"environments: {}\nenvironments: {}\n":                                  "cepler.yml:2: the config has environments twice, first in line 1",
		"environments:\n  tf: {}\n  st:\n    passed: tg\n":                      `cepler.yml:3: environments.st.passed: environment "tg" is not defined; did you mean "tf"?`,
		"environments:\n  tf: {passed: tf}\n":                                   "cepler.yml:2: environments.tf.passed: the environments wait for each other: tf → tf",
		"environments:\n  a: {passed: c}\n  b: {passed: a}\n  c: {passed: b}\n": "cepler.yml:2: environments.a.passed: the environments wait for each other: a → c → b → a",
		"environments:\n  x: {passed: a}\n  a: {passed: b}\n  b: {passed: a}\n": "the environments wait for each other: a → b → a",
		"environments:\n  latest: {}\n":                                         `cepler.yml:2: environment "latest": the name is taken`,
		"environments:\n  a/b: {}\n":                                            `cepler.yml:2: environment "a/b": a name must not have } or / in it`,
		"environments:\n  'a}': {}\n":                                           `environment "a}": a name must not have } or / in it`,
		"environments:\n  '': {}\n":                                             "cepler.yml:2: an environment has an empty name",
		"environments:\n  tf: {passed: ''}\n":                                   "environments.tf.passed is an empty text",
		"environments:\n  tf: {name: [x]}\n":                                    "environments.tf.name: want a text, got a list",
		"environments:\n  ? [a]\n  : {}\n":                                      "environments: want a plain key, got a list",
		"deployment: ../x\nenvironments: {}\n":                                  `cepler.yml:1: deployment: the name "../x" must not have .. as a part`,
		"deployment: /x\nenvironments: {}\n":                                    `deployment: the name "/x" can't be a folder`,
		"deployment: [x]\nenvironments: {}\n":                                   "deployment: want a text, got a list",
		"environments: {tf: {latest: [*x]}}\n":                                  "unknown anchor",
		"x: " + strings.Repeat("y", 1<<20):                                      "cepler.yml: the file has 1048579 bytes, at most 1048576 are read",
	} {
		_, err := cepler.ParseConfig("cepler.yml", []byte(text))
		if assert.Error(t, err, text) {
			assert.ErrorContains(t, err, want)
		}
	}
}

func TestConfigMistakesAndWarnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ mistake, warning string }{
		"environments:\n  s: {latest: [a]}\n  p: {passed: s, propagated: [a]}\n": {},
		"environments:\n  s: {}\n  p: {pased: s}\n":                              {mistake: `cepler.yml:3: environments.p: unknown key "pased"; did you mean "passed"?`},
		"environments:\n  p: {propogated: [a]}\n":                                {mistake: `cepler.yml:2: environments.p: unknown key "propogated"; did you mean "propagated"?`},
		"environments:\n  p: {lates: [a]}\n":                                     {mistake: `cepler.yml:2: environments.p: unknown key "lates"; did you mean "latest"?`},
		"environments:\n  p: {ignoreQueue: true}\n":                              {mistake: `did you mean "ignore_queue"?`},
		"deploymant: x\nenvironments: {}\n":                                      {mistake: `cepler.yml:1: unknown key "deploymant"; did you mean "deployment"?`},
		"environments:\n  p: {}\n  p: {}\n":                                      {mistake: `cepler.yml:3: environments: the key "p" is there twice, first in line 2; remove one`},
		"owner: ana\nenvironments: {}\n":                                         {warning: `cepler.yml:1: unknown key "owner" has no effect; known are deployment, environments`},
		"environments:\n  p: {owner: ana}\n":                                     {warning: `p: cepler.yml:2: environments.p: unknown key "owner" has no effect`},
		"environments:\n  p:\n    propagated: [a]\n":                             {warning: `p: cepler.yml:3: environments.p: propagated has no effect without passed; set passed`},
		"b: &b {}\nenvironments: {p: {<<: *b}}\n":                                {warning: `p: cepler.yml:2: environments.p: unknown key "<<" has no effect`},
	} {
		c, err := cepler.ParseConfig("cepler.yml", []byte(text))
		require.NoError(t, err, text)
		if want.mistake == "" {
			require.NoError(t, c.Mistakes(), text)
		} else {
			require.ErrorContains(t, c.Mistakes(), want.mistake, text)
		}
		name, warning, own := strings.Cut(want.warning, ": cepler")
		switch {
		case own:
			require.Len(t, c.Warnings(name), 1, text)
			assert.Contains(t, c.Warnings(name)[0], "cepler"+warning, text)
		case want.warning != "":
			require.Len(t, c.Warnings(""), 1, text)
			assert.Contains(t, c.Warnings("")[0], want.warning, text)
		default:
			assert.Empty(t, c.Warnings(""), text)
			assert.Empty(t, c.Warnings("p"), text)
		}
	}
}

func TestConfigThatAliasesBlowUpIsRefused(t *testing.T) {
	t.Parallel()
	text := []byte("l: &l [" + strings.Repeat("a,", 1000) + "]\nenvironments:\n")
	for i := range 200 {
		text = fmt.Appendf(text, "  e%d: {latest: *l}\n", i)
	}
	_, err := cepler.ParseConfig("cepler.yml", text)
	assert.ErrorContains(t, err, "the config has more than 100000 patterns")
}

func TestConfigOfTooManyEnvironmentsIsRefused(t *testing.T) {
	t.Parallel()
	text := []byte("environments:\n")
	for i := range 2000 {
		text = fmt.Appendf(text, "  e%d: {latest: [a/*]}\n", i)
	}
	_, err := cepler.ParseConfig("cepler.yml", text)
	require.NoError(t, err)
	_, err = cepler.ParseConfig("cepler.yml", append(text, "  more: {latest: [a/*]}\n"...))
	assert.ErrorContains(t, err, "the config has 2001 environments, and at most 2000 are allowed")
}

func TestConfigPaths(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"cepler.yml": "cepler.yml", "./cepler.yml": "cepler.yml", "a//b/./c.yml": "a/b/c.yml", "..a": "..a"} {
		got, err := cepler.CleanConfigPath(given)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for given, want := range map[string]string{"": "empty", "/cepler.yml": "absolute", "../cepler.yml": "has .. in it", "a/../cepler.yml": "has .. in it", ".": "a folder", "a/": "a folder"} {
		_, err := cepler.CleanConfigPath(given)
		assert.ErrorContains(t, err, want, given)
		_, err = cepler.ParseConfig(given, []byte("environments: {}"))
		assert.ErrorContains(t, err, want, given)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("environments:\n  tf:\n    latest: [a.yml, \"k/*\"]\n  st:\n    passed: tf\n    propagated: [a.yml]\n"))
	f.Add([]byte("deployment: ~\nenvironments: {a: &a {latest: [\"**\"]}, b: *a}\n"))
	f.Add([]byte("environments: {a: {passed: b}, b: {passed: a}}\n"))
	f.Add([]byte("environments: &x\n  a: *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := cepler.ParseConfig("cepler.yml", data)
		if err != nil {
			require.ErrorContains(t, err, "cepler.yml")
			return
		}
		for name, e := range c.Environments {
			require.Equal(t, name, e.Name)
			for steps := 0; e.Passed != ""; steps++ {
				require.LessOrEqual(t, steps, len(c.Environments), "a cycle")
				require.Contains(t, c.Environments, e.Passed)
				e = c.Environments[e.Passed]
			}
		}
	})
}
