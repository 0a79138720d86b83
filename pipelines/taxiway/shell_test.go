package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ran is what the whole program did.
type ran struct {
	status         int
	stdout, stderr string
}

func wholeProgram(t *testing.T, args ...string) ran {
	t.Helper()
	files := [2]*os.File{}
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "stream"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		files[i] = f
	}
	status := run(append([]string{"taxiway"}, args...), strings.NewReader(""), files[0], files[1])
	texts := [2]string{}
	for i, f := range files {
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		texts[i] = string(text)
	}
	return ran{status, texts[0], texts[1]}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "p.yml")
	require.NoError(t, os.WriteFile(broken, []byte("jobs: [{name: a, plan: [{gett: b}]}]\n"), 0o644))
	for want, cases := range map[int][][]string{
		0: {{}, {"--help"}, {"--version"}, {"completion", "bash"}, {"lint", exampleOf("small-team", "charts").Want()}},
		1: {{"lint", broken}, {"lint", filepath.Join(t.TempDir(), "none.yml")}},
		2: {{"lnt"}, {"lint"}, {"lint", "--formt", "json", broken}, {"lint", "--format", "xml", broken}, {"trace"}, {"diff", "staging"}, {"diff", "staging", "production"}, {"board"}, {"board", "--html", "x.html", "--listen", "1", "--deployments", "d"}, {"board", "--html", "x.html"}, {"set", "release"}, {"render", "no-such-template"}, {"demo", "x"}},
	} {
		for _, args := range cases {
			got := wholeProgram(t, args...)
			assert.Equal(t, want, got.status, "%q: %s", args, got.stderr)
			if want != 0 {
				assert.True(t, strings.HasPrefix(got.stderr, "taxiway: "), "%q: %s", args, got.stderr)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, regexp.MustCompile(`^taxiway \S+ \(.*go1\.\d+.*, [a-z]+/[a-z0-9]+\)\n$`), wholeProgram(t, "--version").stdout)
}

// "taxiway … | head" ends without a word about a broken pipe.
func TestAReaderThatGoesEndsTheProgramQuietly(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	defer stderr.Close()
	assert.Equal(t, statusPipe, run([]string{"taxiway", "completion", "bash"}, strings.NewReader(""), writer, stderr))
	said, err := os.ReadFile(stderr.Name())
	require.NoError(t, err)
	assert.Empty(t, string(said))
}

func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.Contains(t, c.Example, "  "+c.CommandPath(), "the example of %s", c.CommandPath())
		for _, inner := range c.Commands() {
			look(inner)
		}
	}
	look(newRoot())
}

func TestColumns(t *testing.T) {
	t.Setenv("COLUMNS", "")
	assert.Equal(t, 80, columns(io.Discard))
	t.Setenv("COLUMNS", "100")
	assert.Equal(t, 100, columns(io.Discard))
	t.Setenv("COLUMNS", "3")
	assert.Equal(t, minColumns, columns(io.Discard))
	assert.False(t, colours(io.Discard))
}

func TestThisProgramIsThatOfEachResourceType(t *testing.T) {
	t.Parallel()
	for name := range newTypes(t) {
		_, ok := resourceProgram(filepath.Join("x", name, "opt", "resource", "check"))
		assert.True(t, ok, "%s is not part of this program", name)
	}
	for _, other := range []string{"taxiway", "check", "/cepler-in/opt/resource/run", "/other/opt/resource/check"} {
		_, ok := resourceProgram(other)
		assert.False(t, ok, other)
	}
}
