package pipelines

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// renderedWith renders an example with more values, and lints what comes of it.
func renderedWith(t *testing.T, e Example, more string) *pipeline.Pipeline {
	t.Helper()
	own, err := os.ReadFile(e.Rendering().Values)
	require.NoError(t, err)
	values := filepath.Join(t.TempDir(), valuesFile)
	require.NoError(t, os.WriteFile(values, append(own, more...), 0o600))
	out, err := Rendering{Template: e.Template(), Values: values, Repository: e.Rendering().Repository}.Render()
	require.NoError(t, err)
	require.Empty(t, pipeline.Lint(WantFile, out, OwnTypes()))
	p, err := pipeline.Parse(WantFile, out)
	require.NoError(t, err)
	return p
}

func pathsOf(t *testing.T, p *pipeline.Pipeline, resource string) any {
	t.Helper()
	r, ok := p.Resource(resource)
	require.True(t, ok, resource)
	return r.Source.Field("paths").Data()
}

// Every pipeline can set itself: it looks at the values alone, and at the cepler configs, renders with the version that the values have
// and sets what comes of it.
func TestPipelinesSetThemselves(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"release", "charts", "nix-cache", Deployments} {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			p := renderedWith(t, exampleOf("lana-bank", template), "set_self:\n  values: ci/x.values.yml\n  var_files: [ci/vars.yml]\n")
			assert.True(t, p.SetsItself())
			job := jobOf(t, p, "set-self")
			assert.True(t, job.Serial)
			assert.NotNil(t, job.OnFailure, "who is told when a job fails is told of this one")
			require.Len(t, job.Plan, 4)
			assert.True(t, job.Plan[0].Get.Trigger)
			assert.True(t, job.Plan[1].LoadVar.Reveal, "what render says of the values stays readable")
			task := job.Plan[2].Task.Config
			assert.Equal(t, "((.:values.types.tag))", task.ImageResource.Source.Field("tag").Data())
			assert.Equal(t, "((.:values.types.registry))/taxiway", task.ImageResource.Source.Field("repository").Data())
			assert.Equal(t, "/opt/resource/taxiway render "+template+" --values pipeline-values/ci/x.values.yml --repository pipeline-values --set-self --output pipeline/pipeline.yml",
				task.Run.Path+" "+strings.Join(task.Run.Args, " "))
			set := job.Plan[3].SetPipeline
			assert.Equal(t, []string{"self", "pipeline/pipeline.yml", "pipeline-values/ci/vars.yml"}, []string{set.Name, set.File, set.VarFiles[0].Value})
			want := []any{"ci/x.values.yml", "ci/vars.yml"}
			if template == Deployments {
				want = append(want, "cepler/lana-bank.yml", "cepler/monitoring.yml", "cepler/bank-reports.yml")
			}
			assert.Equal(t, want, pathsOf(t, p, "pipeline-values"))
		})
	}
}

// The values of a deployments pipeline may be in another repository than the cepler configs.
func TestValuesInARepositoryOfTheirOwn(t *testing.T) {
	t.Parallel()
	const more = "set_self:\n  values: shop.yml\n  git: {uri: \"https://github.com/acme-shop/pipelines.git\", branch: trunk, username: x, password: ((pipelines.token))}\n"
	p := renderedWith(t, exampleOf("two-environments", Deployments), more)
	assert.Equal(t, []any{"shop.yml"}, pathsOf(t, p, "pipeline-values"))
	assert.Equal(t, []any{"cepler/cepler.yml"}, pathsOf(t, p, "cepler-configs"))
	own, _ := p.Resource("pipeline-values")
	assert.Equal(t, map[string]any{
		"uri": "https://github.com/acme-shop/pipelines.git", "branch": "trunk", "username": "x", "password": "((pipelines.token))", "paths": []any{"shop.yml"},
	}, own.Source.Data())
	job := jobOf(t, p, "set-self")
	assert.True(t, job.Plan[0].Get.Trigger && job.Plan[1].Get.Trigger)
	assert.Contains(t, strings.Join(job.Plan[3].Task.Config.Run.Args, " "), "--values pipeline-values/shop.yml --repository cepler-configs")
}

// Concourse's git type knows no App: the same repository is named once more, with a key of its own, and stays one resource.
func TestPipelinesWithAnAppSetThemselves(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("two-environments", Deployments).Rendering().Values)
	require.NoError(t, err)
	const login = "  username: deploy-bot\n  password: ((deployments.token))\n"
	require.Contains(t, string(good), login)
	app := strings.Replace(string(good), login, "  app_id: ((app.id))\n  app_private_key: ((app.key))\n", 1)
	render := func(setSelf string) (*pipeline.Pipeline, error) {
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, []byte(app+"set_self: {values: ci/x.yml"+setSelf+"}\n"), 0o600))
		out, err := Rendering{Template: Deployments, Values: values, Repository: filepath.Join(examplesFolder, "two-environments")}.Render()
		if err != nil {
			return nil, err
		}
		require.Empty(t, pipeline.Lint(WantFile, out, OwnTypes()))
		return pipeline.Parse(WantFile, out)
	}
	_, err = render("")
	require.ErrorContains(t, err, "set_self.git is missing: set_self clones https://github.com/acme-shop/deployments.git with Concourse's own git type, which knows no GitHub App")
	_, err = render(", git: {uri: git@github.com:acme-shop/pipelines.git, private_key: ((pipelines.key))}")
	require.ErrorContains(t, err, "set_self.git is another repository than git: set_self clones https://github.com/acme-shop/deployments.git")

	p, err := render(", git: {uri: git@github.com:acme-shop/deployments.git, private_key: ((deployments.key))}")
	require.NoError(t, err)
	assert.Equal(t, []any{"ci/x.yml", "cepler/cepler.yml"}, pathsOf(t, p, "pipeline-values"))
	_, two := p.Resource("cepler-configs")
	assert.False(t, two)
	own, _ := p.Resource("pipeline-values")
	assert.Equal(t, "((deployments.key))", own.Source.Field("private_key").Data())
	assert.Contains(t, strings.Join(jobOf(t, p, "set-self").Plan[2].Task.Config.Run.Args, " "), "--repository pipeline-values")
}

// The webhook is that of the pipeline's own repository: others are looked at as without one, until the values say how often.
func TestOtherRepositoriesThanThePipelinesOwnAreLookedAt(t *testing.T) {
	t.Parallel()
	const pipelines, charts = "git@github.com:acme-volcano/pipelines.git", "https://github.com/acme-volcano/charts"
	for _, c := range []struct{ every, uri, values, deployments string }{
		{"", pipelines, "1m", "1m"},
		{"", charts, "never", "1m"},
		{", every: never", pipelines, "never", "never"},
	} {
		p := renderedWith(t, exampleOf("multi-cloud", "charts"), "check: {webhook_token: ((hook))"+c.every+"}\nset_self: {values: x.yml, git: {uri: \""+c.uri+"\"}}\n")
		for name, want := range map[string]string{"ledger-chart": "never", "pipeline-values": c.values, "deployments": c.deployments} {
			r, ok := p.Resource(name)
			require.True(t, ok, name)
			assert.Equal(t, [2]string{want, "((hook))"}, [2]string{r.CheckEvery, r.WebhookToken}, "%s %s", name, c.uri)
		}
	}
	p := renderedWith(t, exampleOf("two-environments", Deployments), "check: {webhook_token: ((hook))}\nset_self: {values: x.yml, git: {uri: \""+pipelines+"\"}}\n")
	for name, want := range map[string]string{"pipeline-values": "1m", "cepler-configs": "never"} {
		r, _ := p.Resource(name)
		assert.Equal(t, want, r.CheckEvery, name)
	}
}

// What GitHub is called by: its pages, its API and where it takes files have addresses of their own on each kind of server.
func TestAddressesOfGitHubInARelease(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(exampleOf("go-service", "release").Rendering().Values)
	require.NoError(t, err)
	const before = "  repository: acme-tools/weatherd\n  access_token"
	require.Contains(t, string(good), before)
	for api, want := range map[string][3]any{
		"":                              {nil, nil, "https://github.com/acme-tools/weatherd"},
		"https://api.github.com":        {nil, nil, "https://github.com/acme-tools/weatherd"},
		"https://API.github.com/":       {nil, nil, "https://github.com/acme-tools/weatherd"},
		"https://github.example/api/v3": {"https://github.example/api/v3", "https://github.example/api/uploads/", "https://github.example/acme-tools/weatherd"},
		"https://api.acme.ghe.com":      {"https://api.acme.ghe.com", "https://uploads.acme.ghe.com/", "https://acme.ghe.com/acme-tools/weatherd"},
	} {
		more := before
		if api != "" {
			more = strings.Replace(before, "  access_token", "  api_url: "+api+"\n  access_token", 1)
		}
		values := filepath.Join(t.TempDir(), valuesFile)
		require.NoError(t, os.WriteFile(values, []byte(strings.Replace(string(good), before, more, 1)), 0o600))
		out, err := Rendering{Template: "release", Values: values}.Render()
		require.NoError(t, err)
		p, err := pipeline.Parse(WantFile, out)
		require.NoError(t, err)
		release, _ := p.Resource("github-release")
		page := any(nil)
		walk(jobOf(t, p, "build-rc").Steps(), func(s pipeline.Step) {
			if s.Kind == pipeline.KindTask && !s.Task.Config.Params.Field("SOURCE").IsZero() {
				page = s.Task.Config.Params.Field("SOURCE").Data()
			}
		})
		assert.Equal(t, want, [3]any{release.Source.Field("github_api_url").Data(), release.Source.Field("github_uploads_url").Data(), page}, api)
	}
}

// checksAMinute is how often Concourse looks at the resources that a pipeline gets, all of them together.
func checksAMinute(t *testing.T, p *pipeline.Pipeline) float64 {
	t.Helper()
	got := map[string]bool{}
	for _, j := range p.Jobs {
		walk(j.Steps(), func(s pipeline.Step) {
			if s.Kind == pipeline.KindGet {
				got[s.Get.Resource] = true
			}
		})
	}
	checks := 0.0
	for _, r := range p.Resources {
		if !got[r.Name] || r.CheckEvery == "never" {
			continue
		}
		every := time.Minute // Concourse's own
		if r.CheckEvery != "" {
			var err error
			every, err = time.ParseDuration(r.CheckEvery)
			require.NoError(t, err)
		}
		checks += time.Minute.Seconds() / every.Seconds()
	}
	return checks
}

// hundred is a deployments repository with a hundred environments, and its values.
func hundred(t *testing.T, more string) *pipeline.Pipeline {
	t.Helper()
	root := t.TempDir()
	config := bytes.NewBufferString("deployment: shop\nenvironments:\n")
	for i := range 100 {
		fmt.Fprintf(config, "  place-%03d:\n    latest: [app/**]\n", i)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, Deployments), 0o750))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "cepler"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(root, "cepler", "cepler.yml"), config.Bytes(), 0o600))
	values, err := os.ReadFile(exampleOf("two-environments", Deployments).Rendering().Values)
	require.NoError(t, err)
	e := Example{filepath.Join(root, Deployments)}
	require.NoError(t, os.WriteFile(e.Rendering().Values, values, 0o600))
	return renderedWith(t, e, more)
}

func TestChecksAMinuteOfAHundredEnvironments(t *testing.T) {
	t.Parallel()
	const webhook = "check: {webhook_token: ((hook))}\n"
	for _, c := range []struct {
		name, more string
		want       float64
	}{
		{"without a webhook", "", 100},
		{"with webhooks", webhook, 0},
		{"with webhooks and a pipeline that sets itself", webhook + "set_self: {values: ci/x.yml}\n", 0},
		{"with webhooks and gates, some of which the time opens", webhook + "gates: {file: gates.yml}\n", 100.0 / 60},
		{"with webhooks, in case one is lost", "check: {webhook_token: ((hook)), every: 10m}\n", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := hundred(t, c.more)
			assert.InDelta(t, c.want, checksAMinute(t, p), 1e-6)
			for _, r := range p.Resources {
				if r.Type == "cepler-in" {
					assert.Equal(t, c.more != "", r.WebhookToken != "", r.Name)
				}
			}
		})
	}
	for _, template := range []string{"release", "charts", "nix-cache"} {
		assert.Zero(t, checksAMinute(t, rendered(t, "lana-bank", template)), "%s, with a webhook", template)
	}
}
