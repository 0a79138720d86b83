package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

const gatedConfig = `deployment: bank
environments:
  staging:
    latest: [chart/**]
  production:
    passed: staging
    propagated: [chart/**]
`

// gated is a deployments repository in which staging runs more than production may have, and a person's clone of it.
type gated struct {
	t      *testing.T
	remote *gittest.Repository
	code   *gittest.Repository
	clone  string
	now    time.Time
}

func newGated(t *testing.T) *gated {
	t.Helper()
	dir := t.TempDir()
	remote, err := gittest.Init(filepath.Join(dir, "deployments.git"))
	require.NoError(t, err)
	code, err := gittest.Init(filepath.Join(dir, "shop"))
	require.NoError(t, err)
	g := &gated{t: t, remote: remote, code: code, clone: filepath.Join(dir, "deployments"), now: time.Now().Add(-48 * time.Hour)}
	first := g.release("0.41.0", "feat: accounts")
	g.commit("feat: first", map[string]string{"cepler.yml": gatedConfig, "chart/Chart.yaml": "name: bank\nversion: 0.1.0\n", "chart/values.yaml": pin("1", first)})
	g.gates("# who may\nstaging: HEAD\nproduction: HEAD # all of it\n")
	g.record("staging", 0)
	g.record("production", 0)
	g.gates("# who may\nstaging: HEAD\nproduction: " + g.tip("main") + " # by hand\n")
	g.commit("feat: loans", map[string]string{"chart/values.yaml": pin("2", g.release("0.42.0", "feat: loans", "fix: rates"))})
	g.record("staging", 0)
	g.git("", "clone", "--quiet", remote.Dir, g.clone)
	for key, value := range map[string]string{"user.name": "Ana Lima", "user.email": "ana@example.com", "commit.gpgSign": "false"} {
		g.git(g.clone, "config", key, value)
	}
	return g
}

// release commits to the code, and tags the last commit.
func (g *gated) release(name string, subjects ...string) string {
	g.t.Helper()
	hash := ""
	for _, s := range subjects {
		var err error
		hash, err = g.code.Commit("main", s, map[string]string{"main.go": s})
		require.NoError(g.t, err)
	}
	_, err := g.code.Git("tag", name, hash)
	require.NoError(g.t, err)
	return hash
}

func pin(digit, commit string) string {
	return fmt.Sprintf("image:\n  repository: registry.example/bank\n  digest: \"sha256:%s\" # METADATA:: repository=https://github.com/team/bank;commit_ref=%.7s;app=bank;\n", strings.Repeat(digit, 64), commit)
}

func (g *gated) git(dir string, args ...string) string {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(g.t, err, "git %q: %s", args, out)
	return strings.TrimSpace(string(out))
}

func (g *gated) commit(message string, files map[string]string) {
	g.t.Helper()
	_, err := g.remote.Commit("main", message, files)
	require.NoError(g.t, err)
}

func (g *gated) gates(text string) {
	g.t.Helper()
	_, err := g.remote.Commit("cepler-gates", "gates by hand", map[string]string{"bank.yml": text})
	require.NoError(g.t, err)
}

func (g *gated) tip(branch string) string {
	g.t.Helper()
	hash, err := g.remote.RevParse(branch)
	require.NoError(g.t, err)
	return hash
}

func (g *gated) file() string {
	g.t.Helper()
	text, err := g.remote.Show("cepler-gates", "bank.yml")
	require.NoError(g.t, err)
	return strings.ReplaceAll(text, `"`, "") // a hash that begins as a number does, such as 0b1, is written in quotes
}

// record records what an environment has pending, or the version with a number again.
func (g *gated) record(environment string, number int) {
	g.t.Helper()
	src := deployments.Source{Access: git.Access{URI: g.remote.Dir, Branch: "main"}, Environment: environment, GatesBranch: "cepler-gates", GatesFile: "bank.yml"}
	conn, err := deployments.Connect(src, git.Open, g.t.Logf)
	require.NoError(g.t, err)
	defer conn.Close()
	view, err := conn.ViewNow(g.t.Context())
	require.NoError(g.t, err)
	plan, err := conn.Plan(g.t.Context(), view, environment, g.now)
	require.NoError(g.t, err)
	var version deployments.Version
	if number > 0 {
		offered, err := conn.Offer(g.t.Context(), plan, &deployments.Version{Version: strconv.Itoa(number)})
		require.NoError(g.t, err)
		version = offered[0]
	} else {
		require.True(g.t, plan.Offered(), "%s: %v", environment, plan.Waits)
		version = plan.Version()
	}
	dir := filepath.Join(g.t.TempDir(), "get")
	restored, err := conn.Get(g.t.Context(), version, dir, true)
	require.NoError(g.t, err)
	g.now = g.now.Add(time.Minute)
	_, err = conn.Record(g.t.Context(), deployments.Recording{Restored: restored, Dir: dir, Now: g.now})
	require.NoError(g.t, err)
}

// state is everything of the person's clone that a gate must not change.
func (g *gated) state() string {
	g.t.Helper()
	return strings.Join([]string{
		g.git(g.clone, "status", "--porcelain=v2", "--ignored"), g.git(g.clone, "for-each-ref", "refs/heads", "refs/tags", "refs/stash"),
		g.git(g.clone, "symbolic-ref", "HEAD"), g.git(g.clone, "diff", "HEAD"), g.git(g.clone, "stash", "list"),
	}, "\n")
}

func (g *gated) run(verb string, more ...string) (string, error) {
	g.t.Helper()
	return taxiway(g.t, append([]string{"gate", verb, "production", "--deployments", g.clone}, more...)...)
}

func TestGateShows(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	out, err := g.run("show", "--clone", "https://github.com/team/bank="+g.code.Dir)
	require.NoError(t, err)
	for _, part := range []string{
		"bank/production, gate in bank.yml of branch cepler-gates\n", "  moved  by Tester on ", "  runs   #1 ", "with what staging\nruns: #2",
		"  release  0.41.0 → 0.42.0\n", "image    registry.example/bank: sha256:111111111111", "release 0.42.0\n",
		"  commits  github.com/team/bank: ", ", 2 commits\n", " feat: loans (Tester)\n", " fix: rates (Tester)\n", "  files    1 of the deployments\n    changed chart/values.yaml, ",
	} {
		assert.Contains(t, out, part)
	}
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, len([]rune(line)), 81, line)
	}
	out, err = g.run("show", "--json")
	require.NoError(t, err)
	var shown shownGate
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	require.NotNil(t, shown.Promotion)
	assert.Equal(t, g.tip("main"), shown.Promotion.Commit)
	assert.Equal(t, []string{"repository github.com/team/bank was not looked at: give a clone or its address to see subjects, and whether the commits and releases are there (--clone)"}, shown.Promotion.Unknown)

	// the commands of the page, where they are typed
	env, here := withTaxiway(t), filepath.Join(filepath.Dir(g.clone), "taxiway")
	require.NoError(t, os.Mkdir(here, 0o755))
	_, err = g.code.Git("remote", "add", "origin", "git@github.com:team/bank.git")
	require.NoError(t, err)
	out, err = shell(t, env, here, toldBy(t, "../docs/repositories.md", "taxiway gate show"))
	require.NoError(t, err, out)
	assert.Contains(t, out, "commits  github.com/team/bank: ")

	out, err = taxiway(t, "gate", "show", "staging", "--deployments", g.clone)
	require.NoError(t, err)
	assert.Contains(t, out, "staging runs everything that it can get: nothing is left to open")
	_, err = taxiway(t, "gate", "show", "prodution", "--deployments", g.clone)
	require.ErrorContains(t, err, "there is no environment prodution; there are: bank/production, bank/staging")
	_, err = g.run("show", "--gates-branch", "gates")
	require.ErrorContains(t, err, "remote origin has no branch gates with gates")
	_, err = g.run("show", "--remote", "upstream")
	require.ErrorContains(t, err, `has no remote "upstream"`)
	_, err = g.run("show", "--branch", "trunk")
	require.ErrorContains(t, err, "remote origin has no branch trunk")
	out, err = shell(t, env, here, toldBy(t, "../docs/repositories.md", "taxiway gate open")+" --yes")
	require.NoError(t, err, out)
	assert.Contains(t, out, "done: gate: open production")
}

// Each deed is one commit of the person on the gates branch. What the person has checked out, edited and staged stays as it is, and a
// second time there is nothing to do.
func TestGateDeeds(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.git(g.clone, "checkout", "--quiet", "-b", "cepler-gates", "origin/cepler-gates") // stale from here on, and with edits
	require.NoError(t, os.WriteFile(filepath.Join(g.clone, "bank.yml"), []byte("mine: HEAD\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(g.clone, "new.yml"), []byte("staged\n"), 0o600))
	g.git(g.clone, "add", "new.yml")
	before, was := g.state(), strings.TrimSpace(g.file())

	_, err := g.run("open")
	require.ErrorContains(t, err, "gate open production: there is no terminal to ask on; look at it with taxiway gate show production, then add --yes")

	main := g.tip("main")
	deed := func(verb, subject, has string, more ...string) {
		t.Helper()
		out, err := g.run(verb, append(more, "--yes")...)
		require.NoError(t, err)
		assert.Contains(t, out, "done: "+subject)
		log, err := g.remote.Log("%an <%ae>|%cn|%s", "-1", "cepler-gates")
		require.NoError(t, err)
		assert.Equal(t, []string{"Ana Lima <ana@example.com>|Ana Lima|" + subject}, log)
		assert.Contains(t, g.file(), has)
		tip := g.tip("cepler-gates")
		out, err = g.run(verb, append(more, "--yes")...)
		require.NoError(t, err)
		assert.Contains(t, out, "nothing to do: ")
		assert.Equal(t, tip, g.tip("cepler-gates"))
		assert.Equal(t, before, g.state())
	}
	deed("open", "gate: open production up to "+main[:7], "# who may\nstaging: HEAD\nproduction: "+main+" # by hand\n")
	deed("close", "gate: close production at "+was[strings.LastIndex(was, "production: ")+12:][:7]+", which it runs", was)
	deed("freeze", "gate: freeze production", "freeze: an incident}", "--reason", "an incident")
	deed("unfreeze", "gate: unfreeze production", "freeze: false}")

	_, err = g.run("approve", "--yes")
	require.ErrorContains(t, err, "needs no approvals")
	g.gates("production: {commit: HEAD, approvals: {need: 1}}\n")
	deed("approve", "gate: approve "+main[:7]+" for production", `given: [{by: Ana Lima, commit: `+main)

	g.gates("production: HEAD\n")
	out, err := g.run("resume", "--yes")
	require.NoError(t, err)
	assert.Contains(t, out, "nothing to do: production was not rolled back")
	g.record("production", 0)
	g.record("production", 1)
	deed("resume", "gate: resume production after the rollback #3", "resume: 3")
}

// A push that others were faster than is done again on top of theirs; one that is refused is not.
func TestGatePushes(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	once := filepath.Join(t.TempDir(), "once")
	hook := "#!/bin/sh\nset -e\n[ -e '" + once + "' ] && exit 0\ntouch '" + once + "'\nunset GIT_DIR\n" +
		"rm -rf '" + once + ".clone'\ngit clone --quiet --branch cepler-gates '" + g.remote.Dir + "' '" + once + ".clone'\ncd '" + once + ".clone'\n" +
		"sed -i 's/staging: HEAD/staging: {soak: 2h}/' bank.yml\ngit -c user.name=Ben -c user.email=ben@example.com commit --quiet -a -m 'gate: soak'\ngit push --quiet origin cepler-gates\n"
	require.NoError(t, os.WriteFile(filepath.Join(g.clone, ".git", "hooks", "pre-push"), []byte(hook), 0o755))
	out, err := g.run("open", "--yes")
	require.NoError(t, err)
	assert.Contains(t, out, "done: ")
	log, err := g.remote.Log("%an %s", "-3", "cepler-gates")
	require.NoError(t, err)
	assert.Equal(t, []string{"Ana Lima gate: open production up to " + g.tip("main")[:7], "Ben gate: soak", "Tester gates by hand"}, log)
	assert.Equal(t, "# who may\nstaging: {soak: 2h}\nproduction: "+g.tip("main")+" # by hand\n", g.file())

	require.NoError(t, g.remote.Hook("pre-receive", "echo 'only on weekdays' >&2; exit 1"))
	tip := g.tip("cepler-gates")
	_, err = g.run("close", "--yes")
	require.ErrorContains(t, err, "gate close production: the push was not accepted: git push in ")
	require.ErrorContains(t, err, "only on weekdays")
	assert.Equal(t, tip, g.tip("cepler-gates"))
}

// The commit is signed if the person's git signs.
func TestGateSigns(t *testing.T) {
	t.Parallel()
	without(t, "ssh-keygen")
	g := newGated(t)
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Run())
	public, err := os.ReadFile(key + ".pub")
	require.NoError(t, err)
	signers := filepath.Join(t.TempDir(), "signers")
	require.NoError(t, os.WriteFile(signers, append([]byte("ana@example.com "), public...), 0o600))
	for name, value := range map[string]string{"gpg.format": "ssh", "user.signingKey": key, "commit.gpgSign": "yes", "gpg.ssh.allowedSignersFile": signers} {
		g.git(g.clone, "config", name, value)
	}
	_, err = g.run("open", "--yes")
	require.NoError(t, err)
	g.git(g.clone, "verify-commit", "origin/cepler-gates")
}

// The person reads what is let through, and answers.
func TestGateAsks(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	tip := g.tip("cepler-gates")
	ask := func(answer string) string {
		t.Helper()
		person, terminal := openTerminal(t)
		_, err := person.WriteString(answer)
		require.NoError(t, err)
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"gate", "open", "production", "--deployments", g.clone})
		root.SetIn(terminal)
		root.SetOut(&out)
		root.SetErr(&out)
		require.NoError(t, root.ExecuteContext(t.Context()), &out)
		return out.String()
	}
	for _, no := range []string{"\n", "n\n", "what\n"} {
		out := ask(no)
		assert.Contains(t, out, "\nOpen "+g.tip("main")[:7]+" for production? [y/N] ")
		assert.Contains(t, out, "nothing was changed")
		assert.Contains(t, out, "image    registry.example/bank")
		assert.Equal(t, tip, g.tip("cepler-gates"))
	}
	assert.Contains(t, ask("y\n"), "done: gate: open production")
	assert.NotEqual(t, tip, g.tip("cepler-gates"))
}
