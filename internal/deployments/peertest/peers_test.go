package peertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// version is a version as a pipeline passes it on: each program's own keys are
// kept, and two are compared.
type version struct {
	Trigger string `json:"trigger"`
	Version string `json:"version"`
	raw     string
}

func parseVersion(raw json.RawMessage) (version, error) {
	v := version{raw: string(raw)}
	err := json.Unmarshal(raw, &v)
	return v, err
}

// same compares what both programs know of a version.
func (v version) same(o version) bool { return v.Trigger == o.Trigger && v.Version == o.Version }

func (v version) String() string {
	if v.raw == "" {
		return "null"
	}
	return v.Version + "@" + v.Trigger[:min(7, len(v.Trigger))]
}

// answer is how a call of a program ended.
type answer struct {
	failed   bool
	versions []version // check: the list; in, out: one
	stderr   string
}

func (a answer) said(text string) bool { return strings.Contains(a.stderr, text) }

// offer is the version that a check offers after the given one; ok is false
// when it offers none.
func (a answer) offer(given version) (version, bool) {
	n := len(a.versions)
	if a.failed || n == 0 || (n == 1 && given.raw != "") {
		return version{}, false
	}
	return a.versions[n-1], true
}

// newest is the last version of a check; ok is false when there is none.
func (a answer) newest() (version, bool) {
	if len(a.versions) == 0 {
		return version{}, false
	}
	return a.versions[len(a.versions)-1], true
}

func (a answer) newestIs(v version) bool {
	n, ok := a.newest()
	return ok && n.same(v)
}

// peer is one of the two programs.
type peer struct {
	t *testing.T
	// name is for people.
	name string
	// command makes the arguments of a verb.
	command func(verb string, dir ...string) []string
	temp    string
	build   string
}

// source is the question's source, which both programs understand alike.
type source struct {
	URI         string `json:"uri"`
	Branch      string `json:"branch"`
	PrivateKey  string `json:"private_key,omitempty"`
	Environment string `json:"environment"`
	Config      string `json:"config"`
	GatesFile   string `json:"gates_file,omitempty"`
	GatesBranch string `json:"gates_branch,omitempty"`
	IgnoreQueue bool   `json:"ignore_queue,omitempty"`
}

// theirs is the Rust program.
func theirs(t *testing.T, dir string) *peer {
	t.Helper()
	verbs := map[string]string{"check": "check", "in": "ci_in", "out": "ci_out"}
	return newPeer(t, "cepler", dir, func(verb string, dirs ...string) []string {
		return append([]string{"cepler", "concourse", verbs[verb]}, dirs...)
	})
}

// ours are the two programs of this suite.
func ours(t *testing.T, dir, programs string) *peer {
	t.Helper()
	return newPeer(t, "ours", dir, func(verb string, dirs ...string) []string {
		program := "cepler-in"
		if verb == "out" {
			program = "cepler-out"
		}
		return append([]string{filepath.Join(programs, program), verb}, dirs...)
	})
}

func newPeer(t *testing.T, name, dir string, command func(string, ...string) []string) *peer {
	t.Helper()
	p := &peer{t: t, name: name, command: command, temp: filepath.Join(dir, name+".tmp"), build: filepath.Join(dir, name)}
	require.NoError(t, os.MkdirAll(p.temp, 0o755))
	require.NoError(t, os.MkdirAll(p.build, 0o755))
	return p
}

// question is what a program reads on its standard input.
type question struct {
	Source  source          `json:"source"`
	Version json.RawMessage `json:"version,omitempty"`
	Params  any             `json:"params,omitempty"`
}

func rawVersion(v version) json.RawMessage {
	if v.raw == "" {
		return nil
	}
	return json.RawMessage(v.raw)
}

// check asks for new versions.
func (p *peer) check(src source, given version) answer {
	p.t.Helper()
	out, a := p.run(question{Source: src, Version: rawVersion(given)}, "check")
	if a.failed {
		return a
	}
	var list []json.RawMessage
	require.NoError(p.t, json.Unmarshal(out, &list), "%s printed %q", p.name, out)
	for _, raw := range list {
		v, err := parseVersion(raw)
		require.NoError(p.t, err)
		a.versions = append(a.versions, v)
	}
	return a
}

// forget makes the next check a cold one.
func (p *peer) forget() {
	p.t.Helper()
	require.NoError(p.t, os.RemoveAll(p.temp))
	require.NoError(p.t, os.MkdirAll(p.temp, 0o755))
}

// get fills the folder called name with a version.
func (p *peer) get(src source, v version, name string, prepare bool) answer {
	p.t.Helper()
	q := question{Source: src, Version: rawVersion(v)}
	if !prepare {
		q.Params = map[string]bool{"prepare": false}
	}
	dir := p.dir(name)
	require.NoError(p.t, os.RemoveAll(dir))
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	return p.one(p.run(q, "in", dir))
}

func (p *peer) dir(name string) string { return filepath.Join(p.build, name) }

// put records the folder called name.
func (p *peer) put(src source, name string) answer {
	p.t.Helper()
	return p.one(p.run(question{Source: src, Params: map[string]string{"repository": name}}, "out", p.build))
}

// one reads the answer of in and out.
func (p *peer) one(out []byte, a answer) answer {
	p.t.Helper()
	if a.failed {
		return a
	}
	var got struct {
		Version json.RawMessage `json:"version"`
	}
	require.NoError(p.t, json.Unmarshal(out, &got), "%s printed %q", p.name, out)
	v, err := parseVersion(got.Version)
	require.NoError(p.t, err)
	a.versions = []version{v}
	return a
}

func (p *peer) run(q question, verb string, dirs ...string) ([]byte, answer) {
	p.t.Helper()
	if p.name == "cepler" {
		q.Source.PrivateKey = "none" // it wants one, and does not look at it
	}
	stdin, err := json.Marshal(q)
	require.NoError(p.t, err)
	args := p.command(verb, dirs...)
	cmd := exec.CommandContext(p.t.Context(), args[0], args[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Dir = p.build
	cmd.Env = append(os.Environ(), "TMPDIR="+p.temp, "HOME="+p.temp, "RUST_BACKTRACE=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(p.t, err, "run %s", args[0])
	}
	return out, answer{failed: err != nil, stderr: stderr.String()}
}
