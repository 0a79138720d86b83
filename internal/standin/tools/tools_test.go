package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/tools"
)

func TestTools(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with 'quote")
	folder, err := tools.New(dir, "tofu", "helm")
	require.NoError(t, err)
	run := func(environment, tool string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(folder.Path(), tool), args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DEPLOYMENT=bank", "ENVIRONMENT=" + environment}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	fault := tools.Fault{Tool: "tofu", Command: "apply", When: map[string]string{"ENVIRONMENT": "qa"}, Says: "it's $HOME `id`"}
	require.NoError(t, folder.Break(fault))
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
	require.NoError(t, folder.Mend("tofu"))
	_, err = run("qa", "tofu", "apply", "-auto-approve")
	require.NoError(t, err)
	calls, err := folder.Calls()
	require.NoError(t, err)
	assert.Len(t, calls, 5)
	assert.Equal(t, tools.Call{Line: "tofu apply -auto-approve", Deployment: "bank", Environment: "qa"}, calls[4])

	require.NoError(t, folder.Break(tools.Fault{Tool: "helm", Times: 2, Says: "not ready"}))
	for _, fails := range []bool{true, true, false} {
		_, err = run("qa", "helm", "upgrade")
		assert.Equal(t, fails, err != nil)
	}

	require.NoError(t, folder.Real("tofu", "/bin/echo"))
	require.NoError(t, folder.Break(fault))
	out, err := run("staging", "tofu", "apply", "it's  one")
	require.NoError(t, err)
	assert.Equal(t, "apply it's  one\n", out, "the real program, with its own words")
	_, err = run("qa", "tofu", "apply")
	require.Error(t, err, "a fault strikes the real program, too")
	require.NoError(t, folder.Mend("tofu"))
	calls, err = folder.Calls()
	require.NoError(t, err)
	assert.Equal(t, tools.Call{Line: "tofu apply it's  one", Deployment: "bank", Environment: "staging"}, calls[len(calls)-2])
	require.ErrorContains(t, folder.Real("a b", "/bin/echo"), "not a name of a program")

	require.ErrorContains(t, folder.Mend("tofu"), "not broken")
	require.ErrorContains(t, folder.Break(tools.Fault{Tool: "kubectl"}), "no such tool")
	require.ErrorContains(t, folder.Break(tools.Fault{Tool: "tofu", When: map[string]string{"A}": "x"}}), "not a valid name of an environment variable")
	_, err = tools.New(dir, "../sh")
	require.Error(t, err)
}

func TestAFaultThatAFileHas(t *testing.T) {
	t.Parallel()
	folder, err := tools.New(t.TempDir(), "tofu")
	require.NoError(t, err)
	require.NoError(t, folder.Break(tools.Fault{Tool: "tofu", File: "repo/modules/main.tf", Has: `tier = "tiny"`, Says: "no such tier"}))
	dir := t.TempDir()
	work := filepath.Join(dir, "repo", "gcp", "staging")
	require.NoError(t, os.MkdirAll(work, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "repo", "modules"), 0o755))
	for text, fails := range map[string]bool{"a\n  tier = \"tiny\"\n": true, "tier = \"large\"": false} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "repo", "modules", "main.tf"), []byte(text), 0o644))
		cmd := exec.CommandContext(t.Context(), filepath.Join(folder.Path(), "tofu"), "apply")
		cmd.Dir = work
		assert.Equal(t, fails, cmd.Run() != nil, text)
	}
}
