//go:build unix

package resources_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// stage is a resource type in a place where it has something to do.
type stage struct {
	name   string // of its program
	source object
	dir    string // of the build
	// next gives a put something new to do, and returns its params and how often that is done by now. It is nil for a type whose put
	// has no effect.
	next func(i int) (params object, done func() int) // params are nil where there is nothing to put
	// idle is the params of a put where next is nil, or nil for a type that has no put.
	idle object
	// again says that a put that is run twice does it twice.
	again bool
	// repo is the repository; nil for a type without one.
	repo *gittest.Repository
	hub  *github.Server // nil for a type without pull requests
}

// A put, check or get that is stopped at any moment says nothing false, leaves everything whole, and the next run is right: a put
// that claims success has had its effect once, and one that fails without saying that it does not know has had none.
//
// Programs that are stopped are mostly waited for, so that several types have their turn at a time.
func TestStoppedAtAnyMoment(t *testing.T) { //nolint:tparallel // it sets the environment
	temp := t.TempDir() // keeps what the programs remember, each of its own repository
	t.Setenv("TMPDIR", temp)
	for name, set := range stages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := set(t)
			c := &stopped{t: t, stage: s, temp: temp, random: rand.New(rand.NewPCG(3, uint64(len(name))))}
			stops := gittest.Writers(2, 200)
			for i := range stops {
				signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2]
				c.put(i, signal)
				c.look(signal)
			}
			if s.repo != nil {
				require.NoError(t, s.repo.Fsck())
			}
			t.Logf("%s: %d puts, %d checks and %d gets stopped: %d puts were done and green, %d did not know, %d were killed; of those %d were done", name, c.puts, c.checks, c.gets, c.green, c.unknown, c.killed, c.late)
		})
	}
}

// stopped counts what became of runs that were stopped.
type stopped struct {
	t      *testing.T
	stage  *stage
	temp   string
	random *rand.Rand

	version                      json.RawMessage          // of the last put
	took                         map[string]time.Duration // by verb, the longest that was not stopped
	puts, checks, gets           int
	green, unknown, killed, late int
}

// put stops a put, judges what it says, and puts again.
func (c *stopped) put(i int, signal syscall.Signal) {
	c.t.Helper()
	params, done := c.stage.idle, func() int { return 0 }
	if c.stage.next != nil {
		params, done = c.stage.next(i)
	}
	if params == nil {
		return
	}
	c.puts++
	request := object{"source": c.stage.source, "params": params}
	status, stdout, stderr := c.stop("out", request, c.stage.dir, signal)
	effects := done()
	switch {
	case status == 0, stdout != "": // a signal may come between the answer and the exit
		c.green++
		assert.Contains(c.t, stdout, `"version"`)
		assert.True(c.t, c.stage.next == nil || effects == 1, "a green put has had its effect %d times: %s", effects, stderr)
	case strings.Contains(stderr, "not known"):
		c.unknown++
		assert.LessOrEqual(c.t, effects, 1, stderr)
	case signal == syscall.SIGKILL:
		c.killed++
		c.late += effects
		assert.LessOrEqual(c.t, effects, 1, stderr)
	default:
		assert.Zero(c.t, effects, "a failed put that claims to know has had an effect: %s", stderr)
	}
	again, out, heard := c.run("out", request, c.stage.dir)
	require.Zero(c.t, again, "the put after %v, number %d of %s: %s\nwhat the stopped one said: %s", signal, i, c.stage.name, heard, stderr)
	var answer struct{ Version json.RawMessage }
	require.NoError(c.t, json.Unmarshal([]byte(out), &answer))
	c.version = answer.Version
	if c.stage.next == nil {
		return
	}
	most := 1
	if c.stage.again {
		most = 2
	}
	got := done()
	assert.True(c.t, 1 <= got && got <= most, "after a second put the effect is there %d times: %s%s", got, stderr, heard)
}

// look stops a check and a get of the newest version, and does both again.
func (c *stopped) look(signal syscall.Signal) {
	c.t.Helper()
	request := object{"source": c.stage.source}
	c.checks++
	_, stdout, stderr := c.stop("check", request, "", signal)
	status, warm, heard := c.run("check", request, "")
	require.Zero(c.t, status, "the check after %v: %s\nwhat the stopped one said: %s", signal, heard, stderr)
	_, cold, _ := c.start("check", request, "", c.t.TempDir(), nil)
	assert.Equal(c.t, cold, warm, "a check after one that was stopped: %s", stderr)
	assert.True(c.t, stdout == "" || stdout == warm, "what a stopped check answers is right: %s", stdout)
	var versions []json.RawMessage
	require.NoError(c.t, json.Unmarshal([]byte(warm), &versions))
	request["version"] = c.version // of the last put
	if len(versions) > 0 {
		request["version"] = versions[len(versions)-1]
	}
	c.gets++
	_, _, stderr = c.stop("in", request, c.t.TempDir(), signal)
	dir, fresh := c.t.TempDir(), c.t.TempDir() // Concourse gives each get a folder of its own
	status, _, heard = c.run("in", request, dir)
	require.Zero(c.t, status, "the get after %v: %s\nwhat the stopped one said: %s", signal, heard, stderr)
	status, _, heard = c.start("in", request, fresh, c.t.TempDir(), nil)
	require.Zero(c.t, status, heard)
	assert.Equal(c.t, digests(c.t, fresh), digests(c.t, dir), "a get after one that was stopped: %s", stderr)
}

// stop runs a verb of the program and sends a signal at a moment of a run's usual time.
func (c *stopped) stop(verb string, request object, dir string, signal syscall.Signal) (status int, stdout, stderr string) {
	c.t.Helper()
	usual := c.took[verb] + c.took[verb]/2 + 100*time.Millisecond // and the program has to start
	return c.start(verb, request, dir, c.temp, func(p *os.Process) *time.Timer {
		return time.AfterFunc(time.Duration(c.random.Int64N(int64(usual))), func() { _ = p.Signal(signal) })
	})
}

// start runs a verb of the program, which meddle may stop.
func (c *stopped) start(verb string, request object, dir, temp string, meddle func(p *os.Process) *time.Timer) (status int, stdout, stderr string) {
	c.t.Helper()
	data, err := json.Marshal(request)
	require.NoError(c.t, err)
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	cmd := exec.CommandContext(c.t.Context(), c.stage.name, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "NO_COLOR=1", "BUILD_CREATED_BY=ana")
	var said, heard bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &said, &heard
	require.NoError(c.t, cmd.Start())
	if meddle != nil {
		defer meddle(cmd.Process).Stop()
	}
	if cmd.Wait() != nil {
		status = 1
	}
	for _, word := range []string{"panic", "goroutine ", "a fault in this program"} {
		assert.NotContains(c.t, heard.String(), word)
	}
	return status, said.String(), heard.String()
}

// run runs a verb to its end, in this process.
func (c *stopped) run(verb string, request object, dir string) (status int, stdout, stderr string) {
	c.t.Helper()
	data, err := json.Marshal(request)
	require.NoError(c.t, err)
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	var said, heard bytes.Buffer
	start := time.Now()
	status = resourceTypes()[c.stage.name].run(c.t, concourse.Process{
		Args: args, Stdin: bytes.NewReader(data), Stdout: &said, Stderr: &heard, Env: []string{"NO_COLOR=1", "BUILD_CREATED_BY=ana"},
	})
	if c.took == nil {
		c.took = map[string]time.Duration{}
	}
	c.took[verb] = max(c.took[verb], min(time.Since(start), 2*time.Second))
	return status, said.String(), heard.String()
}

// digests are those of the files of a folder, without what git keeps for itself.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(name)
		sum := sha256.Sum256(data)
		all[strings.TrimPrefix(name, dir)] = hex.EncodeToString(sum[:])
		return err
	}))
	return all
}

func stages() map[string]func(t *testing.T) *stage {
	return map[string]func(t *testing.T) *stage{
		"semver-git":          semverStage,
		"promote-rc":          promoteStage,
		"chart-bump":          func(t *testing.T) *stage { t.Helper(); return chartStage(t, "pull-request") },
		"chart-bump by push":  func(t *testing.T) *stage { t.Helper(); return chartStage(t, "push") },
		"vendir-bump":         func(t *testing.T) *stage { t.Helper(); return vendirStage(t, "pull-request") },
		"vendir-bump by push": func(t *testing.T) *stage { t.Helper(); return vendirStage(t, "push") },
		"cepler-in":           ceplerInStage,
		"cepler-out":          ceplerOutStage,
		"cepler-gate":         func(t *testing.T) *stage { t.Helper(); return gateStage(t, object{}) },
		"cepler-gate by hand": func(t *testing.T) *stage { t.Helper(); return gateStage(t, object{"open": true}) },
		"cepler-board":        boardStage,
		"pull-request-builds": buildsStage,
		"cachix-paths":        cachixStage,
	}
}

// commitsOf counts the commits of a branch, which may be missing.
func commitsOf(t *testing.T, repo *gittest.Repository, branch string, paths ...string) int {
	t.Helper()
	if _, err := repo.RevParse("refs/heads/" + branch); err != nil {
		return 0
	}
	history, err := repo.Log("%H", append([]string{branch, "--"}, paths...)...)
	require.NoError(t, err)
	return len(history)
}

func written(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// open counts the open pull requests from a branch, if what a bot was asked for is on it.
func open(t *testing.T, hub *github.Server, repository, head string, holds func(p github.Pull) bool) int {
	t.Helper()
	all, err := hub.Repository(repository).Pulls()
	require.NoError(t, err)
	n := 0
	for _, p := range all {
		if p.Open && p.Head == head && holds(p) {
			n++
		}
	}
	return n
}

// onBranch reports whether a file of a branch contains a text.
func onBranch(repo *gittest.Repository, branch, file, text string) bool {
	content, err := repo.Show(branch, file)
	return err == nil && strings.Contains(content, text)
}

func semverStage(t *testing.T) *stage {
	t.Helper()
	repo, _, dir := monorepo(t)
	_, err := repo.Commit("version", "by hand", map[string]string{"version": "1.2.3\n"})
	require.NoError(t, err)
	return &stage{
		name: "semver-git", source: object{"uri": repo.URL(), "branch": "version", "file": "version"}, dir: dir, again: true, repo: repo,
		next: func(int) (object, func() int) {
			before := commitsOf(t, repo, "version")
			return object{"bump": "patch"}, func() int { return commitsOf(t, repo, "version") - before }
		},
	}
}

// botStage is one of the bots of the monorepo; is tells whether a put's content is in its place.
func botStage(t *testing.T, name, bot, mode string, prepare func(repo *gittest.Repository, dir string, i int) (is func(branch string, p github.Pull) bool)) *stage {
	t.Helper()
	repo, hub, dir := monorepo(t)
	b := botsOf()[bot]
	source := with(b.source, object{"uri": repo.URL(), "branch": "main"}, "")
	if name != "promote-rc" {
		source["mode"] = mode
	}
	if mode != "push" {
		source["bot_branch"] = bot
		source["github"] = object{"repository": "acme/mono", "api_url": hub.APIURL(), "access_token": hubToken}
	}
	return &stage{
		name: name, source: source, dir: dir, repo: repo, hub: hub,
		next: func(i int) (object, func() int) {
			is := prepare(repo, dir, i)
			before := commitsOf(t, repo, "main")
			return b.params, func() int {
				if mode == "push" {
					if !is("main", github.Pull{}) {
						return 0
					}
					return commitsOf(t, repo, "main") - before
				}
				return open(t, hub, "acme/mono", bot, func(p github.Pull) bool { return is(bot, p) })
			}
		},
	}
}

func chartStage(t *testing.T, mode string) *stage {
	t.Helper()
	return botStage(t, "chart-bump", "bot-chart", mode, func(repo *gittest.Repository, dir string, i int) func(string, github.Pull) bool {
		digest := fmt.Sprintf("sha256:%064x", i+1)
		written(t, filepath.Join(dir, "image", "digest"), digest)
		return func(branch string, _ github.Pull) bool {
			return onBranch(repo, branch, "charts/bank/values.yaml", digest)
		}
	})
}

func vendirStage(t *testing.T, mode string) *stage {
	t.Helper()
	return botStage(t, "vendir-bump", "bot-vendir", mode, func(repo *gittest.Repository, dir string, i int) func(string, github.Pull) bool {
		clone := filepath.Join(dir, "repo")
		written(t, filepath.Join(clone, "charts", "bank", "values.yaml"), fmt.Sprint("n: ", i, "\n"))
		out, err := repo.Git("-C", clone, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", fmt.Sprint("chart ", i))
		require.NoError(t, err, out)
		head, err := repo.Git("-C", clone, "rev-parse", "HEAD")
		require.NoError(t, err)
		head = strings.TrimSpace(head)
		return func(branch string, _ github.Pull) bool { return onBranch(repo, branch, "vendir.yml", head) }
	})
}

func promoteStage(t *testing.T) *stage {
	t.Helper()
	return botStage(t, "promote-rc", "bot-promote", "pull-request", func(repo *gittest.Repository, dir string, i int) func(string, github.Pull) bool {
		commit, err := repo.Commit("main", fmt.Sprint("feat: number ", i), map[string]string{"src/n": fmt.Sprint(i, "\n")})
		require.NoError(t, err)
		out, err := repo.Git("-C", filepath.Join(dir, "repo"), "pull", "--quiet")
		require.NoError(t, err, out)
		written(t, filepath.Join(dir, "version", "version"), fmt.Sprintf("0.1.0-rc.%d", i+1))
		return func(_ string, p github.Pull) bool { return strings.Contains(p.Body, "commit="+commit) }
	})
}

// deployer is a deployments repository with three environments, and runs steps of it in this process.
type deployer struct {
	t    *testing.T
	repo *gittest.Repository
	hub  *github.Server
	dir  string
}

func newDeployer(t *testing.T) *deployer {
	t.Helper()
	server := served(t, gittest.Options{})
	repo, err := server.Create("acme/deployments")
	require.NoError(t, err)
	_, err = repo.Commit("main", "init", map[string]string{
		"cepler.yml": "deployment: bank\nenvironments:\n  staging: {latest: [chart/*]}\n  production: {passed: staging, propagated: [chart/*]}\n",
		"chart/a":    "0\n",
	})
	require.NoError(t, err)
	_, err = repo.Commit("gates", "gates", map[string]string{"gates.yml": "production: " + strings.Repeat("0", 40) + "\n"})
	require.NoError(t, err)
	hub := github.New(github.Options{Git: server, Tokens: []string{hubToken}})
	t.Cleanup(hub.Close)
	return &deployer{t, repo, hub, t.TempDir()}
}

func (d *deployer) source(environment string) object {
	return object{"uri": d.repo.URL(), "branch": "main", "environment": environment}
}

func (d *deployer) run(program, verb, dir string, request object) []byte {
	d.t.Helper()
	data, err := json.Marshal(request)
	require.NoError(d.t, err)
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	var said, heard bytes.Buffer
	status := resourceTypes()[program].run(d.t, concourse.Process{Args: args, Stdin: bytes.NewReader(data), Stdout: &said, Stderr: &heard, Env: []string{"NO_COLOR=1"}})
	require.Zero(d.t, status, heard.String())
	return said.Bytes()
}

// commit changes the chart, which is pending for staging then.
func (d *deployer) commit(i int) {
	d.t.Helper()
	_, err := d.repo.Commit("main", fmt.Sprint("chart ", i), map[string]string{"chart/a": fmt.Sprint(i+1, "\n")})
	require.NoError(d.t, err)
}

// got gets what is pending for staging, in the folder got of the build.
func (d *deployer) got() {
	d.t.Helper()
	var versions []json.RawMessage
	require.NoError(d.t, json.Unmarshal(d.run("cepler-in", "check", "", object{"source": d.source("staging")}), &versions))
	require.NotEmpty(d.t, versions)
	dir := filepath.Join(d.dir, "got")
	require.NoError(d.t, os.RemoveAll(dir))
	d.run("cepler-in", "in", dir, object{"source": d.source("staging"), "version": versions[len(versions)-1]})
}

func ceplerInStage(t *testing.T) *stage {
	t.Helper()
	d := newDeployer(t)
	return &stage{
		name: "cepler-in", source: d.source("staging"), dir: d.dir, repo: d.repo,
		next: func(i int) (object, func() int) {
			d.commit(i)
			return nil, nil
		},
	}
}

func ceplerOutStage(t *testing.T) *stage {
	t.Helper()
	d := newDeployer(t)
	return &stage{
		name: "cepler-out", source: d.source("staging"), dir: d.dir, repo: d.repo,
		next: func(i int) (object, func() int) {
			d.commit(i)
			d.got()
			before := commitsOf(t, d.repo, "main", ".cepler")
			return object{"repository": "got"}, func() int { return commitsOf(t, d.repo, "main", ".cepler") - before }
		},
	}
}

func gateStage(t *testing.T, params object) *stage {
	t.Helper()
	d := newDeployer(t)
	source := d.source("production")
	source["gates_branch"], source["gates_file"] = "gates", "gates.yml"
	source["github"] = object{"repository": "acme/deployments", "api_url": d.hub.APIURL(), "access_token": hubToken}
	return &stage{
		name: "cepler-gate", source: source, dir: d.dir, repo: d.repo, hub: d.hub,
		next: func(i int) (object, func() int) {
			d.commit(i)
			d.got()
			d.run("cepler-out", "out", d.dir, object{"source": d.source("staging"), "params": object{"repository": "got"}})
			record, err := d.repo.RevParse("main")
			require.NoError(t, err)
			before := commitsOf(t, d.repo, "gates")
			return params, func() int {
				if len(params) > 0 {
					return commitsOf(t, d.repo, "gates") - before
				}
				return open(t, d.hub, "acme/deployments", "promote-bank-production", func(p github.Pull) bool { return onBranch(d.repo, p.Head, "gates.yml", record) })
			}
		},
	}
}

func boardStage(t *testing.T) *stage {
	t.Helper()
	d := newDeployer(t)
	return &stage{
		name: "cepler-board", source: object{"uri": d.repo.URL(), "branch": "main"}, dir: d.dir, repo: d.repo,
		next: func(i int) (object, func() int) {
			d.commit(i)
			if i == 0 {
				d.got()
				d.run("cepler-out", "out", d.dir, object{"source": d.source("staging"), "params": object{"repository": "got"}})
			}
			before := commitsOf(t, d.repo, "gh-pages")
			return object{}, func() int { return commitsOf(t, d.repo, "gh-pages") - before }
		},
	}
}

func buildsStage(t *testing.T) *stage {
	t.Helper()
	repo, hub, dir := monorepo(t)
	source, commit := built(t, repo, hub, dir)
	s := &stage{name: "pull-request-builds", dir: dir, repo: repo, hub: hub, source: source}
	code := hub.Repository("acme/mono")
	s.next = func(i int) (object, func() int) {
		name := fmt.Sprint("build-", i)
		return object{"path": "got", "status": "success", "context": name}, func() int {
			if _, ok := code.Statuses(commit)[name]; ok {
				return 1
			}
			return 0
		}
	}
	return s
}

func cachixStage(t *testing.T) *stage {
	t.Helper()
	server, err := nixcache.New(nixcache.Options{})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	var paths []string
	for i := range 20 {
		path, err := server.Put(nixcache.Item{Name: fmt.Sprint("web-", i)})
		require.NoError(t, err)
		paths = append(paths, path)
	}
	server.Pin("web", paths[0])
	dir := t.TempDir()
	written(t, filepath.Join(dir, "list", "paths"), strings.Join(paths, "\n")+"\n")
	return &stage{
		name: "cachix-paths", dir: dir, idle: object{"paths_file": "list/paths"},
		source: object{"cache": server.Name(), "api_url": server.URL(), "pins": []string{"web"}},
	}
}
