package promoterc

import (
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// title is the subject of the commit and the title of the pull request, so that
// a squash merge has it too.
func (p *promotion) title() string { return fmt.Sprintf("ci: release %s [ci skip]", p.next) }

// message is what the commit on the bot's branch says.
func (p *promotion) message(tree git.Hash) string {
	lines := []string{p.title(), ""}
	if p.candidate != "" {
		lines = append(lines, "Candidate: "+p.candidate)
	}
	if url := p.step.Build.URL(); url != "" {
		lines = append(lines, "Build: "+url)
	}
	if name := p.step.Build.Pipeline(); name != "" {
		lines = append(lines, "Pipeline: "+name)
	}
	lines = append(lines, contents+tree.String())
	return strings.Join(lines, "\n") + "\n"
}

// maxNotes leaves room in a description, which GitHub lets have 65,536
// characters.
const maxNotes = 48 << 10

// body is the description of the pull request.
func (p *promotion) body() string {
	head, web := p.code.Head().String(), p.forge.WebURL()
	var b strings.Builder
	fmt.Fprintf(&b, "Merging this pull request releases **%s**.\n\n| | |\n|---|---|\n", p.next)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	if p.candidate != "" {
		row("candidate", "%s", p.candidate)
	}
	row("commit", "[`%.7s`](%s/commit/%s)", head, web, head)
	if p.previous != "" {
		row("changes", "%s", markdown.Cell(markdown.Link(p.previous+"..."+head[:7], web+"/compare/"+p.previous+"..."+head)))
	}
	for _, image := range p.params.Images {
		if p.candidate != "" {
			image += ":" + p.candidate
		}
		row("image", "%s", markdown.Cell(markdown.Code(image)))
	}
	if url := p.step.Build.URL(); url != "" {
		row("build", "%s", markdown.Cell(markdown.URL(url)))
	}
	b.WriteString("\n**To promote:** read the notes below, try the candidate, mark this pull request as ready and merge it. What is released is the commit above, " +
		"whatever was committed after it.\n\n")
	var allowed []string
	for _, glob := range p.src.allowedFiles() {
		allowed = append(allowed, markdown.Code(glob))
	}
	fmt.Fprintf(&b, "A newer candidate brings this pull request up to date. It may change %s: with any other file in it, merging releases nothing. "+
		"Commits of yours on %s are not overwritten; the next candidate then waits until they are merged or dropped.\n\n---\n\n",
		strings.Join(allowed, ", "), markdown.Code(p.src.botBranch()))
	b.WriteString(shorten(string(p.notes), p.src.changelog()))
	b.WriteString("\n" + marker{version: p.next, commit: head}.String() + "\n")
	return b.String()
}

// shorten keeps whole lines.
func shorten(notes, file string) string {
	if len(notes) <= maxNotes {
		return notes
	}
	cut := notes[:maxNotes]
	return cut[:strings.LastIndex(cut, "\n")+1] + "- … and more, in " + file + "\n"
}
