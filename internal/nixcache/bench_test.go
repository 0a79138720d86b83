package nixcache_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// BenchmarkParseNarinfo is what it takes to read a narinfo.
func BenchmarkParseNarinfo(b *testing.B) {
	text, err := os.ReadFile("testdata/cache/1q6678c0ww0pzkr28braj76xdl01q9ya.narinfo")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nixcache.ParseNarinfo(string(text)); err != nil {
			b.Fatal(err)
		}
	}
}
