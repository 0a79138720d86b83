package demo

import (
	"fmt"
	"hash/fnv"
	"maps"
	"path"
	"slices"
	"strings"
)

// files is the repository's tree in its first commit, by path. It has what the
// scenario edits, and around it what a bank's repository has besides.
func files(configs map[string]string, released string, charts chartCommits) map[string]string {
	all := map[string]string{
		"README.md":               "# deployments\n\nWhat runs where. `cepler/` says how changes go from one environment to the next.\n",
		"Makefile":                "bump-vendored-ref:\n\t./ci/bump-vendored-ref.sh $(DEP) $(REF)\n",
		".gitignore":              ".terraform/\n*.tfstate\n",
		"vendir.yml":              vendirText(charts.first),
		"vendir.lock.yml":         lockText(charts.first, "chore: move the charts here"),
		"ci/bump-vendored-ref.sh": "#!/usr/bin/env bash\nset -euo pipefail\nsed -i \"s/ref: .*/ref: $2/\" vendir.yml\nvendir sync\n",
	}
	maps.Copy(all, configs)
	maps.Copy(all, lanaBank())
	for p, content := range lanaChart(released) {
		all["modules/lana-bank/vendor/lana-bank/chart/"+p] = content
	}
	maps.Copy(all, databases())
	maps.Copy(all, monitoring())
	maps.Copy(all, reports())
	maps.Copy(all, environments())
	maps.Copy(all, others())
	return all
}

func lanaBank() map[string]string {
	return map[string]string{
		"modules/lana-bank/main.tf": `# Deploys the Helm release of lana-bank.
resource "helm_release" "lana_bank" {
  name      = "lana-bank"
  chart     = "${path.module}/vendor/lana-bank/chart"
  namespace = kubernetes_namespace.lana_bank.metadata[0].name
  values    = [templatefile("${path.module}/lana-bank-values.yml.tmpl", local.values)]
}

locals {
  values = {
    domain           = var.lana_domain
    artificial_time  = var.enable_artificial_time
    interest_accrual = "monthly"
  }
}
`,
		"modules/lana-bank/variables.tf":              "variable \"lana_domain\" {}\nvariable \"enable_artificial_time\" { default = false }\nvariable \"node_size\" { default = \"small\" }\n",
		"modules/lana-bank/outputs.tf":                "output \"url\" { value = \"https://${var.lana_domain}\" }\n",
		"modules/lana-bank/lana-bank-values.yml.tmpl": "lanaBank:\n  domain: ${domain}\n  artificialTime: ${artificial_time}\n  interestAccrual: ${interest_accrual}\n",
		"modules/lana-bank/smoketest.sh":              smoketest("lana-bank"),
	}
}

func databases() map[string]string {
	all := map[string]string{}
	for cloud, lines := range map[string]string{
		"gcp": "  tier                  = \"db-custom-2-7680\"\n  backup_retention_days = 14\n", "azure": "  sku_name              = \"GP_Standard_D2s_v3\"\n  backup_retention_days = 14\n",
	} {
		dir := "modules/lana-bank-" + cloud + "-pg"
		var b strings.Builder
		for _, db := range []string{"lana_bank", "dagster", "keycloak"} {
			fmt.Fprintf(&b, "module %q {\n  source = \"../infra/vendor/tf/postgresql/%s\"\n  name   = %q\n  tier   = local.tier\n}\n\n", db, cloud, db)
		}
		all[dir+"/main.tf"] = b.String() + "locals {\n" + lines + "}\n"
		all[dir+"/variables.tf"] = "variable \"name_prefix\" {}\nvariable \"high_availability\" { default = false }\n"
		all[dir+"/outputs.tf"] = "output \"hosts\" { value = [module.lana_bank.host, module.dagster.host, module.keycloak.host] }\n"
		generate(all, "modules/infra/vendor/tf/postgresql/"+cloud, ".tf", "main", "variables", "outputs", "users", "backups", "network")
	}
	return all
}

func monitoring() map[string]string {
	all := map[string]string{"modules/monitoring/smoketest.sh": smoketest("monitoring")}
	generate(all, "modules/monitoring/dashboards", ".json", "nodes", "pods", "postgresql", "keycloak", "lana-bank", "queues", "certificates", "costs")
	maps.Copy(all, chart("modules/monitoring/vendor/monitoring/chart", "monitoring", []string{"prometheus", "grafana", "alertmanager", "otel-collector"}))
	return all
}

func reports() map[string]string {
	all := map[string]string{
		"modules/bank-reports/deploy.sh":    "#!/usr/bin/env bash\n# Applies the reports, with the settings of the environment it stands in.\nset -euo pipefail\nkubectl apply --context \"$ENVIRONMENT\" --filename ../../../modules/bank-reports/reports.yml --filename settings.yml\n",
		"modules/bank-reports/smoketest.sh": smoketest("bank-reports"),
		"modules/bank-reports/reports.yml":  "reports:\n- {name: daily, schedule: \"0 5 * * *\"}\n- {name: monthly, schedule: \"0 7 1 * *\"}\n",
	}
	for i := range 24 {
		generate(all, "modules/bank-reports/queries", ".sql", fmt.Sprintf("%02d-%s", i+1, []string{"balances", "loans", "deposits", "fees"}[i%4]))
	}
	return all
}

// environments are the folders with the settings of each environment.
func environments() map[string]string {
	all := map[string]string{}
	for _, e := range []struct{ dir, domain, artificial string }{
		{"gcp/galoy-staging", "staging.lana.acme-bank.example", "true"},
		{"gcp/volcano-qa", "qa.lana.acme-bank.example", "true"},
		{"gcp/volcano-production", "app.lana.acme-bank.example", "false"},
		{"azure/volcano-staging", "azure.lana.acme-bank.example", "true"},
	} {
		all[e.dir+"/lana-bank/main.tf"] = fmt.Sprintf("module \"lana-bank\" {\n  source                 = \"../../../modules/lana-bank/\"\n  lana_domain            = %q\n  enable_artificial_time = %s\n  node_size = \"small\"\n}\n", e.domain, e.artificial)
		all[e.dir+"/lana-bank/backend.tf"] = fmt.Sprintf("terraform {\n  backend \"gcs\" { prefix = %q }\n}\n", e.dir)
		generate(all, e.dir+"/shared", ".tf", "project", "network", "providers", "versions")
		all[e.dir+"/monitoring/values.yml"] = fmt.Sprintf("environment: %s\nretention: 15d\n", path.Base(e.dir))
		all[e.dir+"/bank-reports/settings.yml"] = fmt.Sprintf("environment: %s\nbucket: reports-%s\n", path.Base(e.dir), path.Base(e.dir))
	}
	return all
}

// others are what the bank deploys by other means: most of the repository.
func others() map[string]string {
	all := map[string]string{}
	for _, m := range []string{"kafka-connect", "cala", "stablesats", "bitcoind", "lnd", "galoy-pay", "addons", "ingress", "price-feed", "bria", "api-dashboard"} {
		generate(all, "modules/"+m, "", "main.tf", "variables.tf", "outputs.tf", "values.yml.tmpl")
		maps.Copy(all, chart("modules/"+m+"/vendor/"+m+"/chart", m, []string{"server", "worker", "postgresql"}))
	}
	for _, dep := range []string{"gke", "network", "bastion", "inception", "platform", "smoketest"} {
		generate(all, "modules/infra/vendor/tf/"+dep, ".tf", "main", "variables", "outputs", "iam", "firewall")
	}
	for _, env := range []string{"galoy-staging", "galoy-bbw", "volcano-qa", "volcano-production"} {
		for _, m := range []string{"kafka-connect", "cala", "stablesats", "bitcoind", "addons", "ingress"} {
			generate(all, "gcp/"+env+"/"+m, ".tf", "main")
		}
	}
	return all
}

// chart is a vendored Helm chart with the usual templates for each component.
func chart(dir, name string, components []string) map[string]string {
	all := map[string]string{
		dir + "/Chart.yaml":  fmt.Sprintf("apiVersion: v2\nname: %s\nversion: 0.1.0\nappVersion: 0.41.0\n", name),
		dir + "/values.yaml": fmt.Sprintf("# Values of %s\nreplicas: 2\nimage:\n  tag: \"1.%d.0\"\n", name, sum(name)%20),
	}
	for _, c := range components {
		generate(all, dir+"/templates", ".yaml", c+"-deployment", c+"-service", c+"-configmap", c+"-secret", c+"-ingress", c+"-networkpolicy")
	}
	return all
}

// generate adds files in their first revision.
func generate(all map[string]string, dir, ending string, names ...string) {
	for _, name := range names {
		p := dir + "/" + name + ending
		all[p] = text(p, 0)
	}
}

func smoketest(deployment string) string {
	return "#!/usr/bin/env bash\n# Waits until " + deployment + " is up in the environment that was deployed.\nset -euo pipefail\n" +
		"kubectl rollout status deployment/" + deployment + " --context \"$ENVIRONMENT\" --namespace " + deployment + " --timeout 5m\n"
}

// text is a file's content in its n-th revision: a few lines that differ from
// file to file, in comments that its format has.
func text(p string, n int) string {
	var b strings.Builder
	lead := "#"
	switch path.Ext(p) {
	case ".sql":
		lead = "--"
	case ".json":
		return fmt.Sprintf("{\"title\": %q, \"revision\": %d, \"uid\": \"%016x\"}\n", path.Base(p), n, sum(p))
	}
	fmt.Fprintf(&b, "%s %s, revision %d\n", lead, p, n)
	for i := range 6 + sum(p)%10 {
		fmt.Fprintf(&b, "setting_%02d = \"%08x\"\n", i, sum(fmt.Sprintf("%s %d %d", p, n, i))&0xffffffff)
	}
	return b.String()
}

func sum(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}

// ordinary are the files that the history may change without anybody's
// environment noticing: what others() has.
func ordinary() []string { return slices.Sorted(maps.Keys(others())) }
