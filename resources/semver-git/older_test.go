package semvergit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// The same puts, gets and checks as the older type's programs give the same
// numbers, files and commits, where those are on PATH as semver-check, semver-in
// and semver-out.
func TestAsTheOlderType(t *testing.T) {
	for _, name := range []string{"semver-check", "semver-in", "semver-out"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("no programs of the older type to compare with: ", err)
		}
	}
	w := newWorld(t)
	o := &older{t: t, home: t.TempDir()}
	other, err := w.server.Create("older")
	require.NoError(t, err)
	for _, repo := range []*gittest.Repository{w.repo, other} {
		// a file called as the branch makes the older check fail
		_, err := repo.Commit("version", "by hand", map[string]string{"number": "0.1.0\n"})
		require.NoError(t, err)
	}
	w.artifact("in/version", "2.4.0-beta.2+x.3\n")
	source := keys{"driver": "git", "branch": "version", "file": "number", "git_user": "CI <ci@example.com>", "commit_message": "%file% becomes %version%"}
	w = w.with(source)
	source["uri"] = other.URL()
	o.source = source

	for _, params := range []keys{
		{"bump": "patch"},
		{"bump": "minor"},
		{"bump": "minor", "pre": "rc"},
		{"pre": "rc"},
		{"pre": "rc", "build": "b"},
		{"build": "b"},
		{"build": "c", "build_without_version": true},
		{"pre": "alpha"},
		{"bump": "final"},
		{"bump": "final"},
		{"bump": "major", "pre": "SNAPSHOT", "pre_without_version": true},
		{"pre": "SNAPSHOT", "pre_without_version": true},
		{"pre": "SNAPSHOT"},
		{"file": "in/version"},
		{"file": "in/version"},
		{"bump": "patch", "pre": "rc", "build": "b"},
		{"get_latest": true},
		{"get_latest": true, "bump": "major"},
		{"bump": "minor", "pre": "", "build": "", "file": "", "pre_without_version": true},
		{"pre": "SNAPSHOT", "pre_without_version": true},
		{"bump": "major", "pre_without_version": true, "build_without_version": true},
	} {
		got, want := w.put(params), o.run("out", keys{"params": params}, w.dir)
		require.Equal(t, want.Version.Number, got.version.Number, "%v", params)
		require.Equal(t, content(t, other), content(t, w.repo), "%v", params)
		require.Equal(t, subject(t, other), subject(t, w.repo), "%v", params)
	}
	v := keys{"number": w.check(nil)[0].Number}
	for _, params := range []keys{{}, {"bump": "final"}, {"bump": "minor", "pre": "rc"}, {"pre": "rc", "build": "b"}, {"bump": "major", "pre": "x", "pre_without_version": true}, {"bump": "minor", "pre": "", "pre_without_version": true}} {
		dir := t.TempDir()
		o.run("in", keys{"version": v, "params": params}, dir)
		got := w.get(v, params)
		for name, content := range read(t, dir) {
			assert.Equal(t, content, got[name], "%s after %v", name, params)
		}
	}
	for _, given := range []string{"", "0.1.1", "2.4.0-beta.2+x.3", "9.0.0"} {
		request := keys{}
		if given != "" {
			request["version"] = keys{"number": given}
		}
		var got []string
		for _, v := range w.check(request["version"]) {
			got = append(got, v.Number)
		}
		var want []string
		for _, v := range o.check(request) {
			want = append(want, v.Number)
		}
		assert.Equal(t, want, got, "since %q", given)
	}
}

func content(t *testing.T, repo *gittest.Repository) string {
	t.Helper()
	text, err := repo.Show("version", "number")
	require.NoError(t, err)
	return text
}

func subject(t *testing.T, repo *gittest.Repository) []string {
	t.Helper()
	log, err := repo.Log("%an <%ae> %s", "version")
	require.NoError(t, err)
	return log
}

// older runs the older type's programs.
type older struct {
	t      *testing.T
	home   string
	source keys
}

func (o *older) run(verb string, request keys, args ...string) semvergit.Result {
	o.t.Helper()
	var r semvergit.Result
	o.answer(verb, request, &r, args...)
	return r
}

func (o *older) check(request keys) []semvergit.Version {
	o.t.Helper()
	var versions []semvergit.Version
	o.answer("check", request, &versions)
	return versions
}

func (o *older) answer(verb string, request keys, into any, args ...string) {
	o.t.Helper()
	request["source"] = o.source
	data, err := json.Marshal(request)
	require.NoError(o.t, err)
	cmd := exec.CommandContext(o.t.Context(), "semver-"+verb, args...)
	cmd.Env = append(os.Environ(), "HOME="+o.home, "TMPDIR="+o.home, "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin = bytes.NewReader(data)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(o.t, err, "%s", &stderr)
	require.NoError(o.t, json.Unmarshal(out, into), "%s", out)
}
