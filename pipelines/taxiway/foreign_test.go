package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

// foreign are texts that anybody can put into a repository that the command reads.
func foreign() []string {
	return []string{
		"<!-- Foreign", "--> Foreign", "closes #1 @team Foreign", "\x1b]52;c;aGk=\x07 Foreign", "\x1b[2J\x1b[1;1H Foreign", "\rerror: Foreign", "\u202e\u2066Foreign",
		"\u009b2J Foreign", "<script>alert(1)</script> Foreign", "\" onload=\"alert(1) Foreign", "javascript:alert(1) Foreign", "hidden\ufeff\U000e0041 Foreign", "'Foreign\u2028x",
	}
}

// inRefs is a text as the name of a branch or tag may have it.
func inRefs(text string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) {
			return '-'
		}
		return r
	}, text)
}

// Text from outside acts in no output of a command: subjects, authors, names of files, branches and tags, messages of tags, charts and
// their values, gates, keys and values of pipelines.
func TestForeignTextActsNowhere(t *testing.T) {
	g := newGated(t)
	_, err := g.code.Git("remote", "add", "origin", "git@github.com:team/bank.git")
	require.NoError(t, err)
	for i, text := range foreign() {
		name := strings.NewReplacer("/", "_").Replace(text)
		change := g.code.Continue("main")
		change.Commit("main", "feat: "+text+"\n\n"+text+"\n").By("Mallory "+strings.NewReplacer("<", "", ">", "", "\n", "").Replace(text)+" <m@example.com>").Write("src/"+name, text)
		require.NoError(t, change.Done())
		for _, args := range [][]string{
			{"branch", "by-" + inRefs(text), "main"},
			{"-c", "user.name=m", "-c", "user.email=m@example.com", "tag", "-a", "-m", text, fmt.Sprintf("%s-1.%d.0", strings.TrimLeft(inRefs(text), "-"), i), "main"},
		} {
			_, err = g.code.Git(args...)
			require.NoError(t, err, "%q", args)
		}
		source, err := g.code.RevParse("main")
		require.NoError(t, err)
		quoted := strconv.QuoteToASCII(text)
		change = g.remote.Continue("main")
		change.Commit("main", "fix: "+text+"\n\n"+text+"\n").By("Mallory "+strings.NewReplacer("<", "", ">", "").Replace(text)+" <m@example.com>").
			Write("chart/templates/"+name, text).Write("chart/Chart.yaml", "name: "+quoted+"\nversion: "+quoted+"\nappVersion: "+quoted+"\n").
			Write("chart/values.yaml", strings.ReplaceAll(pin("3", source), "app=bank", "app="+strings.Join(strings.Fields(text), "_"))+"name: "+quoted+"\n")
		require.NoError(t, change.Done())
	}
	g.record("staging", 0)
	reason := strconv.QuoteToASCII(strings.Join(foreign(), " "))
	g.gates("# " + strings.Join(foreign()[:3], " ") + "\nstaging: HEAD\nproduction: {commit: " + g.tip("main~14") + ", freeze: true, reason: " + reason + "}\n")
	g.git(g.clone, "pull", "--quiet")
	g.git(g.clone, "fetch", "--quiet")
	hostile := hostilePipeline(t)
	for _, args := range [][]string{
		{"trace", "--deployments", g.clone, "--clone", g.code.Dir},
		{"diff", "staging", "production", "--deployments", g.clone, "--clone", g.code.Dir},
		{"gate", "show", "production", "--deployments", g.clone, "--clone", g.code.Dir},
		{"gate", "open", "production", "--deployments", g.clone, "--yes"},
		{"board", "--deployments", g.clone, "--clone", g.code.Dir, "--html", "-"},
		{"commits", "-C", g.code.Dir, "0.42.0..main"},
		{"commits", "--title", strings.Join(foreign(), " ")},
		{"commits", "--format", "github", "-C", g.code.Dir, "0.42.0..main"},
		{"lint", hostile},
		{"lint", "--format", "github", hostile},
		{"doctor", hostile, "--repository", g.clone},
		{"lint", foreign()[4]},
		{"trace", "--deployments", foreign()[3]},
		{"trace", "--" + foreign()[4]},
		{foreign()[4]},
	} {
		got := wholeProgram(t, args...)
		shown := got.stdout + got.stderr
		if args[0] != "gate" || args[1] != "open" {
			assert.Contains(t, shown, "Foreign", "%q: nothing foreign is shown, so that nothing is tested", args)
		}
		for line := range strings.Lines(shown) {
			line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " ")
			assert.Equal(t, visible.Line(line), line, "%q", args)
			assert.False(t, strings.HasPrefix(line, "error: Foreign"), "%q: a line that the program did not say", args)
		}
		if args[0] == "board" {
			assert.NotRegexp(t, `<!-- Foreign|<script>alert|[^\\]" onload=|href=.javascript`, shown)
		}
	}
}

// hostilePipeline is a file with foreign texts as keys, names and values.
func hostilePipeline(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("jobs:\n")
	for _, foreign := range foreign() {
		quoted := strconv.QuoteToASCII(foreign)
		_, _ = fmt.Fprintf(&text, "- name: %[1]s\n  %[1]s: 1\n  plan: [{get: %[1]s, %[1]s: x, passed: [%[1]s]}, {task: %[1]s, file: %[1]s}]\n", quoted)
	}
	file := filepath.Join(t.TempDir(), "pipeline.yml")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}
