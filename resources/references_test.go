package resources_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A source that its program refuses whatever the references become is refused with the references, too.
func TestAReferenceHidesNoOtherFault(t *testing.T) {
	const ssh = "uri: git@github.com:acme/x.git\nbranch: main\nprivate_key: ((key))\n"
	const hub = "github: {repository: acme/x, app_id: ((id)), app_private_key: ((pem))}\n"
	of := resourceTypes()
	for name, c := range map[string]struct{ kind, source, want string }{
		"a path out of the repository":     {"chart-bump", ssh + hub + "bot_branch: bot\nchart: ../x\nimages: [{name: a, path: a.digest, repository: x/y}]", "source: chart: "},
		"a path in a list":                 {"chart-bump", ssh + hub + "bot_branch: bot\nchart: x\nimages: [{name: a, path: 'a..b', repository: ((repo))}]", "source: images[0].path: "},
		"a value that is not among many":   {"chart-bump", ssh + hub + "bot_branch: bot\nchart: x\nchart_version: majr\nimages: [{name: a, path: a.digest, repository: ((registry))/y}]", `source: chart_version: "majr" is not one of`},
		"the bot's branch is the base":     {"promote-rc", ssh + hub + "bot_branch: main", "source: bot_branch: main is the base branch"},
		"a name that is not a branch":      {"cepler-in", "uri: ((uri))\nbranch: x.lock\nprivate_key: ((key))\nenvironment: dev", `source: branch: "x.lock" is not a valid branch name`},
		"gates without a file":             {"cepler-in", ssh + "environment: ((env))\ngates_branch: gates", "gates_branch"},
		"a bot's branch that is deployed":  {"cepler-gate", ssh + hub + "environment: dev\ngates_file: gates.yml\ngates_branch: gates\nbot_branch: main", "source: bot_branch: main is the branch that is deployed from"},
		"a key that does not fit the uri":  {"cepler-in", "uri: https://github.com/acme/x.git\nbranch: main\nprivate_key: ((key))\nprivate_key_passphrase: ((word))\nenvironment: dev\ngit_user: me", "git_user"},
		"a password that has no user":      {"semver-git", "uri: https://github.com/acme/x.git\nbranch: ((branch))\nusername: me\nfile: version", "source: password: is required beside username"},
		"another driver":                   {"semver-git", ssh + "file: ((file))\ndriver: s3", "driver"},
		"an initial version":               {"semver-git", ssh + "file: version\ninitial_version: one", "source: initial_version: "},
		"two ways to the same cache":       {"cachix-paths", "url: ((url))\npins: [a]", "source: pins: "},
		"an address of an API":             {"pull-request-builds", "repository: acme/((repo))\naccess_token: ((token))\napi_url: ghe.example.com", "source: api_url: is not a web address"},
		"a path out of the folder":         {"vendir-bump", ssh + "directory: ../x\nconfig: ((config))", "source: directory: "},
		"a draft that merges by itself":    {"vendir-bump", ssh + hub + "directory: x\nmode: pull-request\nbot_branch: bot\ndraft: true\nauto_merge: squash", "source: auto_merge: a draft"},
		"a whole number with a word in it": {"semver-git", ssh + "file: version\nskip_ssl_verification: maybe", "source.skip_ssl_verification: "},
		"nothing wrong":                    {"semver-git", ssh + "file: ((file))\ninitial_version: ((version))\npaths: ((paths))", ""},
		"nothing wrong with any login":     {"semver-git", "uri: ((uri))\nbranch: ((branch))\nusername: ((user))\npassword: ((password))\nca_cert: ((ca))\nfile: version", ""},
		"nothing wrong with any host":      {"semver-git", "uri: ((uri))\nbranch: main\nprivate_key: ((key))\nprivate_key_passphrase: ((word))\nknown_hosts: ((hosts))\nfile: version", ""},
		"a default that a reference moves": {"promote-rc", ssh + hub + "changelog: ((changelog))\nallowed_files: [docs/news.md]", ""},
		"a mode that only Concourse knows": {"chart-bump", ssh + "mode: ((mode))\nchart: x\nimages: [{name: a, path: a.digest, repository: https://x/y}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := of[c.kind].schema.Source(asJSON(t, c.source))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func asJSON(t *testing.T, text string) []byte {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal([]byte(text), &v))
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

// Whichever values of a source that works are put into a vault, it still works.
func TestAnyValueMayBeAReference(t *testing.T) {
	files, err := filepath.Glob("../pipelines/examples/*/*/want.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	of, seen := resourceTypes(), map[string]bool{}
	random := rand.New(rand.NewPCG(11, 13))
	for _, file := range files {
		var pipeline struct {
			Resources []struct {
				Type   string
				Source any
			}
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &pipeline))
		for _, r := range pipeline.Resources {
			typ, own := of[r.Type]
			if !own || seen[r.Type+keysIn(r.Source)] {
				continue
			}
			seen[r.Type+keysIn(r.Source)] = true
			for range rounds() {
				source := referenced(random, r.Source)
				raw, err := json.Marshal(source)
				require.NoError(t, err)
				assert.NoError(t, typ.schema.Source(raw), "%s %s", file, raw)
			}
		}
	}
	assert.Greater(t, len(seen), 8)
}

func rounds() int {
	if os.Getenv("TAXIWAY_STORMS") != "" {
		return 100
	}
	return 2
}

// keysIn are the keys of a value and of what is in it.
func keysIn(v any) string {
	m, _ := v.(map[string]any)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"("+keysIn(m[key])+")")
	}
	return strings.Join(out, " ")
}

// referenced is a copy with references in place of some of the texts.
func referenced(random *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = referenced(random, v[key])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = referenced(random, item)
		}
		return out
	}
	if random.IntN(3) == 0 {
		return "((of.it))"
	}
	return v
}

// Whatever a pipeline has as the source or the params of a resource type, they are taken or refused in words.
func FuzzSources(f *testing.F) {
	files, err := filepath.Glob("../pipelines/examples/*/*/want.yml")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		var pipeline struct{ Resources []struct{ Source any } }
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		require.NoError(f, yaml.Unmarshal(text, &pipeline))
		for _, r := range pipeline.Resources {
			raw, err := json.Marshal(r.Source)
			require.NoError(f, err)
			f.Add(raw)
		}
	}
	f.Add([]byte(`{"auto_merge": 7, "verify": "odd", "images": {"a": true}, "uri": "((x))"}`))
	of := resourceTypes()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			t.Skip("Concourse sends JSON")
		}
		for name, typ := range of {
			for _, read := range []func([]byte) error{typ.schema.Source, typ.schema.GetParams, typ.schema.PutParams} {
				if err := read(raw); err != nil {
					assert.NotContains(t, err.Error(), "fault in this program", name)
				}
			}
		}
	})
}
