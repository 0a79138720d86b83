package pullrequestbuilds

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a version says, and whatever is open: everything that is open has been
// offered after one check, and a second one offers nothing.
func FuzzSince(f *testing.F) {
	seeds, err := filepath.Glob("testdata/fuzz/FuzzSince/*")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	f.Fuzz(func(t *testing.T, commit, open string, heads []byte) {
		var pulls []offer
		for i, head := range heads {
			if head != 0 {
				o := offer{number: i + 1, commit: strings.Repeat(string("0123456789abcdef"[head%16]), 40)}
				if head > 127 {
					o.base = strings.Repeat(string("0123456789abcdef"[head/16%16]), 40)
				}
				pulls = append(pulls, o)
			}
		}
		given := &Version{PR: "1", Commit: commit, Open: open}
		versions := since(given, pulls)
		if len(versions) == 0 {
			assert.Empty(t, pulls)
			return
		}
		last := versions[len(versions)-1]
		assert.Equal(t, []Version{last}, since(&last, pulls))
		if commit == "" {
			assert.Len(t, versions, len(pulls), "a version of another type counts as none")
			return
		}
		assert.Equal(t, *given, versions[0])
		assert.False(t, slices.ContainsFunc(versions[1:], func(v Version) bool { return v == *given }))
	})
}
