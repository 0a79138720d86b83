package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// chartComponents are what the chart of lana-bank has templates for.
func chartComponents() []string {
	return []string{"server", "admin-panel", "customer-portal", "postgresql", "keycloak", "oathkeeper", "dagster", "gotenberg"}
}

// lanaChart is the chart of lana-bank, by path in its folder, as it was for the
// released commit of the code.
func lanaChart(commit string) map[string]string {
	all := chart("chart", "lana-bank", chartComponents())
	code := appFiles()
	all["chart/values.yaml"] = valuesText(commit)
	all["chart/Chart.yaml"] = "apiVersion: v2\nname: lana-bank\nversion: 0.1.0\nappVersion: " + released + "\n"
	all["chart/is-release"] = "true"
	for _, p := range []string{"tf/bq-setup/main.tf", "tf/honeycomb/main.tf"} {
		all["chart/"+p] = code[p]
	}
	short := map[string]string{}
	for p, content := range all {
		short[strings.TrimPrefix(p, "chart/")] = content
	}
	return short
}

// valuesText is the values file: four images by digest, each with the comment
// that leads back to its commit.
func valuesText(commit string) string {
	const shown = 7
	digest := func(app, subdir string) string {
		return fmt.Sprintf("\"sha256:%016x%016x%016x%016x\" # METADATA:: repository=https://github.com/acme-bank/lana-bank;commit_ref=%s;app=%s;%s",
			sum(app), sum(app+"1"), sum(app+"2"), sum(app+"3"), commit[:shown], app, subdir)
	}
	return `# Values of lana-bank. The digests are written by the release pipeline.
replicas: 2

lanaBank:
  appVersion: ` + released + `
  image:
    repository: gcr.io/acme-bank/lana-bank
    digest: ` + digest("lana-bank", "") + `
  adminPanel:
    image:
      repository: gcr.io/acme-bank/lana-bank-admin-panel
      digest: ` + digest("admin-panel", "monorepo_subdir=apps/admin-panel;") + `
  customerPortal:
    image:
      repository: gcr.io/acme-bank/lana-bank-customer-portal
      digest: ` + digest("customer-portal", "monorepo_subdir=apps/customer-portal;") + `

dagster:
  dagster-user-deployments:
    deployments:
    - name: lana-dw
      image:
        repository: us.gcr.io/acme-bank/dagster-code-location-lana-dw
        digest: ` + digest("lana-dw", "monorepo_subdir=dagster;") + `
`
}

// chartCommits are the commits of the charts repository that the deployments
// repository has had.
type chartCommits struct{ first, last string }

// replicas is what the chart's last change is about.
const oldReplicas, newReplicas = "replicas: 2\n", "replicas: 3\n"

// writeCharts makes the charts repository.
func writeCharts(r *gittest.Repository, released string) (chartCommits, error) {
	at := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	batch := r.Import()
	first := batch.Commit(branch, "chore: move the charts here").At(at).By(people()[2])
	tree := lanaChart(released)
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		first.Write("charts/lana-bank/"+p, tree[p])
	}
	first.Write("README.md", "# charts\n")
	first.Write("ci/testflight/lana-bank/main.tf", "variable \"testflight_namespace\" {}\nresource \"kubernetes_namespace\" \"testflight\" {\n  metadata { name = var.testflight_namespace }\n}\n")
	first.Write("ci/testflight/lana-bank/values.yml", "lanaBank:\n  domain: testflight.acme-bank.example\n")
	first.Write("ci/testflight/lana-bank/smoketest.sh", "#!/usr/bin/env bash\n# Waits until the chart is up in the namespace of the test flight.\nset -euo pipefail\nkubectl rollout status deployment/lana-bank --namespace \"$NAMESPACE\" --timeout 5m\n")
	const day = 24 * time.Hour
	last := batch.Commit(branch, "feat(lana-bank): three replicas").At(at.Add(day)).By(people()[2]).
		Write("charts/lana-bank/values.yaml", strings.Replace(tree["values.yaml"], oldReplicas, newReplicas, 1))
	if err := batch.Done(); err != nil {
		return chartCommits{}, fmt.Errorf("write the demo's charts: %w", err)
	}
	return chartCommits{first.Hash(), last.Hash()}, r.UpdateRef("refs/heads/candidates", last.Hash())
}

// vendirText is the vendir.yml of the deployments repository, lockText the file
// that vendir keeps beside it.
func vendirText(ref string) string {
	return `apiVersion: vendir.k14s.io/v1alpha1
kind: Config
directories:
- path: modules/lana-bank/vendor/lana-bank
  contents:
  - path: chart
    git:
      url: git@github.com:acme-bank/charts.git
      ref: ` + ref + `
    includePaths:
    - charts/lana-bank/**/*
    newRootPath: charts/lana-bank
`
}

func lockText(ref, title string) string {
	return `apiVersion: vendir.k14s.io/v1alpha1
directories:
- contents:
  - git:
      commitTitle: '` + title + `'
      sha: ` + ref + `
    path: chart
  path: modules/lana-bank/vendor/lana-bank
kind: LockConfig
`
}
