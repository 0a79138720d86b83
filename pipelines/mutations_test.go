package pipelines

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// mutation breaks one thing of a rendering that has no fault.
type mutation struct {
	user, template string
	old, new       string
	want           string // part of the one thing that lint then says
}

// What goes wrong when a template is changed without care, one thing at a time: lint says what it is.
func TestLintNamesWhatBroke(t *testing.T) {
	t.Parallel()
	for _, m := range mutations() {
		t.Run(m.template+": "+m.want, func(t *testing.T) {
			t.Parallel()
			good, err := os.ReadFile(exampleOf(m.user, m.template).Want())
			require.NoError(t, err)
			require.Contains(t, string(good), m.old)
			broken := strings.Replace(string(good), m.old, m.new, 1)
			assert.Contains(t, pipeline.Lint("want.yml", []byte(broken), OwnTypes()).String(), m.want)
		})
	}
}

func mutations() []mutation {
	const bank, books = "lana-bank", "small-team"
	return []mutation{
		// names that no longer agree
		{bank, "release", "- get: repo\n    passed:\n    - test-integration", "- get: repository\n    passed:\n    - test-integration", `no resource "repository"`},
		{bank, "release", "    - flake-check\n", "    - flake-chek\n", `did you mean "flake-check"?`},
		{bank, "release", "repository: repo\n      no_bump", "repository: repos\n      no_bump", `put "version" reads "repos", which no step before it makes`},
		{bank, "release", "additional_tags: version/version", "additional_tags: versions/version", `reads "versions"`},
		{bank, "release", "image: lana-bank-image/image.tar", "image: lana-bank/image.tar", `reads "lana-bank"`},
		{bank, "release", "image: lana-bank-image\n", "image: lana-bank-img\n", `reads "lana-bank-image", which no step before it makes`},
		{bank, "release", "body: promote-rc/release-notes.md", "body: promoted/release-notes.md", `reads "promoted"`},
		{bank, "release", "- from: source/tf/bq-setup", "- from: sources/tf/bq-setup", `reads "sources"`},
		{bank, "release", "paths_file: paths/paths", "paths_file: path/paths", `reads "path"`},
		{bank, "release", "      - name: prepared\n          - name: build\n", "      - name: prepare\n          - name: build\n", `"prepare"`},
		{bank, "charts", "    repository: lana-bank-chart\n", "    repository: lana-bank-charts\n", `reads "lana-bank-charts"`},
		{bank, "charts", "      - name: state\n", "      - name: states\n", `"state"`},
		{bank, "nix-cache", "path: prs\n", "path: pulls\n", `reads "pulls"`},
		{bank, "deployments", "    repository: lana-bank-gcp-volcano-qa\n", "    repository: monitoring-gcp-volcano-qa\n", `reads "monitoring-gcp-volcano-qa"`},
		// what must go before is gone
		{books, "release", "- get: repo\n    passed:\n    - test\n    - lint\n", "- get: repo\n", `put "version" hands on "repo", which no job has tested`},
		{books, "charts", "- get: shop-chart\n    passed:\n    - testflight\n", "- get: shop-chart\n", `put "shop-in-deployments" hands on "shop-chart", which no job has tested`},
		{books, "release", "    - get: repo\n      passed:\n      - build-rc\n", "    - get: repo\n", `put "promote-rc-pr" takes "version" and "repo", which may come from different builds`},
		{books, "release", "    - get: shop-latest-image\n      passed:\n      - release\n", "    - get: shop-latest-image\n", `which may come from different builds`},
		{books, "release", "      passed:\n      - open-promote-rc-pr\n", "      passed:\n      - release\n", `release waits for release`},
		{bank, "deployments", "  - put: lana-bank-gcp-volcano-qa-out\n", "  - put: lana-bank-gcp-volcano-production-out\n", `but "lana-bank-gcp-volcano-qa", which delivers what it records, has`},
		{bank, "release", "groups:\n- name: lana-bank\n  jobs:\n  - '*'\n", "groups:\n- name: lana-bank\n  jobs:\n  - 'build-*'\n", `job "release" is in no group`},
		// loops
		{bank, "release", "- put: promote-rc-pr\n", "- put: promote-rc\n", "its version starts the job that waits for a person to merge it"},
		{bank, "release", "    branch: version\n", "    branch: main\n", "each version starts everything again"},
		// images and secrets
		{bank, "release", "          tag: 2.24.0\n        version:\n          digest: sha256:0f1d3a7f6a0c2c7b0f0ab1f5f5f34be1b8f0d9c4b3a29180f7e6d5c4b3a29181\n", "          tag: latest\n", `has the tag "latest", which moves`},
		{bank, "charts", "    repository: ghcr.io/taxiway-ci/vendir-bump\n    tag: 1.0.0\n", "    repository: ghcr.io/taxiway-ci/vendir-bump\n", "has no tag, which means latest"},
		{bank, "release", "private_key: ((lana-bank.private_key))", "private_key: s3cret", "private_key"},
		{bank, "nix-cache", "CACHIX_AUTH_TOKEN: ((cachix.auth_token))", "CACHIX_AUTH_TOKEN: eyJhbGciOi", "CACHIX_AUTH_TOKEN"},
		{books, "deployments", "- get: staging-out\n    passed:\n    - deploy-staging\n", "- get: staging-out\n", `a cepler-out resource only records, and finds no versions`},
		{bank, "deployments", "    - deploy-lana-bank-gcp-volcano-qa\n", "    - deploy-lana-bank-gcp-volcano-production\n", `neither gets nor puts resource "lana-bank-gcp-volcano-qa-out"`},
		{bank, "deployments", "text_file: lana-bank-gcp-volcano-qa-out/message", "text_file: lana-bank-gcp-volcano-qa/message", `put "slack-alert" reads "lana-bank-gcp-volcano-qa", which its inputs do not list`},
		// keys that the resources do not know
		{bank, "deployments", "    gates_branch: cepler-gates\n", "    gate_branch: cepler-gates\n", `did you mean "gates_branch"?`},
		{bank, "deployments", "    reviewers:\n", "    reviewer:\n", `did you mean "reviewers"?`},
		{bank, "deployments", "      open: true\n", "      opened: true\n", `did you mean "open"?`},
		{bank, "deployments", "    get_params:\n      message: true\n", "    get_params:\n      messages: true\n", `did you mean "message"?`},
		{bank, "deployments", "    environment: gcp-volcano-qa\n", "    environmnt: gcp-volcano-qa\n", `did you mean "environment"?`},
		{bank, "release", "    initial_version: 0.0.0\n", "    initial_versin: 0.0.0\n", `did you mean "initial_version"?`},
		{bank, "release", "      bump: conventional\n", "      bump: conventionally\n", "bump"},
		{bank, "release", "      allow_downgrade: true\n", "      allow_downgrades: true\n", `did you mean "allow_downgrade"?`},
		{bank, "release", "    changelog: CHANGELOG.md\n", "    changelogs: CHANGELOG.md\n", `did you mean "changelog"?`},
		{bank, "release", "      version_file: version/version\n      repository: repo\n", "      version: version/version\n      repository: repo\n", "version_file"},
		{bank, "release", "path: lanaBank.image.digest", "paths: lanaBank.image.digest", `did you mean "path"?`},
		{books, "release", "    auto_merge", "    automerge", `did you mean "auto_merge"?`},
		{bank, "release", "      timeout: 50m\n", "      timeout: fifty\n", "timeout"},
		{bank, "release", "      to: docs-site\n", "      to: site\n", "which the pull request may not touch"},
		{bank, "release", "        dagster: dagster-latest-image\n", "        dagstr: dagster-latest-image\n", `did you mean "dagster"?`},
		// keys that Concourse does not know
		{bank, "release", "    trigger: true\n", "    triger: true\n", `did you mean "trigger"?`},
		{bank, "charts", "    ensure:\n", "    ensures:\n", `did you mean "ensure"?`},
		{bank, "charts", "  serial: true\n", "  serail: true\n", `did you mean "serial"?`},
		{bank, "nix-cache", "    version: every\n", "    version: evry\n", "must be latest, every or a mapping"},
	}
}
