package rehearsal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

func TestTools(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with 'quote")
	tools, err := rehearsal.NewTools(dir, "tofu", "helm")
	require.NoError(t, err)
	run := func(environment, tool string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(tools.Path(), tool), args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DEPLOYMENT=bank", "ENVIRONMENT=" + environment}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	fault := rehearsal.Fault{Tool: "tofu", Command: "apply", When: map[string]string{"ENVIRONMENT": "qa"}, Says: "it's $HOME `id`"}
	require.NoError(t, tools.Break(fault))
	for _, c := range []struct {
		environment, tool, arg string
		fails                  bool
	}{{"qa", "tofu", "init", false}, {"qa", "tofu", "apply", true}, {"staging", "tofu", "apply", false}, {"qa", "helm", "apply", false}} {
		out, err := run(c.environment, c.tool, c.arg)
		assert.Equal(t, c.fails, err != nil, "%v: %s", c, out)
		if c.fails {
			assert.Equal(t, fault.Says+"\n", out)
		}
	}
	require.NoError(t, tools.Mend("tofu"))
	_, err = run("qa", "tofu", "apply", "-auto-approve")
	require.NoError(t, err)
	calls, err := tools.Calls()
	require.NoError(t, err)
	assert.Len(t, calls, 5)
	assert.Equal(t, rehearsal.ToolCall{Line: "tofu apply -auto-approve", Deployment: "bank", Environment: "qa"}, calls[4])

	require.NoError(t, tools.Break(rehearsal.Fault{Tool: "helm", Times: 2, Says: "not ready"}))
	for _, fails := range []bool{true, true, false} {
		_, err = run("qa", "helm", "upgrade")
		assert.Equal(t, fails, err != nil)
	}

	require.ErrorContains(t, tools.Mend("tofu"), "not broken")
	require.ErrorContains(t, tools.Break(rehearsal.Fault{Tool: "kubectl"}), "no such tool")
	require.ErrorContains(t, tools.Break(rehearsal.Fault{Tool: "tofu", When: map[string]string{"A}": "x"}}), "no name of an environment variable")
	_, err = rehearsal.NewTools(dir, "../sh")
	require.Error(t, err)
}

func TestAFaultThatAFileHas(t *testing.T) {
	t.Parallel()
	tools, err := rehearsal.NewTools(t.TempDir(), "tofu")
	require.NoError(t, err)
	require.NoError(t, tools.Break(rehearsal.Fault{Tool: "tofu", File: "repo/modules/main.tf", Has: `tier = "tiny"`, Says: "no such tier"}))
	dir := t.TempDir()
	work := filepath.Join(dir, "repo", "gcp", "staging")
	require.NoError(t, os.MkdirAll(work, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "repo", "modules"), 0o755))
	for text, fails := range map[string]bool{"a\n  tier = \"tiny\"\n": true, "tier = \"large\"": false} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "repo", "modules", "main.tf"), []byte(text), 0o644))
		cmd := exec.CommandContext(t.Context(), filepath.Join(tools.Path(), "tofu"), "apply")
		cmd.Dir = work
		assert.Equal(t, fails, cmd.Run() != nil, text)
	}
}
