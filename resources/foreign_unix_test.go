//go:build unix

package resources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/visible"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
)

// foreign are texts that anybody can put into a commit's subject, an author's name or the name of a file. Each has a word by
// which it is found again.
func foreign() []string {
	return []string{
		"<!-- Foreign1", "Foreign2 --> x", "closes #1 Foreign3", "fixes acme/bank#1 Foreign4", "for @team Foreign5", "osc \x1b]52;c;aGk=\x07 Foreign6",
		"csi \x1b[2J\x1b[1;1H Foreign7", "cr \rerror: Foreign8", "bell \a Foreign9", "bidi \u202e\u2066Foreign10", "hidden\ufeff\u2060\U000e0041 Foreign11",
		"tab\tForeign12", "Signed-off-by: Mallory <m@example.com> Foreign13", "Co-authored-by: Mallory <m@example.com> Foreign14",
		"[x](https://evil.example) ![](https://evil.example/p) Foreign15", "c1 \u009b2J Foreign16", "&#64;team Foreign17", "| Foreign18 | </details>", "`Foreign19` ``` @team",
		"<script>alert(1)</script> Foreign20", "not utf-8 \xff Foreign21",
	}
}

// outlet is a place where foreign text comes out.
type outlet string

const (
	onTerminal outlet = "the log of a build"
	inMetadata outlet = "metadata"
	inTitle    outlet = "the title of a pull request"
	inBody     outlet = "the description of a pull request"
	inMessage  outlet = "the message of a commit"
	inNotes    outlet = "release notes and CHANGELOG"
	onPage     outlet = "the board"
	inFile     outlet = "a file of values"
)

// Text from outside acts in no place where a resource type lets it out: not on a terminal, not on the pages of Concourse and the
// forge, and not in git.
func TestForeignTextActsNowhere(t *testing.T) {
	reached := map[outlet]int{}
	for name, set := range stages() {
		t.Run(name, func(t *testing.T) {
			s := set(t)
			if s.repo != nil {
				speak(t, s)
			}
			for at, texts := range letOut(t, s) {
				for _, text := range texts {
					if strings.Contains(text, "Foreign") {
						reached[at]++
					}
					actsNot(t, at, text)
				}
			}
		})
	}
	for _, at := range []outlet{onTerminal, inMetadata, inBody, inMessage, inNotes, onPage} {
		assert.NotZero(t, reached[at], "no foreign text reaches %s, so that nothing is tested", at)
	}
	t.Logf("%d texts, %d types and ways, places reached: %v", len(foreign()), len(stages()), reached)
}

// speak makes commits with foreign texts in subjects, names of files and of authors, which the stage works with.
func speak(t *testing.T, s *stage) {
	t.Helper()
	change := s.repo.Continue("main")
	for i, text := range foreign() {
		name := strings.NewReplacer("/", "_", "\xff", "y").Replace(text)
		for _, subject := range []string{"feat: " + text, "fix(" + strings.Trim(name, "`|<") + "): " + text, text} {
			c := change.Commit("main", subject+"\n\n"+text+"\n").By("Mallory closes #2 @team \x1b[5m" + fmt.Sprint(i) + " <m@example.com>")
			c.Write("charts/bank/templates/"+name, subject).Write("chart/"+name, subject).Write("src/"+name, subject)
			c.Write("charts/bank/Chart.yaml", "name: "+strconv.QuoteToASCII(text)+"\nversion: 1.0.0\nappVersion: "+strconv.QuoteToASCII(text)+"\n")
		}
	}
	require.NoError(t, change.Done())
	for i, text := range foreign() { // everybody who may open a pull request may name its branch, and many may push tags
		name := fmt.Sprint(strings.Trim(regexp.MustCompile(`[/\x00-\x20\x7f~^:?*\[\\]`).ReplaceAllString(strings.ToValidUTF8(text, ""), "-"), "-/."), i)
		_, err := s.repo.Git("branch", "Foreign-"+name, "main")
		require.NoError(t, err, name)
		for _, tag := range []string{"Foreign-" + name, name + "-1." + fmt.Sprint(i) + ".0"} {
			_, err = s.repo.Git("-c", "user.name=Mallory @team", "-c", "user.email=m@example.com", "tag", "-a", "-m", text, tag, "main")
			require.NoError(t, err, tag)
		}
	}
	clone := filepath.Join(s.dir, "repo")
	if _, err := os.Stat(clone); err == nil {
		out, err := exec.CommandContext(t.Context(), "git", "-C", clone, "pull", "--quiet").CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// letOut runs the verbs of a stage and collects what comes out.
func letOut(t *testing.T, s *stage) map[outlet][]string {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	th := &theatre{t: t, stage: s, gossip: &gossip{t: t}}
	out := map[outlet][]string{}
	before := map[string]bool{}
	if s.repo != nil {
		for _, hash := range commitsOfAll(t, s) {
			before[hash] = true
		}
	}
	run := func(verb string, params object) {
		status, shown := th.run(verb, s.source, params)
		require.Zero(t, status, "%s: %s", verb, shown)
		answer, log, _ := strings.Cut(shown, "\n")
		out[onTerminal] = append(out[onTerminal], log)
		var a struct{ Metadata concourse.Metadata }
		if verb != "check" {
			require.NoError(t, json.Unmarshal([]byte(answer), &a), shown)
		}
		for _, f := range a.Metadata {
			out[inMetadata] = append(out[inMetadata], f.Name, f.Value)
		}
	}
	run("check", nil)
	if s.name == "cepler-in" {
		out[onTerminal] = append(out[onTerminal], explained(t, s))
	}
	params := s.idle
	if s.next != nil {
		params, _ = s.next(0)
	}
	switch s.name {
	case "semver-git":
		params = object{"bump": "conventional", "repository": "repo", "tag": true, "allow_downgrade": true}
	case "vendir-bump":
		title, err := exec.CommandContext(t.Context(), "git", "-C", filepath.Join(s.dir, "repo"), "-c", "user.name=a", "-c", "user.email=a@b.c",
			"commit", "--amend", "-q", "--cleanup=verbatim", "-m", "Signed-off-by: Mallory <m@example.com> closes #1 @team \x1b[2J Foreign\n").CombinedOutput()
		require.NoError(t, err, string(title))
	}
	if params != nil {
		run("out", params)
	}
	run("check", nil)
	if th.version != nil {
		run("in", nil)
		for _, pattern := range []string{"*.md", "message", "message.json", "*/*.md"} {
			found, err := filepath.Glob(filepath.Join(th.got, pattern))
			require.NoError(t, err)
			for _, file := range found {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				out[inNotes] = append(out[inNotes], string(text))
			}
		}
	}
	if s.hub != nil && s.name != "pull-request-builds" { // whose pull request is a person's
		pulls, err := s.hub.Repository(strings.TrimSuffix(s.repo.Name(), ".git")).Pulls()
		require.NoError(t, err)
		for _, p := range pulls {
			out[inTitle], out[inBody] = append(out[inTitle], p.Title), append(out[inBody], p.Body)
		}
	}
	if s.repo == nil {
		return out
	}
	for _, hash := range commitsOfAll(t, s) {
		message, err := s.repo.Git("log", "-1", "--format=%B", hash)
		require.NoError(t, err)
		committer, err := s.repo.Git("log", "-1", "--format=%cn", hash)
		require.NoError(t, err)
		if before[hash] || !strings.Contains(committer, "Taxiway") && !strings.Contains(committer, "Cepler") {
			continue
		}
		out[inMessage] = append(out[inMessage], message)
		trailers, err := s.repo.GitInput(message, "interpret-trailers", "--parse")
		require.NoError(t, err)
		for line := range strings.Lines(trailers) {
			assert.NotContains(t, line, "Mallory", "a trailer that the program did not mean, in\n%s", message)
		}
	}
	for at, file := range map[outlet]string{onPage: "gh-pages:index.html", inNotes: "bot-promote:CHANGELOG.md", inFile: "gates:gates.yml"} {
		branch, name, _ := strings.Cut(file, ":")
		if text, err := s.repo.Show(branch, name); err == nil {
			out[at] = append(out[at], text)
		}
	}
	return out
}

// explained is what a person reads of the repository on a laptop.
func explained(t *testing.T, s *stage) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, ceplerin.Explain().Run(t.Context(), concourse.Process{Args: []string{"-C", s.repo.Dir, "--branch", "main"}, Stdout: &text, Stderr: &text}))
	require.Contains(t, text.String(), "Foreign")
	return text.String()
}

func commitsOfAll(t *testing.T, s *stage) []string {
	t.Helper()
	text, err := s.repo.Git("rev-list", "--all")
	require.NoError(t, err)
	return strings.Fields(text)
}

var (
	notified = regexp.MustCompile(`(?:^|[^0-9A-Za-z])@[0-9A-Za-z]`)
	closed   = regexp.MustCompile(`(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b:?\s+(?:[\w.-]+/[\w.-]+)?#\d`)
	escapes  = regexp.MustCompile(`\\[<\[\]|&` + "`" + `]`)
)

// withoutSpans is Markdown without its code spans, in which nothing acts.
func withoutSpans(text string) string {
	var b strings.Builder
	for {
		start := strings.IndexByte(text, '`')
		if start < 0 {
			return b.String() + text
		}
		b.WriteString(text[:start])
		text = text[start:]
		fence := text[:len(text)-len(strings.TrimLeft(text, "`"))]
		end := regexp.MustCompile("[^`]" + fence + "(?:[^`]|$)").FindStringIndex(text)
		if end == nil {
			b.WriteString(fence)
			text = text[len(fence):]
			continue
		}
		text = text[end[0]+1+len(fence):]
	}
}

// actsNot fails the test when a text does something in its place.
func actsNot(t *testing.T, at outlet, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		assert.Equal(t, visible.Line(line), strings.ReplaceAll(line, "\t", " "), "%s has a character that acts", at)
	}
	switch at {
	case inBody, inNotes:
		plain := withoutSpans(escapes.ReplaceAllString(text, ""))
		assert.LessOrEqual(t, strings.Count(plain, "<!--"), 1, "%s: only the program's own comment: %s", at, plain)
		assert.NotRegexp(t, notified, plain, at)
		assert.NotRegexp(t, closed, plain, at)
		assert.NotContains(t, plain, "](https://evil", at)
		assert.NotContains(t, plain, "</details>", at)
		assert.NotContains(t, plain, "&#64;", at)
	case inMessage, inTitle:
		assert.NotRegexp(t, notified, text, at)
		assert.NotRegexp(t, closed, text, at)
	case onPage:
		for _, never := range []string{"<!-- Foreign", "<script>alert", "</details> ", "Foreign2 -->"} {
			assert.NotContains(t, text, never, at)
		}
	case inMetadata, onTerminal, inFile:
	}
	assert.False(t, slices.Contains(strings.Split(text, "\n"), "error: Foreign8"), "%s: a line that the program did not say", at)
}

// The labels and the tag of an image, which whoever built it chose, act neither in the values of a chart nor in what tells of them.
func TestForeignLabelsActNowhere(t *testing.T) {
	refused, taken := 0, 0
	for i, text := range foreign() {
		s := chartStage(t, "pull-request")
		params, _ := s.next(i)
		delete(s.source["images"].([]map[string]string)[0], "repository")
		params = with(params, nil, "")
		delete(params, "source_repository")
		text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), "_")
		written(t, filepath.Join(s.dir, "image", "labels.json"), inJSON(object{"org.opencontainers.image.source": "https://evil.example/acme/" + text, "org.opencontainers.image.revision": strings.Repeat("1", 39) + "a"}, true))
		th := &theatre{t: t, stage: s, gossip: &gossip{t: t}}
		status, shown := th.run("out", s.source, params)
		_, log, _ := strings.Cut(shown, "\n")
		if status != 0 {
			refused++
			actsNot(t, onTerminal, shown)
			continue
		}
		taken++
		actsNot(t, onTerminal, log)
		values, err := s.repo.Show("bot-chart", "charts/bank/values.yaml")
		require.NoError(t, err)
		actsNot(t, inFile, values)
		assert.Equal(t, 1, strings.Count(values, "\n"), values)
		var read map[string]string
		require.NoError(t, yaml.Unmarshal([]byte(values), &read), values)
		assert.Regexp(t, "^sha256:[0-9a-f]{64}$", read["digest"])
		message, err := s.repo.Git("log", "-1", "--format=%B", "bot-chart")
		require.NoError(t, err)
		actsNot(t, inMessage, message)
		pulls, err := s.hub.Repository("acme/mono").Pulls()
		require.NoError(t, err)
		require.Len(t, pulls, 1)
		actsNot(t, inTitle, pulls[0].Title)
		actsNot(t, inBody, pulls[0].Body)
	}
	assert.NotZero(t, taken)
	t.Logf("%d labels are taken, %d refused", taken, refused)
}
