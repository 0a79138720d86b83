package peertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// TestGlobs asks cepler and the glob of this suite which of many random paths
// many random patterns match.
func TestGlobs(t *testing.T) {
	requireCepler(t)
	rng := rand.New(rand.NewPCG(*first, 0x61))
	letters := []string{"a", "b", "ab", ".", "-", "]", "ü", "{", "}", ",", "!", "^", " ", "\\", "[", "*", "?", "x.yml"}
	now := tree{}
	for range 150 {
		addPath(now, random(rng, 1+rng.IntN(3), "/", letters, 3))
	}
	pieces := slices.Concat(letters, []string{"*", "*", "?", "**", "**", "[ab]", "[!a]", "[^a]", "[]]", "[a-c]", "[c-a]", "[-a]", "[.]", "[!b-x]", "."})
	var c config
	c.path, c.deployment = "cepler.yml", "default"
	for i := range 160 {
		pattern := random(rng, 1+rng.IntN(4), "/", pieces, 3)
		if rng.IntN(3) == 0 {
			pattern = strings.Replace(pattern, "/", "/**/", 1)
		}
		c.environments = append(c.environments, environment{name: fmt.Sprint("e", i), latest: []string{pattern}})
	}
	now[c.path] = file{regular, c.yaml()}
	w := newWorld(t, filepath.Join(t.TempDir(), "remote.git"))
	w.push("init", now)
	dir := filepath.Join(t.TempDir(), "clone")
	w.git("", "clone", "-q", w.dir, dir)
	refused, matched := 0, 0
	for _, e := range c.environments {
		pattern := e.latest[0]
		out, stderr := ceplerIn(t, dir, "ls", "-e", e.name)
		glob, err := cepler.ParseGlob(pattern)
		if strings.Contains(stderr, "panicked") {
			refused++
			assert.Error(t, err, "cepler panics on %q", pattern)
			continue
		}
		if !assert.NoError(t, err, "cepler takes %q", pattern) {
			continue
		}
		var want, got []string
		if out != "" {
			want = strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		}
		for p := range now {
			if p != c.path && glob.Match(p) {
				got = append(got, p)
				for dir := filepath.Dir(p); dir != "."; dir = filepath.Dir(dir) {
					assert.True(t, glob.Descend(dir), "%q matches %q but does not descend into %q", pattern, p, dir)
				}
			}
		}
		matched += len(got)
		slices.Sort(want)
		slices.Sort(got)
		assert.Equal(t, want, got, "%q", pattern)
	}
	t.Logf("%d patterns on %d paths: %d matches, %d patterns refused by both", len(c.environments), len(now)-1, matched, refused)
	require.NotZero(t, matched)
}

// addPath adds a path that no other path is in the way of.
func addPath(now tree, p string) {
	for part := range strings.SplitSeq(p, "/") {
		if part == "." || part == ".." {
			return
		}
	}
	for other := range now {
		if strings.HasPrefix(other+"/", p+"/") || strings.HasPrefix(p+"/", other+"/") {
			return
		}
	}
	if strings.HasPrefix(p, "\"") || strings.Contains(p, "\n") {
		return
	}
	now[p] = file{regular, p}
}

// random is parts of pieces.
func random(rng *rand.Rand, parts int, between string, from []string, most int) string {
	all := make([]string, parts)
	for i := range all {
		for range 1 + rng.IntN(most) {
			all[i] += pick(rng, from...)
		}
	}
	return strings.Join(all, between)
}

// TestStateText records many files with odd names and messages with cepler,
// and writes the same file again with the model of this suite.
func TestStateText(t *testing.T) {
	requireCepler(t)
	rng := rand.New(rand.NewPCG(*first, 0x7e))
	pieces := []string{
		"a", "b", "1", "12", "1e3", "0x1f", ".5", "-1", "+2", "inf", "nan", "NaN", "~", "null", "yes", "No", "on", "true", "2020-01-01", "1_000",
		" ", "  ", "\n", "\n\n", "\t", "\r\n", "\x1b", "\x07", "\x7f", "\x08", "\u0085", "\u2028", "ü", "日本", ":", ": ", "#", " #", "-", "- ", "?", "|", ">", "<", "=", "!", "%", "@", "&", "*",
		"{", "}", "[", "]", ",", "`", "\"", "'", "\\", ".", "feat: x",
	}
	// A message that is no more than one of these is what a reader could take
	// for something else, so each comes alone as well.
	messages := slices.Clone(pieces)
	for range 160 {
		messages = append(messages, random(rng, 1, "", pieces, 5))
	}
	c := config{path: "cepler.yml", deployment: "default", environments: []environment{{name: "tf", latest: []string{"**", "**/.*"}}}}
	w := newWorld(t, filepath.Join(t.TempDir(), "remote.git"))
	now := tree{c.path: {regular, c.yaml()}}
	w.push("init", now)
	raw := map[string]string{}
	for i, m := range messages {
		p := random(rng, 1, "", []string{"a", "1", " ", ":", "#", "'", "ü", "-", "{", ",", "~", "\\", "\t", "\x7f", "&"}, 4) + fmt.Sprint("/", i)
		now = maps.Clone(w.main.tree)
		addPath(now, p)
		w.push(m, now)
		raw[w.main.hash] = m
	}
	dir := filepath.Join(t.TempDir(), "clone")
	w.git("", "clone", "-q", w.dir, dir)
	_, stderr := ceplerIn(t, dir, "record", "-e", "tf", "--no-commit")
	all := onDisk(t, dir)
	text := all[c.statePath("tf")].content
	require.NotEmpty(t, text, stderr)
	state, err := cepler.ParseState("tf.state", []byte(text))
	require.NoError(t, err)
	require.Greater(t, len(state.Current.Files), 200)
	assert.Equal(t, text, string(state.Marshal()))
	for key, f := range state.Current.Files {
		assert.Equal(t, f.Message, cepler.Summary(raw[f.From]), "%q of %q", raw[f.From], key)
	}
}

func requireCepler(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("cepler"); err != nil {
		t.Skip("no cepler on PATH: nothing to compare with")
	}
}

// ceplerIn runs cepler in a clone.
func ceplerIn(t *testing.T, dir string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cepler", args...)
	cmd.Env = append(os.Environ(), "RUST_BACKTRACE=0")
	cmd.Dir = dir
	var out, diag strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &diag
	_ = cmd.Run() // its status says little: see the panics
	return out.String(), diag.String()
}
