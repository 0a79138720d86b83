package yamledit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// digests are the places of the digests in the files of testdata/values, which
// have the shapes of well-known public charts.
func digests() map[string][]string {
	return map[string][]string{
		"ingress.yaml":    {"controller.image.digest", "controller.image.digestChroot", "controller.admissionWebhooks.patch.image.digest"},
		"params.yaml":     {"image.digest", "metrics.image.digest"},
		"stack.yaml":      {"alertmanager.alertmanagerSpec.image.sha", "prometheusOperator.admissionWebhooks.patch.image.sha"},
		"docs.yaml":       {"image.digest", "webhook.image.digest"},
		"bank.yaml":       {"lanaBank.image.digest", "lanaBank.adminPanel.image.digest", "lanaBank.customerPortal.image.digest", "dagster.dagster-user-deployments.deployments[name=lana-dw].image.digest", "dagster.dagster-user-deployments.deployments[0].image.digest"},
		"windows.yaml":    {"controller.image", "controller.sidecars.configAutoReload.image"},
		"anchors.yaml":    {"services.api.image.digest", "services.worker.image.digest", "services.cron.image.digest"},
		"json.yaml":       {"image.digest", "sidecar.image.digest"},
		"containers.yaml": {"defaults[name=init].image", "defaults[name=app].image", "defaults[name=odd].image"},
		"tabs.yaml":       {"bitcoind.image.digest", `bitcoind.sidekick."image.digest"`},
		"unicode.yaml":    {"bild.digest", `bild."ключ"`, "last[1]"},
	}
}

func TestValuesOfManyStyles(t *testing.T) {
	files, err := filepath.Glob("testdata/values/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	require.Len(t, files, len(digests()))
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			before, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, path := range digests()[filepath.Base(name)] {
				oneLine(t, before, path)
			}
			t.Logf("%d lines; a round trip through a parser's nodes changes %d of them", bytes.Count(before, []byte("\n")), roundTrip(t, before))
		})
	}
}

// oneLine sets one digest and its comment, and checks every byte around them.
func oneLine(t *testing.T, before []byte, path string) {
	t.Helper()
	f, err := yamledit.Parse(before, yamledit.Options{})
	require.NoError(t, err)
	v, err := f.Scalar(path)
	require.NoError(t, err)
	front, _, _ := strings.Cut(v.Text, "sha256:")
	require.NoError(t, f.Set(path, front+digest(15)))
	require.NoError(t, f.SetComment(path, "# METADATA:: new"))
	after, err := f.Bytes()
	require.NoError(t, err)

	was, is := strings.SplitAfter(string(before), "\n"), strings.SplitAfter(string(after), "\n")
	require.Len(t, is, len(was))
	n := v.Line - 1
	assert.Equal(t, was[:n], is[:n], "%s: a line above changed", path)
	assert.Equal(t, was[n+1:], is[n+1:], "%s: a line below changed", path)

	// undoing both by hand gives the line back
	set := front + digest(15)
	if v.Text == "" && !strings.Contains(was[n], `""`) && !strings.Contains(was[n], "''") {
		set = " " + set // there was nothing, not even a blank
	}
	line := strings.Replace(is[n], set, v.Text, 1)
	switch {
	case v.Comment != "":
		line = strings.Replace(line, "# METADATA:: new", v.Comment, 1)
	default:
		line = strings.Replace(line, " # METADATA:: new", "", 1)
	}
	assert.Equal(t, was[n], line, path)
}

// roundTrip counts the lines that a parser's own writer changes.
func roundTrip(t *testing.T, data []byte) int {
	t.Helper()
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &doc))
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	require.NoError(t, enc.Encode(&doc))
	require.NoError(t, enc.Close())
	was, is := strings.SplitAfter(string(data), "\n"), strings.SplitAfter(out.String(), "\n")
	return len(was) + len(is) - 2*common(was, is)
}

// common is the length of the longest common subsequence.
func common(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			up := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(up, row[j])
			}
			diagonal = up
		}
	}
	return row[len(b)]
}
