package pipelines

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// workflowFile is a rendered workflow as far as tests look at it.
type workflowFile struct {
	Name        string            `yaml:"name"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Name        string            `yaml:"name"`
		If          string            `yaml:"if"`
		Permissions map[string]string `yaml:"permissions"`
		Steps       []workflowStep    `yaml:"steps"`
	} `yaml:"jobs"`
}

type workflowStep struct {
	Name string            `yaml:"name"`
	If   string            `yaml:"if"`
	Uses string            `yaml:"uses"`
	With map[string]string `yaml:"with"`
	Env  map[string]string `yaml:"env"`
	Run  string            `yaml:"run"`
}

// workflowOf is a workflow of an example.
func workflowOf(t *testing.T, user, name string) workflowFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(exampleOf(user, Checks).WantDir(), filepath.FromSlash(workflowsFolder), name+".yml"))
	require.NoError(t, err)
	var w workflowFile
	require.NoError(t, yaml.Unmarshal(text, &w))
	return w
}

// stepOf is the step of that name in any job of the workflow.
func stepOf(t *testing.T, w workflowFile, name string) workflowStep {
	t.Helper()
	for _, job := range w.Jobs {
		for _, s := range job.Steps {
			if s.Name == name {
				return s
			}
		}
	}
	require.Fail(t, "no such step", "%s of %s", name, w.Name)
	return workflowStep{}
}

// runStep runs a step's script as GitHub does, in a folder and with nothing but these variables.
func runStep(t *testing.T, s workflowStep, dir string, env ...string) (out string, err error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not on PATH")
	}
	cmd := exec.CommandContext(t.Context(), bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1"}, env...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestAutomergeLooksBeforeItMerges(t *testing.T) {
	t.Parallel()
	w := workflowOf(t, "lana-charts", "bot-automerge")
	require.Len(t, w.Jobs, 1)
	assert.Empty(t, w.Permissions, "a workflow without permissions")
	job := w.Jobs["merge"]
	for _, condition := range []string{"'galoybot')", "'lana-bank')", "!github.event.pull_request.draft", "head.repo.full_name == github.repository"} {
		assert.Contains(t, job.If, condition)
	}
	assert.Equal(t, map[string]string{"contents": "write", "pull-requests": "write"}, job.Permissions)
	require.Len(t, job.Steps, 1)
	assert.Empty(t, job.Steps[0].Uses, "no action of others sees the token")
	assert.NotContains(t, job.Steps[0].Run, "${{", "text of others reaches the shell as a variable only")
}

// The step runs with a stand-in for gh.
func TestAutomergeMergesTheBotsOnly(t *testing.T) {
	t.Parallel()
	step := stepOf(t, workflowOf(t, "lana-charts", "bot-automerge"), "Merge when the rules are met")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\necho gh \"$@\"\n"), 0o700))
	for author, want := range map[string]string{
		"acme-bot":      "gh pr merge --auto --merge --match-head-commit 1f3c2aa https://github.com/acme/charts/pull/7\n",
		"acme-bot[bot]": "gh pr merge --auto --merge --match-head-commit 1f3c2aa https://github.com/acme/charts/pull/7\n",
		"mallory":       "mallory is not one of",
		"acme":          "acme is not one of",
	} {
		out, err := runStep(t, step, dir, "PATH="+dir+":/usr/bin:/bin", "AUTHORS="+step.Env["AUTHORS"], "METHOD="+step.Env["METHOD"],
			"AUTHOR="+author, "HEAD=1f3c2aa", "URL=https://github.com/acme/charts/pull/7")
		require.NoError(t, err, out)
		assert.True(t, strings.HasPrefix(out, want), "%s: %s", author, out)
	}
}

// history is a repository with a branch main, one commit on top of it for each set of files, and its merge into main on the
// branch "merge-" and its name.
func history(t *testing.T, commits map[string]map[string]string) (repo *gittest.Repository, hashes map[string]string) {
	t.Helper()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "code.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	i := repo.Import()
	base := i.Commit("main", "feat: begin").Files(map[string]string{"CHANGELOG.md": "# Changelog\n", "lana/main.rs": "fn main() {}\n", "docs-site/index.md": "# Docs\n"})
	made := map[string]*gittest.Commit{"main": base}
	for name, files := range commits {
		made[name] = i.Commit(name, "ci: "+name).From(base).Files(files)
		i.Commit("merge-"+name, "Merge pull request").From(base).Merge(made[name]).Files(files)
	}
	require.NoError(t, i.Done())
	hashes = map[string]string{}
	for name, c := range made {
		hashes[name] = c.Hash()
	}
	return repo, hashes
}

func TestPromotionMayTouchOnlyItsFiles(t *testing.T) {
	t.Parallel()
	repo, at := history(t, map[string]map[string]string{
		"good": {"CHANGELOG.md": "# Changelog\n## 0.42.0\n", "docs-site/api/v1.md": "new\n"},
		"code": {"CHANGELOG.md": "# Changelog\n## 0.42.0\n", "lana/main.rs": "fn main() { evil() }\n"},
		"near": {"apps/CHANGELOG.md": "in another folder\n", "CHANGELOG.md.bak": "x\n"},
	})
	step := stepOf(t, workflowOf(t, "lana-bank", "promote-rc-file-check"), "Only these files may be touched")
	for name, touched := range map[string][]string{"good": nil, "main": nil, "code": {"lana/main.rs"}, "near": {"apps/CHANGELOG.md", "CHANGELOG.md.bak"}} {
		out, err := runStep(t, step, repo.Dir, "ALLOWED="+step.Env["ALLOWED"], "BASE="+at["main"], "HEAD="+at[name])
		if touched == nil {
			require.NoError(t, err, "%s: %s", name, out)
			continue
		}
		require.Error(t, err, name)
		for _, file := range touched {
			assert.Contains(t, out, "\n"+file+"\n", name)
		}
		assert.NotContains(t, out, "\nCHANGELOG.md\n", name)
		assert.Contains(t, out, "::error title=promotion::", name)
	}
	out, err := runStep(t, step, repo.Dir, "ALLOWED="+step.Env["ALLOWED"], "BASE="+strings.Repeat("0", 40), "HEAD="+at["good"])
	require.Error(t, err, "a commit that is not there is not a success: %s", out)
}

func TestCheckWithPathsWorksWhenTheyAreTouched(t *testing.T) {
	t.Parallel()
	repo, _ := history(t, map[string]map[string]string{"pipeline": {"dagster/deep/asset.py": "x\n"}, "server": {"lana/main.rs": "fn main() { x() }\n"}})
	step := stepOf(t, workflowOf(t, "lana-bank", "data-pipeline"), "Is the check concerned?")
	output := filepath.Join(t.TempDir(), "output")
	for _, tc := range []struct{ event, head, want string }{
		{"pull_request", "pipeline", "true"}, {"pull_request", "server", "false"}, {"merge_group", "server", "true"},
	} {
		_, err := repo.Git("symbolic-ref", "HEAD", "refs/heads/merge-"+tc.head)
		require.NoError(t, err)
		out, err := runStep(t, step, repo.Dir, "EVENT="+tc.event, "GLOBS="+step.Env["GLOBS"], "GITHUB_OUTPUT="+output)
		require.NoError(t, err, out)
		assert.Equal(t, "touched="+tc.want+"\n", out, "%v", tc)
	}
	_, err := repo.Git("symbolic-ref", "HEAD", "refs/heads/main")
	require.NoError(t, err)
	out, err := runStep(t, step, repo.Dir, "EVENT=pull_request", "GLOBS=x", "GITHUB_OUTPUT="+output)
	require.Error(t, err, "a checkout without the base is not a success: %s", out)
	written, err := os.ReadFile(output)
	require.NoError(t, err)
	assert.Equal(t, "touched=true\ntouched=false\ntouched=true\n", string(written))
}

func TestCheckSaysWhichSecretIsMissing(t *testing.T) {
	t.Parallel()
	step := stepOf(t, workflowOf(t, "lana-bank", "data-pipeline"), "A fork has no secrets")
	out, err := runStep(t, step, t.TempDir(), "NEEDED="+step.Env["NEEDED"], "GOOGLE_CREDENTIALS=")
	require.Error(t, err)
	assert.Contains(t, out, "::error title=secret missing::GOOGLE_CREDENTIALS is empty.")
	out, err = runStep(t, step, t.TempDir(), "NEEDED="+step.Env["NEEDED"], "GOOGLE_CREDENTIALS={}")
	require.NoError(t, err, out)
}

// A skipped job counts as green for GitHub, so the required check looks at the result itself.
func TestCheckOfAMatrixStandsForAllItsJobs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"check-code-apps", "codeql"} {
		w := workflowOf(t, "lana-bank", name)
		assert.Equal(t, "${{ always() }}", w.Jobs["check"].If)
		assert.Equal(t, name, w.Jobs["check"].Name)
		step := stepOf(t, w, "All jobs must have passed")
		for result, passes := range map[string]bool{"success": true, "failure": false, "cancelled": false, "skipped": false, "": false} {
			out, err := runStep(t, step, t.TempDir(), "RESULT="+result)
			assert.Equal(t, passes, err == nil, "%s: %s", result, out)
		}
	}
}

func TestCheckOfWebAppsRunsEveryScript(t *testing.T) {
	t.Parallel()
	step := stepOf(t, workflowOf(t, "lana-bank", "check-code-apps"), "Check")
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "apps", "admin-panel"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pnpm"), []byte("#!/bin/sh\necho $(basename $PWD) \"$@\"\n[ \"$*\" != \"run $BROKEN\" ]\n"), 0o700))
	env := []string{"PATH=" + dir + ":/usr/bin:/bin", "APP=apps/admin-panel", "SCRIPTS=" + step.Env["SCRIPTS"]}
	out, err := runStep(t, step, dir, append(env, "BROKEN=")...)
	require.NoError(t, err, out)
	assert.Equal(t, "admin-panel install --frozen-lockfile\nadmin-panel run lint\nadmin-panel run type-check\nadmin-panel run build\n", out)
	out, err = runStep(t, step, dir, append(env, "BROKEN=type-check")...)
	require.Error(t, err, out)
	assert.NotContains(t, out, "run build")
}
