package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

func rendered(t *testing.T, user, template string) *pipeline.Pipeline {
	t.Helper()
	file := exampleOf(user, template).Want()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	p, err := pipeline.Parse(file, data)
	require.NoError(t, err)
	return p
}

func jobOf(t *testing.T, p *pipeline.Pipeline, name string) pipeline.Job {
	t.Helper()
	job, ok := p.Job(name)
	require.True(t, ok, "%s has no job %s", p.File, name)
	return job
}

// walk visits a job's steps in the order in which they stand, hooks last.
func walk(s pipeline.Step, visit func(pipeline.Step)) {
	visit(s)
	inner := append([]pipeline.Step{}, s.Do...)
	if s.InParallel != nil {
		inner = append(inner, s.InParallel.Steps...)
	}
	if s.Try != nil {
		inner = append(inner, *s.Try)
	}
	for _, hook := range []*pipeline.Step{s.OnSuccess, s.OnFailure, s.OnError, s.OnAbort, s.Ensure} {
		if hook != nil {
			inner = append(inner, *hook)
		}
	}
	for _, step := range inner {
		walk(step, visit)
	}
}

// stepNames are the tasks and puts of a job, without its hooks.
func stepNames(j pipeline.Job) []string {
	var names []string
	j.Hooks = pipeline.Hooks{}
	walk(j.Steps(), func(s pipeline.Step) {
		if s.Kind == pipeline.KindTask || s.Kind == pipeline.KindPut {
			names = append(names, s.Name())
		}
	})
	return names
}

// The jobs have the names that the reference team knows them by.
func TestJobsOfTheReferenceTeam(t *testing.T) {
	t.Parallel()
	for template, want := range map[string][]string{
		"release": {
			"test-integration", "test-bats", "flake-check",
			"build-admin-panel-edge-image", "build-customer-portal-edge-image", "build-dagster-edge-image",
			"edge-images", "await-release-binary", "build-rc", "open-promote-rc-pr", "release", "bump-image-in-chart", "bump-image-in-chart-rc",
		},
		"charts":    {"testflight", "bump-lana-bank-in-deployments"},
		"nix-cache": {"build-release-main", "cache-dev-profile", "populate-nix-cache-pr", "rebuild-nix-cache"},
	} {
		var jobs []string
		for _, j := range rendered(t, "lana-bank", template).Jobs {
			jobs = append(jobs, j.Name)
		}
		assert.Equal(t, want, jobs, template)
	}
}

// Several charts have a test flight and a group each, and fly again when what they share changes.
func TestSeveralCharts(t *testing.T) {
	t.Parallel()
	p := rendered(t, "multi-cloud", "charts")
	var jobs, groups []string
	for _, j := range p.Jobs {
		jobs = append(jobs, j.Name)
	}
	for _, g := range p.Groups {
		groups = append(groups, g.Name)
	}
	assert.Equal(t, []string{
		"testflight-ledger", "bump-ledger-in-deployments", "testflight-statements", "bump-statements-in-deployments",
		"build-statements-fonts-image", "bump-statements-fonts-image-in-chart",
	}, jobs)
	assert.Equal(t, []string{"ledger", "statements", "images"}, groups)
	for _, name := range groups[:2] {
		res, ok := p.Resource(name + "-chart")
		require.True(t, ok)
		assert.Equal(t, []any{"charts/" + name, "ci/testflight/" + name, "charts/common"}, res.Source.Field("paths").Data())
		// one change starts both bumps: a file that both wrote would have moved under the second
		plan := jobOf(t, p, "bump-"+name+"-in-deployments").Plan
		files := plan[len(plan)-1].Put.Params.Field("extra_files").Data()
		assert.Equal(t, []any{map[string]any{"from": "generated/version.txt", "to": "docs/" + name + "-version.txt", "replace": false}}, files)
	}
}

// A build of a pull request stops as soon as nobody waits for it: before each of its steps that builds.
// The status for all builds of a pull request is a required check: two jobs that write it would set it back to
// pending after its success when one of them runs again.
func TestOneJobWritesTheStatusForAll(t *testing.T) {
	t.Parallel()
	p := rendered(t, "lana-bank", "nix-cache")
	writers := map[string]bool{}
	for _, job := range p.Jobs {
		walk(job.Steps(), func(s pipeline.Step) {
			if s.Kind == pipeline.KindPut && s.Put.Params.Field("context").Data() == "all" {
				writers[job.Name] = true
			}
		})
	}
	assert.Equal(t, map[string]bool{"populate-nix-cache-pr": true}, writers)
}

func TestOutdatedBuildsStop(t *testing.T) {
	t.Parallel()
	asked, builds := 0, 0
	for _, s := range jobOf(t, rendered(t, "lana-bank", "nix-cache"), "populate-nix-cache-pr").Plan {
		walk(s, func(s pipeline.Step) {
			switch s.Kind {
			case pipeline.KindPut:
				if s.Put.Params.Field("stop_outdated").Data() == true {
					asked++
				}
			case pipeline.KindTask:
				builds++
				assert.Equal(t, builds, asked, "nobody asked before %s", s.Name())
			default:
			}
		})
	}
	assert.Equal(t, 6, builds)
}

// Nothing is pushed before everything is built, and an image that downloads from the release is built after it.
func TestOrderOfARelease(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		"candidate", "prepare", "binary", "build-admin-panel", "build-customer-portal", "build-dagster",
		"version", "github-release", "give-token", "build-lana-bank", "end-token",
		"lana-bank-latest-image", "admin-panel-latest-image", "customer-portal-latest-image", "dagster-latest-image",
	}, stepNames(jobOf(t, rendered(t, "lana-bank", "release"), "release")))
	assert.Equal(t, []string{"version", "prepare", "binary", "build-weatherd", "weatherd-edge-image"},
		stepNames(jobOf(t, rendered(t, "go-service", "release"), "build-rc")))
}

// The token of a build ends with it, whatever becomes of the build, and whether there is an image and a token or not.
func TestTokenOfAReleaseEnds(t *testing.T) {
	t.Parallel()
	var with []pipeline.Step
	walk(jobOf(t, rendered(t, "lana-bank", "release"), "release").Steps(), func(s pipeline.Step) {
		if s.Kind == pipeline.KindDo && s.Do[0].Name() == "give-token" {
			with = append(with, s)
		}
	})
	require.Len(t, with, 1)
	require.NotNil(t, with[0].Ensure)
	assert.Equal(t, "end-token", with[0].Ensure.Name())
	inputs := with[0].Ensure.Task.Config.Inputs
	require.Len(t, inputs, 2)
	assert.True(t, inputs[0].Optional && inputs[1].Optional)
}

// A candidate and a release go into the chart by the same template: the twins differ in who made the images and where they go.
func TestTwinsOfTheChartBump(t *testing.T) {
	t.Parallel()
	p := rendered(t, "lana-bank", "release")
	describe := func(name string) string {
		var lines []string
		walk(jobOf(t, p, name).Steps(), func(s pipeline.Step) {
			if s.Kind == pipeline.KindPut && strings.HasPrefix(s.Name(), "chart") {
				text, err := s.Put.Params.JSON()
				require.NoError(t, err)
				lines = append(lines, string(text))
			}
			if s.Kind == pipeline.KindGet {
				lines = append(lines, s.Name()+" passed "+s.Get.Passed[0].Value)
			}
		})
		return strings.Join(lines, "\n")
	}
	rc := strings.NewReplacer("edge-image", "latest-image", "build-rc", "release", `"repo`, `"source`, `"false"`, `"true"`).Replace(describe("bump-image-in-chart-rc"))
	assert.Equal(t, rc, strings.Replace(describe("bump-image-in-chart"), "promote-rc passed release\n", "", 1))
}

// Whatever happens to a test flight, it is removed: the release first, and the rest even if the release is still there.
func TestTestflightsEnd(t *testing.T) {
	t.Parallel()
	plan := jobOf(t, rendered(t, "lana-bank", "charts"), "testflight").Plan
	require.Len(t, plan, 2)
	require.Equal(t, pipeline.KindDo, plan[1].Kind)
	uninstall := plan[1].Ensure
	require.NotNil(t, uninstall)
	assert.Equal(t, "uninstall", uninstall.Name())
	require.NotNil(t, uninstall.Ensure)
	assert.Equal(t, "destroy", uninstall.Ensure.Name())
	verb, _ := uninstall.Ensure.Task.Config.Params.Field("VERB").Text()
	assert.Equal(t, "destroy", verb)

	terraform := jobOf(t, rendered(t, "multi-cloud", "charts"), "testflight-ledger")
	assert.Equal(t, []string{"apply", "smoketest", "destroy"}, stepNames(terraform), "Terraform's release is its own to remove")
}

// Every task runs inside the script that passes an abort on; only the tasks that build images and render pipelines are a program, which the
// signal reaches by itself.
func TestEveryTaskPassesAnAbortOn(t *testing.T) {
	t.Parallel()
	abortable, err := os.ReadFile("shared/tasks/abortable.sh")
	require.NoError(t, err)
	tasks := 0
	for _, c := range allExamples(t) {
		for _, job := range rendered(t, filepath.Base(filepath.Dir(c.Dir)), c.Template()).Jobs {
			walk(job.Steps(), func(s pipeline.Step) {
				if s.Kind != pipeline.KindTask || s.Task.Config.Run.Path == "build" || s.Task.Config.Run.Path == "/opt/resource/taxiway" {
					return
				}
				tasks++
				run := s.Task.Config.Run
				assert.Equal(t, "bash", run.Path)
				require.Len(t, run.Args, 4)
				assert.Equal(t, []string{"-c", string(abortable)}, run.Args[:2], "%s: task %s", c.Want(), s.Name())
			})
		}
	}
	assert.Greater(t, tasks, 50)
}

// Values that cannot be meant do not render, and the answer says which.
func TestTemplatesRefuse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ user, template, old, replacement, want string }{
		{"go-service", "release", "repository: acme-tools/weatherd", "repository: weatherd", "must be: owner/name"},
		{"go-service", "release", "  access_token: ((weatherd.token))", "  api_url: https://github.example/api/v3", "acme-tools/weatherd needs an access_token, or an app_id and app_private_key"},
		{"go-service", "release", "  access_token: ((weatherd.token))", `  app_id: "1"`, "has an app_id and no app_private_key"},
		{"go-service", "release", "- name: test\n", "- name: Test\n", "must be: a name in lower case"},
		{"go-service", "release", "\ntypes:", "\nrelease: {title: v1}\n\ntypes:", "must be: a text with {version} in it"},
		{"go-service", "release", "\ntypes:", "\nrelease: {title: 'v{version} {tag}'}\n\ntypes:", "must be: a text with {version} in it, and no other placeholder"},
		{"lana-bank", "release", "commit_file: tf/repo-ref", "commit_file: is-release", "chart: commit_file and marker are both is-release; choose another file for one of them"},
		{"go-service", "release", "\ngithub:", "  paths: ['']\n\ngithub:", "git.paths[0]"},
		{"go-service", "release", "\ngithub:", "  ignore_paths: ['']\n\ngithub:", "git.ignore_paths[0]"},
		{"lana-bank", "charts", "program: tofu", "program: tofu\n  ignore_paths: ['']", "testflight.ignore_paths[0]"},
		{"small-team", "deployments", "  propose: true", "  propose: true\n  jobs_for: ['']", "gates.jobs_for[0]"},
		{"lana-bank", "nix-cache", "tags: [nix-cache]", "tags: ['']", "build.tags[0]"},
		{"go-service", "release", "\ntypes:", "\ntypes:\n  username: bot", "types.password\n    - is required: username and password are given together"},
		{"go-service", "release", "  password: ((weatherd.token))\n\npromote", "\npromote", "build.password\n    - is required"},
		{"lana-bank", "nix-cache", "\ntypes:", "\ntypes:\n  password: ((p))", "types.username\n    - is required: username and password are given together"},
		{"lana-bank", "nix-cache", "\ntypes:", "\ntypes:\n  password: ((p))\n  username: ''", "types.username"},
		{"lana-bank", "nix-cache", "tag: 2.24.0", "tag: 2.24.0\n    username: bot", "build.image.password\n    - is required"},
		{"go-service", "release", "- name: weatherd\n", "- name: weatherd\n  build_args: [a]\n", "must be: a mapping of names to texts, as in {NAME: text}"},
		{"go-service", "release", "- name: weatherd\n", "- name: weatherd\n  release_build_args: [a]\n", "images[0].release_build_args"},
		{"go-service", "release", "- name: test\n", "- name: test\n  params:\n", "must be: not null"},
		{"small-team", "deployments", "  executor: helm", "  params: text\n  executor: helm", "deployments[0].params"},
		{"lana-bank", "charts", "- name: lana-bank\n", "- name: lana-bank\n  params: [a]\n", "charts[0].params"},
		{"lana-bank", "nix-cache", "  tags: [nix-cache]", "  params: [a]", "build.params"},
		{"go-service", "release", "\ntypes:", "\ngroups: [{name: all}]\n\ntypes:", "groups[0].jobs\n    - is required"},
		{"go-service", "release", "tools: *go", "- name: test\n  image: *go\n  command: go vet ./...\n\ntools: *go", "tests: two are called test"},
		{"go-service", "release", "initial_version: 0.1.0", "no_bump: keep", `must be: one of ["fail", "patch"]`},
		{"go-service", "release", "\nbuild:\n  image:\n    repository: concourse/oci-build-task\n    tag: 0.11.1", "\nbuild:", "build.image is missing"},
		{"go-service", "release", "- name: weatherd\n", "- name: weatherd\n  edge_required: true\n", "weatherd has edge_required, and no edge_paths"},
		{"go-service", "release", "- name: weatherd\n", "- name: weatherd\n  release_token: GH_TOKEN\n", "weatherd has release_token, which is a token of a GitHub App: set github.app_id and github.app_private_key"},
		{"lana-bank", "release", "release_token: GH_TOKEN", "release_token: GH-TOKEN", "must be: a name of letters, digits and underscores"},
		{"lana-bank", "release", "release_token: GH_TOKEN", "release_token: 1TOKEN", "which does not begin with a digit"},
		{"lana-bank", "release", "release_token: GH_TOKEN", "release_token: COMMITHASH", "lana-bank has release_token COMMITHASH, which is another build argument already"},
		{"lana-bank", "release", "release_token: GH_TOKEN", "release_token: A\n  build_args: {A: b}", "lana-bank has release_token A, which is another build argument already"},
		{"lana-bank", "release", "release_token: GH_TOKEN", "release_token: B\n  release_build_args: {B: c}", "lana-bank has release_token B, which is another build argument already"},
		{"go-service", "release", "tag: 0.11.1", "tag: latest", "is not a pin"},
		{"go-service", "release", "  repository: ghcr.io/acme-tools/weatherd", "  repository: ghcr.io/acme-tools/weatherd\n  binary: true", "weatherd needs the binary, and binary.into does not say"},
		{"go-service", "release", "- name: weatherd\n", "- name: weatherd\n  repository: a\n- name: weatherd\n", "images: two are called weatherd"},
		{"go-service", "release", "  password: ((weatherd.token))", "  password: hunter2", "must be: a ((reference)) to a secret"},
		{"lana-bank", "release", "  - name: dagster\n", "  - name: dagstar\n", "no image is called dagstar; they are called lana-bank, admin-panel, customer-portal, dagster"},
		{"lana-bank", "release", "  cache: acme-bank\n", "", "name either a cache or a url"},
		{"lana-bank", "release", "  cache: acme-bank\n", "  cache: acme-bank\n  url: https://cache.example\n", "name either a cache or a url"},
		{"small-team", "release", "    auto_merge: squash", "    auto_merge: squash\n    draft: true", "chart.release: a draft cannot merge by itself"},
		{"lana-bank", "charts", "- name: lana-bank\n", "- name: lana-bank\n- name: lana-bank\n", "charts: two are called lana-bank"},
		{"multi-cloud", "charts", "  attempts: 3", "  timeout: 5m", "values and timeout are helm's; with install: terraform they belong into the configuration"},
		{"multi-cloud", "charts", "install: terraform", "install: kubectl", `must be: one of ["helm", "terraform"]`},
		{"lana-bank", "charts", "- name: lana-bank\n", "- name: lana-bank\n  path: charts/{name}\n", "charts/{name}: unknown placeholder; the known one is {chart}"},
		{"lana-bank", "charts", "program: tofu", "program: tofu\n  ignore_paths: ['{charts}/Chart.yaml']", "{charts}/Chart.yaml: unknown placeholder; the known one is {chart}"},
		{"lana-bank", "charts", "\ntypes:", "  generate: {image: {repository: a, tag: 1.0.0}, command: make, files: [{from: a, to: '{env}/a'}]}\n\ntypes:", "{env}/a: unknown placeholder; the known one is {chart}"},
		{"lana-bank", "charts", "\ntypes:", "  pull_request: {github: {repository: a/b, access_token: ((t))}, labels: [a], bot_branch: 'bump-{cluster}'}\n\ntypes:", "bump-{cluster}: unknown placeholder; the known one is {chart}"},
		{"multi-cloud", "charts", "- name: statements-fonts", "- context: images/{name}\n  name: statements-fonts", "images/{name}: unknown placeholder; the known one is {image}"},
		{"lana-bank", "charts", "program: tofu", "program: pulumi", `must be: one of ["terraform", "tofu"]`},
		{"lana-bank", "charts", "kubeconfig: ((testflight.kubeconfig))", "kubeconfig: 'clusters: []'", "must be: a ((reference)) to a secret"},
		{"lana-bank", "charts", "  timeout: 15m", "  timeout: 30m", "testflight.limit: 30m must be longer than testflight.timeout: 30m"},
		{"lana-bank", "charts", "program: tofu", "program: tofu\n  limit: 1d", "testflight.limit: 1d is not a duration like 90s, 15m or 1h30m"},
		{"small-team", "deployments", "\nexecutors:", "\ntimeout: 10m\n\nexecutors:", "timeout: 10m must be longer than executors.helm.timeout: 5m (helm may take it twice"},
		{"lana-bank", "nix-cache", "      tag: v1.8.1", "      tag: v1.8.1\n      digest: sha256:" + strings.Repeat("a", 64), "cfcommunity/slack-notification-resource: the image of a resource type is pinned by its tag alone"},
		{"go-service", "release", "\ntypes:", "\nnotify: {success: true}\n\ntypes:", "notify.success: nobody would be told; set notify.slack or notify.webhook"},
		{"lana-bank", "charts", "  success: true\n  slack:\n    image:\n      repository: cfcommunity/slack-notification-resource\n      tag: v1.8.1\n    url: ((slack.webhook))\n    channel: \"#deployments\"\n", "  success: true\n", "notify.success: nobody would be told"},
		{"small-team", "deployments", "values: ci/deployments.values.yml", "values: ../deployments.values.yml", "set_self.values"},
		{"small-team", "deployments", "\ntypes:", "\nnotify: {success: true}\n\ntypes:", "notify.success: nobody would be told"},
		{"lana-bank", "nix-cache", "  access_token: ((github.access_token))", "  app_private_key: ((key))", "needs an access_token, or an app_id"},
		{"lana-bank", "nix-cache", "  auth_token: ((cachix.auth_token))\n", "", "must be: a ((reference)) to a secret"},
		{"go-service", "release", "\ntypes:", "\nset_self: {values: /ci/x.yml}\n\ntypes:", "must be: a path inside the repository, without / at the beginning and without .."},
		{"lana-bank", "charts", "\ntypes:", "\nset_self: {values: ci/../../x.yml}\n\ntypes:", "set_self.values"},
		{"lana-bank", "nix-cache", "\ntypes:", "\nset_self: {values: x.yml, var_files: [../vars.yml]}\n\ntypes:", "set_self.var_files[0]"},
	} {
		t.Run(tc.template+": "+tc.want, func(t *testing.T) {
			t.Parallel()
			good, err := os.ReadFile(exampleOf(tc.user, tc.template).Rendering().Values)
			require.NoError(t, err)
			require.Contains(t, string(good), tc.old)
			values := filepath.Join(t.TempDir(), valuesFile)
			require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), tc.old, tc.replacement, 1)), 0o644))
			out, err := Rendering{Template: tc.template, Values: values, Repository: exampleOf(tc.user, tc.template).Rendering().Repository}.Render()
			require.Error(t, err)
			require.ErrorContains(t, err, tc.want)
			assert.Empty(t, out)
		})
	}
}

// The image of a type that others make may be in a private registry.
func TestTypesOfOthersHaveALogin(t *testing.T) {
	t.Parallel()
	const login = "\nnotify: {slack: {image: {repository: registry.example/slack-notification, tag: 1.8.1, username: bot, password: ((registry.password))}, url: ((slack))}}\n"
	p := renderedWith(t, exampleOf("small-team", Deployments), login)
	typ, ok := p.ResourceType("slack-notification")
	require.True(t, ok)
	assert.Equal(t, map[string]any{"repository": "registry.example/slack-notification", "tag": "1.8.1", "username": "bot", "password": "((registry.password))"}, typ.Source.Data())
}

// A value that no template has is a mistake wherever it stands.
func TestTemplatesRefuseUnknownValues(t *testing.T) {
	t.Parallel()
	for _, c := range allExamples(t) {
		r := c.Rendering()
		good, err := os.ReadFile(r.Values)
		require.NoError(t, err)
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, append(good, "\nnotfy: {}\n"...), 0o644))
		_, err = Rendering{Template: r.Template, Values: values, Repository: r.Repository}.Render()
		require.Error(t, err, r.Values)
		require.ErrorContains(t, err, `did you mean "notify"?`)
	}
}
