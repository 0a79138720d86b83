package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/pipelines"
	"github.com/taxiway-ci/taxiway/pipelines/demo"
	"github.com/taxiway-ci/taxiway/pipelines/doctor"
)

// ward is the clones of an example's repositories, and its pipelines.
type ward struct {
	t     *testing.T
	env   []string
	dir   string
	names []string
	args  []string // further ones
}

// wards are made once for each example, and then copied.
type wards struct {
	mu   sync.Mutex
	made map[string]*ward
}

// copied is a copy of the clones of an example's repositories.
func (all *wards) copied(t *testing.T, example string) *ward {
	t.Helper()
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.made[example] == nil {
		all.made[example] = newWard(t, example)
	}
	from := all.made[example]
	w := &ward{t: t, env: withTaxiway(t), dir: filepath.Join(t.TempDir(), "ward"), names: from.names}
	require.NoError(t, os.CopyFS(w.dir, os.DirFS(from.dir)))
	for _, name := range w.names {
		config := filepath.Join(w.dir, name, ".git", "config")
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), from.dir, w.dir)), 0o600))
	}
	return w
}

func (all *wards) remove() {
	for _, w := range all.made {
		_ = os.RemoveAll(w.dir) // a folder that is left does no harm
	}
}

// newWard clones the repositories of an example, each from one on this machine.
func newWard(t *testing.T, example string) *ward {
	t.Helper()
	dir, err := os.MkdirTemp("", "taxiway-ward-") //nolint:usetesting // it outlives the test that needs it first
	require.NoError(t, err)
	w := &ward{t: t, env: withTaxiway(t), dir: dir}
	branches := archived(t, example)
	repositories := map[string]*gittest.Repository{}
	for _, b := range branches {
		if repositories[b.repository] == nil {
			r, err := gittest.Init(filepath.Join(w.dir, b.repository+".git"))
			require.NoError(t, err)
			repositories[b.repository] = r
			w.names = append(w.names, b.repository)
		}
	}
	require.NoError(t, writeBranches(branches, repositories))
	for _, name := range w.names {
		w.sh("rm -rf " + name + ".git/hooks && git clone --quiet " + name + ".git " + name)
	}
	for _, template := range []string{"release", "charts", pipelines.Deployments} {
		text, err := os.ReadFile(filepath.Join(examplesFolder, example, template, pipelines.WantFile))
		if err == nil {
			require.NoError(t, os.WriteFile(filepath.Join(w.dir, template+".yml"), text, 0o600))
		}
	}
	return w
}

func (w *ward) sh(line string) {
	w.t.Helper()
	out, err := shell(w.t, w.env, w.dir, line)
	require.NoError(w.t, err, "%s\n%s", line, out)
}

// edit changes a file of a clone.
func (w *ward) edit(repository, name string, change func(string) string) {
	w.t.Helper()
	file := filepath.Join(w.dir, repository, filepath.FromSlash(name))
	text, err := os.ReadFile(file)
	require.NoError(w.t, err)
	changed := change(string(text))
	require.NotEqual(w.t, string(text), changed, name)
	require.NoError(w.t, os.WriteFile(file, []byte(changed), 0o600))
	w.sh("cd " + repository + " && git commit --quiet --all --message edit")
}

// pipeline changes a rendered pipeline.
func (w *ward) pipeline(template, old, replacement string) {
	w.t.Helper()
	file := filepath.Join(w.dir, template+".yml")
	text, err := os.ReadFile(file)
	require.NoError(w.t, err)
	require.Contains(w.t, string(text), old)
	require.NoError(w.t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o600))
}

// gates replaces the gates file.
func (w *ward) gates(line string) {
	w.t.Helper()
	w.sh("cd deployments && git checkout --quiet cepler-gates && " + line + " && git add --all && git commit --quiet --message edit && git checkout --quiet main")
}

// see is doctor's report, and its exit status.
func (w *ward) see() (report doctor.Report, status int) {
	w.t.Helper()
	args := append([]string{"doctor", "--json"}, w.args...)
	for _, template := range []string{"release", "charts", pipelines.Deployments} {
		if file := filepath.Join(w.dir, template+".yml"); isFile(file) {
			args = append(args, file)
		}
	}
	for _, name := range w.names {
		args = append(args, "--repository", name+"="+filepath.Join(w.dir, name))
	}
	got := wholeProgram(w.t, args...)
	require.NoError(w.t, json.Unmarshal([]byte(got.stdout), &report), got.stderr)
	return report, got.status
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func ofRule(r doctor.Report, rule string) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f doctor.Finding) bool { return f.Rule != rule })
}

// The worlds in which the examples are rehearsed are healthy.
func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	for _, example := range rehearsedExamples(t) {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			all := &wards{made: map[string]*ward{}}
			t.Cleanup(all.remove)
			report, status := all.copied(t, example).see()
			for _, f := range report.Findings {
				if strings.Contains(f.Asked, "statements-fonts-in-chart") && f.Rule == "automerge-missing" {
					continue // a person merges that one
				}
				assert.Contains(t, []string{"fly-missing"}, f.Rule, "%+v", f)
			}
			assert.Zero(t, status)
			assert.NotEmpty(t, report.Looked)
		})
	}
}

// broken is a world in which something is missing, and the name of the finding.
type broken struct {
	example string // small-team if it is empty
	rule    string
	level   doctor.Level
	damage  func(w *ward)
	// text is a part of what is said.
	text string
	// byHand says that no shell command mends it: a person has to write something, or to decide.
	byHand bool
	// more are rules of findings that stay, or come, after that.
	more []string
}

func drop(path string) func(*ward) {
	return func(w *ward) {
		repository, name, _ := strings.Cut(path, "/")
		w.sh("cd " + repository + " && git rm -r --quiet " + name + " && git commit --quiet --message edit")
	}
}

func replace(path, old, replacement string) func(*ward) {
	return func(w *ward) {
		repository, name, _ := strings.Cut(path, "/")
		w.edit(repository, name, func(text string) string { return strings.ReplaceAll(text, old, replacement) })
	}
}

func brokenWorlds() map[string]broken {
	return map[string]broken{
		"a folder is no clone":      {rule: "repository-unread", damage: func(w *ward) { w.sh("rm -rf shop/.git") }, byHand: true, text: "is not a clone"},
		"a repository is empty":     {rule: "repository-empty", damage: func(w *ward) { w.sh("rm -rf charts && git init --quiet --initial-branch main charts") }, more: []string{"*"}},
		"a clone of something else": {rule: "other-repository", level: doctor.Warning, damage: func(w *ward) { w.sh("git -C shop remote set-url origin git@github.com:acme/other.git") }, text: "acme/other"},
		"a shallow clone": {rule: "clone-shallow", level: doctor.Warning, damage: func(w *ward) {
			w.edit("shop", "Makefile", upper)
			w.sh("git -C shop push --quiet origin main")
			w.sh(`rm -rf shop && git clone --quiet --no-single-branch --depth 1 "file://$PWD/shop.git" shop`)
		}},
		"an ssh server that nobody knows": {rule: "host-key-unknown", damage: func(w *ward) {
			w.pipeline("deployments", "https://github.com/acme-books/deployments.git", "git@git.acme.example:books/deployments.git")
			w.pipeline("deployments", "    username: acme-bot\n    password: ((github.token))\n", "    private_key: ((key))\n")
		}, byHand: true, text: "git.acme.example"},
		"a branch is missing": {rule: "branch-missing", damage: func(w *ward) {
			w.pipeline("release", "charts.git\n    branch: main", "charts.git\n    branch: candidates")
		}, text: "has no branch candidates"},
		"a commit is not pushed": {rule: "not-pushed", level: doctor.Warning, damage: func(w *ward) { w.sh("cd shop && git commit --quiet --allow-empty --message more") }},
		"a file is not committed": {rule: "not-committed", damage: func(w *ward) {
			w.sh("cd shop && git rm --quiet --cached Dockerfile && git commit --quiet --message less")
		}, text: "in the work tree"},
		"the branch of the gates": {rule: "gates-branch-missing", damage: func(w *ward) {
			w.sh("git -C deployments.git branch --quiet -D cepler-gates && git -C deployments fetch --quiet --prune")
		}, text: "cepler-gates"},
		"the gates file":                    {rule: "gates-file-missing", damage: func(w *ward) { w.gates("git mv gates.yml other.yml") }},
		"a gate":                            {rule: "gate-missing", damage: func(w *ward) { w.gates("echo 'staging: HEAD' >gates.yml") }, text: "no gate for production"},
		"a gates file that is broken":       {rule: "gates-file-invalid", damage: func(w *ward) { w.gates("echo 'production: {soak' >gates.yml") }, byHand: true},
		"a gate of nothing":                 {rule: "gate-of-no-environment", level: doctor.Warning, damage: func(w *ward) { w.gates("echo 'prodution: HEAD' >>gates.yml") }, byHand: true, text: "prodution"},
		"a gate at no commit":               {rule: "gate-invalid", damage: func(w *ward) { w.gates("printf 'staging: HEAD\\nproduction: 1234567890\\n' >gates.yml") }},
		"the cepler config":                 {rule: "config-missing", damage: drop("deployments/cepler/shop.yml"), more: []string{"pattern-matches-nothing", "not-delivered"}},
		"a config that is broken":           {rule: "config-invalid", damage: replace("deployments/cepler/shop.yml", "passed:", "pased:"), byHand: true, text: "passed"},
		"an environment":                    {rule: "environment-missing", damage: replace("deployments/cepler/shop.yml", "  production:", "  live:"), byHand: true, text: "production"},
		"files of a pattern":                {rule: "pattern-matches-nothing", level: doctor.Warning, damage: replace("deployments/cepler/shop.yml", "- environments/staging/*", "- environments/staging/*\n    - envs/**"), byHand: true, text: "envs/**"},
		"what an environment gets":          {rule: "not-delivered", damage: replace("deployments/cepler/shop.yml", "- vendor/shop/**", "- vendor/shop/chart/values.yaml"), byHand: true, text: "no pattern of environment staging"},
		"the values of an environment":      {rule: "deployed-values-missing", damage: drop("deployments/environments/production/values.yml")},
		"the chart that is deployed":        {rule: "deployed-chart-missing", damage: drop("deployments/vendor/shop/chart"), byHand: true},
		"vendir.yml":                        {rule: "vendir-missing", damage: drop("deployments/vendir.yml")},
		"an entry of vendir.yml":            {rule: "vendir-content-missing", damage: replace("deployments/vendir.yml", "vendor/shop", "vendor/other")},
		"a copy of something else":          {rule: "vendir-other-repository", damage: replace("deployments/vendir.yml", "acme-books/charts", "acme-books/other"), text: "acme-books/other"},
		"a broken vendir.yml":               {rule: "vendir-invalid", damage: replace("deployments/vendir.yml", "includePaths", "inclddePaths"), byHand: true},
		"the chart":                         {rule: "chart-missing", damage: drop("charts/charts/shop/Chart.yaml")},
		"the values of the chart":           {rule: "chart-values-missing", damage: drop("charts/charts/shop/values.yaml")},
		"broken values of the chart":        {rule: "chart-values-invalid", damage: replace("charts/charts/shop/values.yaml", "image:", "image: {"), byHand: true},
		"the place of a digest":             {rule: "value-path-missing", damage: replace("charts/charts/shop/values.yaml", "image:", "server:"), text: "image.digest"},
		"a place below a key that is there": {rule: "value-path-missing", damage: replace("charts/charts/shop/values.yaml", "digest:", "diggest:"), byHand: true, text: "image.digest"},
		"the test flight":                   {rule: "flight-missing", damage: drop("charts/ci/testflight/shop/main.tf"), more: []string{"flight-variable-missing"}},
		"its namespace":                     {rule: "flight-variable-missing", level: doctor.Warning, damage: replace("charts/ci/testflight/shop/main.tf", "testflight_namespace", "space")},
		"its values":                        {rule: "flight-values-missing", damage: drop("charts/ci/testflight/shop/values.yml")},
		"its smoke test":                    {rule: "script-missing", damage: drop("charts/ci/testflight/shop/smoketest.sh")},
		"a watched path": {rule: "watched-path-missing", level: doctor.Warning, damage: func(w *ward) {
			w.pipeline("charts", "    - ci/testflight/shop\n", "    - ci/testflight/shop\n    - charts/common\n")
		}, byHand: true, text: "watched"},
		"the Dockerfile":          {rule: "dockerfile-missing", damage: drop("shop/Dockerfile")},
		"the context of an image": {rule: "context-missing", damage: func(w *ward) { w.pipeline("release", "CONTEXT: prepared", "CONTEXT: prepared/app") }},
		"cog.toml":                {rule: "cog-missing", damage: cog},
		"a cog.toml that is broken": {rule: "cog-invalid", damage: func(w *ward) {
			cog(w)
			w.sh("cd shop && echo 'ignore_merge_comits = true' >cog.toml && git add . && git commit --quiet --message cog")
		}, byHand: true, text: "ignore_merge_commits"},
		"a config of git-cliff": {rule: "cliff-missing", damage: cliff, byHand: true},
		"a config of git-cliff that is broken": {rule: "cliff-invalid", damage: func(w *ward) {
			cliff(w)
			w.sh("cd shop && printf '[git]\\nsort_commits = \"up\"\\n' >cliff.toml && git add . && git commit --quiet --message cliff")
		}, byHand: true, text: "newest, oldest"},
		"a version behind its tags": {rule: "version-behind", damage: func(w *ward) { w.sh("git -C shop tag 2.0.0") }, text: "tag of 2.0.0"},
		"a version that is none": {rule: "version-invalid", damage: func(w *ward) {
			w.sh("cd shop && git checkout --quiet version && echo one >version && git commit --quiet --all --message one && git checkout --quiet main")
		}},
		"the workflow that merges": {rule: "automerge-missing", level: doctor.Warning, damage: func(w *ward) { w.pipeline("release", "auto_merge: squash", "labels: [galoybot, shop]") }, text: "galoybot, shop"},
		"a pipeline with a fault":  {rule: "lint", damage: func(w *ward) { w.pipeline("charts", "config: vendir.yml", "confg: vendir.yml") }, byHand: true, text: "config"},
		"a pipeline that is none":  {rule: "lint", damage: func(w *ward) { w.sh("echo '{' >charts.yml") }, byHand: true},
		"an old Concourse":         {rule: "concourse-old", damage: func(w *ward) { w.args = []string{"--concourse", "v6.7.1"} }, byHand: true, text: "no_get"},
		"another Dockerfile":       {example: "go-service", rule: "dockerfile-missing", damage: drop("weatherd/Dockerfile")},
		"a Terraform configuration": {example: "multi-cloud", rule: "terraform-missing", damage: func(w *ward) {
			w.sh("cd deployments && git rm --quiet -r -- '*.tf' && git commit --quiet --message less")
		}},
	}
}

func upper(s string) string { return strings.ToUpper(s) }

func cog(w *ward) {
	w.pipeline("release", "changelog: CHANGELOG.md", "changelog: CHANGELOG.md\n    cog_toml: cog.toml")
}

func cliff(w *ward) {
	w.pipeline("release", "changelog: CHANGELOG.md", "changelog: CHANGELOG.md\n    cliff_toml: cliff.toml")
}

// The page of the commands says what each finding means.
func TestFindingsAreExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`[rR]ule: +"([a-z-]+)"|say\("([a-z-]+)"|find\("([a-z-]+)"|missing\("([a-z-]+)"`)
	var rules []string
	for _, pattern := range []string{"../doctor/*.go", "doctor.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				rules = append(rules, m[1]+m[2]+m[3])
				if m[4] != "" {
					rules[len(rules)-1] = m[4] + "-missing"
				}
			}
		}
	}
	assert.Greater(t, len(rules), 40)
	for _, rule := range rules {
		assert.Contains(t, string(page), "`"+rule+"`")
	}
}

// Each of the broken worlds is named; where the command that mends it is one of the shell, it does.
func TestDoctorOnBrokenWorlds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("breaks and mends many worlds")
	}
	all := &wards{made: map[string]*ward{}}
	t.Cleanup(all.remove)
	for name, b := range brokenWorlds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if b.example == "" {
				b.example = "small-team"
			}
			if b.level == "" {
				b.level = doctor.Error
			}
			w := all.copied(t, b.example)
			b.damage(w)
			report, status := w.see()
			assert.Equal(t, b.level == doctor.Error, status == statusFound, "%+v", report.Findings)
			found := ofRule(report, b.rule)
			require.NotEmpty(t, found, "%+v", report.Findings)
			for _, f := range found {
				assert.Equal(t, b.level, f.Level)
				assert.NotEmpty(t, f.Command+f.Advice, "what mends it")
			}
			assert.Contains(t, found[0].Place+" "+found[0].Text, b.text)
			if b.byHand {
				for _, f := range found {
					assert.NotContains(t, f.Command, ">>", "what it writes does not mend it")
				}
				return
			}
			for _, f := range found {
				w.sh(f.Command)
			}
			report, _ = w.see()
			for _, f := range report.Findings {
				expected := f.Level == doctor.Warning && f.Rule != b.rule || slices.Contains(b.more, f.Rule) || slices.Contains(b.more, "*") && f.Rule != b.rule
				assert.True(t, expected, "after %q:\n%+v", found, f)
			}
		})
	}
}

// The reference team's repositories, with all four pipelines, are healthy but for what only their forge has.
func TestDoctorOnTheDemo(t *testing.T) {
	t.Parallel()
	example, err := pipelines.DemoExample()
	require.NoError(t, err)
	configs, err := ceplerConfigs(example)
	require.NoError(t, err)
	dir := t.TempDir()
	var r demo.Repositories
	var args []string
	for name, into := range map[string]**gittest.Repository{"lana-bank": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
		*into, err = gittest.Init(filepath.Join(dir, name+".git"))
		require.NoError(t, err)
		args = append(args, "--repository", filepath.Join(dir, name+".git"))
	}
	_, err = demo.Write(t.Context(), r, configs)
	require.NoError(t, err)
	for _, name := range demoPipelines() {
		args = append(args, exampleOf("lana-bank", name).Want())
	}
	got := wholeProgram(t, append([]string{"doctor", "--json"}, args...)...)
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report), got.stderr)
	for _, f := range report.Findings {
		assert.Contains(t, []string{"fly-missing", "automerge-missing", "dockerfile-not-committed"}, f.Rule, "%+v", f)
	}
	assert.Len(t, report.Looked, 3)
}
