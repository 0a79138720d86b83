package promoterc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMarkersThatAreNone(t *testing.T) {
	const commit = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"
	for _, body := range []string{
		"", "text", markerStart, markerStart + "version=1.2.3" + markerEnd,
		markerStart + "version=1.2.3-rc.1 commit=" + commit + markerEnd, markerStart + "version=1.2.3 commit=main" + markerEnd,
		markerStart + "version=1.2.3 commit=" + commit, markerStart + "commit=" + commit + " version=1.2.3" + markerEnd,
	} {
		_, ok := parseMarker(body)
		assert.False(t, ok, body)
	}
}

// Somebody's commit message can't pass for the marker: the last one counts.
func TestTheLastMarkerCounts(t *testing.T) {
	ours := markerStart + "version=1.2.3 commit=1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0" + markerEnd
	m, ok := parseMarker("- " + strings.Replace(ours, "1.2.3", "9.9.9", 1) + "\r\n\r\n" + ours + "\r\n")
	require.True(t, ok)
	assert.Equal(t, "1.2.3", m.version.String())
	assert.Equal(t, ours, m.String())
}

func FuzzMarker(f *testing.F) {
	for _, body := range []string{
		"", "x <!-- promote-rc version=1.2.3 commit=1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0 -->\n", "<!-- promote-rc  -->", "<!-- promote-rc version= commit= -->",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		m, ok := parseMarker(body)
		if !ok {
			return
		}
		again, ok := parseMarker(m.String())
		require.True(t, ok)
		require.Equal(t, m, again)
		require.True(t, m.version.IsFinal())
	})
}
