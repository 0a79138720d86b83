package doctor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/pipelines/doctor"
)

// ask is what doctor says of the credentials of one resource.
func ask(t *testing.T, vars map[string]any, uri, api, extra string) []doctor.Finding {
	t.Helper()
	text := fmt.Sprintf("resources:\n- name: chart\n  type: vendir-bump\n  source: {uri: %q, branch: main, directory: vendor/a, mode: pull-request, bot_branch: bot, github: {repository: team/charts, api_url: %q, %s}}\n", uri, api, extra)
	p, err := pipeline.Parse("p.yml", []byte(text))
	require.NoError(t, err)
	report, err := doctor.Examine(t.Context(), doctor.Question{
		Pipelines: []doctor.Pipeline{{File: "p.yml", Pipeline: p}}, Vars: pipeline.Vars(vars), Forges: true, Logf: t.Logf,
	})
	require.NoError(t, err)
	return report.Findings
}

// The forge is asked what the credentials may do, and each lack has a name.
func TestCredentials(t *testing.T) {
	t.Parallel()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer server.Close()
	content, err := server.Create("team/charts")
	require.NoError(t, err)
	_, err = content.Commit("main", "first", map[string]string{
		"vendir.yml": "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: vendor/a\n  contents:\n  - path: chart\n    git: {url: \"https://github.com/a/b\", ref: main}\n",
	})
	require.NoError(t, err)
	forge := github.New(github.Options{Git: server, Tokens: []string{"fine", "classic", "narrow"}, Scopes: map[string]string{"classic": "repo, workflow", "narrow": "read:user"}})
	defer forge.Close()
	key, err := forge.AddApp("7", "team/charts")
	require.NoError(t, err)
	other, err := forge.AddApp("8", "team/other")
	require.NoError(t, err)
	weak, err := forge.AddApp("9", "team/charts")
	require.NoError(t, err)
	forge.Grant("9", map[string]string{"contents": "read", "pull_requests": "write", "statuses": "write", "metadata": "read"})
	vars := map[string]any{"fine": "fine", "classic": "classic", "narrow": "narrow", "wrong": "wrong", "key": key, "other": other, "weak": weak}

	rules := func(extra string) string {
		t.Helper()
		var all []string
		for _, f := range ask(t, vars, content.URL(), forge.APIURL(), extra) {
			assert.NotEmpty(t, f.Advice+f.Command, "%+v", f)
			all = append(all, f.Rule)
		}
		return strings.Join(all, " ")
	}
	assert.Empty(t, rules("access_token: ((fine))"))
	assert.Empty(t, rules("access_token: ((classic))"))
	assert.Empty(t, rules("access_token: ((unknown))"), "a token that is not known here is not asked about")
	assert.Equal(t, "token-scope", rules("access_token: ((narrow))"))
	assert.Equal(t, "credentials-refused", rules("access_token: ((wrong))"))
	assert.Empty(t, rules("app_id: 7, app_private_key: ((key))"))
	assert.Equal(t, "app-not-installed", rules("app_id: 8, app_private_key: ((other))"))
	assert.Equal(t, "credentials-invalid", rules("app_id: 8, app_private_key: ((wrong))"))
	assert.Equal(t, "auto-merge-off", rules("access_token: ((fine))}, auto_merge: squash, labels: [a]} #"))
	found := ask(t, vars, content.URL(), forge.APIURL(), "app_id: 9, app_private_key: ((weak))")
	require.Len(t, found, 1)
	assert.Equal(t, "app-permission", found[0].Rule)
	assert.Contains(t, found[0].Text, "contents: write")
	forge.Grant("9", map[string]string{"metadata": "read"})
	assert.Equal(t, "app-permission", rules("app_id: 9, app_private_key: ((weak))"), "it has none at all")
	forge.Repository("team/charts").Set(func(s *github.Settings) { s.ReadOnly = true })
	assert.Equal(t, "token-read-only", rules("access_token: ((fine))"))
	found = ask(t, vars, content.URL(), strings.Replace(forge.APIURL(), "team", "none", 1), "access_token: ((fine))")
	require.Len(t, found, 1)
}

// A repository without a clone is read at its address; one that cannot be read is a finding.
func TestAddresses(t *testing.T) {
	t.Parallel()
	found := ask(t, nil, "https://127.0.0.1:1/team/charts.git", "https://127.0.0.1:1/api/v3", "access_token: ((fine))")
	require.Len(t, found, 1)
	assert.Equal(t, "repository-unread", found[0].Rule)
	assert.Equal(t, "git clone https://127.0.0.1:1/team/charts.git charts", found[0].Command)
	assert.Contains(t, found[0].Advice, "--repository charts=charts")
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"a/b-c_1.yml": "a/b-c_1.yml", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		assert.Equal(t, want, doctor.Quote(word))
	}
}
