package cachixpaths_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// curlLoop is the look of a shell script at a cache: every path, one after the
// other.
const curlLoop = `set -eu
while read -r path; do
  base=${path##*/}
  code=$(curl -s -o /dev/null -w '%{http_code}' "$URL/${base%%-*}.narinfo")
  [ "$code" = 200 ]
done < "$LIST"`

// BenchmarkLook measures whole programs that find all of many paths in a cache
// on loopback, beside a loop of curl in the same run. "x" is how many times
// faster the put is, "requests" how many it sent. The second cache answers
// as far away as one on the internet.
func BenchmarkLook(b *testing.B) {
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Skipf("no %s to compare with", tool)
		}
	}
	for _, c := range []struct {
		paths int
		delay time.Duration
	}{{10_000, 0}, {300, 20 * time.Millisecond}} {
		b.Run(fmt.Sprintf("%d_paths_%s_away", c.paths, c.delay), func(b *testing.B) { benchmarkLook(b, c.paths, c.delay) })
	}
}

func benchmarkLook(b *testing.B, n int, delay time.Duration) {
	b.Helper()
	server, err := nixcache.New(nixcache.Options{})
	require.NoError(b, err)
	b.Cleanup(server.Close)
	paths := make([]string, n)
	for i := range paths {
		paths[i], err = server.Put(nixcache.Item{Name: fmt.Sprintf("path-%d", i)})
		require.NoError(b, err)
	}
	if delay > 0 {
		server.Inject(nixcache.Fault{Delay: delay})
	}
	dir := b.TempDir()
	list := filepath.Join(dir, "list", "paths")
	require.NoError(b, os.Mkdir(filepath.Dir(list), 0o750))
	require.NoError(b, os.WriteFile(list, []byte(strings.Join(paths, "\n")+"\n"), 0o600))

	curl := took(b, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-c", curlLoop)
		cmd.Env = append(os.Environ(), "URL="+server.URL(), "LIST="+list)
		return cmd
	})
	plain := map[string]any{"url": server.URL(), "public_keys": []string{server.PublicKey()}}
	cachix := map[string]any{"cache": server.Name(), "api_url": server.URL()}
	for _, c := range []struct {
		name   string
		source map[string]any
		verify string
	}{{"plain", plain, "signatures"}, {"cachix", cachix, "signatures"}, {"cachix_listed", cachix, "listed"}} {
		b.Run(c.name, func(b *testing.B) {
			var ours time.Duration
			for b.Loop() {
				server.Reset()
				ours = took(b, func(ctx context.Context) *exec.Cmd {
					return program(ctx, b, dir, "out", map[string]any{"source": c.source, "params": map[string]any{"paths_file": "list/paths", "verify": c.verify}})
				})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(ours.Microseconds())/1000, "ms")
			b.ReportMetric(float64(curl.Microseconds())/1000, "curl-ms")
			b.ReportMetric(float64(curl)/float64(ours), "x")
			b.ReportMetric(float64(len(server.Requests())), "requests")
		})
	}
}

func took(b *testing.B, command func(ctx context.Context) *exec.Cmd) time.Duration {
	b.Helper()
	start := time.Now()
	out, err := command(b.Context()).CombinedOutput()
	require.NoError(b, err, "%s", out)
	return time.Since(start)
}
