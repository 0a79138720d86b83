package resources_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// BenchmarkCepler measures whole programs over HTTP on loopback, on generated
// deployments repositories, beside git itself (and the Rust cepler, where it is
// on PATH) in the same run. Metrics: ms and peak MB of our program, and how many
// times the peer's time that is ("x-ls-remote", "x-clone", "x-log", "x-cepler").
func BenchmarkCepler(b *testing.B) {
	programs := build(b)
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) { benchmarkShape(b, programs, s.big) })
	}
}

// BenchmarkLatency measures whole programs beside git in turn, at servers that answer each request later, as far ones do. "x-git" is how
// many times git's time ours is, "requests" are ours and "git-requests" git's. A check and a get are beside what git
// fetches for the same, without blobs that nobody asked for; a put beside a fetch, a commit and a push.
func BenchmarkLatency(b *testing.B) {
	programs := build(b)
	server, err := gittest.New(gittest.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("deployments")
	require.NoError(b, err)
	big := gittest.DefaultBig()
	big.Commits, big.Files, big.Quiet = 2000, 2000, 20
	made, err := repo.WriteBig(big)
	require.NoError(b, err)
	_, err = repo.Git("gc", "-q")
	require.NoError(b, err)
	for _, delay := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond} {
		b.Run(fmt.Sprintf("%dms", delay.Milliseconds()), func(b *testing.B) {
			s := &scene{b: b, programs: programs, server: server, repo: repo, environment: made.Environments[0]}
			clone := filepath.Join(b.TempDir(), "clone")
			timed(b, nil, nil, "git", "clone", "-q", "--depth=1", repo.URL(), clone)
			if delay > 0 {
				server.Inject(gittest.Fault{Delay: delay})
			}
			warm := b.TempDir()
			s.check(warm)
			s.beside(b, "check_unchanged", func() measured { return s.check(warm) }, []string{"ls-remote", repo.URL(), "refs/heads/main"})
			s.beside(b, "check_cold", func() measured { return s.check(b.TempDir()) }, []string{"clone", "-q", "--bare", "--filter=blob:none", repo.URL(), ""})
			version := s.pending()
			s.beside(b, "get", func() measured { return s.get(version) }, []string{"clone", "-q", "--depth=1", repo.URL(), ""})
			s.beside(b, "put", s.put, []string{"-C", clone, "fetch", "-q", "--depth=1"}, []string{"-C", clone, "reset", "-q", "--hard", "FETCH_HEAD"},
				[]string{"-C", clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "again"},
				[]string{"-C", clone, "push", "-q", "origin", "HEAD:main"})
			server.Heal()
		})
	}
}

type shape struct {
	name string
	big  gittest.Big
}

func shapes() []shape {
	of := func(commits, files, quiet int, change func(*gittest.Big)) gittest.Big {
		big := gittest.DefaultBig()
		big.Commits, big.Files, big.Quiet = commits, files, quiet
		if change != nil {
			change(&big)
		}
		return big
	}
	return []shape{
		{"2k_commits_2k_files", of(2000, 2000, 20, nil)},
		{"10k_commits_10k_files", of(10000, 10000, 20, nil)},
		{"10k_10k_quiet_400", of(10000, 10000, 400, nil)},
		{"10k_10k_500_modules", of(10000, 10000, 20, func(b *gittest.Big) { b.ModuleFiles = 490 })},
		{"2k_2k_folder_of_400", of(2000, 2000, 20, func(b *gittest.Big) { b.ModuleFiles = 1200 })},
		{"2k_2k_merges", of(2000, 2000, 100, func(b *gittest.Big) { b.Merges = 0.8 })},
		{"2k_2k_lag_100", of(2000, 2000, 100, func(b *gittest.Big) { b.RelevantEvery, b.Lag = 15, 100 })},
		{"10k_10k_worst_case", of(10000, 10000, 20, func(b *gittest.Big) { b.RelevantEvery = 0 })},
		{"10k_10k_pending_for_5000", of(10000, 10000, 5000, func(b *gittest.Big) { b.Pending = true })},
		{"50k_commits_10k_files", of(50000, 10000, 20, nil)},
	}
}

// programs are the paths of the built programs.
type programs struct{ in, out, peak string }

func build(b *testing.B) programs {
	b.Helper()
	dir := b.TempDir()
	p := programs{filepath.Join(dir, "cepler-in"), filepath.Join(dir, "cepler-out"), buildPeak(b)}
	buildTo(b, p.in, "./cepler-in/cmd/cepler-in")
	buildTo(b, p.out, "./cepler-out/cmd/cepler-out")
	return p
}

// buildPeak builds the small program that measures the memory of another one.
func buildPeak(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "peak")
	buildTo(tb, path, "./testdata/peak")
	return path
}

func buildTo(tb testing.TB, path, pkg string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, "%s", out)
}

// measured is what a run of a program took.
type measured struct {
	took time.Duration
	peak float64 // MB
	out  []byte
}

// timed runs a program to its end.
func timed(b *testing.B, env []string, stdin []byte, name string, args ...string) measured {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	require.NoError(b, err, "%s %v: %s", name, args, &log)
	return measured{took: took, out: out.Bytes()}
}

// median of three runs.
func median(b *testing.B, run func() measured) measured {
	b.Helper()
	runs := []measured{run(), run(), run()}
	slices.SortFunc(runs, func(x, y measured) int { return int(x.took - y.took) })
	return runs[1]
}

func benchmarkShape(b *testing.B, p programs, big gittest.Big) {
	b.Helper()
	server, err := gittest.New(gittest.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("deployments")
	require.NoError(b, err)
	made, err := repo.WriteBig(big)
	require.NoError(b, err)
	_, err = repo.Git("gc", "-q")
	require.NoError(b, err)
	s := &scene{b: b, programs: p, repo: repo, environment: made.Environments[0]}
	s.peers(big)
	if big.RelevantEvery == 0 {
		// the worst case: the environment was never recorded, and its files came
		// with the first commit, so that the walk back goes through all of history
		_, err := repo.Delete("main", "forget", ".cepler/"+made.Deployment+"/"+s.environment+".state")
		require.NoError(b, err)
		s.run("check_to_the_root", "x-clone", s.clone, func() measured { return s.check(b.TempDir()) })
		return
	}
	s.run("check_cold", "x-clone", s.clone, func() measured { return s.check(b.TempDir()) })
	warm := b.TempDir()
	s.check(warm)
	s.run("check_unchanged", "x-ls-remote", s.lsRemote, func() measured { return s.check(warm) })
	s.run("check_one_new_commit", "x-ls-remote", s.lsRemote, func() measured {
		s.commit("README.md")
		return s.check(warm)
	})
	s.run("get", "x-clone", s.clone, func() measured { return s.get(s.pending()) })
	s.run("put", "x-clone", s.clone, func() measured { return s.put() })
}

// scene is one repository with its peers' times.
type scene struct {
	programs
	b                          *testing.B
	server                     *gittest.Server // its requests are counted anew for each program; may be nil
	repo                       *gittest.Repository
	environment                string
	lsRemote, clone, log, rust time.Duration
	counter                    int
}

// beside runs ours and git's commands in turn, and reports the middle of five. A last argument that is empty is a new folder.
func (s *scene) beside(b *testing.B, name string, ours func() measured, git ...[]string) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		var mine, theirs []time.Duration
		var requests, gitRequests int
		for b.Loop() {
			for range 5 {
				mine = append(mine, ours().took)
				requests = len(s.server.Requests())
				s.server.Reset()
				took := time.Duration(0)
				for _, args := range git {
					if last := len(args) - 1; args[last] == "" {
						args = append(slices.Clone(args[:last]), b.TempDir())
					}
					took += timed(b, nil, nil, "git", args...).took
				}
				theirs, gitRequests = append(theirs, took), len(s.server.Requests())
			}
		}
		slices.Sort(mine)
		slices.Sort(theirs)
		our, their := mine[len(mine)/2], theirs[len(theirs)/2]
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(our.Microseconds())/1000, "ms")
		b.ReportMetric(float64(their.Microseconds())/1000, "git-ms")
		b.ReportMetric(float64(our)/float64(their), "x-git")
		b.ReportMetric(float64(requests), "requests")
		b.ReportMetric(float64(gitRequests), "git-requests")
	})
}

// timedWithPeak also measures the memory; that costs another small process.
func (s *scene) timedWithPeak(env []string, stdin []byte, name string, args ...string) measured {
	s.b.Helper()
	file := filepath.Join(s.b.TempDir(), "peak")
	if s.server != nil {
		s.server.Reset()
	}
	m := timed(s.b, env, stdin, s.peak, append([]string{file, name}, args...)...)
	data, err := os.ReadFile(file)
	require.NoError(s.b, err)
	kib, err := strconv.ParseFloat(string(data), 64)
	require.NoError(s.b, err)
	m.peak = kib / 1024
	return m
}

// peers times git, and the Rust cepler where there is one.
func (s *scene) peers(big gittest.Big) {
	b := s.b
	s.lsRemote = median(b, func() measured { return timed(b, nil, nil, "git", "ls-remote", s.repo.URL(), "refs/heads/main") }).took
	s.clone = median(b, func() measured {
		return timed(b, nil, nil, "git", "clone", "-q", "--bare", s.repo.URL(), filepath.Join(b.TempDir(), "clone.git"))
	}).took
	s.log = median(b, func() measured {
		return timed(b, nil, nil, "git", "-C", s.repo.Dir, "log", "--format=%H", "--name-only", "main", "--", "modules/bank", "modules/bank-db", "modules/infra/vendor/tf/postgresql")
	}).took
	if path, err := exec.LookPath("cepler"); err == nil && big.Commits*big.ModuleFiles < 1_000_000 && big.Quiet < 200 {
		request := fmt.Appendf(nil, `{"source":{"uri":%q,"branch":"main","private_key":"x","environment":%q,"config":"cepler.yml"},"version":null}`, s.repo.Dir, s.environment)
		s.rust = timed(b, []string{"TMPDIR=" + b.TempDir()}, request, path, "concourse", "check").took
	}
}

// run reports one of our programs beside a peer.
func (s *scene) run(name, unit string, peer time.Duration, ours func() measured) {
	s.b.Run(name, func(b *testing.B) {
		var last measured
		for b.Loop() {
			last = median(b, ours)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(last.took.Microseconds())/1000, "ms")
		b.ReportMetric(last.peak, "MB")
		b.ReportMetric(float64(last.took)/float64(peer), unit)
		b.ReportMetric(float64(last.took)/float64(s.log), "x-log")
		if s.rust > 0 && strings.HasPrefix(name, "check") {
			b.ReportMetric(float64(last.took)/float64(s.rust), "x-cepler")
		}
	})
}

func (s *scene) request(key string, value any) []byte {
	data, err := json.Marshal(map[string]any{
		"source": map[string]any{"uri": s.repo.URL(), "branch": "main", "environment": s.environment, "config": "cepler.yml"},
		key:      value,
	})
	require.NoError(s.b, err)
	return data
}

func (s *scene) check(tmp string) measured {
	return s.timedWithPeak([]string{"TMPDIR=" + tmp}, s.request("version", nil), s.in, "check")
}

func (s *scene) commit(path string) {
	s.counter++
	_, err := s.repo.Commit("main", fmt.Sprintf("change %d", s.counter), map[string]string{path: fmt.Sprintf("%d\n", s.counter)})
	require.NoError(s.b, err)
}

// pending makes one of the environment's own files change, and is the version
// that a check offers.
func (s *scene) pending() json.RawMessage {
	s.commit("gcp/" + s.environment + "/bank/f0.tf")
	var versions []json.RawMessage
	require.NoError(s.b, json.Unmarshal(s.check(s.b.TempDir()).out, &versions))
	require.NotEmpty(s.b, versions)
	return versions[len(versions)-1]
}

func (s *scene) get(version json.RawMessage) measured {
	return s.timedWithPeak(nil, s.request("version", version), s.in, "in", filepath.Join(s.b.TempDir(), "got"))
}

// put gets a new version and times its record.
func (s *scene) put() measured {
	dir := s.b.TempDir()
	timed(s.b, nil, s.request("version", s.pending()), s.in, "in", filepath.Join(dir, "got"))
	return s.timedWithPeak(nil, s.request("params", map[string]string{"repository": "got"}), s.out, "out", dir)
}
