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
	f, err := yamledit.Parse([]byte(text), yamledit.Options{})
	require.NoError(t, err)
	for _, p := range []string{"service1999.image.digest", "service7.env[name=A].value", "service0.image.digest", "service7.image.digest"} {
		require.NoError(t, f.Set(p, digest(12)))
		require.NoError(t, f.SetComment(p, "# c"))
	}
	require.ErrorIs(t, f.Set("service2000.image.digest", "x"), yamledit.ErrMissing)
	got, err := f.Bytes()
	require.NoError(t, err)
	assert.Equal(t, 4, changedLines(text, string(got)))
	v, err := f.Scalar("service1999.image.digest")
	require.NoError(t, err)
	assert.Equal(t, 19_995, v.Line)
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

// BenchmarkEdit sets one digest and its comment in a file of a length that charts have, and of 20,000
// lines, which none is known to have.
func BenchmarkEdit(b *testing.B) {
	lines := strings.SplitAfter(long(), "\n")
	for _, n := range []int{300, 3_000, 20_000} {
		b.Run(fmt.Sprintf("%d lines", n), func(b *testing.B) {
			data := []byte(strings.Join(lines[:n], ""))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				f, err := yamledit.Parse(data, yamledit.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := f.Set("service15.image.digest", digest(12)); err != nil {
					b.Fatal(err)
				}
				if err := f.SetComment("service15.image.digest", "# c"); err != nil {
					b.Fatal(err)
				}
				if _, err := f.Bytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
