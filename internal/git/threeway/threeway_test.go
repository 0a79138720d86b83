package threeway

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMerge(t *testing.T) {
	const base = "1\n2\n3\n4\n5\n6\n7\n"
	for name, c := range map[string]struct {
		ours, theirs, want string
		conflicts          int
	}{
		"both ends":         {"one\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\n5\n6\nseven\n", "one\n2\n3\n4\n5\n6\nseven\n", 0},
		"the same change":   {"1\n2\nx\n4\n5\n6\n7\n", "1\n2\nx\n4\n5\n6\n7\n", "1\n2\nx\n4\n5\n6\n7\n", 0},
		"adjacent lines":    {"1\nx\n3\n4\n5\n6\n7\n", "1\n2\ny\n4\n5\n6\n7\n", "1\n<<<<<<< a\nx\n3\n=======\n2\ny\n>>>>>>> b\n4\n5\n6\n7\n", 1},
		"one line between":  {"1\nx\n3\n4\n5\n6\n7\n", "1\n2\n3\ny\n5\n6\n7\n", "1\nx\n3\ny\n5\n6\n7\n", 0},
		"deleted on both":   {"1\n2\n6\n7\n", "1\n2\n6\n7\n", "1\n2\n6\n7\n", 0},
		"deleted, changed":  {"1\n2\n6\n7\n", "1\n2\n3\nfour\n5\n6\n7\n", "1\n2\n<<<<<<< a\n=======\n3\nfour\n5\n>>>>>>> b\n6\n7\n", 1},
		"without line feed": {"1\n2\n3\n4\n5\n6\nx", "1\n2\n3\n4\n5\n6\ny", "1\n2\n3\n4\n5\n6\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n", 1},
		"both empty":        {"", "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, conflicts := Merge([]byte(base), []byte(c.ours), []byte(c.theirs), Markers{7, "a", "b"})
			assert.Equal(t, c.want, string(got))
			assert.Equal(t, c.conflicts, conflicts)
		})
	}
}

func TestSamePatch(t *testing.T) {
	before := "a\nb\nc\nd\ne\nf\ng\nh\n"
	after := strings.Replace(before, "d", "D", 1)
	moved := "new\nlines\n" + before
	assert.True(t, SamePatch([]byte(before), []byte(after), []byte(moved), []byte("new\nlines\n"+after)))
	assert.True(t, SamePatch([]byte(before), []byte(after), []byte(before), []byte(strings.Replace(before, "d", "  D", 1))))
	assert.False(t, SamePatch([]byte(before), []byte(after), []byte(before), []byte(strings.Replace(before, "d", "E", 1))))
	other := strings.Replace(before, "c", "x", 1)
	assert.False(t, SamePatch([]byte(before), []byte(after), []byte(other), []byte(strings.Replace(other, "d", "D", 1))), "other context")
}

func TestSameLines(t *testing.T) {
	same := func(before1, after1, before2, after2 string) bool {
		return SameLines([]byte(before1), []byte(after1), []byte(before2), []byte(after2))
	}
	assert.True(t, same("a\nb\n", "a\nB\n", "x\nb\ny\n", "x\nB\ny\n"), "wherever they are")
	assert.False(t, same("a\nb\n", "a\nB\n", "a\nb\n", "a\n B\n"), "blanks count")
	assert.False(t, same("a\nb\n", "a\nB\n", "a\nb\n", "a\nb\nB\n"), "added is not replaced")
	assert.True(t, same("a\n", "a\n", "b\n", "b\n"), "nothing is nothing")
}

// Whatever the texts are: a side that changed nothing takes the other one, the sides can be exchanged,
// and what a comparison leaves unmarked is the same in both texts.
func FuzzMerge(f *testing.F) {
	seeds, err := filepath.Glob("testdata/fuzz/FuzzMerge/*")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		const limit = 1 << 12 // keeps a round short
		if len(base) > limit || len(ours) > limit || len(theirs) > limit {
			return
		}
		m := Markers{7, "a", "b"}
		for _, c := range []struct{ base, ours, theirs, want []byte }{
			{base, base, theirs, theirs}, {base, ours, base, ours}, {base, ours, ours, ours},
		} {
			got, conflicts := Merge(c.base, c.ours, c.theirs, m)
			assert.Zero(t, conflicts)
			assert.Equal(t, string(c.want), string(got))
		}
		got, conflicts := Merge(base, ours, theirs, m)
		swapped, others := Merge(base, theirs, ours, m)
		assert.Equal(t, conflicts > 0, others > 0)
		if conflicts == 0 {
			assert.Equal(t, string(got), string(swapped))
		}
		for _, compare := range []func(d *differ, s span){(*differ).histogram, (*differ).myers} {
			numbers := numbering{}
			a, b := numbers.text(base), numbers.text(ours)
			d := &differ{a: a, b: b}
			compare(d, span{0, len(a.lines), 0, len(b.lines)})
			slide(a, b)
			slide(b, a)
			assert.Equal(t, left(a), left(b))
		}
	})
}

// left are the lines that are not marked.
func left(t *text) []int32 {
	var out []int32
	for i, n := range t.numbers {
		if !t.changed[i] {
			out = append(out, n)
		}
	}
	return slices.Clip(out)
}

// Texts of frequent lines and without anything in common take linear time and space: the number of
// edits that are looked at is limited.
func TestFarApartTexts(t *testing.T) {
	var a, b strings.Builder
	for i := range 60_000 {
		a.WriteString([]string{"x\n", "y\n", "x\n"}[i%3])
		b.WriteString([]string{"y\n", "z\n"}[i%2])
	}
	got, conflicts := Merge([]byte(a.String()), []byte(b.String()), []byte(a.String()), Markers{7, "a", "b"})
	assert.Zero(t, conflicts)
	assert.Equal(t, b.String(), string(got))
}
