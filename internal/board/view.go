package board

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/vendored"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Status is how an environment is marked.
type Status struct {
	// Mark is the name of the mark in the style sheet and the legend.
	Mark, Text string
}

// Marks of environments.
const (
	markCurrent = "current"
	markNext    = "next"
	markWaits   = "waits"
	markGate    = "gate"
	markHeld    = "held"
	markGap     = "gap"
	markEmpty   = "empty"
	markUnknown = "unknown"
)

// marks are all marks with what they mean, for the legend.
func marks() []Status {
	return []Status{
		{markCurrent, "up to date: runs everything that it can get"},
		{markNext, "deploys next: its pipeline may deploy the next state now"},
		{markWaits, "waits for the environment before it, or for a time"},
		{markGate, "waits for a person: the gate is closed or frozen, or approvals are missing"},
		{markHeld, "held: a rollback took the pending state back"},
		{markGap, "runs something that cannot be traced to its source"},
		{markEmpty, "nothing was deployed yet"},
		{markUnknown, "what comes next cannot be read"},
	}
}

// Status says in a few words how the environment is.
func (e Environment) Status() Status {
	pending := e.Pending
	switch {
	case e.Report == nil || e.Report.Error != "":
		return Status{markUnknown, "not known"}
	case pending != nil && pending.Held:
		return Status{markHeld, "held after rollback"}
	case e.Gate.State == GateClosed:
		return Status{markGate, "gate closed"}
	case e.Gate.State == GateFrozen && pending != nil:
		return Status{markGate, "frozen"}
	case e.Gate.State == gatePeople:
		return Status{markGate, "needs approval"}
	case pending != nil && pending.Offered:
		return Status{markNext, "deploys next"}
	case e.Gate.State == gateTimed && pending != nil:
		return Status{markWaits, "waits for a time"}
	case e.Version == 0 && len(e.Waits) == 0:
		return Status{markEmpty, "nothing yet"}
	case len(e.Waits) > 0 && e.Passed != "":
		return Status{markWaits, "waits for " + e.Passed}
	case len(e.Waits) > 0:
		return Status{markWaits, "waits"}
	case len(e.AllBroken()) > 0:
		return Status{markGap, "origin has gaps"}
	}
	return Status{markCurrent, "up to date"}
}

// anchor is the name of the card on the page.
func (e Environment) anchor() string { return "e-" + e.Key() }

// maxNames bounds what is listed on a card.
const maxNames = 2

// Headline is what people call that which runs: releases, or the versions of charts.
func (e Environment) Headline() string {
	names := e.Runs.Releases()
	if len(names) == 0 {
		for _, c := range e.Runs.Charts {
			if c.Version != "" && !slices.Contains(names, c.Version) {
				names = append(names, c.Version)
			}
		}
	}
	switch n := len(names); {
	case e.Version == 0:
		return "nothing yet"
	case n > maxNames:
		return fmt.Sprintf("%s +%d", strings.Join(names[:maxNames], ", "), n-maxNames)
	case n > 0:
		return strings.Join(names, ", ")
	case e.Change.Hash != "":
		return e.Change.Short()
	}
	return fmt.Sprintf("state %d", e.Version)
}

// sourceLine is a commit with its page, for a card.
type sourceLine struct {
	lineage.Commit

	Link, Repository string
}

// sources are the commits of the images, each once.
func (e Environment) sources() []sourceLine {
	var all []sourceLine
	for _, i := range e.Runs.AllImages() {
		if i.Source == nil || i.Source.Commit.Hash == "" || slices.ContainsFunc(all, func(s sourceLine) bool { return s.Hash == i.Source.Commit.Hash }) {
			continue
		}
		all = append(all, sourceLine{i.Source.Commit, lineage.CommitPage(i.Source.Repository, i.Source.Commit.Hash), lineage.RepositoryName(i.Source.Repository)})
	}
	return all
}

// Command is what a person types to let the environment go on, "" where nothing or nobody is needed.
func (e Environment) Command() string {
	var verb string
	switch {
	case e.Pending != nil && e.Pending.Held:
		verb = "resume"
	case e.Gate.State == GateClosed:
		verb = "open"
	case e.Gate.State == gatePeople:
		verb = "approve"
	case e.Gate.State == GateFrozen && e.Pending != nil:
		verb = "unfreeze"
	default:
		return ""
	}
	return "taxiway gate " + verb + " " + shellWord(e.Key()) + " --deployments ."
}

// shellWord is a word that a shell takes as it is.
func shellWord(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]*$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Ahead says how much the environment before is ahead, "" when it is not.
func (e Environment) Ahead() string {
	d := e.Behind
	if d == nil || d.IsEmpty() {
		return ""
	}
	commits, known := 0, len(d.Sources) > 0
	for _, s := range d.Sources {
		if s.Span == nil {
			known = false
			break
		}
		commits += s.Total
	}
	switch {
	case known && commits > 0:
		return visible.Count(commits, "commit")
	case len(d.Images) > 0:
		return visible.Count(len(d.Images), "image")
	}
	return visible.Count(len(d.Files), "file")
}

// buildName is what a build is called on the page: the last parts of its address.
func buildName(address string) string {
	if !isWeb(address) {
		return clip(address, maxBuild)
	}
	parts := strings.Split(strings.Trim(address, "/"), "/")
	if at := slices.Index(parts, "jobs"); at >= 0 && at+3 < len(parts) && parts[at+2] == "builds" {
		number := clip(parts[at+3], maxNumber)
		return clip(parts[at+1], maxBuild-maxNumber) + " #" + number
	}
	return clip("build "+parts[len(parts)-1], maxBuild)
}

// Lengths of texts on the page, in characters.
const (
	maxBuild   = 44
	maxNumber  = 8 // of a build
	maxSubject = 100
	maxReason  = 400
	maxName    = 60
)

func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// clip is the beginning of a text, on one line and without characters that act on what shows it.
func clip(s string, most int) string {
	if len(s) > 4*most { // what is visible may take more characters than there are
		s = strings.ToValidUTF8(s[:4*most], "")
	}
	return visible.Cut(visible.Line(s), most)
}

// ago is the time between two moments in the largest unit that says something.
func ago(then, now time.Time) string {
	if then.IsZero() {
		return "at an unknown time"
	}
	if d := now.Sub(then); d >= 0 {
		return span(d) + " ago"
	}
	return "in " + span(then.Sub(now))
}

const day = 24 * time.Hour

func span(d time.Duration) string {
	const months, years = 60 * day, 2 * 365 * day
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return visible.Count(int(d/time.Minute), "minute")
	case d < 2*day:
		return visible.Count(int(d/time.Hour), "hour")
	case d < months:
		return visible.Count(int(d/day), "day")
	case d < years:
		return visible.Count(int(d/(30*day)), "month")
	}
	return visible.Count(int(d/(365*day)), "year")
}

// bar is a week of the sparkline, in the units of its picture.
type bar struct {
	X, Y, Height int
	Title        string
}

// bars are the weeks of the history.
func (h History) bars() []bar {
	const step, height = 10, 28
	most := max(1, slices.Max(append([]int{0}, h.Weeks...)))
	bars := make([]bar, 0, len(h.Weeks))
	for i, n := range h.Weeks {
		tall := int(math.Ceil(float64(n) * height / float64(most)))
		title := fmt.Sprintf("%s, %d weeks ago", visible.Count(n, "record"), len(h.Weeks)-1-i)
		if i == len(h.Weeks)-1 {
			title = visible.Count(n, "record") + " in the last seven days"
		}
		bars = append(bars, bar{X: i * step, Y: height - max(1, tall), Height: max(1, tall), Title: title})
	}
	return bars
}

// node is a card with those of the environments that come after it.
type node struct {
	Environment

	Next []node
	// Place is only, first, middle or last among its siblings.
	Place string
}

// tracks are the trees of a deployment's environments.
func (d Deployment) tracks() []node {
	children := map[string][]Environment{}
	names := map[string]bool{}
	for _, e := range d.Environments {
		names[e.Name] = true
	}
	for _, e := range d.Environments {
		before := e.Passed
		if !names[before] {
			before = ""
		}
		children[before] = append(children[before], e)
	}
	var grow func(name string) []node
	grow = func(name string) []node {
		all := make([]node, 0, len(children[name]))
		for i, e := range children[name] {
			all = append(all, node{Environment: e, Place: place(i, len(children[name])), Next: grow(e.Name)})
		}
		return all
	}
	return grow("")
}

func place(i, n int) string {
	switch {
	case n == 1:
		return "only"
	case i == 0:
		return "first"
	case i == n-1:
		return "last"
	}
	return "middle"
}

// depth is the length of the longest chain, from 1 to 6.
func (d Deployment) depth() int {
	const most = 6
	deepest, depths := 1, map[string]int{}
	for _, e := range d.Environments { // each after the one that it must pass
		depths[e.Name] = depths[e.Passed] + 1
		deepest = max(deepest, depths[e.Name])
	}
	return min(deepest, most)
}

// total is a number of environments with one mark.
type total struct {
	Status

	N int
}

// totals count the environments by their marks.
func (b *Board) totals() []total {
	var all []total
	for _, m := range marks() {
		t := total{Status: m}
		t.Text, _, _ = strings.Cut(m.Text, ":")
		for e := range b.environments() {
			if e.Status().Mark == m.Mark {
				t.N++
			}
		}
		if t.N > 0 {
			all = append(all, t)
		}
	}
	return all
}

// track is what one or more environments run, on the way back to the source.
type track struct {
	N            int
	Environments []Environment
	Runs         lineage.Contents
}

// traces are the different contents that run, with the environments that run them.
func (b *Board) traces() []track {
	var all []track
	at := map[string]int{}
	for e := range b.environments() {
		if e.Version == 0 {
			continue
		}
		key, err := json.Marshal(e.Runs)
		if err != nil {
			continue // it is made of texts and times
		}
		i, ok := at[string(key)]
		if !ok {
			i = len(all)
			at[string(key)] = i
			all = append(all, track{N: i + 1, Runs: e.Runs})
		}
		all[i].Environments = append(all[i].Environments, *e)
	}
	return all
}

// many is from how many environments on lists on cards are shorter, so that the page stays small.
const many = 40

// listed is how many commits or files a card lists.
func (b *Board) listed() int {
	const few, usual = 2, 5
	if b.size() > many {
		return few
	}
	return usual
}

// title is the name of a repository by its address.
func title(address string) string {
	if strings.HasPrefix(address, "/") {
		return strings.TrimSuffix(path.Base(address), ".git")
	}
	return lineage.RepositoryName(address)
}

// gateAt is a gate as it is written, with a full commit cut short.
func gateAt(at string) string {
	if h, ok := deployments.FullCommit(at); ok {
		return h.String()[:7]
	}
	return clip(at, maxName)
}

// facts are what two environments are compared by in the browser, by the environment.
type facts struct {
	Web     string       `json:"web,omitempty"`
	Paths   []string     `json:"paths,omitempty"`
	Files   [][2]string  `json:"files,omitempty"` // number of the path, short hash
	All     []factsOfOne `json:"all"`
	Without bool         `json:"without,omitempty"` // the files were too many
}

type factsOfOne struct {
	Name    string     `json:"name"`
	State   string     `json:"state"`
	Trigger string     `json:"trigger,omitempty"`
	Rows    [][]string `json:"rows"`            // kind, what, value, and where that is a commit its hash and the page of its repository
	Files   []int      `json:"files,omitempty"` // runs of numbers of files: the first, and how many
}

// maxFacts bounds the different files that the browser compares.
const maxFacts = 1500

// facts are the data of the comparison.
func (b *Board) facts() facts {
	out := facts{Web: b.Web}
	paths, files := map[string]int{}, map[[2]string]int{}
	for e := range b.environments() {
		one := factsOfOne{Name: clip(e.Key(), 2*maxName), State: "nothing yet", Rows: rowsOf(*e)}
		if e.Version > 0 {
			one.State = fmt.Sprintf("#%d", e.Version)
			if b.Web != "" {
				one.Trigger = e.Trigger.Hash
			}
		}
		if !out.Without {
			one.Files, out.Without = out.number(*e, paths, files), len(files) > maxFacts
		}
		out.All = append(out.All, one)
	}
	if out.Without {
		out.Paths, out.Files = nil, nil
		for i := range out.All {
			out.All[i].Files = nil
		}
	}
	return out
}

// number gives each different file a number.
func (f *facts) number(e Environment, paths map[string]int, files map[[2]string]int) []int {
	var all []int
	if e.Report == nil || e.Report.Plan == nil || e.Report.Plan.Own == nil {
		return nil
	}
	current := e.Report.Plan.Own.Current.Files
	for _, key := range slices.Sorted(maps.Keys(current)) {
		file := current[key]
		_, p := cepler.SplitKey(key)
		if _, ok := paths[p]; !ok {
			paths[p] = len(f.Paths)
			f.Paths = append(f.Paths, clip(p, 2*maxSubject))
		}
		id := [2]string{fmt.Sprint(paths[p]), fmt.Sprintf("%.7s", file.Hash)}
		n, ok := files[id]
		if !ok {
			n = len(f.Files)
			files[id] = n
			f.Files = append(f.Files, id)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return runs(all)
}

// runs are sorted numbers as pairs: the first of a run, and how many there are.
func runs(sorted []int) []int {
	var pairs []int
	for i, n := range sorted {
		if i > 0 && n == sorted[i-1]+1 {
			pairs[len(pairs)-1]++
			continue
		}
		pairs = append(pairs, n, 1)
	}
	return pairs
}

// rowsOf are the facts of an environment that are compared one by one.
func rowsOf(e Environment) [][]string {
	rows := [][]string{}
	if names := e.Runs.Releases(); len(names) > 0 {
		rows = append(rows, []string{"release", "", clip(strings.Join(names, ", "), maxSubject)})
	}
	for _, c := range e.Runs.Charts {
		row := []string{"chart", clip(c.Name, maxName), clip(c.Version, maxName)}
		if v := c.Vendored; v != nil && v.Commit.Hash != "" {
			row[2] = strings.TrimSpace(row[2] + " " + v.Commit.Short())
			row = append(row, compared(v.Repository, v.Commit.Hash)...)
		}
		rows = append(rows, row)
	}
	seen := map[string]bool{}
	for _, i := range e.Runs.AllImages() {
		rows = append(rows, []string{"image", clip(cmp.Or(i.Repository, i.Path), maxName), lineage.ShortDigest(i.Digest)})
		if s := i.Source; s != nil && !seen[s.Repository] {
			seen[s.Repository] = true
			row := []string{"source", clip(lineage.RepositoryName(s.Repository), maxName), s.Commit.Short()}
			rows = append(rows, append(row, compared(s.Repository, s.Commit.Hash)...))
		}
	}
	return rows
}

// compared is what the address of a comparison is made of; nothing for a repository without pages.
func compared(repository, hash string) []string {
	if web := vendored.WebURL(repository); web != "" && hash != "" {
		return []string{hash, web}
	}
	return nil
}
