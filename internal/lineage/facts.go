package lineage

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// fact is something known about an environment, in one or more lines.
type fact struct {
	Name  string
	Lines [][]string // each of pieces
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return cepler.Moment(t)
}

// facts are what is known about an environment, in the order of the chain.
func (e Environment) facts() []fact {
	all := []fact{e.runs()}
	all = append(all, e.Runs.facts(nil)...)
	all = append(all, e.next()...)
	for _, why := range e.Waits {
		all = append(all, fact{Name: "waits", Lines: [][]string{{why}}})
	}
	if e.Held != "" {
		all = append(all, fact{Name: "held", Lines: [][]string{{e.Held}}})
	}
	for _, b := range e.AllBroken() {
		all = append(all, b.fact("broken"))
	}
	return all
}

func (b Broken) fact(name string) fact {
	return fact{Name: name, Lines: [][]string{{fmt.Sprintf("%s: %s", b.Link, b.Why)}, {b.Where}}}
}

func (e Environment) runs() fact {
	if e.Version == 0 {
		return fact{Name: "runs", Lines: [][]string{{"nothing yet"}}}
	}
	f := fact{Name: "runs", Lines: [][]string{{fmt.Sprintf("#%d since %s", e.Version, moment(e.Since))}}}
	f.Lines = append(f.Lines, append([]string{"newest change"}, e.Change.pieces()...))
	if e.Trigger.Hash != e.Change.Hash {
		f.Lines = append(f.Lines, append([]string{"deployed from"}, e.Trigger.pieces()...))
	}
	if e.Record.Hash == "" {
		return f
	}
	by := []string{e.Recorder.recorded(), e.Record.Short()}
	if e.Build != "" {
		by = append(by, e.Build)
	}
	f.Lines = append(f.Lines, by)
	return f
}

// recorded introduces the commit of the record.
func (r Recorder) recorded() string {
	switch r {
	case NoBuild:
		return "recorded without a build in"
	case Taxiway:
		return "recorded by cepler-out in"
	case Somebody:
	}
	return "recorded by somebody in"
}

// pieces are the commit's hash and subject.
func (c Commit) pieces() []string {
	if c.Hash == "" {
		return []string{"not known"}
	}
	out := []string{c.Short()}
	if c.Subject != "" {
		out = append(out, c.Subject)
	}
	return out
}

// facts are a state's charts and images; those that before has as well are left
// out.
func (c Contents) facts(before *Contents) []fact {
	var all []fact
	known, has := before.commits(), before.identities()
	isNew := func(images []Image) []Image {
		return slices.DeleteFunc(slices.Clone(images), func(i Image) bool { return has[i.identity()] })
	}
	for _, chart := range c.Charts {
		if v := chart.Vendored; known == nil || v == nil || v.Commit.Hash != known[chart.Path] {
			all = append(all, chart.fact())
		}
		all = append(all, imageFacts(isNew(chart.Images))...)
	}
	return append(all, imageFacts(isNew(c.Images))...)
}

// imageFacts are the images, those of one source together.
func imageFacts(images []Image) []fact {
	var all []fact
	at := map[string]int{}
	for _, i := range images {
		key := i.Source.identity()
		n, ok := at[key]
		if !ok {
			n = len(all)
			at[key], all = n, append(all, i.Source.fact())
		}
		all[n].Lines = append(all[n].Lines, i.line())
	}
	return all
}

// commits are the charts' commits by path.
func (c *Contents) commits() map[string]string {
	if c == nil {
		return nil
	}
	all := map[string]string{}
	for _, chart := range c.Charts {
		if chart.Vendored != nil {
			all[chart.Path] = chart.Vendored.Commit.Hash
		}
	}
	return all
}

// identities are those of all its images.
func (c *Contents) identities() map[string]bool {
	all := map[string]bool{}
	if c == nil {
		return all
	}
	for _, i := range c.AllImages() {
		all[i.identity()] = true
	}
	return all
}

// identity is equal for images that lead to the same place.
func (i Image) identity() string {
	return i.File + " " + i.Path + " " + i.Digest + " " + i.Source.identity()
}

// identity is equal for sources that are told alike.
func (s *Source) identity() string {
	if s == nil {
		return ""
	}
	return s.Repository + " " + s.Commit.Hash + " " + string(s.By)
}

// AllImages are all images, of the charts first.
func (c *Contents) AllImages() []Image {
	var all []Image
	for _, chart := range c.Charts {
		all = append(all, chart.Images...)
	}
	return append(all, c.Images...)
}

func (c Chart) fact() fact {
	name := c.Name
	if c.Version != "" {
		name += " " + c.Version
	}
	head := []string{name}
	if c.AppVersion != "" {
		head = append(head, fmt.Sprintf("app %s", c.AppVersion))
	}
	f := fact{Name: "chart", Lines: [][]string{append(head, fmt.Sprintf("in %s", c.Path))}}
	v := c.Vendored
	if v == nil {
		f.Lines = append(f.Lines, []string{"not vendored: it lives in the deployments repository, or nothing says where it came from"})
		return f
	}
	from := append([]string{}, v.Commit.pieces()...)
	f.Lines = append(f.Lines, append(from, fmt.Sprintf("of %s", v.Repository)))
	if v.Verified {
		f.Lines = append(f.Lines, []string{"its files are those of that commit"})
	}
	return f
}

// line is the image in one line.
func (i Image) line() []string {
	line := []string{cmp.Or(i.Repository, "an image without a name"), "@" + ShortDigest(i.Digest), i.Path}
	if i.Source != nil && i.Source.Subdir != "" {
		line = append(line, fmt.Sprintf("from %s", i.Source.Subdir))
	}
	if l := i.Labels; l != nil && l.Version != "" && (i.Source == nil || !slices.Contains(i.Source.Releases, l.Version)) {
		line = append(line, fmt.Sprintf("its label says version %s", l.Version))
	}
	return line
}

// fact is the source; the images that were built from it follow in its lines.
func (s *Source) fact() fact {
	if s == nil {
		return fact{Name: "images", Lines: [][]string{{"source not known"}}}
	}
	line := append([]string{s.release()}, s.Commit.pieces()...)
	return fact{Name: "images", Lines: [][]string{line, {"of " + s.Repository, fmt.Sprintf("by %s", s.By)}}}
}

// release is the release in a few words.
func (s *Source) release() string {
	switch {
	case len(s.Releases) > 0:
		return "release " + strings.Join(s.Releases, ", ")
	case s.ReleasedIn != "":
		return "in release " + s.ReleasedIn + " and later"
	}
	return "release not known"
}

// next is what is pending.
func (e Environment) next() []fact {
	p := e.Pending
	if p == nil {
		return nil
	}
	state := "may be deployed now"
	if !p.Offered {
		state = "waits"
	}
	f := fact{Name: "next", Lines: [][]string{
		{fmt.Sprintf("#%d", p.Version), fmt.Sprintf("%.7s", p.Trigger), p.Subject, fmt.Sprintf("%s changed, %s", visible.Count(len(p.Changes), "file"), state)},
	}}
	all := []fact{f}
	if e.Brings == nil {
		return all
	}
	for _, brought := range e.Brings.facts(&e.Runs) {
		brought.Name = "brings " + brought.Name
		all = append(all, brought)
	}
	known := e.Runs.AllBroken()
	for _, b := range e.Brings.AllBroken() {
		if !slices.Contains(known, b) {
			all = append(all, b.fact("brings broken"))
		}
	}
	return all
}

// summary is an environment in the table: the cells of header.
func (e Environment) summary() [][]string {
	if e.Version == 0 {
		return [][]string{{e.Key()}, {"nothing yet"}, {"-"}, {"-"}, {"-"}, {"-"}, e.nextCell()}
	}
	var charts, releases, sources []string
	for _, c := range e.Runs.Charts {
		if c.Vendored != nil {
			charts = addOnce(charts, c.Vendored.Commit.Short())
		}
	}
	for _, i := range e.Runs.AllImages() {
		if i.Source == nil {
			continue
		}
		s := i.Source
		sources = addOnce(sources, s.Commit.Short())
		if len(s.Releases) > 0 {
			releases = addOnce(releases, s.Releases[0])
		} else if s.ReleasedIn != "" {
			releases = addOnce(releases, fmt.Sprintf("in %s", s.ReleasedIn))
		}
	}
	return [][]string{
		{e.Key()},
		{fmt.Sprintf("#%d", e.Version)},
		{moment(e.Since)},
		orDash(charts), orDash(sources), orDash(releases), e.nextCell(),
	}
}

func header() []string {
	return []string{"ENVIRONMENT", "STATE", "SINCE", "CHART", "SOURCE", "RELEASE", "NEXT"}
}

func (e Environment) nextCell() []string {
	var cell []string
	switch {
	case len(e.Waits) > 0 && e.Pending != nil:
		cell = []string{fmt.Sprintf("#%d waits", e.Pending.Version)}
	case len(e.Waits) > 0:
		cell = []string{"waits"}
	case e.Pending != nil:
		cell = []string{fmt.Sprintf("#%d ready", e.Pending.Version)}
	default:
		cell = []string{"-"}
	}
	if e.Held != "" {
		cell = append(cell, "held")
	}
	if n := len(e.AllBroken()); n > 0 {
		cell = append(cell, fmt.Sprintf("%d broken", n))
	}
	return cell
}

func addOnce(all []string, s string) []string {
	if s == "" || slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}

func orDash(all []string) []string {
	if len(all) == 0 {
		return []string{"-"}
	}
	return all
}

// CommitPage is the address of a commit's page on the forges that are known to have one; "" for
// others.
func CommitPage(repository, hash string) string {
	known := regexp.MustCompile(`(^|\.)(github|gitlab|gitea|codeberg)\b[^/]*/`)
	name := RepositoryName(repository)
	if hash == "" || !known.MatchString(name) {
		return ""
	}
	return "https://" + name + "/commit/" + hash
}
