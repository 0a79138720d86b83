package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/pipelines"
	"github.com/taxiway-ci/taxiway/pipelines/demo"
)

// The reference team's values, as they are, go from a commit to a release with the real nix in place of its stand-in.
func TestTheReferenceTeamReleasesWithNix(t *testing.T) {
	t.Parallel()
	without(t, "nix")
	dir := t.TempDir()
	values := filepath.Join(dir, "values.yml")
	text, err := os.ReadFile(exampleOf("lana-bank", "release").Rendering().Values)
	require.NoError(t, err)
	awaits := regexp.MustCompile(`(?m)^await_release_binary:\n( {2}.*\n)+\n`) // the team has switched it off
	require.Regexp(t, awaits, string(text))
	require.NoError(t, os.WriteFile(values, awaits.ReplaceAll(text, nil), 0o644))
	example, err := pipelines.DemoExample()
	require.NoError(t, err)
	configs, err := ceplerConfigs(example)
	require.NoError(t, err)

	var r demo.Repositories
	args := []string{"rehearse", "release=" + values, "--scenario", "testdata/reference/release.yml", "--vars", "../demo/vars.yml", "--tool", "nix=" + nixOfItsOwn(t, dir)}
	for name, into := range map[string]**gittest.Repository{"lana-bank": &r.App, "charts": &r.Charts, "deployments": &r.Deployments} {
		*into, err = gittest.Init(filepath.Join(dir, name+".git"))
		require.NoError(t, err)
		args = append(args, "--repository", name+"="+filepath.Join(dir, name+".git"))
	}
	_, err = demo.Write(t.Context(), r, configs)
	require.NoError(t, err)

	out, err := taxiway(t, args...)
	require.NoError(t, err, out)
	assert.Contains(t, strings.Join(strings.Fields(out), " "), "nix-of-its-own runs in place of its stand-in")
}

// The reference team's values of the other pipelines, as they are: charts fly and are handed on, images come into charts, environments are
// deployed, and a cache is filled, by the real nix where there is one.
func TestTheReferenceTeamRehearses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("plays three pipelines")
	}
	for template, branches := range map[string][]*branchFiles{"charts": referenceCharts(t), "nix-cache": referenceCode(), pipelines.Deployments: {
		{"deployments", "main", map[string]string{"terraform/main.tf": "variable \"nodes\" {}\n", "terraform/staging.tfvars": "nodes = 1\n", "terraform/production.tfvars": "nodes = 2\n", "cepler.yml": copied(t, t.TempDir(), "cepler.yml")}},
	}} {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copied(t, dir, template+"-values.yml")
			copied(t, dir, "cepler.yml")
			args := []string{"rehearse", template + "=" + filepath.Join(dir, template+"-values.yml"), "--scenario", "testdata/reference/" + template + ".yml", "--vars", "testdata/reference/vars.yml"}
			repositories := map[string]*gittest.Repository{}
			for _, b := range branches {
				if repositories[b.repository] != nil {
					continue
				}
				r, err := gittest.Init(filepath.Join(dir, b.repository+".git"))
				require.NoError(t, err)
				repositories[b.repository] = r
				args = append(args, "--repository", b.repository+"="+r.Dir)
			}
			require.NoError(t, writeBranches(branches, repositories))
			switch _, err := exec.LookPath("nix"); {
			case template == "charts":
				args = append(args, "--tool", "make")
			case template == "nix-cache" && err == nil:
				args = append(args, "--tool", "nix="+nixOfItsOwn(t, dir))
				t.Cleanup(func() { removeProfile(t, dir) })
			}
			out, err := taxiway(t, args...)
			require.NoError(t, err, out)
		})
	}
}

// removeProfile removes what "nix develop --profile /tmp/dev-profile" left, if it is of a store in the folder.
func removeProfile(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/tmp/dev-profile*")
	require.NoError(t, err)
	for _, link := range links {
		if to, err := filepath.EvalSymlinks(link); err != nil || strings.HasPrefix(to, dir) {
			assert.NoError(t, os.Remove(link))
		}
	}
}

// copied is the text of a file of the reference team, which is then in the folder too.
func copied(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "reference", name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	return string(text)
}

// referenceCharts are the repositories of charts and deployments, laid out as the reference team's.
func referenceCharts(t *testing.T) []*branchFiles {
	t.Helper()
	var values struct {
		Charts, Images []struct {
			Name  string `yaml:"name"`
			Chart struct {
				Name string `yaml:"name"`
				Path string `yaml:"path"`
			} `yaml:"chart"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(copied(t, t.TempDir(), "charts-values.yml")), &values))
	require.Len(t, values.Charts, 16)
	charts, deployments := map[string]string{
		"ci/tasks/get-smoketest-settings.sh": "#!/usr/bin/env bash\nset -eu\nmkdir -p .kube\nexport KUBECONFIG=$PWD/.kube/config\necho \"$SMOKETEST_KUBECONFIG\" | base64 --decode >\"$KUBECONFIG\"\n" +
			"kubectl get secret \"$SMOKETEST_SECRET\" >\"$OUT/data.json\"\necho 'setting() { echo galoy.example; }' >\"$OUT/helpers.sh\"\n",
	}, map[string]string{"supergraph/schema.graphql": "type Query\n"}
	vendir, lock := "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n", "apiVersion: vendir.k14s.io/v1alpha1\ndirectories:\n"
	for _, c := range values.Charts {
		charts["ci/testflight/"+c.Name+"/main.tf"] = "variable \"testflight_namespace\" {}\n"
		charts["ci/tasks/"+c.Name+"-smoketest.sh"] = "#!/usr/bin/env bash\nset -eu\nsource smoketest-settings/helpers.sh\necho \"" + c.Name + " answers at $(setting endpoint)\"\n"
		for path, text := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: " + c.Name + "\nversion: 0.1.0\n", "values.yaml": digestsOf(c.Name)} {
			charts["charts/"+c.Name+"/"+path] = text
			deployments["modules/"+c.Name+"/vendor/"+c.Name+"/chart/"+path] = text
		}
		vendir += fmt.Sprintf("- path: modules/%[1]s/vendor/%[1]s\n  contents:\n  - path: chart\n    git:\n      url: git@github.com:acme-bank/charts.git\n      ref: ${charts}\n    includePaths:\n    - charts/%[1]s/**/*\n    newRootPath: charts/%[1]s\n", c.Name)
		lock += fmt.Sprintf("- contents:\n  - git:\n      commitTitle: 'chore: begin'\n      sha: ${charts}\n    path: chart\n  path: modules/%[1]s/vendor/%[1]s\n", c.Name)
	}
	for _, i := range values.Images {
		charts["images/"+i.Name+"/Dockerfile"] = "FROM alpine:3.22\nENV IMAGE=" + i.Name + "\n"
	}
	deployments["vendir.yml"], deployments["vendir.lock.yml"] = vendir, lock+"kind: LockConfig\n"
	return []*branchFiles{{"charts", "main", charts}, {"deployments", "main", deployments}}
}

// digestsOf is a chart's values file, with the digests that the values of the pipeline name.
func digestsOf(chart string) string {
	image := "repository: us.gcr.io/acme-bank/x\n%[1]sdigest: \"sha256:" + strings.Repeat("0", 64) + "\"\n%[1]sgit_ref: \"1cb5596\"\n"
	switch chart {
	case "lnd":
		return "sidecarImage:\n  " + fmt.Sprintf(image, "  ")
	case "galoy":
		return "galoy:\n  images:\n    mongoBackup:\n      " + fmt.Sprintf(image, "      ")
	case "kafka-connect":
		return "image:\n  " + fmt.Sprintf(image, "  ")
	}
	return "replicas: 1\n"
}

// referenceCode is a code repository whose flake has what the reference team's pipeline builds. It needs nothing but a shell.
func referenceCode() []*branchFiles {
	flake := func(outputs string) string {
		return `{
  outputs = { self }:
    let
      make = name: derivation {
        inherit name;
        src = ./.;
        system = builtins.currentSystem or "x86_64-linux";
        outputs = [ "out" ]; # nix develop reads that from the environment
        builder = "/bin/bash";
        args = [ "-c" "export PATH=/usr/bin:/bin; if [ ${name} = nextest ] && grep BROKEN $src/lana/interest.rs; then exit 1; fi; echo ${name} ${builtins.getEnv "RELEASE_BUILD_VERSION"} >$out" ];
      };
      systems = f: builtins.listToAttrs (map (name: { inherit name; value = f; }) [ "x86_64-linux" "aarch64-linux" ]);
    in ` + outputs + `;
}
`
	}
	all := func(names string) string {
		return "packages = systems (builtins.listToAttrs (map (name: { inherit name; value = make name; }) [ " + names + " ]));"
	}
	return []*branchFiles{
		{"lana-bank", "main", map[string]string{
			"flake.nix":        flake(`{ ` + all(`"lana-deps" "nextest" "lana-cli-debug" "bats" "lana-cli-release"`) + ` devShells = systems { default = make "shell"; }; }`),
			"ci/flake.nix":     flake(`{ ` + all(`"check-latest-commit" "next-version" "wait-cachix-paths" "rebuild-nix-cache"`) + ` }`),
			"lana/interest.rs": "pub fn accrue() { monthly() }\n",
			"README.md":        "# lana-bank\n",
		}},
		{"lana-bank", "version", map[string]string{"version": "0.41.0\n"}},
	}
}

// nixOfItsOwn is a script that runs the real nix with a store in a folder. The store is where its paths say: what a build leaves in
// result is a link to such a path, so a store that only --store knows would not do.
func nixOfItsOwn(t *testing.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("nix")
	require.NoError(t, err)
	script := filepath.Join(dir, "nix-of-its-own")
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, `#!/bin/sh
export HOME=%[1]s NIX_STORE_DIR=%[1]s/store NIX_STATE_DIR=%[1]s/state NIX_LOG_DIR=%[1]s/log NIX_CONF_DIR=%[1]s/conf XDG_CACHE_HOME=%[1]s/cache
mkdir -p "$HOME"
exec %[2]s --extra-experimental-features 'nix-command flakes' --option build-users-group '' --option sandbox false --option substitute false "$@"
`, filepath.Join(dir, "nix"), program), 0o755))
	return script
}
