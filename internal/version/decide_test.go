package version_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

// history is one case of testdata/histories.txt.
type history struct {
	name, want string
	question   version.Question
}

func histories(t *testing.T) []history {
	t.Helper()
	text, err := os.ReadFile("testdata/histories.txt")
	require.NoError(t, err)
	var all []history
	for _, part := range strings.Split(string(text), "\n== ")[1:] {
		name, lines, _ := strings.Cut(part, "\n")
		all = append(all, parseHistory(t, name, strings.Split(lines, "\n")))
	}
	return all
}

func parseHistory(t *testing.T, name string, lines []string) history {
	t.Helper()
	keys := map[string]string{}
	var commits []version.Commit
	for _, line := range lines {
		switch key, value, ok := strings.Cut(line, ":"); {
		case strings.HasPrefix(line, "* "), strings.HasPrefix(line, "M "):
			hash := fmt.Sprintf("%040x", len(commits)+1)
			commits = append(commits, version.Commit{Hash: hash, Merge: line[0] == 'M', Message: line[2:]})
		case strings.HasPrefix(line, "  "):
			commits[len(commits)-1].Message += "\n" + line[2:]
		case ok:
			keys[key] = strings.TrimSpace(value)
		default:
			require.Empty(t, line, name)
		}
	}
	if keys["crlf"] != "" {
		for i := range commits {
			commits[i].Message = strings.ReplaceAll(commits[i].Message, "\n", "\r\n")
		}
	}
	require.NotEmpty(t, keys["want"], name)
	return history{name: name, want: keys["want"], question: question(t, keys, commits)}
}

func question(t *testing.T, keys map[string]string, commits []version.Commit) version.Question {
	t.Helper()
	q := version.Question{
		Commits: commits, Rules: version.Default(),
		Pre: keys["pre"], Final: keys["final"] == "true", Override: keys["override"],
	}
	if keys["cog"] != "" {
		q.Rules = cog(t, keys["cog"])
	}
	q.Rules.KeepZero = keys["keep_zero"] == "true"
	for tag := range strings.FieldsSeq(keys["tags"]) {
		v, ok := version.ParseTag(tag, cmp.Or(keys["prefix"], q.Rules.TagPrefix))
		switch {
		case !ok:
		case !v.IsFinal():
			q.Candidates = append(q.Candidates, v)
		case q.Base == nil || v.Compare(*q.Base) > 0:
			q.Base = &v
		}
	}
	return q
}

func cog(t *testing.T, name string) version.Rules {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cog", name+".toml"))
	require.NoError(t, err)
	rules, err := version.ParseCog(data, toml.Decode)
	require.NoError(t, err)
	return rules
}

// wanted errors, by the word of the table.
func words() map[string]error {
	return map[string]error{
		"nothing": version.ErrNothing, "no candidate": version.ErrNoCandidate, "backwards": version.ErrBackwards,
		"invalid": version.ErrInvalid, "no bump": version.ErrBump,
	}
}

func TestHistories(t *testing.T) {
	all := histories(t)
	require.GreaterOrEqual(t, len(all), 50)
	seen := map[string]bool{}
	var table strings.Builder
	for _, h := range all {
		require.False(t, seen[h.name], "two histories are called %q", h.name)
		seen[h.name] = true
		d, err := version.Decide(h.question)
		if want, ok := words()[h.want]; ok {
			require.ErrorIs(t, err, want, h.name)
		} else {
			require.NoError(t, err, h.name)
			assert.Equal(t, h.want, d.Next.String(), h.name)
		}
		table.WriteString(explained(h.name, d, err))
	}
	golden(t, "explained.txt", table.String())
}

// explained shows what a person would be told.
func explained(name string, d version.Decision, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s\n", name)
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	fmt.Fprintf(&b, "next %s, level %s\n", d.Next, d.Level)
	deciding := map[version.Reason]bool{}
	for _, r := range d.Deciding() {
		deciding[r] = true
	}
	for _, r := range d.Reasons {
		mark := " "
		if deciding[r] {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %s | %s | %s\n", mark, strings.TrimLeft(r.Hash, "0"), r.Subject, r.Rule)
	}
	b.WriteString("\n")
	return b.String()
}

// Whoever reads only the first part of a message still gets the one error that
// holds.
func TestErrorsOfDecisionsAreTellable(t *testing.T) {
	for _, h := range histories(t) {
		_, err := version.Decide(h.question)
		if err == nil {
			continue
		}
		assert.NotContains(t, err.Error(), "\n", h.name)
		n := 0
		for _, known := range words() {
			if errors.Is(err, known) {
				n++
			}
		}
		assert.Equal(t, 1, n, "%s: %v", h.name, err)
	}
}

func TestTypesOfOnesOwn(t *testing.T) {
	rules, err := version.Default().With(map[string]string{"Feat": "patch", "docs": "major", "perf": "none"})
	require.NoError(t, err)
	assert.Equal(t, version.LevelPatch, rules.Types["feat"])
	assert.Equal(t, version.LevelMajor, rules.Types["docs"])
	assert.Equal(t, version.LevelNone, rules.Types["perf"])
	assert.Equal(t, version.LevelPatch, rules.Types["fix"])
	assert.Equal(t, version.LevelMinor, version.Default().Types["feat"], "the default is as before")

	_, err = version.Rules{}.With(map[string]string{"feat": "big"})
	require.ErrorIs(t, err, version.ErrBump)
	assert.EqualError(t, err, `feat: "big" is not one of major, minor, patch, none`)
	_, err = version.Rules{}.With(map[string]string{"two words": "patch"})
	require.ErrorContains(t, err, `"two words" is not a valid commit type`)
}
