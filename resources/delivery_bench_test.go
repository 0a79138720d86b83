package resources_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// BenchmarkLargeDelivery measures the get of a deployments repository that has
// eight ordinary files of 90 MB, with what the operating system says of the
// program's memory: it must not grow with what is delivered.
func BenchmarkLargeDelivery(b *testing.B) {
	programs := build(b)
	server, err := gittest.New(gittest.Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, server.Close()) }()
	repo, err := server.Create("owner/large")
	require.NoError(b, err)
	files := map[string]string{"cepler.yml": "environments: {dev: {latest: ['**']}}\n"}
	for name := range strings.SplitSeq("abcdefgh", "") {
		line := "a line of the file " + name + ", as ordinary as the others\n"
		files["data/"+name] = strings.Repeat(line, 90_000_000/len(line))
	}
	_, err = repo.Commit("main", "init", files)
	require.NoError(b, err)
	// git looks for deltas of such files for minutes, which is not what is measured
	_, err = repo.Git("config", "core.bigFileThreshold", "50m")
	require.NoError(b, err)
	s := &scene{b: b, programs: programs, repo: repo, environment: "dev"}
	for b.Loop() {
		check := s.check(b.TempDir())
		var versions []json.RawMessage
		require.NoError(b, json.Unmarshal(check.out, &versions))
		require.Len(b, versions, 1)
		get := s.get(versions[0])
		b.ReportMetric(check.peak, "check-peak-MB")
		b.ReportMetric(get.peak, "get-peak-MB")
		b.ReportMetric(float64(get.took.Milliseconds()), "get-ms")
	}
}
