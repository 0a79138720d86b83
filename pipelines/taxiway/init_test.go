package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/pipelines/starter"
)

// strangers are three little repositories as somebody has them who never saw this suite, each a clone.
func strangers(t *testing.T, env []string, address string) string {
	t.Helper()
	dir := t.TempDir()
	for name, files := range map[string]map[string]string{
		"shop": {"Dockerfile": "FROM scratch\nCOPY shop.js /\n", "Makefile": "test:\n\ttrue\n", "shop.js": "1\n"},
		"charts": {
			"charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: 0.0.0\n", "charts/shop/templates/deployment.yaml": "kind: Deployment\n",
			"charts/shop/values.yaml": "replicas: 1\nserver:\n  image:\n    repository: ghcr.io/acme/shop\n    digest: \"\"\n",
		},
		"deployments": {"README.md": "What runs where.\n"},
	} {
		for file, text := range files {
			full := filepath.Join(dir, name, filepath.FromSlash(file))
			require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
			require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
		}
		out, err := shell(t, env, filepath.Join(dir, name), "git init --quiet --initial-branch main && git add . && git commit --quiet --message 'feat: first' && git remote add origin "+address+name+".git")
		require.NoError(t, err, out)
	}
	return dir
}

// next are the commands that init ends with.
var next = regexp.MustCompile(`(?m)^ {2}\d\. (.*)$`)

// From three little repositories to rehearsed pipelines, by the commands that init ends with and nothing else.
func TestInitDoctorRehearse(t *testing.T) {
	t.Parallel()
	for name, team := range map[string]struct {
		address, flags string
		says           string   // by init
		runs           []string // builds of the rehearsal
	}{
		"GitHub": {
			address: "git@github.com:acme/", says: "production gets nothing beyond",
			runs: []string{"test #1 of release", "build-rc #1 of release", "open-promote-rc-pr #1 of release", "testflight #1 of charts", "bump-shop-in-deployments #1 of charts", "deploy-staging #1 of deployments"},
		},
		"GitHub Enterprise": {
			address: "https://github.acme.example/platform/", flags: " --executor terraform --environments dev,qa,live",
			runs: []string{"build-rc #1 of release", "open-promote-rc-pr #1 of release", "bump-shop-in-deployments #1 of charts", "deploy-dev #1 of deployments", "deploy-qa #1 of deployments"},
		},
		"plain git": {
			address: "ssh://git@git.acme.example/srv/", flags: " --executor script", says: "Without GitHub there is no release pipeline",
			runs: []string{"testflight #1 of charts", "bump-shop-in-deployments #1 of charts", "deploy-staging #1 of deployments"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := withTaxiway(t)
			dir := filepath.Join(strangers(t, env, team.address), "taxiway")
			require.NoError(t, os.Mkdir(dir, 0o755))
			line := toldBy(t, "../docs/repositories.md", "taxiway init") + team.flags
			dry, err := shell(t, env, dir, line+" --dry-run")
			require.NoError(t, err, dry)
			assert.Contains(t, dry, "../deployments: would write cepler.yml, vendir.yml")
			clean, err := shell(t, env, dir, "cd .. && for r in shop charts deployments; do git -C $r status --porcelain; git -C $r branch; done")
			require.NoError(t, err)
			assert.Equal(t, "* main\n* main\n* main\n", clean, "a dry run changes nothing")

			out, err := shell(t, env, dir, line)
			require.NoError(t, err, out)
			assert.Contains(t, strings.Join(strings.Fields(out), " "), team.says)
			commands := next.FindAllStringSubmatch(out, -1)
			require.Len(t, commands, 3)
			if name == "GitHub" {
				assert.Equal(t, toldBy(t, "README.md", "taxiway doctor"), commands[0][1])
				for verb, typed := range map[string]string{"init": line, "doctor": commands[0][1], "rehearse": commands[1][1]} {
					told := toldBy(t, "../../README.md", "go run ./pipelines/taxiway "+verb)
					assert.Equal(t, strings.Replace(told, "go run ./pipelines/", "", 1), typed, "the first hour of the README")
				}
			}
			doctor, err := shell(t, env, dir, commands[0][1])
			require.NoError(t, err, doctor)
			assert.Contains(t, doctor, "0 errors")
			play, err := shell(t, env, dir, commands[1][1])
			require.NoError(t, err, play)
			for _, build := range team.runs {
				assert.Contains(t, play, build)
			}
			assert.NotContains(t, play, "deploy-production #1")
			assert.NotContains(t, play, "deploy-live #1")
			renderAndLint(t, env, dir, commands[0][1])

			again, err := shell(t, env, dir, line)
			require.NoError(t, err, again)
			assert.Contains(t, again, "../deployments: everything is there\n")
			assert.NotContains(t, again, "wrote")
		})
	}
}

// A token in an address does not get into a file that is committed.
func TestATokenInAnAddressIsNoUser(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://github.com/a/b":                      "git",
		"https://ghp_token@github.com/a/b":            "git",
		"https://token:x-oauth-basic@github.com/a/b":  "git",
		"https://ana:secret@github.com/a/b":           "ana",
		"https://x-access-token:secret@github.com/ab": "x-access-token",
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		assert.Equal(t, want, userOf(u.User), address)
	}
}

// renderAndLint renders the values of doctor's command line, each with the command for it.
func renderAndLint(t *testing.T, env []string, dir, line string) {
	t.Helper()
	seen := 0
	for arg := range strings.FieldsSeq(line) {
		template, values, ok := strings.Cut(arg, "=")
		if !ok || !strings.HasSuffix(values, ".values.yml") {
			continue
		}
		seen++
		out, err := shell(t, env, dir, "taxiway render "+template+" --values "+values+" --repository ../deployments --output p.yml && taxiway lint p.yml")
		require.NoError(t, err, out)
		assert.Empty(t, out, "not even a warning")
	}
	assert.GreaterOrEqual(t, seen, 2)
}

// Nothing that is there changes: files, staged and edited work, a cepler config with other environments, an existing gates branch.
func TestInitKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	env := withTaxiway(t)
	dir := strangers(t, env, "git@github.com:acme/")
	config := "deployment: shop\nenvironments:\n  one:\n    latest: [README.md]\n  two:\n    passed: one\n    propagated: [README.md]\n"
	prepare := "cd deployments && printf '" + strings.ReplaceAll(config, "\n", `\n`) + "' >cepler.yml && git add cepler.yml && git commit --quiet --message config && " +
		"git checkout --quiet --orphan cepler-gates && git rm -rfq . && echo 'x: HEAD' >other.yml && git add . && git commit --quiet --message gates && git checkout --quiet main && " +
		"echo edited >>README.md && echo staged >staged && git add staged && mkdir -p ci && echo mine >ci/rehearsal.vars.yml"
	out, err := shell(t, env, dir, prepare)
	require.NoError(t, err, out)
	out, err = shell(t, env, dir, "taxiway init --app shop --charts charts --deployments deployments --test true")
	require.NoError(t, err, out)
	status, err := shell(t, env, dir, "cd deployments && git status --porcelain --untracked-files=all && cat cepler.yml ci/rehearsal.vars.yml && git ls-tree --name-only cepler-gates && git log --format=%an:%s cepler-gates && git show cepler-gates:shop.yml")
	require.NoError(t, err, status)
	assert.True(t, strings.HasPrefix(status, " M README.md\nA  staged\n?? ci/rehearsal.vars.yml\n"+config+"mine\nother.yml\nshop.yml\nAna Lima:gate: two waits\nAna Lima:gates\n"), status)
	assert.Regexp(t, `(?m)^one: HEAD\ntwo: [0-9a-f]{40}$`, status)
	values, err := os.ReadFile(filepath.Join(dir, "deployments", "ci", "deployments.values.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(values), "propose: true")
	release, err := os.ReadFile(filepath.Join(dir, "shop", "ci", "release.values.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(release), "path: server.image.digest", "the only digest of the chart's values")
	assert.Contains(t, string(release), `command: "true"`)
}

// What cannot be known is asked for, or is an error that names the flag.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	env := withTaxiway(t)
	dir := strangers(t, env, "git@github.com:acme/")
	at := func(name string) string { return filepath.Join(dir, name) }
	for want, args := range map[string][]string{
		"say which clones to write to: --charts, --deployments": {},
		"say which clones to write to: --app":                   {"--charts", at("charts"), "--deployments", at("deployments")},
		"--forge hub: write github, github-enterprise or git":   {"--charts", at("charts"), "--deployments", at("deployments"), "--forge", "hub"},
		"--executor ansible":                                    {"--app", at("shop"), "--charts", at("charts"), "--deployments", at("deployments"), "--executor", "ansible"},
		"--environments a,a":                                    {"--app", at("shop"), "--charts", at("charts"), "--deployments", at("deployments"), "--environments", "a,a"},
		"--tools tools":                                         {"--app", at("shop"), "--charts", at("charts"), "--deployments", at("deployments"), "--tools", "tools"},
		"there is no file x.yml to print":                       {"--print", "x.yml"},
		"name the labels":                                       {"--print", "checks.yml"},
	} {
		got := wholeProgram(t, append([]string{"init"}, args...)...)
		assert.Equal(t, statusUsage, got.status, got.stderr)
		assert.Contains(t, got.stderr, want)
	}
	person, terminal := openTerminal(t)
	_, err := person.WriteString(at("charts") + "\n" + at("deployments") + "\ngit\n\ndev,live\nscript\n\n")
	require.NoError(t, err)
	root := newRoot()
	var out strings.Builder
	root.SetArgs([]string{"init", "--dry-run"})
	root.SetIn(terminal)
	root.SetOut(&out)
	root.SetErr(&out)
	require.NoError(t, root.ExecuteContext(t.Context()))
	for _, question := range []string{"Clone of the repository with the Helm chart: ", "any other server [github]: ", "Name of the chart [shop]: ", "Environments in their order [staging,production]: ", "terraform, script [helm]: "} {
		assert.Contains(t, out.String(), question)
	}
	assert.Contains(t, out.String(), "environments/dev/values.yml")
}

func TestForgeByTheHostOfTheClones(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"github.com": starter.GitHub, "github.acme.example": starter.Enterprise, "acme.ghe.com": starter.Enterprise, "git.acme.example": starter.Git,
	} {
		assert.Equal(t, want, forgeOf(host), host)
	}
}
