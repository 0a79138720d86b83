package deployments_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
)

// What a put's folder says about itself may be written by anybody: it is read as text, or is an error.
func FuzzReadDelivered(f *testing.F) {
	f.Add("dev", "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", `{"trigger": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "version": "3"}`)
	f.Add("dev\n", "", "")
	f.Add("../x", "\x00", `{"version": 7}`)
	f.Add("a", "b", "[")
	f.Fuzz(func(t *testing.T, environment, trigger, version string) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o750))
		for name, text := range map[string]string{"cepler_environment": environment, "cepler_trigger": trigger, "cepler_version": version} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".git", name), []byte(text), 0o600))
		}
		got, err := deployments.ReadDelivered(dir)
		if err != nil {
			assert.Zero(t, got)
			return
		}
		assert.Equal(t, strings.TrimSuffix(environment, "\n"), got.Environment)
	})
}

// A Chart.yaml of a deployments repository may be written by anybody.
func FuzzParseChart(f *testing.F) {
	f.Add([]byte("apiVersion: v2\nname: bank\nversion: 1.2.3\nappVersion: \"0.42.0\"\n"))
	f.Add([]byte("appVersion: [1]\n"))
	f.Add([]byte("a: &a [*a, *a]\nname: *a\n"))
	f.Add([]byte("- name\n"))
	f.Add([]byte("name: !!binary gA==\n<<: {version: 1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := deployments.ParseChart(data)
		if err != nil {
			return
		}
		again, err := deployments.ParseChart(data)
		require.NoError(t, err)
		assert.Equal(t, first, again)
	})
}
