package forge

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

// The lengths that GitHub accepts, in characters. A longer text is answered with 422, each time.
const (
	maxTitle       = 256
	maxBody        = 65_536
	maxReleaseBody = 125_000
	maxLabel       = 50
)

// What is read of a server, which may be another one than GitHub.
const (
	maxAnswer = 16 << 20 // bytes of one answer: a page of 100 pull requests has some 2 MB
	maxPages  = 1000     // pages of one list
	maxListed = 32 << 20 // bytes that are kept of the pull requests of one list
)

// CheckLabels returns an error that names the first label that GitHub would refuse.
func CheckLabels(labels []string) error {
	for i, l := range labels {
		switch n := utf8.RuneCountInString(l); {
		case strings.TrimSpace(l) == "":
			return fmt.Errorf("labels[%d]: is empty", i)
		case n > maxLabel:
			return fmt.Errorf("labels[%d]: %q has %d characters, and GitHub takes no more than %d", i, l, n, maxLabel)
		case strings.ContainsAny(l, ",\r\n"):
			return fmt.Errorf("labels[%d]: %q contains a comma or a line break, which a label can't have", i, l)
		}
	}
	return nil
}

// fitLine is one line of printable text, cut at a limit of GitHub's.
func fitLine(text string, most int) string { return visible.Cut(visible.Line(text), most) }

// fit cuts a text that GitHub would refuse at the end of a line, and says so below it. foot follows
// the text whole.
func fit(text, foot string, limit int) string {
	if utf8.RuneCountInString(text)+utf8.RuneCountInString(foot) <= limit {
		return text + foot
	}
	note := fmt.Sprintf("\n… The rest is left out: GitHub takes no more than %d characters here.\n", limit)
	room := limit - utf8.RuneCountInString(note) - utf8.RuneCountInString(foot)
	kept := string([]rune(text)[:max(0, min(room, utf8.RuneCountInString(text)))])
	if end := strings.LastIndexByte(kept, '\n'); end >= 0 {
		kept = kept[:end+1]
	}
	return kept + note + foot
}

// errEmpty is an answer that is null where GitHub always has an object.
var errEmpty = errors.New("the server's answer is empty where GitHub has an object: is api_url the address of GitHub's API?")
