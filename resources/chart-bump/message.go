package chartbump

import (
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/markdown"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// message is what a bump says of itself, as a commit and as a pull request.
type message struct {
	src    Source
	wanted wanted
	changes
	// commits are those of the code between two bumps, newest first; reached says
	// that the list goes back to the older one.
	commits []codeCommit
	reached bool
}

// title is the first line of both.
func (m message) title() string {
	scope := "chore(" + m.src.name() + "): "
	one := m.wanted.version != nil && !m.kept // version of everything
	switch {
	case len(m.images) == 1:
		return scope + fmt.Sprintf("bump %s image to '%s'", m.images[0].image.Name, m.images[0].digest)
	case len(m.images) > 1 && one:
		return scope + fmt.Sprintf("bump %d images to %s", len(m.images), m.wanted.version)
	case len(m.images) > 1:
		return scope + fmt.Sprintf("bump %d images", len(m.images))
	case m.wanted.version != nil:
		return scope + "bump to " + m.wanted.version.String()
	}
	return scope + "update files"
}

// commit is the commit's message.
func (m message) commit() string {
	var b strings.Builder
	b.WriteString(m.title() + "\n\n")
	if len(m.images) > 1 {
		for _, c := range m.images {
			fmt.Fprintf(&b, "%s: '%s'\n", c.image.Name, c.digest)
		}
	}
	return b.String()
}

// body is the pull request's text.
func (m message) body() string {
	var b strings.Builder
	if m.wanted.version != nil {
		fmt.Fprintf(&b, "Version `%s`.\n\n", m.wanted.version)
	}
	for _, c := range m.images {
		fmt.Fprintf(&b, "### %s\n\nThe digest of the image becomes\n\n```\n%s\n```\n\n", markdown.Verbatim(c.image.Name), c.digest)
		b.WriteString(c.compare() + "\n\n")
	}
	if len(m.commits) > 0 {
		b.WriteString("### Commits\n\n")
		for _, c := range m.commits {
			fmt.Fprintf(&b, "- %s %s\n", short(c.hash), markdown.Elsewhere(visible.Cut(c.subject, maxSubject)))
		}
		if !m.reached {
			b.WriteString("- and older ones\n")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// compare says which changes of the code an image brings.
func (c imageChange) compare() string {
	address, fresh := markdown.URL(c.source.repository), markdown.Verbatim(short(c.source.commit))
	switch {
	case !strings.HasPrefix(address, "http"):
		return fmt.Sprintf("Built from %s at %s.", markdown.Elsewhere(c.source.repository), fresh)
	case c.oldCommit == "":
		return fmt.Sprintf("Built from %s/commit/%s; nothing said what the image before it was built from.", address, fresh)
	case c.oldCommit == short(c.source.commit):
		return fmt.Sprintf("Built from %s/commit/%s, as the image before it.", address, fresh)
	}
	return fmt.Sprintf("Changes of the code: %s", markdown.URL(c.compareURL()))
}

// compareURL is the page with the changes of the code, empty when there is none.
func (c imageChange) compareURL() string {
	return comparison(c.source.repository, c.oldCommit, short(c.source.commit))
}

// comparison is the page with the changes between two commits of a repository, empty when there is none.
func comparison(repository, before, after string) string {
	if !strings.HasPrefix(repository, "http") || before == "" || before == after {
		return ""
	}
	return repository + "/compare/" + before + "..." + after
}

// maxSubject is how many characters of a subject are shown, so that the longest list stays below what GitHub
// takes as the text of a pull request.
const maxSubject = 121
