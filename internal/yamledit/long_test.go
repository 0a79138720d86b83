package yamledit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// long is a values file of 20,000 lines.
func long() string {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "service%d:\n  # what it does\n  image:\n    repository: ghcr.io/acme/service%d\n    digest: %q # METADATA:: repository=https://github.com/acme/s;commit_ref=1234567;app=s;\n"+
			"  replicas: 3\n  env:\n    - {name: A, value: 'b'}\n    - name: B\n\n", i, i, digest(i))
	}
	return b.String()
}

func TestLongFile(t *testing.T) {
	text := long()
	require.Equal(t, 20_000, strings.Count(text, "\n"))
	edit := func(text string, o yamledit.Options, paths ...string) string {
		f, err := yamledit.Parse([]byte(text), o)
		require.NoError(t, err)
		for _, p := range paths {
			require.NoError(t, f.Set(p, digest(12)))
			require.NoError(t, f.SetComment(p, "# c"))
		}
		got, err := f.Bytes()
		require.NoError(t, err)
		return string(got)
	}
	paths := []string{"service1999.image.digest", "service7.env[name=A].value", "service0.image.digest", "service7.image.digest"}
	inPart := edit(text, yamledit.Options{}, paths...)
	whole := edit(text, yamledit.Options{Document: 1}, paths...)
	assert.True(t, whole == inPart, "parsed in part it becomes another file")
	assert.Equal(t, 4, changedLines(text, whole))

	f, err := yamledit.Parse([]byte(text), yamledit.Options{})
	require.NoError(t, err)
	v, err := f.Scalar("service1999.image.digest")
	require.NoError(t, err)
	assert.Equal(t, 19_995, v.Line)
	require.NoError(t, f.Set("service3.image.digest", digest(9)))
	require.ErrorIs(t, f.Set("service2000.image.digest", "x"), yamledit.ErrMissing) // parses it whole
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, 1, changedLines(text, string(got)))
}

func TestLongFileWithAliases(t *testing.T) {
	text := long() + "shared: &s {digest: a}\nuser: {image: *s}\nbase: &b\n  x: y\nmore:\n  <<: *b\n  z: w\n"
	f, err := yamledit.Parse([]byte(text), yamledit.Options{})
	require.NoError(t, err)
	require.NoError(t, f.Set("service3.image.digest", digest(9)))
	require.ErrorIs(t, f.Set("shared.digest", "v"), yamledit.ErrShared)
	require.ErrorIs(t, f.Set("user.image.digest", "v"), yamledit.ErrShared)
	require.ErrorIs(t, f.Set("more.x", "v"), yamledit.ErrShared)
	require.NoError(t, f.Set("more.z", "v"))
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, 2, changedLines(text, string(got)))
}

// changedLines counts the lines that differ between two files of equal length.
func changedLines(a, b string) int {
	before, after := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	if len(before) != len(after) {
		return -1
	}
	n := 0
	for i := range before {
		if before[i] != after[i] {
			n++
		}
	}
	return n
}

// BenchmarkEdit20000Lines sets one digest and its comment in a file of 20,000
// lines; the goal is 50 ms.
func BenchmarkEdit20000Lines(b *testing.B) {
	for name, o := range map[string]yamledit.Options{"in part": {}, "whole": {Document: 1}} {
		b.Run(name, func(b *testing.B) {
			data := []byte(long())
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				f, err := yamledit.Parse(data, o)
				if err != nil {
					b.Fatal(err)
				}
				if err := f.Set("service1500.image.digest", digest(12)); err != nil {
					b.Fatal(err)
				}
				if err := f.SetComment("service1500.image.digest", "# c"); err != nil {
					b.Fatal(err)
				}
				if _, err := f.Bytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
