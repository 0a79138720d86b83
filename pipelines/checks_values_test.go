package pipelines

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// everyValue uses what the examples leave out, with texts that need care.
const everyValue = `
branch: trunk
runner: ubuntu-22.04
cachix: {cache: public}
checks:
- name: all-at-once
  nix: true
  go: true
  node: true
  reclaim_disk: true
  set_up: make up
  tear_down: make down
  env: {NUMBER: 1, FLAG: true, TEXT: "a: b # c"}
  secrets: [FIRST, SECOND]
  services:
    db: {image: "registry.example:5000/postgres:17.2", ports: ["5432:5432"], env: {POSTGRES_PASSWORD: none}}
  paths: ["a b/**", "it's.md"]
  timeout: 90
  attempts: 3
  matrix: {OS: [linux, "none of them"], COUNT: [1, 2]}
  artifacts: {paths: ["out/*.png"]}
  called: true
  run: |
    make check
    make again
- name: with-an-action
  uses: crate-ci/typos@bee27e3a4fd1ea2111cf90ab89cd076c870fce14
  version: v1.48.0
  with: {files: docs, write_changes: false}
  env: {A: b}
web_apps: {name: apps, apps: [web], scripts: [build], env: {CI: "true"}}
codeql: {name: analysis, languages: [go], blocks: none}
commits:
  messages: title
  taxiway: 1.4.2
  cog_toml: ci/team's cog.toml
  commit_types: {deps: patch, "it's": none}
spelling: {config: .typos.toml}
promote_rc_file_check: {bot_branch: "it's-a-branch", allowed_files: ["CHANGELOG.md"]}
bot_automerge: {labels: ["it's ours", bot], authors: ["a[bot]"], method: rebase}
ruleset: {name: "the rules", update: merge-queue, approvals: 2, also: [nix-cache/all], integration_id: 7}
`

// Workflows of any values are well formed.
func TestChecksOfEveryValue(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"every value": everyValue, "none": "{}\n", "the smallest": "checks: [{name: test, run: make}]\n"} {
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, []byte(text), 0o600))
		files, err := Rendering{Template: Checks, Values: values}.Files()
		require.NoError(t, err, name)
		findings := workflow.Lint(files)
		assert.Empty(t, findings, "%s: %s", name, findings)
		for file, data := range files {
			if file == RulesetFile {
				continue
			}
			for _, p := range judge(t, file, data) {
				t.Errorf("%s: %s: %v\n%s", name, file, p, data)
			}
		}
		if name != "every value" {
			continue
		}
		ruleset := string(files[RulesetFile])
		for _, want := range []string{`"refs/heads/trunk"`, `"context": "nix-cache/all"`, `"integration_id": 7`, `"merge_method": "SQUASH"`, `"required_approving_review_count": 2`} {
			assert.Contains(t, ruleset, want)
		}
		assert.NotContains(t, ruleset, "code_scanning", "findings that only report")
		assert.NotContains(t, ruleset, "bot-automerge", "it is no check")
		one := string(files[workflowsFolder+"/all-at-once.yml"])
		for _, want := range []string{
			"      FIRST:\n        required: false", "cancel-in-progress: false", "name: public\n        skipPush: true", "name: Check, try 3 of 3",
			"TEXT: 'a: b # c'", "OS: ${{ matrix.OS }}", "name: all-at-once-${{ strategy.job-index }}",
		} {
			assert.Contains(t, one, want)
		}
		assert.Contains(t, string(files[workflowsFolder+"/commits.yml"]), `--cog 'ci/team'\''s cog.toml' --type 'deps=patch' --type 'it'\''s=none' --title "$TITLE"`)
		assert.Contains(t, string(files[workflowsFolder+"/bot-automerge.yml"]), "'it''s ours'")
	}
}
