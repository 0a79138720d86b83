package semvergit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkSemverGit measures the whole program over HTTP on loopback, on a
// branch with many versions, beside the git commands that the same needs, and
// beside the older type's programs where they are on PATH as semver-check and
// semver-out. Metrics: ms of each, and the bytes that our program was sent.
func BenchmarkSemverGit(b *testing.B) {
	dir := b.TempDir()
	ours := filepath.Join(dir, "semver-git")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", ours, "./cmd/semver-git")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	w := newWorld(b)
	manyVersions(b, w, 2000)
	s := &scene{b: b, w: w, ours: ours}

	b.Run("check_cold", func(b *testing.B) {
		s.measure(b, func() time.Duration { return s.run(b, b.TempDir(), ours, "check") },
			func() time.Duration {
				return s.git(b, "clone", "-q", "--filter=blob:none", "--no-checkout", w.repo.URL(), b.TempDir())
			},
			"git-clone", "semver-check", nil)
	})
	b.Run("check_unchanged", func(b *testing.B) {
		warm := b.TempDir()
		s.run(b, warm, ours, "check")
		s.measure(b, func() time.Duration { return s.run(b, warm, ours, "check") },
			func() time.Duration { return s.git(b, "ls-remote", w.repo.URL(), "refs/heads/version") },
			"git-ls-remote", "semver-check", &warm)
	})
	b.Run("put", func(b *testing.B) {
		s.measure(b, func() time.Duration { return s.run(b, b.TempDir(), ours, "out", w.dir) },
			func() time.Duration { return s.gitBump(b) },
			"git-clone-commit-push", "semver-out", nil)
	})
}

type scene struct {
	b    *testing.B
	w    *world
	ours string
}

// measure runs ours, git and the older type in turn, so that all of them see the
// same machine.
func (s *scene) measure(b *testing.B, ours, git func() time.Duration, gitName, older string, olderHome *string) {
	b.Helper()
	program, err := exec.LookPath(older)
	verb := strings.TrimPrefix(older, "semver-")
	var a, g, o time.Duration
	var sent int64
	n := 0
	for b.Loop() {
		s.w.server.Reset()
		a += ours()
		_, _, received := cost(s.w.server)
		sent += received
		g += git()
		if err == nil {
			home := b.TempDir()
			if olderHome != nil {
				home = *olderHome
			}
			args := []string{}
			if verb == "out" {
				args = append(args, s.w.dir)
			}
			o += s.run(b, home, program, args...)
		}
		n++
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(a, n), "ms")
	b.ReportMetric(milliseconds(g, n), "ms-"+gitName)
	b.ReportMetric(float64(a)/float64(g), "x-"+gitName)
	b.ReportMetric(float64(sent)/float64(n), "bytes")
	if err == nil {
		b.ReportMetric(milliseconds(o, n), "ms-"+older)
		b.ReportMetric(float64(o)/float64(a), "times-faster-than-"+older)
	}
}

func milliseconds(d time.Duration, n int) float64 {
	return float64(d.Milliseconds()) / float64(n)
}

// run runs a program with a request that every verb takes.
func (s *scene) run(b *testing.B, home, name string, args ...string) time.Duration {
	b.Helper()
	request := keys{"source": keys{"driver": "git", "uri": s.w.repo.URL(), "branch": "version", "file": "version", "git_user": "CI <ci@example.com>"}}
	if len(args) == 0 || args[0] != "check" {
		request["params"] = keys{"bump": "patch"}
	}
	if strings.HasSuffix(name, "semver-check") {
		delete(request, "params")
	}
	data, err := json.Marshal(request)
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(data)
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "GIT_CONFIG_NOSYSTEM=1")
	return timed(b, cmd)
}

func (s *scene) git(b *testing.B, args ...string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	return timed(b, cmd)
}

// gitBump is the least that a script does.
func (s *scene) gitBump(b *testing.B) time.Duration {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "clone")
	took := s.git(b, "clone", "-q", "--depth=1", "--branch=version", s.w.repo.URL(), dir)
	require.NoError(b, os.WriteFile(filepath.Join(dir, "version"), []byte(time.Now().Format("1.2.150405000\n")), 0o600))
	took += s.git(b, "-C", dir, "-c", "user.name=ci", "-c", "user.email=ci@example.com", "commit", "-qam", "bump")
	took += s.git(b, "-C", dir, "push", "-q", "origin", "HEAD:version")
	// back to a version, for the next bump
	_, err := s.w.repo.Git("update-ref", "refs/heads/version", "refs/heads/version^")
	require.NoError(b, err)
	return took
}

func timed(b *testing.B, cmd *exec.Cmd) time.Duration {
	b.Helper()
	var log bytes.Buffer
	cmd.Stderr = &log
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	require.NoError(b, err, "%v: %s", cmd.Args, &log)
	return took
}
