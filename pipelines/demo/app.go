package demo

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// released is the version that the bank runs when the play begins.
const released = "0.41.0"

//go:embed flake.nix
var flake string

// appFiles is the tree of the code repository: what the pipelines build and
// copy, and a little around it.
func appFiles() map[string]string {
	all := map[string]string{
		"README.md":            "# lana-bank\n\nThe bank's server, its two web apps and its data pipeline.\n",
		"CHANGELOG.md":         "# Changelog\n\n## [0.41.0] - 2026-09-01\n\n### Features\n\n- Overdraft limits\n",
		"cog.toml":             "tag_prefix = \"\"\nignore_merge_commits = true\n\n[commit_types]\nchore = { changelog_title = \"Miscellaneous\" }\n",
		"flake.nix":            flake,
		"Dockerfile.rc":        "FROM gcr.io/distroless/cc-debian12\nARG VERSION\nENV LANA_VERSION=$VERSION\nCOPY bin/lana-cli /bin/lana-cli\nUSER 1000\nENTRYPOINT [\"/bin/lana-cli\"]\n",
		"Dockerfile.release":   "FROM alpine:3.22 AS load\nARG GH_TOKEN\nENV GH_TOKEN=${GH_TOKEN}\nARG VERSION\nRUN gh release download --repo acme-bank/lana-bank $VERSION\nFROM gcr.io/distroless/cc-debian12\nARG VERSION\nENV LANA_VERSION=$VERSION\nCOPY --from=load --chmod=0755 /lana-cli /bin/lana-cli\nUSER 1000\nENTRYPOINT [\"/bin/lana-cli\"]\n",
		"dagster/Dockerfile":   "FROM python:3.12-slim\nCOPY pipeline.py /app/\nCMD [\"dagster\"]\n",
		"dagster/pipeline.py":  "# Loads the ledger into the warehouse.\nSCHEDULE = \"0 5 * * *\"\n",
		"docs-site/index.md":   "# lana-bank\n",
		"lana/interest.rs":     "pub fn accrue(principal: u64) -> u64 {\n    monthly(principal)\n}\n",
		"lana/ledger.rs":       "pub struct Ledger;\n",
		"lana/main.rs":         "fn main() {}\n",
		"tf/bq-setup/main.tf":  "resource \"google_bigquery_dataset\" \"ledger\" {}\n",
		"tf/honeycomb/main.tf": "resource \"honeycombio_query\" \"slow\" {}\n",
	}
	for _, app := range []string{"admin-panel", "customer-portal"} {
		dir := "apps/" + app + "/"
		all[dir+"Dockerfile"] = "FROM node:22-slim\nARG VERSION\nCOPY apps/" + app + "/.env apps/" + app + "/app.tsx /app/\nCMD [\"node\", \"/app\"]\n"
		all[dir+".env"] = "NEXT_PUBLIC_CORE_URL=/graphql\n"
		all[dir+"app.tsx"] = "export const title = \"" + app + "\"\n"
	}
	return all
}

// writeApp makes the history of the code up to a fix that is not released yet,
// and the branch that holds the version. It
// returns the released commit and the fix.
func writeApp(r *gittest.Repository) (release, fix string, err error) {
	at := time.Date(2026, 7, 6, 9, 0, 0, 0, time.UTC)
	tick := func() time.Time {
		const step = 31 * time.Hour
		at = at.Add(step)
		return at
	}
	batch := r.Import()
	c := batch.Commit(branch, "feat: lana-bank").At(tick()).By(people()[0])
	tree := appFiles()
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		c.Write(p, tree[p])
	}
	batch.Tag("0.40.0", "", c)
	for i, message := range []string{
		"fix(ledger): round half to even", "docs: how overdrafts work", "feat(ledger): overdraft limits", "chore: tidy the flake", "test(bats): overdraft limits",
	} {
		batch.Commit(branch, message).At(tick()).By(people()[i%len(people())]).
			Write("lana/ledger.rs", fmt.Sprintf("pub struct Ledger;\n// %s\n", message))
	}
	last := batch.Commit(branch, "ci: release "+released).At(tick()).By(people()[len(people())-1]).Write("docs-site/index.md", "# lana-bank "+released+"\n")
	batch.Tag(released, "", last)
	newest := batch.Commit(branch, "fix(interest): leap years").At(tick()).By(people()[1]).
		Write("lana/interest.rs", "pub fn accrue(principal: u64) -> u64 {\n    // 366 days count\n    monthly(principal)\n}\n")
	batch.Commit("version", "bump to "+released).Orphan().At(tick()).By(people()[len(people())-1]).Write("version", released+"\n")
	if err := batch.Done(); err != nil {
		return "", "", fmt.Errorf("write the demo's code: %w", err)
	}
	return last.Hash(), newest.Hash(), nil
}
