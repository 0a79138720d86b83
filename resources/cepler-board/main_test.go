package ceplerboard_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "cepler-board", func() { concourse.Main(ceplerboard.Resource{}) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

func TestConformance(t *testing.T) {
	const missing = `{"commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"}`
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(ceplerboard.Resource{}),
		Source: func(url string) string {
			return source(t, map[string]any{"uri": url + "/team/deployments.git", "username": "robot", "password": "s3cr3t-p4ssw0rd"})
		},
		Secrets: []string{"s3cr3t-p4ssw0rd"},
		Version: missing,
		Live: func(t *testing.T) (string, string) {
			t.Helper()
			return source(t, map[string]any{"uri": newWorld(t).src.URI}), missing
		},
	})
}

func source(t *testing.T, keys map[string]any) string {
	t.Helper()
	keys["branch"] = "main"
	data, err := json.Marshal(keys)
	require.NoError(t, err)
	return string(data)
}
