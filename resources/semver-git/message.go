package semvergit

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// message is what the commit of a version says: a subject, release notes, and
// trailers. A get reads notes and tag from it.
type message struct {
	subject string
	notes   string
	tag     string
	commit  git.Hash // of the code; zero when there is none
	build   concourse.Build
}

// maxNotes bounds the notes in a commit, in bytes.
const maxNotes = 256 << 10

// The trailers that a get reads.
const (
	tagTrailer    = "Tag: "
	commitTrailer = "Code: "
)

func (m message) String() string {
	parts := []string{strings.TrimSpace(m.subject)}
	if notes := strings.TrimSpace(m.notes); notes != "" {
		parts = append(parts, shorten(notes))
	}
	return strings.Join(append(parts, strings.Join(m.trailers(), "\n")), "\n\n") + "\n"
}

// trailers end with a line that no other commit has: two puts of the same
// content in the same second would else be one commit, and both would think that
// theirs was taken.
func (m message) trailers() []string {
	var lines []string
	if m.tag != "" {
		lines = append(lines, tagTrailer+m.tag)
	}
	if !m.commit.IsZero() {
		lines = append(lines, commitTrailer+m.commit.String())
	}
	return append(append(lines, m.build.Trailers()...), "Put: "+rand.Text())
}

func shorten(notes string) string {
	if len(notes) <= maxNotes {
		return notes
	}
	cut := notes[:maxNotes]
	cut = cut[:strings.LastIndex(cut, "\n")+1]
	return fmt.Sprintf("%s- … and %d more lines", cut, strings.Count(notes[len(cut):], "\n")+1)
}

// recorded is what a commit of this resource says about its version.
type recorded struct {
	notes, tag, commit string
}

// parseMessage reads what message wrote; of other commits it finds nothing.
func parseMessage(text, number string) recorded {
	var r recorded
	text = strings.TrimSpace(text)
	end := strings.LastIndex(text, "\n\n")
	if end < 0 {
		return r
	}
	for line := range strings.SplitSeq(text[end+2:], "\n") {
		if tag, ok := strings.CutPrefix(line, tagTrailer); ok {
			r.tag = tag
		}
		if commit, ok := strings.CutPrefix(line, commitTrailer); ok {
			r.commit = commit
		}
	}
	start := strings.Index(text[:end], "\n\n## ["+number+"]")
	if start >= 0 {
		r.notes = text[start+2:end] + "\n"
	}
	return r
}

// subject is the first part of a commit's message.
func (s Source) subject(number string) string {
	if s.CommitMessage == "" {
		return "bump to " + number
	}
	return strings.NewReplacer("%version%", number, "%file%", s.File).Replace(s.CommitMessage)
}
