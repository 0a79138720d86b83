package ceplergate

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/markdown"
	"github.com/taxiway-ci/taxiway/internal/vendored"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Bounds of the lists in a pull request. GitHub takes 65,536 characters.
const (
	maxFiles   = 50
	maxImages  = 40
	maxMissing = 20
)

// title is that of the pull request, and the first line of its commit.
func (c *comparison) title() string {
	return fmt.Sprintf("Promote %s to %s%s", c.Deployment, c.src.Environment, c.versions())
}

// versions says from which release to which, where each side has one.
func (c *comparison) versions() string {
	was, is := c.Before.Releases(), c.After.Releases()
	switch {
	case len(is) == 1 && len(was) == 1 && was[0] != is[0]:
		return fmt.Sprintf(": %s → %s", was[0], is[0])
	case len(is) == 1 && c.Runs == nil:
		return ": " + is[0]
	case c.Upstream != nil:
		return fmt.Sprintf(": %s #%d", c.Passed, c.Upstream.Version)
	}
	return fmt.Sprintf(": %.7s", c.Opening.Commit.Hash)
}

// opens says what merging does, as plain text.
func (c *comparison) opens() string {
	text := fmt.Sprintf("Opens the gate of %s to %.7s", c.src.Environment, c.Opening.Commit.Hash)
	if c.Upstream != nil {
		text += fmt.Sprintf(", with what %s runs as #%d", c.Passed, c.Upstream.Version)
	}
	return text + "."
}

// page collects the text of a pull request.
type page struct{ strings.Builder }

func (p *page) linef(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

func (p *page) heading(text string) { p.linef("\n### %s\n", text) }

// body is the text of the pull request.
func (c *comparison) body() string {
	p := &page{}
	commit := c.Opening.Commit.Hash.String()
	p.linef("Merging this pull request opens the gate of **%s** to %s%s.", markdown.Verbatim(c.src.Environment), linked(commit[:7], c.commitLink(commit)), c.origin())
	c.warnings(p)
	p.linef("")
	c.table(p)
	for _, s := range c.Spans {
		c.changelog(p, s)
	}
	c.files(p)
	c.holds(p)
	c.missing(p)
	c.rollback(p)
	return p.String()
}

// origin says whose state that is, since when and by which build.
func (c *comparison) origin() string {
	u := c.Upstream
	if u == nil {
		return ""
	}
	text := fmt.Sprintf(", with what **%s** runs: #%d", markdown.Verbatim(c.Passed), u.Version)
	if !u.Recorded.IsZero() {
		text += " since " + cepler.Moment(u.Recorded)
	}
	if u.By != "" {
		text += ", deployed by " + webOr(u.By)
	}
	return text
}

// warnings are what a person should see first.
func (c *comparison) warnings(p *page) {
	if b := c.UpstreamBack; b != nil {
		p.linef("\n> **%s was rolled back** from #%d on %s. Merging this promotes what it was rolled back to.", markdown.Verbatim(c.Passed), b.Of, cepler.Moment(b.At))
	}
	if b := c.Back; b != nil {
		p.linef("\n> **%s was rolled back** from #%d on %s. Moving its gate lets it have again what was taken back.", markdown.Verbatim(c.src.Environment), b.Of, cepler.Moment(b.At))
	}
	for _, s := range c.Spans {
		if s.Span != nil && s.Back > 0 {
			p.linef("\n> **Merging this takes back %s** of %s.", visible.Count(s.Back, "commit"), markdown.Verbatim(lineage.RepositoryName(s.Repository)))
		}
	}
	for _, r := range []*deployments.Running{c.Runs, c.Upstream} {
		if r != nil && r.Dirty {
			name := c.src.Environment
			if r == c.Upstream {
				name = c.Passed
			}
			p.linef("\n> **#%d of %s is dirty**: files were deployed that git does not have. Their content is not known.", r.Version, markdown.Verbatim(name))
		}
	}
}

// table has both sides next to each other.
func (c *comparison) table(p *page) {
	p.linef("| | has now | would get |\n|---|---|---|")
	row := func(name, was, is string) {
		p.linef("| %s | %s | %s |", markdown.Cell(name), markdown.Cell(cmp.Or(was, "–")), markdown.Cell(cmp.Or(is, "–")))
	}
	row("state", c.running(), c.gets())
	row("release", list(c.Before.Releases()), list(c.After.Releases()))
	c.charts(row)
	c.images(row)
	if c.Opening.Own != nil {
		was, is := c.Opening.Own.Current.Head, c.Opening.Commit.Hash.String()
		row("deployments", linked(short(was), c.commitLink(was)), linked(short(is), c.commitLink(is))+compared(c.compareLink(was, is)))
	}
	row("gate", markdown.Code(c.Gate), markdown.Code(c.Opening.Commit.Hash.String()))
}

// running is what the environment runs, in a few words.
func (c *comparison) running() string {
	if c.Runs == nil {
		return "nothing yet"
	}
	text := fmt.Sprintf("#%d", c.Runs.Version)
	if !c.Runs.Recorded.IsZero() {
		text += " since " + cepler.Moment(c.Runs.Recorded)
	}
	if c.Runs.By != "" {
		text += ", " + webOr(c.Runs.By)
	}
	return text
}

// gets is the state that it would have, in a few words.
func (c *comparison) gets() string {
	if c.Upstream == nil {
		return "the newest of the branch"
	}
	return fmt.Sprintf("#%d of %s", c.Upstream.Version, markdown.Verbatim(c.Passed))
}

// charts are the rows of the charts that differ.
func (c *comparison) charts(row func(name, was, is string)) {
	for _, d := range lineage.ChartDifferences(c.Before, c.After) {
		is := chartText(d.Has) + compared(d.Compare)
		if d.Gone {
			is = "removed"
		}
		row("chart "+markdown.Verbatim(d.Name), chartText(d.Lacks), is)
	}
}

func chartText(c lineage.ChartSide) string {
	text := markdown.Verbatim(c.Version)
	if c.Commit.Hash != "" {
		text += " " + markdown.Code(c.Commit.Short())
	}
	return strings.TrimSpace(text)
}

// images are the rows of the images that differ.
func (c *comparison) images(row func(name, was, is string)) {
	shown, left := 0, 0
	for _, pair := range lineage.ImagePairs(c.Before, c.After) {
		was, is := imageText(pair.Before), imageText(pair.After)
		if pair.Before != nil && pair.After != nil && pair.Before.Digest == pair.After.Digest {
			continue
		}
		if shown == maxImages {
			left++
			continue
		}
		shown++
		if pair.After == nil {
			is = "removed"
		}
		i := pair.Image()
		row("image "+markdown.Code(cmp.Or(i.Repository, i.Path)), was, is)
	}
	if left > 0 {
		row(fmt.Sprintf("and %s more", visible.Count(left, "image")), "", "")
	}
}

func imageText(i *lineage.Image) string {
	if i == nil {
		return ""
	}
	text := markdown.Code(lineage.ShortDigest(i.Digest))
	if i.Source == nil {
		return text + ", source not known"
	}
	text += " from " + markdown.Code(i.Source.Commit.Short())
	switch {
	case len(i.Source.Releases) > 0:
		text += ", release " + markdown.Verbatim(i.Source.Releases[0])
	case i.Source.ReleasedIn != "":
		text += ", before release " + markdown.Verbatim(i.Source.ReleasedIn)
	}
	return text
}

// changelog lists the commits between, in groups.
func (c *comparison) changelog(p *page, s lineage.SourceSpan) {
	name := markdown.Verbatim(lineage.RepositoryName(s.Repository))
	p.heading(fmt.Sprintf("%s: %s → %s", name, markdown.Code(short(s.Before)), markdown.Code(short(s.After))))
	if s.Compare != "" {
		p.linef("Changes: %s\n", markdown.URL(s.Compare))
	}
	if s.Span == nil {
		why := s.Why
		if s.NotAtHand {
			why = "the repository is not among source.repositories"
		}
		p.linef("The commits between are not known: %s.", markdown.Elsewhere(why))
		return
	}
	in := version.NotesInput{Commits: s.Commits, Rules: version.Default(), Links: version.GitHub(vendored.WebURL(s.Repository), ""), Elsewhere: true}
	_, notes, _ := bytes.Cut(version.Notes(in), []byte("\n"))
	p.linef("%s", strings.ReplaceAll(strings.Trim(string(notes), "\n"), "### ", "#### "))
	listed := bytes.Count(notes, []byte("\n- "))
	p.linef("\n%s in all; %d of them are listed: merges and commits of other types are not%s.", visible.Count(s.Total, "commit"), listed, beyond(s))
}

// beyond says that a list was cut.
func beyond(s lineage.SourceSpan) string {
	if s.Total <= len(s.Commits) {
		return ""
	}
	return fmt.Sprintf(", and the %d oldest ones were not looked at", s.Total-len(s.Commits))
}

// files are those that differ.
func (c *comparison) files(p *page) {
	changes := c.Opening.Changes
	p.heading(visible.Count(len(changes), "file") + " of the deployments")
	for i, change := range changes {
		if i == maxFiles {
			p.linef("- and %d more", len(changes)-i)
			break
		}
		line := fmt.Sprintf("- %s %s", markdown.Verbatim(fmt.Sprint(change.Kind)), markdown.Code(change.Path))
		if f := change.After; f != nil && f.From != "" {
			line += fmt.Sprintf(", %s %s", linked(short(f.From), c.commitLink(f.From)), markdown.Text(f.Message))
		}
		if source, _ := cepler.SplitKey(change.Key); source == "latest" {
			line += " (its own)"
		}
		p.linef("%s", line)
	}
}

// holds says what of the gate's rules still holds it back.
func (c *comparison) holds(p *page) {
	p.heading("After the merge")
	switch {
	case len(c.Plan.Waits) == 0:
		p.linef("No rule of the gate holds it: %s deploys it as soon as its pipeline looks again.", markdown.Verbatim(c.src.Environment))
	default:
		p.linef("It still waits, as of now:\n")
		for _, why := range c.Plan.Waits {
			p.linef("- %s", markdown.Verbatim(why))
		}
		if !c.Plan.Until.IsZero() {
			p.linef("\nThat may end by itself at %s.", cepler.Moment(c.Plan.Until))
		}
	}
	if c.Plan.Pending() && c.Plan.Snapshot().PropagatedHead != c.Opening.Snapshot().PropagatedHead {
		p.linef("\n%s had more than one state in between: %s deploys them in turn.", markdown.Verbatim(cmp.Or(c.Passed, "The branch")), markdown.Verbatim(c.src.Environment))
	}
}

// missing lists the links that are missing between what it would get and its sources.
func (c *comparison) missing(p *page) {
	broken := c.After.AllBroken()
	if len(broken)+len(c.NotAsked) == 0 {
		return
	}
	p.heading("Not known")
	for i, b := range broken {
		if i == maxMissing {
			p.linef("- and %d more", len(broken)-i)
			break
		}
		p.linef("- %s: %s", markdown.Code(b.Where), markdown.Elsewhere(b.Why))
	}
	for _, note := range c.NotAsked {
		p.linef("- %s", markdown.Elsewhere(note))
	}
}

// rollback says how to go back.
func (c *comparison) rollback(p *page) {
	p.heading("To roll back")
	env := markdown.Verbatim(c.src.Environment)
	if c.Runs == nil {
		p.linef("%s runs nothing yet, so there is nothing to go back to.", env)
		return
	}
	p.linef("Pin the version that %s runs now (#%d) on its cepler-in resource, and start the job that deploys it: git records the rollback. "+
		"Closing the gate alone takes nothing back.", env, c.Runs.Version)
}

func short(hash string) string { return fmt.Sprintf("%.7s", hash) }

func list(names []string) string {
	const enough = 3
	return markdown.Verbatim(visible.List(names, enough))
}

// linked is a piece of code that leads to an address, if there is one.
func linked(text, address string) string {
	if text == "" || address == "" {
		return markdown.Code(text)
	}
	return "[" + markdown.Code(text) + "](" + markdown.URL(address) + ")"
}

func compared(address string) string {
	if address == "" {
		return ""
	}
	return " (" + markdown.Link("compare", address) + ")"
}

// webOr is an address as a link, and any other text as it is.
func webOr(text string) string {
	if strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://") {
		return markdown.Link("this build", text)
	}
	return markdown.Verbatim(text)
}
