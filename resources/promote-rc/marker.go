package promoterc

import (
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// marker is what a pull request's description says to this resource, in a
// comment that is not shown. It is the last one there: what stands above may
// come from anybody's commit messages.
type marker struct {
	version version.Version
	commit  string // the candidate's
}

const (
	markerStart = "<!-- promote-rc "
	markerEnd   = " -->"
)

// String is the comment.
func (m marker) String() string {
	return fmt.Sprintf("%sversion=%s commit=%s%s", markerStart, m.version, m.commit, markerEnd)
}

// parseMarker reads a description.
func parseMarker(body string) (m marker, ok bool) {
	start := strings.LastIndex(body, markerStart)
	if start < 0 {
		return m, false
	}
	text, _, ok := strings.Cut(body[start+len(markerStart):], markerEnd)
	if !ok {
		return m, false
	}
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return m, false
	}
	number, isVersion := strings.CutPrefix(fields[0], "version=")
	commit, isCommit := strings.CutPrefix(fields[1], "commit=")
	v, err := version.Parse(number)
	if err != nil || !isVersion || !isCommit || !v.IsFinal() || !plumbing.IsHash(commit) {
		return m, false
	}
	return marker{version: v, commit: commit}, true
}
