package promoterc

import (
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// title is the subject of the commit and the title of the pull request, so that
// a squash merge has it too.
func (p *promotion) title() string {
	title := fmt.Sprintf("ci: release %s", p.next)
	if p.src.SkipCI {
		title += " [ci skip]"
	}
	return title
}

// trailers end the commit's message.
func (p *promotion) trailers() []string {
	if p.candidate == "" {
		return p.step.Build.Trailers()
	}
	return append([]string{"Candidate: " + p.candidate}, p.step.Build.Trailers()...)
}

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
	ready := ""
	if p.src.draft() {
		ready = "mark this pull request as ready, "
	}
	b.WriteString("\n**To promote:** read the notes below, try the candidate, " + ready + "and merge it. What is released is the commit above, " +
		"whatever was committed after it.\n\n")
	var allowed []string
	for _, glob := range p.src.allowedFiles() {
		allowed = append(allowed, markdown.Code(glob))
	}
	fmt.Fprintf(&b, "A newer candidate brings this pull request up to date. It may change %s: with any other file in it, merging releases nothing. "+
		"Commits of yours on %s are not overwritten; the next candidate then waits until they are merged or dropped.\n\n---\n\n",
		strings.Join(allowed, ", "), markdown.Code(p.src.botBranch()))
	b.Write(p.notes)
	return b.String()
}

// foot ends the description, and says to a check which candidate it is about.
func (p *promotion) foot() string {
	return "\n" + marker{version: p.next, commit: p.code.Head().String()}.String() + "\n"
}
