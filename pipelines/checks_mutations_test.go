package pipelines

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// slip breaks one thing of the checks of an example: of the values, which are then refused, or of a rendered file.
type slip struct{ user, file, old, new, want string }

// What goes wrong when values or workflows are changed without care, one thing at a time: render, lint or actionlint says what
// it is.
func TestSlipsOfChecksAreNamed(t *testing.T) {
	t.Parallel()
	for _, s := range valueSlips() {
		t.Run("render: "+s.want, func(t *testing.T) {
			t.Parallel()
			good, err := os.ReadFile(exampleOf(s.user, Checks).Rendering().Values)
			require.NoError(t, err)
			require.Contains(t, string(good), s.old)
			values := filepath.Join(t.TempDir(), valuesFile)
			require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), s.old, s.new, 1)), 0o644))
			_, err = Rendering{Template: Checks, Values: values}.Files()
			require.ErrorContains(t, err, s.want)
		})
	}
	for _, s := range fileSlips() {
		t.Run("lint: "+s.want, func(t *testing.T) {
			t.Parallel()
			files := s.broken(t)
			assert.Contains(t, workflow.Lint(files).String(), s.want)
		})
	}
	for _, s := range syntaxSlips() {
		t.Run("actionlint: "+s.want, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(s.want, "shellcheck") {
				without(t, "shellcheck")
			}
			var said []string
			for _, p := range judge(t, s.file, s.broken(t)[s.file]) {
				said = append(said, p.Message)
			}
			assert.Contains(t, strings.Join(said, "\n"), s.want)
		})
	}
}

// broken are the files of the example with the slip.
func (s slip) broken(t *testing.T) map[string][]byte {
	t.Helper()
	files := maps.Clone(committed(t, exampleOf(s.user, Checks)))
	require.Contains(t, string(files[s.file]), s.old, s.file)
	files[s.file] = []byte(strings.Replace(string(files[s.file]), s.old, s.new, 1))
	return files
}

func valueSlips() []slip {
	const bank, service, charts = "lana-bank", "go-service", "lana-charts"
	return []slip{
		{user: bank, old: "spelling: {}", new: "speling: {}", want: `did you mean "spelling"?`},
		{user: bank, old: "  level: high", new: "  level: highest", want: `one of ["low", "moderate", "high", "critical"]`},
		{user: bank, old: "  secret: CACHIX_AUTH_TOKEN", new: "  secret: eyJhbGciOi", want: "never the secret itself"},
		{user: bank, old: "cachix:\n  cache: acme-bank\n  secret: CACHIX_AUTH_TOKEN\n", new: "", want: "checks: nextest has nix: true, and cachix.cache is missing"},
		{user: bank, old: "- name: bats\n", new: "- name: nextest\n", want: "two checks are called nextest"},
		{user: bank, old: "  name: cocogitto", new: "  name: nextest", want: "two checks are called nextest"},
		{user: bank, old: "- name: bats\n", new: "- name: Bats\n", want: "a name in lower case"},
		{user: bank, old: "  attempts: 2", new: "  attempts: 0", want: "a value >= 1"},
		{user: bank, old: "  tear_down: nix run .#data-pipeline-down -- \"pr-$PULL_REQUEST\"\n", new: "", want: "checks: data-pipeline: set_up and tear_down belong together"},
		{user: bank, old: "  - rust", new: "  - Rust", want: `"rust"`},
		{user: bank, old: "  allowed_files:\n  - CHANGELOG.md\n  - docs-site/**\n", new: "  allowed_files: []\n", want: "length >= 1"},
		{user: service, old: "  taxiway: 1.0.0", new: "  taxiway: latest", want: "a full version"},
		{user: service, old: "  messages: title", new: "  messages: titles", want: `one of ["commits", "title"]`},
		{user: service, old: "  update: merge-queue", new: "  update: queue", want: `one of ["none", "up-to-date", "merge-queue"]`},
		{user: service, old: "  run: go test ./...\n", new: "", want: "checks: test: run is missing"},
		{user: service, old: "  run: go test ./...\n", new: "  uses: golangci/golangci-lint-action@v9\n", want: "owner/name@COMMIT"},
		{user: service, old: "  run: go test ./...\n", new: "  uses: crate-ci/typos@bee27e3a4fd1ea2111cf90ab89cd076c870fce14\n", want: "checks: test: version is missing"},
		{user: service, old: "  go: true\n  matrix:", new: "  go: true\n  services: {db: {image: postgres}}\n  matrix:", want: "the image postgres of the service db needs a tag that does not move"},
		{user: service, old: "checks:\n", new: "runner: ubuntu-latest\nchecks:\n", want: "one that ends in -latest moves"},
		{user: charts, old: "  labels: [galoybot, lana-bank]", new: "  labels: []", want: "length >= 1"},
	}
}

func fileSlips() []slip {
	const (
		bank, service, charts = "lana-bank", "go-service", "lana-charts"
		folder                = workflowsFolder + "/"
		guard                 = "(!github.event.pull_request || github.event.pull_request.head.repo.full_name == github.repository) && "
	)
	return []slip{
		{bank, folder + "nextest.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "actions/checkout@v7 is not pinned"},
		{bank, folder + "codeql.yml", "db488ddef3bf6cb639b32c2e9a7c0a7ea8271d28", "db488dde", "is not pinned"},
		{bank, folder + "nextest.yml", "    permissions:\n      contents: read\n", "", "job check lacks the permission contents: read that actions/checkout needs"},
		{bank, folder + "codeql.yml", "      security-events: write\n", "", "job each lacks the permission security-events: write"},
		{bank, folder + "nextest.yml", "    permissions:\n      contents: read\n", "    permissions: write-all\n", "has the permissions write-all"},
		{bank, folder + "bats.yml", "    timeout-minutes: 60\n", "", "job check may run for six hours"},
		{bank, folder + "cypress.yml", "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}\n", "", "runs for outdated commits"},
		{bank, folder + "flake-check.yml", "skipPush: true", "skipPush: false", "writes what a pull request builds to the binary cache"},
		{bank, folder + "flake-check.yml", guard, "", "a secret reaches the code of a fork: ${{ secrets.CACHIX_AUTH_TOKEN"},
		{bank, folder + "data-pipeline.yml", "full_name == github.repository) && secrets", "full_name != github.repository) && secrets", "a secret reaches the code of a fork"},
		{bank, folder + "data-pipeline.yml", "      run: nix run .#data-pipeline-up", "      run: TOKEN='${{ toJSON(secrets) }}' nix run .#data-pipeline-up", "a secret reaches the code of a fork"},
		{bank, folder + "bats.yml", "  pull_request:\n", "  pull_request_target:\n", "pull_request_target runs with the secrets"},
		{bank, folder + "spelling.yml", "        persist-credentials: false", "        persist-credentials: true", "leaves the token of the job"},
		{bank, folder + "nextest.yml", "    name: nextest\n", "    name: next-test\n", "no job of the workflows reports the required check nextest"},
		{bank, RulesetFile, `"context": "bats"`, `"context": "batz"`, "no job of the workflows reports the required check batz"},
		{bank, folder + "spelling.yml", "    branches:\n    - main\n", "    branches:\n    - main\n    paths: ['**.md']\n", "spelling.yml does not report for a pull request that touches other files"},
		{bank, folder + "codeql.yml", "    if: ${{ always() }}\n", "", "a skipped job counts as green"},
		{service, folder + "lint.yml", "  merge_group:\n    types:\n    - checks_requested\n", "", "lint.yml does not report in the merge queue"},
		{service, RulesetFile, `"rules":`, `"rule":`, "it is not a ruleset"},
		{charts, folder + "bot-automerge.yml", "github.event.pull_request.head.repo.full_name", "github.event.pull_request.head.repo.", `"==" stands where a name should`},
	}
}

func syntaxSlips() []slip {
	const (
		bank   = "lana-bank"
		folder = workflowsFolder + "/"
	)
	return []slip{
		{bank, folder + "nextest.yml", "    runs-on:", "    run-on:", `unexpected key "run-on"`},
		{bank, folder + "nextest.yml", "  pull_request:\n", "  pull_requests:\n", `unknown Webhook event "pull_requests"`},
		{bank, folder + "nextest.yml", "      contents: read", "      content: read", `unknown permission scope "content"`},
		{bank, folder + "codeql.yml", "    needs:\n    - each", "    needs:\n    - eech", `job "check" needs job "eech" which does not exist`},
		{bank, folder + "codeql.yml", "${{ matrix.language }}", "${{ matrix.languages }}", `property "languages" is not defined`},
		{bank, folder + "bats.yml", "steps.try-1.outcome", "steps.try1.outcome", `property "try1" is not defined`},
		{bank, folder + "cocogitto.yml", `"$BASE..$HEAD"`, `"${{ github.event.pull_request.title }}"`, "is potentially untrusted"},
		{bank, folder + "promote-rc-file-check.yml", `printf '%s\n' "$touched"`, `printf '%s\n' $touched`, "shellcheck reported issue in this script: SC2086"},
	}
}
