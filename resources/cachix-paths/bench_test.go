package cachixpaths_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// BenchmarkLook measures whole programs that find all of many paths in a cache
// on loopback, beside one curl that asks for the same files in parallel, in turn in the same run,
// the middle of five. "x-curl" is how many times curl's time that is, "x-curl-cpu" the
// same of the processor's time, "requests" how many were sent. Some caches answer
// as far away as one on the internet. The difference between signatures and narinfo, for which
// the same is asked, is what it costs to verify signatures; curl verifies none.
func BenchmarkLook(b *testing.B) {
	if _, err := exec.LookPath("curl"); err != nil {
		b.Skip("no curl to compare with")
	}
	for _, c := range []struct {
		name  string
		paths int
		tls   bool
		delay time.Duration
	}{
		{"10000_paths", 10_000, false, 0},
		{"10000_paths_tls", 10_000, true, 0},
		{"3000_paths_1ms_away", 3000, false, time.Millisecond},
		{"300_paths_tls_20ms_away", 300, true, 20 * time.Millisecond},
		{"3000_paths_tls_20ms_away", 3000, true, 20 * time.Millisecond},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkLook(b, c.paths, c.tls, c.delay) })
	}
}

func benchmarkLook(b *testing.B, n int, tls bool, delay time.Duration) {
	b.Helper()
	server, err := nixcache.New(nixcache.Options{TLS: tls})
	require.NoError(b, err)
	b.Cleanup(server.Close)
	paths, urls := make([]string, n), make([]string, n)
	for i := range paths {
		paths[i], err = server.Put(nixcache.Item{Name: fmt.Sprintf("path-%d", i)})
		require.NoError(b, err)
		hash, _, _ := strings.Cut(path.Base(paths[i]), "-")
		urls[i] = fmt.Sprintf("url = %s/%s.narinfo\noutput = /dev/null\n", server.URL(), hash)
	}
	if delay > 0 {
		server.Inject(nixcache.Fault{Delay: delay})
	}
	dir := b.TempDir()
	binary := filepath.Join(dir, "out")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./cmd/cachix-paths").CombinedOutput()
	require.NoError(b, err, "%s", out)
	ca, config, list := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "curl"), filepath.Join(dir, "list", "paths")
	require.NoError(b, os.Mkdir(filepath.Dir(list), 0o750))
	for file, text := range map[string]string{ca: server.CA(), config: strings.Join(urls, ""), list: strings.Join(paths, "\n") + "\n"} {
		require.NoError(b, os.WriteFile(file, []byte(text), 0o600))
	}
	curl := func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, "curl", "--silent", "--show-error", "--fail", "--parallel", "--cacert", ca, "--config", config)
	}
	plain := map[string]any{"url": server.URL(), "public_keys": []string{server.PublicKey()}, "ca_cert": server.CA()}
	cachix := map[string]any{"cache": server.Name(), "api_url": server.URL(), "ca_cert": server.CA()}
	for _, c := range []struct {
		name   string
		source map[string]any
		verify string
	}{{"plain", plain, "signatures"}, {"plain_narinfo", plain, "narinfo"}, {"cachix", cachix, "signatures"}, {"cachix_listed", cachix, "listed"}} {
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs []spent
			requests := 0
			for b.Loop() {
				for range 5 {
					theirs = append(theirs, run(b, curl))
					server.Reset()
					ours = append(ours, run(b, func(ctx context.Context) *exec.Cmd {
						cmd := program(ctx, b, dir, "out", map[string]any{"source": c.source, "params": map[string]any{"paths_file": "list/paths", "verify": c.verify}})
						cmd.Path = binary
						return cmd
					}))
					requests = len(server.Requests())
				}
			}
			mine, peer := middle(ours), middle(theirs)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(mine.clock.Microseconds())/1000, "ms")
			b.ReportMetric(float64(mine.clock)/float64(peer.clock), "x-curl")
			b.ReportMetric(float64(mine.cpu)/float64(peer.cpu), "x-curl-cpu")
			b.ReportMetric(float64(requests), "requests")
		})
	}
}

// spent is what a program took: on the clock, and of the processor.
type spent struct{ clock, cpu time.Duration }

func run(b *testing.B, command func(ctx context.Context) *exec.Cmd) spent {
	b.Helper()
	cmd, start := command(b.Context()), time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return spent{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// middle is the median of each figure.
func middle(all []spent) spent {
	var clock, cpu []time.Duration
	for _, s := range all {
		clock, cpu = append(clock, s.clock), append(cpu, s.cpu)
	}
	slices.Sort(clock)
	slices.Sort(cpu)
	return spent{clock[len(clock)/2], cpu[len(cpu)/2]}
}
