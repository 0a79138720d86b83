package chartbump_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "chart-bump", func() { concourse.Main(chartbump.Resource{}, chartbump.Edit()) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

const nowhere = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(chartbump.Resource{}),
		Source: func(url string) string {
			data, err := json.Marshal(object{
				"uri": url + "/charts.git", "branch": "main", "chart": "charts/bank", "username": "robot", "password": "s3cr3t-p4ssw0rd",
				"images": []object{{"name": "bank", "path": "image.digest"}}, "bot_branch": "bot",
				"github":   object{"repository": "acme/charts", "api_url": url + "/api/v3", "access_token": "gh-s3cr3t-t0ken"},
				"registry": object{"username": "robot", "password": "r3gistry-p4ss"},
			})
			require.NoError(t, err)
			return string(data)
		},
		Secrets:   []string{"s3cr3t-p4ssw0rd", "gh-s3cr3t-t0ken", "r3gistry-p4ss"},
		Version:   `{"commit": "` + nowhere + `"}`,
		PutParams: `{"images": {"bank": "bank"}}`,
		Artifacts: map[string]string{
			"bank/digest":      digestA,
			"bank/labels.json": `{"org.opencontainers.image.source": "https://github.com/acme/bank", "org.opencontainers.image.revision": "` + nowhere + `"}`,
		},
		Live: live,
	})
}

// live is a repository with a chart.
func live(t *testing.T) (source, missing string) {
	t.Helper()
	data, err := json.Marshal(newWorld(t).source(nil))
	require.NoError(t, err)
	return string(data), `{"commit": "` + nowhere + `"}`
}
