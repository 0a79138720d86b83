package ceplergate_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "cepler-gate", func() { concourse.Main(ceplergate.Resource{}) }, map[string]func(){
		"cepler-in":  func() { concourse.Main(ceplerin.Resource{}) },
		"cepler-out": func() { concourse.Main(ceplerout.Resource{}) },
	})
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

const missing = `{"commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "gate": "HEAD"}`

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(ceplergate.Resource{}),
		Source: func(url string) string {
			return source(t, map[string]any{
				"uri": url + "/team/deployments.git", "username": "robot", "password": "s3cr3t-p4ssw0rd",
				"github": map[string]any{"repository": "team/deployments", "api_url": url, "access_token": "ghp_s3cr3t-t0k3n"},
			})
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd", "ghp_s3cr3t-t0k3n"},
		Version:   missing,
		PutParams: `{}`,
		Live: func(t *testing.T) (string, string) {
			t.Helper()
			w := newWorld(t)
			return source(t, map[string]any{"uri": w.src.URI}), missing
		},
	})
}

func source(t *testing.T, keys map[string]any) string {
	t.Helper()
	keys["branch"], keys["environment"], keys["gates_branch"], keys["gates_file"] = "main", "production", "gates", "bank.yml"
	keys["repositories"] = []map[string]any{{"uri": "https://git.example.org/team/bank.git"}}
	data, err := json.Marshal(keys)
	require.NoError(t, err)
	return string(data)
}
