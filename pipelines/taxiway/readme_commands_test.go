package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told is a command that a README tells people to type, and how this test runs it: as it stands there, in
// a folder beside clones of the repositories that it names.
type told struct {
	// not is why it is not run here; everything else is empty then.
	not string
	// in is the folder where a person is who types it: a checkout of this module, or one of the clones.
	in string
	// values is the example whose values.yml lies in that folder.
	values string
	// with are the optional parts, as [these], that are left in; without them all are left out.
	with []string
	// fill replaces what stands for something else, like "…".
	fill map[string]string
	// says is part of the output.
	says string
}

const (
	needsConcourse = "needs a Concourse"
	needsRegistry  = "needs an account at a registry"
	initAndGate    = "TestInit… and TestGate… take it from the page and run it"
	isMake         = "is a target of the Makefile, which CI runs"
)

// toldCommands are all commands of all READMEs.
func toldCommands() map[string]told {
	return map[string]told{
		"go run ./pipelines/taxiway render deployments --values values.yml --repository ../deployments --output pipeline.yml": {in: "taxiway", values: "deployments"},
		"go run ./pipelines/taxiway lint pipeline.yml": {in: "taxiway"},
		"go run ./pipelines/taxiway lint .github/workflows/*.yml .github/ruleset.json": {
			in: "lana-bank", values: "checks", fill: map[string]string{
				"go run ./pipelines/taxiway lint": "go run ./pipelines/taxiway render checks --values values.yml --output . && go run ./pipelines/taxiway lint",
			},
		},
		"go run ./pipelines/taxiway render checks --values .github/checks.yml --output .": {
			in: "lana-bank", fill: map[string]string{".github/checks.yml": "values.yml"}, values: "checks", says: "rendered .github/workflows/nextest.yml",
		},
		"go run ./pipelines/taxiway set deployments --values values.yml --repository ../deployments --target ci [--execute]": {in: "taxiway", values: "deployments", says: "fly --target ci set-pipeline --pipeline deployments --config deployments.yml"},
		"go run ./pipelines/taxiway set release --values values.yml --target ci --pipeline lana-bank":                        {in: "taxiway", values: "release", says: "--pipeline lana-bank"},
		"go run ./pipelines/taxiway set charts --values values.yml --target ci":                                              {in: "taxiway", values: "charts", says: "--pipeline charts"},
		"go run ./pipelines/taxiway set nix-cache --values values.yml --target ci --pipeline lana-bank-nix-cache":            {in: "taxiway", values: "nix-cache", says: "--pipeline lana-bank-nix-cache"},
		"go run ./pipelines/taxiway trace --deployments ../deployments [--clone ../charts --clone ../lana-bank] [--registry] [--env NAME]": {
			in: "taxiway", with: []string{"[--clone ../charts --clone ../lana-bank]", "[--env NAME]"}, fill: map[string]string{"NAME": "gcp-galoy-staging"}, says: "gcp-galoy-staging",
		},
		"go run ./pipelines/taxiway diff lana-bank/gcp-galoy-staging lana-bank/gcp-volcano-production --deployments ../deployments [--clone ../charts --clone ../lana-bank]": {
			in: "taxiway", with: []string{"[--clone ../charts --clone ../lana-bank]"}, says: "gcp-galoy-staging",
		},
		"go run ./pipelines/taxiway board --deployments ../deployments [--clone ../charts --clone ../lana-bank] --html board.html": {
			in: "taxiway", with: []string{"[--clone ../charts --clone ../lana-bank]"},
		},
		"go run ./pipelines/taxiway board --deployments ../deployments [--clone ../charts --clone ../lana-bank] --listen 8080": {not: "serves until it is ended; TestBoardIsServed does"},
		"go run ./resources/vendir-bump/cmd/vendir-bump sync -C ../deployments --directory modules/lana-bank/vendor/lana-bank ../charts": {
			in: "taxiway", says: "modules/lana-bank/vendor/lana-bank is the copy of",
		},
		"cepler-in explain --config cepler/lana-bank.yml --gates-branch cepler-gates --gates-file cepler-gates/lana-bank.yml": {in: "deployments", says: "deployment lana-bank, branch main"},
		"chart-bump edit --values charts/bank/values.yaml --repository https://github.com/acme/bank --commit e348f09 bank.image.digest sha256:…": {
			in: "charts", fill: map[string]string{"…": digits}, says: "bank.image.digest set",
		},
		`git worktree add --detach ../gates && cd ../gates && git checkout --orphan cepler-gates && git rm -rfq . && printf 'staging: HEAD\nproduction: HEAD\n' >shop.yml && git add shop.yml && git commit -m "chore: gates" && git push origin cepler-gates`: {
			in: "deployments", fill: map[string]string{"cepler-gates": "own-gates", "git commit": "git -c user.name=ana -c user.email=ana@example.org commit"},
		},
		"taxiway init --app ../shop --charts ../charts --deployments ../deployments":                                                                                                                                              {not: initAndGate},
		"taxiway init --app ../shop --charts ../charts --deployments ../deployments [--executor helm] [--environments staging,production] [--dry-run]":                                                                            {not: initAndGate},
		"taxiway doctor release=../shop/ci/release.values.yml charts=../charts/ci/charts.values.yml deployments=../deployments/ci/deployments.values.yml --repository ../shop --repository ../charts --repository ../deployments": {not: initAndGate},
		"taxiway gate show production --deployments ../deployments --clone ../shop":                                                                                                                                               {not: initAndGate},
		"taxiway gate show production --deployments ../deployments [--clone ../charts --clone ../lana-bank] [--json]":                                                                                                             {not: initAndGate},
		"taxiway gate open production --deployments ../deployments":                                                                                                                                                               {not: initAndGate},
		"taxiway gate open production --deployments ../deployments [--yes]":                                                                                                                                                       {not: initAndGate},

		"go run ./pipelines/taxiway init --app ../shop --charts ../charts --deployments ../deployments":                                                                                                                                                                                            {not: "TestInitDoctorRehearse types it"},
		"go run ./pipelines/taxiway doctor release=../shop/ci/release.values.yml charts=../charts/ci/charts.values.yml deployments=../deployments/ci/deployments.values.yml --repository ../shop --repository ../charts --repository ../deployments":                                               {not: "TestInitDoctorRehearse types it"},
		"go run ./pipelines/taxiway rehearse release=../shop/ci/release.values.yml charts=../charts/ci/charts.values.yml deployments=../deployments/ci/deployments.values.yml --repository ../shop --repository ../charts --repository ../deployments --vars ../deployments/ci/rehearsal.vars.yml": {not: "TestInitDoctorRehearse types it"},
		"go run ./pipelines/taxiway set release --values ../shop/ci/release.values.yml --target ci --execute":                                                                                                                                                                                      {not: needsConcourse},
		"go run ./pipelines/taxiway set charts --values ../charts/ci/charts.values.yml --target ci --execute":                                                                                                                                                                                      {not: needsConcourse},
		"go run ./pipelines/taxiway set deployments --values ../deployments/ci/deployments.values.yml --repository ../deployments --target ci --execute":                                                                                                                                           {not: needsConcourse},
		"go run ./pipelines/taxiway commits origin/main..HEAD":                                                                                 {not: "needs a clone with a remote; TestCommits… run it"},
		"go run ./pipelines/taxiway commits --title \"feat(loans): interest by day\"":                                                          {in: "taxiway", says: "minor: feat(loans): interest by day"},
		"go run ./pipelines/taxiway rehearse PIPELINE... --repository NAME=CLONE --vars vars.yml [--scenario scenario.yml] [--html page.html]": {not: "is a synopsis; TestRehearse… play it"},
		"go run ./pipelines/taxiway rehearse PIPELINE... --repository NAME=CLONE --vars FILE":                                                  {not: "is a synopsis; TestRehearse… play it"},
		"go run ./pipelines/taxiway demo [--html page.html]":                                                                                   {not: isMake},
		"go run ./pipelines/taxiway demo --html demo.html":                                                                                     {not: isMake},
		"go run ./pipelines/taxiway render --examples pipelines/examples":                                                                      {not: "changes this checkout; TestRenderings… compare the result"},
		"go run ./pipelines/taxiway local":                                                                                                     {not: needsConcourse},
		"docker compose --file pipelines/docker-compose.yml up --detach --wait":                                                                {not: needsConcourse},
		"taxiway token --name GH_TOKEN --arguments build/args --file token/args":                                                               {not: "needs GitHub; TestTokenOfABuild runs it"},
		"taxiway token --name GH_TOKEN --file token/args --image image/image.tar":                                                              {not: "needs GitHub; TestTokenOfABuild runs it"},
		"fly -t ci login":                    {not: needsConcourse},
		"go run ./pipelines/taxiway schemas": {not: "changes this checkout; the tests of schemas compare the result"},
		"fly -t ci trigger-job -j deployments/deploy-gcp-volcano-production -w":           {not: needsConcourse},
		"fly -t ci unpin-resource -r deployments/gcp-volcano-production":                  {not: needsConcourse},
		"fly -t ci check-resource -r deployments/gcp-volcano-production --from version:1": {not: needsConcourse},
		"fly -t ci pin-resource -r deployments/gcp-volcano-production -v version:1":       {not: needsConcourse},
		"fly -t ci unpause-pipeline -p release":                                           {not: needsConcourse},
		"go run ./images build":                                                           {not: "builds all images; the tests of images do"},
		"go run ./images build --format docker cepler-in":                                 {not: "builds all images; the tests of images do"},
		"go run ./images push registry.example.org/taxiway":                               {not: needsRegistry},
		"go run ./images push registry.example.org/taxiway --version 0.1.0":               {not: needsRegistry},
		"go run ./images inspect build/images/cepler-in":                                  {not: "reads what a build left; the tests of images do"},
		"go run ./images sbom PROGRAM":                                                    {not: "is a synopsis; TestTheBillOfMaterialsOfAProgram runs it"},
		"go run ./images inspect registry.example.org/taxiway/cepler-in:0.1.0":            {not: needsRegistry},
		"git checkout v0.1.0":                                                             {not: "needs a release"},
		"make demo":                                                                       {not: isMake},
		"make test":                                                                       {not: isMake},
		"make lint":                                                                       {not: isMake},
		"make fuzz":                                                                       {not: isMake},
		".ci/run":                                                                         {not: "is what CI runs"},
	}
}

// Every command of the READMEs is run from a folder beside the clones that it names, or has a reason why not.
func TestCommandsOfReadmes(t *testing.T) {
	t.Parallel()
	commands := toldCommands()
	found := readmeCommands(t)
	for command, where := range found {
		_, known := commands[command]
		assert.True(t, known, "%s has a command that no test runs: say in toldCommands how, or why not: %s", where, command)
	}
	for command := range commands {
		_, there := found[command]
		assert.True(t, there, "no README has this command any more: %s", command)
	}
	without(t, "git")
	without(t, "bash")
	w := newDesk(t)
	for _, command := range slices.Sorted(maps.Keys(commands)) {
		c := commands[command]
		if c.not != "" {
			continue
		}
		w.run(t, c, command, nil)
		if len(c.with) > 0 {
			w.run(t, c, command, c.with)
		}
	}
}

// readmeCommands are the commands of all pages by their texts, with the pages that have them.
func readmeCommands(t *testing.T) map[string]string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"../../*.md", "../*.md", "../*/*.md", "../../resources/*/README.md", "../../images/README.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	program := `(?:go run |taxiway |make |docker |git |fly |\.ci/run|vendir-bump |chart-bump |cepler-in |semver-git )`
	line := regexp.MustCompile(`^(?: {4,})?(` + program + `.*|\.ci/run.*)$`)
	inline := regexp.MustCompile("`((?:go run |fly -t ci )[^`]+)`")
	found := map[string]string{}
	for _, page := range pages {
		if filepath.Base(page) == "CHANGELOG.md" {
			continue
		}
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		prose := true
		for l := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
			if strings.HasPrefix(strings.TrimSpace(l), "```") {
				prose = !prose
			}
			if m := line.FindStringSubmatch(strings.TrimRight(l, "\n")); m != nil && (!prose || strings.HasPrefix(l, "    ")) {
				command, _, _ := strings.Cut(m[1], " #")
				found[strings.Join(strings.Fields(command), " ")] = page
			}
			for _, m := range inline.FindAllStringSubmatch(l, -1) {
				if prose && strings.Count(m[1], " ") > 2 {
					found[m[1]] = page
				}
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

// desk is the folder of a person who works on all repositories: clones beside each other.
type desk struct{ root, path string }

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{root: t.TempDir()}
	programs := filepath.Join(d.root, "programs")
	d.path = programs + string(os.PathListSeparator) + os.Getenv("PATH")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs+string(os.PathSeparator), "./pipelines/taxiway", "./resources/vendir-bump/cmd/vendir-bump", "./resources/cepler-in/cmd/cepler-in", "./resources/chart-bump/cmd/chart-bump")
	build.Dir = "../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	// go run PACKAGE runs the program that was just built of it: the commands are typed in a checkout
	// of this module, and the test's has nothing beside it
	require.NoError(t, os.WriteFile(filepath.Join(programs, "go"), []byte("#!/usr/bin/env bash\nset -eu\n[ \"$1\" = run ]\nprogram=$(basename \"$2\")\nshift 2\nexec \""+programs+"/$program\" \"$@\"\n"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(d.root, "taxiway"), 0o755))

	const vendir = "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: modules/lana-bank/vendor/lana-bank\n  contents:\n  - path: .\n    git: {url: https://github.com/acme-bank/charts, ref: main}\n"
	deployments := map[string]string{"vendir.yml": vendir, "gcp/galoy-staging/lana-bank/main.tf": "# staging\n"}
	for _, name := range []string{"lana-bank", "monitoring", "bank-reports"} {
		text, err := os.ReadFile(filepath.Join(examplesFolder, "lana-bank", "cepler", name+".yml"))
		require.NoError(t, err)
		deployments["cepler/"+name+".yml"] = string(text)
	}
	d.repository(t, "deployments", deployments)
	d.repository(t, "charts", map[string]string{"charts/bank/Chart.yaml": "name: bank\nversion: 1.0.0\n", "charts/bank/values.yaml": "bank:\n  image:\n    repository: ghcr.io/acme/bank\n    digest: sha256:" + strings.Repeat("0", 64) + "\n"})
	d.repository(t, "lana-bank", map[string]string{"main.rs": "fn main() {}\n"})
	d.git(t, "origins/deployments", "checkout", "-q", "--orphan", "cepler-gates")
	for _, name := range []string{"lana-bank", "monitoring", "bank-reports"} {
		d.write(t, "origins/deployments/cepler-gates/"+name+".yml", "gcp-galoy-staging: HEAD\ngcp-volcano-qa: HEAD\ngcp-volcano-production: HEAD\n")
	}
	d.git(t, "origins/deployments", "add", "cepler-gates")
	d.git(t, "origins/deployments", "commit", "-q", "-m", "gates")
	d.git(t, "origins/deployments", "checkout", "-q", "-f", "main")
	for _, name := range []string{"deployments", "charts", "lana-bank"} {
		d.git(t, ".", "clone", "-q", "origins/"+name, name)
	}
	return d
}

func (d desk) repository(t *testing.T, name string, files map[string]string) {
	t.Helper()
	dir := "origins/" + name
	for file, text := range files {
		d.write(t, dir+"/"+file, text)
	}
	d.git(t, dir, "init", "-q", "-b", "main")
	d.git(t, dir, "add", ".")
	d.git(t, dir, "commit", "-q", "-m", "feat: first")
}

func (d desk) write(t *testing.T, file, text string) {
	t.Helper()
	full := filepath.Join(d.root, filepath.FromSlash(file))
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o644))
}

func (d desk) git(t *testing.T, dir string, args ...string) {
	t.Helper()
	full := append([]string{"-C", filepath.Join(d.root, dir), "-c", "user.name=ana", "-c", "user.email=ana@example.org"}, args...)
	out, err := exec.CommandContext(t.Context(), "git", full...).CombinedOutput()
	require.NoError(t, err, "git %q: %s", args, out)
}

// run types a command, with these of its optional parts.
func (d desk) run(t *testing.T, c told, command string, with []string) {
	t.Helper()
	for _, part := range with {
		command = strings.ReplaceAll(command, part, part[1:len(part)-1])
	}
	command = strings.TrimSpace(regexp.MustCompile(` ?\[[^\]]*\]`).ReplaceAllString(command, ""))
	for from, to := range c.fill {
		command = strings.ReplaceAll(command, from, to)
	}
	if c.values != "" {
		values, err := os.ReadFile(exampleOf("lana-bank", c.values).Rendering().Values)
		require.NoError(t, err)
		d.write(t, c.in+"/values.yml", string(values))
	}
	if strings.Contains(command, " lint ") {
		want, err := os.ReadFile(exampleOf("lana-bank", "deployments").Want())
		require.NoError(t, err)
		d.write(t, c.in+"/pipeline.yml", string(want))
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", command)
	shell.Dir = filepath.Join(d.root, c.in)
	shell.Env = append(os.Environ(), "PATH="+d.path, fmt.Sprintf("TMPDIR=%s", t.TempDir()))
	out, err := shell.CombinedOutput()
	if assert.NoError(t, err, "$ %s\n%s", command, out) && c.says != "" {
		assert.Contains(t, string(out), c.says, "$ %s", command)
	}
}
