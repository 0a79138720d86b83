package lineage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// span is a piece of text, as the table and the page show it.
type span struct {
	Text string
	// Link is an address of the web, or "".
	Link string
	// Title is the text in full.
	Title string
	// Kind is how the page marks it: hash, dim, bad, good or nothing.
	Kind string
}

// fact is something known about an environment, in one or more lines.
type fact struct {
	Name  string
	Lines [][]span
	// Kind is bad for what is missing, wait for what waits, next for what comes.
	Kind string
}

const timeFormat = "2006-01-02 15:04 UTC"

func moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(timeFormat)
}

func plain(format string, args ...any) span { return span{Text: fmt.Sprintf(format, args...)} }
func dim(format string, args ...any) span {
	return span{Text: fmt.Sprintf(format, args...), Kind: "dim"}
}

// facts are what is known about an environment, in the order of the chain.
func (e Environment) facts() []fact {
	all := []fact{e.runs()}
	all = append(all, e.Runs.facts(nil)...)
	all = append(all, e.next()...)
	for _, why := range e.Waits {
		all = append(all, fact{Name: "waits", Lines: [][]span{{plain("%s", why)}}, Kind: "wait"})
	}
	if e.Held != "" {
		all = append(all, fact{Name: "held", Lines: [][]span{{plain("%s", e.Held)}}, Kind: "wait"})
	}
	for _, b := range e.AllBroken() {
		all = append(all, b.fact("broken"))
	}
	return all
}

func (b Broken) fact(name string) fact {
	return fact{Name: name, Kind: "bad", Lines: [][]span{{plain("%s: %s", b.Link, b.Why)}, {dim("%s", b.Where)}}}
}

func (e Environment) runs() fact {
	if e.Version == 0 {
		return fact{Name: "runs", Lines: [][]span{{plain("nothing yet")}}}
	}
	f := fact{Name: "runs", Lines: [][]span{{plain("#%d since %s", e.Version, moment(e.Since))}}}
	f.Lines = append(f.Lines, append([]span{plain("newest change")}, e.Change.spans("")...))
	if e.Trigger.Hash != e.Change.Hash {
		f.Lines = append(f.Lines, append([]span{plain("deployed from")}, e.Trigger.spans("")...))
	}
	if e.Record.Hash == "" {
		return f
	}
	by := []span{plain("%s", e.Recorder.recorded()), {Text: e.Record.Short(), Title: e.Record.Hash, Kind: "hash"}}
	if e.Build != "" {
		by = append(by, span{Text: e.Build, Link: webLink(e.Build)})
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

// spans are the commit's hash and subject. Repository makes a link of it.
func (c Commit) spans(repository string) []span {
	if c.Hash == "" {
		return []span{dim("not known")}
	}
	out := []span{{Text: c.Short(), Title: c.Hash, Kind: "hash", Link: commitLink(repository, c.Hash)}}
	if c.Subject != "" {
		out = append(out, plain("%s", c.Subject))
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
	head := []span{plain("%s", name)}
	if c.AppVersion != "" {
		head = append(head, dim("app %s", c.AppVersion))
	}
	f := fact{Name: "chart", Lines: [][]span{append(head, dim("in %s", c.Path))}}
	v := c.Vendored
	if v == nil {
		f.Lines = append(f.Lines, []span{dim("not vendored: it lives in the deployments repository, or nothing says where it came from")})
		return f
	}
	from := append([]span{}, v.Commit.spans(v.Repository)...)
	f.Lines = append(f.Lines, append(from, dim("of %s", v.Repository)))
	if v.Verified {
		f.Lines = append(f.Lines, []span{{Text: "its files are those of that commit", Kind: "good"}})
	}
	return f
}

// digestShown is how much of a digest people look at.
const digestShown = len("sha256:") + 12

// line is the image in one line.
func (i Image) line() []span {
	name := i.Repository
	if name == "" {
		name = "an image without a name"
	}
	digest := i.Digest
	if len(digest) > digestShown {
		digest = digest[:digestShown]
	}
	line := []span{plain("%s", name), {Text: "@" + digest, Title: i.Digest, Kind: "hash"}, dim("%s", i.Path)}
	if i.Source != nil && i.Source.Subdir != "" {
		line = append(line, dim("from %s", i.Source.Subdir))
	}
	if l := i.Labels; l != nil && l.Version != "" && (i.Source == nil || !slices.Contains(i.Source.Releases, l.Version)) {
		line = append(line, dim("its label says version %s", l.Version))
	}
	return line
}

// fact is the source; the images that were built from it follow in its lines.
func (s *Source) fact() fact {
	if s == nil {
		return fact{Name: "images", Lines: [][]span{{{Text: "source not known", Kind: "bad"}}}}
	}
	line := append([]span{plain("%s", s.release())}, s.Commit.spans(s.Repository)...)
	return fact{Name: "images", Lines: [][]span{line, {{Text: "of " + s.Repository, Kind: "dim", Link: webLink(s.Repository)}, dim("by %s", s.By)}}}
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
	f := fact{Name: "next", Kind: "next", Lines: [][]span{
		{plain("#%d", p.Version), {Text: fmt.Sprintf("%.7s", p.Trigger), Title: p.Trigger, Kind: "hash"}, plain("%s", p.Subject), dim("%s, %s", files(len(p.Changes)), state)},
	}}
	all := []fact{f}
	if e.Brings == nil {
		return all
	}
	for _, brought := range e.Brings.facts(&e.Runs) {
		brought.Name, brought.Kind = "brings "+brought.Name, "next"
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

func files(n int) string {
	if n == 1 {
		return "1 file changed"
	}
	return fmt.Sprintf("%d files changed", n)
}

// summary is an environment in the table: the cells of header.
func (e Environment) summary() [][]span {
	if e.Version == 0 {
		return [][]span{{plain("%s", e.Key())}, {dim("nothing yet")}, {dim("-")}, {dim("-")}, {dim("-")}, {dim("-")}, e.nextCell()}
	}
	var charts, releases, sources []span
	for _, c := range e.Runs.Charts {
		if c.Vendored != nil {
			charts = addOnce(charts, span{Text: c.Vendored.Commit.Short(), Title: c.Vendored.Commit.Hash, Kind: "hash", Link: commitLink(c.Vendored.Repository, c.Vendored.Commit.Hash)})
		}
	}
	for _, i := range e.Runs.AllImages() {
		if i.Source == nil {
			continue
		}
		s := i.Source
		sources = addOnce(sources, span{Text: s.Commit.Short(), Title: s.Commit.Hash, Kind: "hash", Link: commitLink(s.Repository, s.Commit.Hash)})
		if len(s.Releases) > 0 {
			releases = addOnce(releases, plain("%s", s.Releases[0]))
		} else if s.ReleasedIn != "" {
			releases = addOnce(releases, plain("in %s", s.ReleasedIn))
		}
	}
	return [][]span{
		{plain("%s", e.Key())},
		{plain("#%d", e.Version)},
		{plain("%s", moment(e.Since))},
		orDash(charts), orDash(sources), orDash(releases), e.nextCell(),
	}
}

func header() []string {
	return []string{"ENVIRONMENT", "STATE", "SINCE", "CHART", "SOURCE", "RELEASE", "NEXT"}
}

func (e Environment) nextCell() []span {
	var cell []span
	switch {
	case len(e.Waits) > 0 && e.Pending != nil:
		cell = []span{{Text: fmt.Sprintf("#%d waits", e.Pending.Version), Kind: "wait"}}
	case len(e.Waits) > 0:
		cell = []span{{Text: "waits", Kind: "wait"}}
	case e.Pending != nil:
		cell = []span{{Text: fmt.Sprintf("#%d ready", e.Pending.Version), Kind: "good"}}
	default:
		cell = []span{dim("-")}
	}
	if e.Held != "" {
		cell = append(cell, span{Text: "held", Kind: "wait"})
	}
	if n := len(e.AllBroken()); n > 0 {
		cell = append(cell, span{Text: fmt.Sprintf("%d broken", n), Kind: "bad"})
	}
	return cell
}

func addOnce(all []span, s span) []span {
	if s.Text == "" {
		return all
	}
	for _, one := range all {
		if one.Text == s.Text {
			return all
		}
	}
	return append(all, s)
}

func orDash(all []span) []span {
	if len(all) == 0 {
		return []span{dim("-")}
	}
	return all
}

// webLink is the address if a browser can open it.
func webLink(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}

// commitLink is a commit's page on the forges that are known to have one; "" for
// others.
func commitLink(repository, hash string) string {
	known := regexp.MustCompile(`(^|\.)(github|gitlab|gitea|codeberg)\b[^/]*/`)
	name := RepositoryName(repository)
	if hash == "" || !known.MatchString(name) {
		return ""
	}
	return "https://" + name + "/commit/" + hash
}
