package resources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

var update = flag.Bool("update", false, "write the answers of testdata/messages.txtar anew")

// fewestMistakes is the number of mistakes in all files together.
const fewestMistakes = 750

// Every mistake in testdata/messages.txtar of the ten resource types has exactly the answer that is written there.
//
// A file has the valid requests (request.json, with the keys source, version, in and out), the files of the first commit of
// main in the repository at $REPO (repo/…), those of the build (build/…) and the mistakes: a line with a verb and what
// is changed in its request, followed by what the program prints.
//
//	check source.branch="a..b" -source.uri
//
// The server at $URL answers /STATUS/… with that status, and everything else with a web page.
func TestMessages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(answerStatus))
	t.Cleanup(server.Close)
	mistakes := 0
	for name, typ := range resourceTypes() {
		file := filepath.Join(name, "testdata", "messages.txtar")
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			mistakes += newMessages(t, archive, server.URL, typ.run).check(t, file, archive)
		})
	}
	assert.GreaterOrEqual(t, mistakes, fewestMistakes)
}

func answerStatus(w http.ResponseWriter, r *http.Request) {
	status, err := strconv.Atoi(strings.Split(r.URL.Path, "/")[1])
	if err != nil {
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><title>%s</title></html>", http.StatusText(status))
}

// messages is what the mistakes of one file are tried on.
type messages struct {
	run     func(*testing.T, concourse.Process) int
	build   string
	request string
	given   *strings.Replacer // $NAME to its value
	seen    *strings.Replacer // the other way round
}

func newMessages(t *testing.T, archive *txtar.Archive, url string, run func(*testing.T, concourse.Process) int) *messages {
	t.Helper()
	m := &messages{run: run, build: t.TempDir()}
	first := map[string]string{}
	for _, f := range archive.Files {
		top, rest, _ := strings.Cut(f.Name, "/")
		switch top {
		case "request.json":
			m.request = string(f.Data)
		case "repo":
			first[rest] = string(f.Data)
		case "build":
			to := filepath.Join(m.build, filepath.FromSlash(rest))
			require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o750))
			require.NoError(t, os.WriteFile(to, f.Data, 0o600))
		}
	}
	names := map[string]string{"$URL": url, "$BUILD": m.build, "$REPO": filepath.Join(t.TempDir(), "repository.git"), "$HEAD": "none"}
	if len(first) > 0 {
		repo, err := gittest.Init(names["$REPO"])
		if errors.Is(err, gittest.ErrNoGit) {
			t.Skip(err)
		}
		require.NoError(t, err)
		names["$HEAD"], err = repo.Commit("main", "first commit", first)
		require.NoError(t, err)
	}
	var there, back []string
	for name, value := range names {
		there, back = append(there, name, value), append(back, value, name)
	}
	m.given, m.seen = strings.NewReplacer(there...), strings.NewReplacer(append(back, fmt.Sprintf("%.7s", names["$HEAD"]), "$SHORT")...)
	return m
}

// check compares the messages of a file with those of now, and returns their number.
func (m *messages) check(t *testing.T, file string, archive *txtar.Archive) int {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name != "messages" {
			continue
		}
		var now strings.Builder
		count := 0
		for line := range strings.Lines(string(f.Data)) {
			if line == "\n" || strings.HasPrefix(line, "\t") {
				continue
			}
			line = strings.TrimSpace(line)
			_, _ = fmt.Fprintf(&now, "%s\n%s\n", line, m.answer(t, line))
			count++
		}
		if *update {
			archive.Files[i].Data = []byte(now.String())
			require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
		}
		if diff := cmp.Diff(string(f.Data), now.String()); diff != "" && !*update {
			t.Errorf("%s (-file +now, -update writes it):\n%s", file, diff)
		}
		return count
	}
	t.Errorf("%s has no messages", file)
	return 0
}

// answer is what a program prints for a mistake, each line after a tab.
func (m *messages) answer(t *testing.T, mistake string) string {
	t.Helper()
	verb, changes, _ := strings.Cut(m.given.Replace(mistake), " ")
	all := object{}
	require.NoError(t, json.Unmarshal([]byte(m.given.Replace(m.request)), &all))
	request := object{"source": all["source"], "version": all["version"], "params": all[verb]}
	maps.DeleteFunc(request, func(_ string, v any) bool { return v == nil })
	if verb == "check" {
		delete(request, "version")
	}
	change(t, request, changes)
	stdin, err := json.Marshal(request)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	args := []string{verb}
	switch verb {
	case "in":
		args = append(args, t.TempDir())
	case "out":
		args = append(args, m.build)
	}
	status := m.run(t, concourse.Process{Args: append([]string{"x"}, args...), Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
	assert.Equal(t, 1, status, "%s\n%s", mistake, stderr.String())
	assert.Empty(t, stdout.String(), mistake)
	text := regexp.MustCompile(`known keys: .*`).ReplaceAllString(m.seen.Replace(stderr.String()), "known keys: …") // the lists have their tests
	return "\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t") + "\n"
}

// change applies PATH=JSON and -PATH, with blanks between them, to a request. Two values at one key are not possible.
func change(t *testing.T, request object, changes string) {
	t.Helper()
	for changes = strings.TrimSpace(changes); changes != ""; changes = strings.TrimSpace(changes) {
		path, rest, set := strings.Cut(changes, "=")
		if removed, ok := strings.CutPrefix(changes, "-"); ok {
			path, rest, _ = strings.Cut(removed, " ")
			set = false
		}
		at := request
		keys := strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			inner, ok := at[key].(object)
			if !ok {
				inner = object{}
				at[key] = inner
			}
			at = inner
		}
		last := keys[len(keys)-1]
		if !set {
			delete(at, last)
			changes = rest
			continue
		}
		dec := json.NewDecoder(strings.NewReader(rest))
		var value any
		require.NoError(t, dec.Decode(&value), changes)
		at[last], changes = value, rest[dec.InputOffset():]
	}
}
