package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/promotion"
)

// shownGate is a gate for people and programs.
type shownGate struct {
	Deployment  string `json:"deployment"`
	Environment string `json:"environment"`
	Branch      string `json:"branch"`
	GatesBranch string `json:"gates_branch"`
	File        string `json:"gates_file"`
	// Gate is as it is written, "" without one; Rules are what else holds, in words.
	Gate  string               `json:"gate"`
	Rules []string             `json:"rules,omitempty"`
	Moved *shownMove           `json:"moved,omitempty"`
	Runs  *deployments.Running `json:"runs"`
	// Waits are the reasons why the environment gets nothing more with its gate as it is.
	Waits []string `json:"waits,omitempty"`
	// Promotion is what the open gate would let through; nil if that is nothing, and Nothing says why.
	Promotion *shownPromotion `json:"promotion"`
	Nothing   string          `json:"nothing,omitempty"`
}

// shownMove is who gave the gate its present value.
type shownMove struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Commit  string    `json:"commit"`
	Subject string    `json:"subject"`
}

// shownPromotion is what an open gate lets through.
type shownPromotion struct {
	Commit   string               `json:"commit"`
	Passed   string               `json:"passed,omitempty"`
	Upstream *deployments.Running `json:"upstream,omitempty"`
	Releases shownPair            `json:"releases"`
	Charts   []shownPair          `json:"charts,omitempty"`
	Images   []shownPair          `json:"images,omitempty"`
	Sources  []shownSpan          `json:"sources,omitempty"`
	Files    []shownFile          `json:"files"`
	// Warnings are what a person should see first, Waits what still holds the environment, and Unknown what could not be said.
	Warnings []string `json:"warnings,omitempty"`
	Waits    []string `json:"waits,omitempty"`
	Unknown  []string `json:"unknown,omitempty"`
}

// shownPair is something that differs; one side is "" if it is new or goes away.
type shownPair struct {
	Name   string `json:"name,omitempty"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// shownSpan are the commits between two commits of a source repository.
type shownSpan struct {
	Repository string        `json:"repository"`
	Before     string        `json:"before"`
	After      string        `json:"after"`
	Total      int           `json:"total"`
	Back       int           `json:"back,omitempty"`
	Commits    []shownCommit `json:"commits,omitempty"`
	Why        string        `json:"unknown,omitempty"`
}

type shownCommit struct {
	Hash    string `json:"hash"`
	Author  string `json:"author"`
	Subject string `json:"subject"`
}

type shownFile struct {
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Commit  string `json:"commit,omitempty"`
	Subject string `json:"subject,omitempty"`
}

// promotionOf is a comparison as it is shown.
func promotionOf(c *promotion.Comparison) *shownPromotion {
	out := &shownPromotion{
		Commit: c.Opening.Commit.Hash.String(), Passed: c.Passed, Upstream: c.Upstream, Waits: c.Plan.Waits,
		Releases: shownPair{Before: strings.Join(c.Before.Releases(), ", "), After: strings.Join(c.After.Releases(), ", ")},
		Charts:   chartPairs(c.Before.Charts, c.After.Charts), Warnings: warningsOf(c),
	}
	for _, p := range lineage.ImagePairs(c.Before, c.After) {
		if p.Before == nil || p.After == nil || p.Before.Digest != p.After.Digest {
			i := p.Image()
			out.Images = append(out.Images, shownPair{cmp.Or(i.Repository, i.Path), imageText(p.Before), imageText(p.After)})
		}
	}
	for _, s := range c.Spans {
		out.Sources = append(out.Sources, spanOf(s))
	}
	for _, change := range c.Opening.Changes {
		f := shownFile{Kind: fmt.Sprint(change.Kind), Path: change.Path}
		if change.After != nil {
			f.Commit, f.Subject = change.After.From, change.After.Message
		}
		out.Files = append(out.Files, f)
	}
	for _, b := range c.After.AllBroken() {
		out.Unknown = append(out.Unknown, b.Where+": "+b.Why)
	}
	for _, note := range c.NotAsked {
		out.Unknown = append(out.Unknown, note+" (--clone)")
	}
	return out
}

func spanOf(s lineage.SourceSpan) shownSpan {
	out := shownSpan{Repository: lineage.RepositoryName(s.Repository), Before: s.Before, After: s.After, Why: s.Why}
	if s.Span == nil {
		return out
	}
	out.Total, out.Back = s.Total, s.Back
	for _, commit := range s.Commits {
		out.Commits = append(out.Commits, shownCommit{commit.Hash, commit.Author, cepler.Summary(commit.Message)})
	}
	return out
}

func warningsOf(c *promotion.Comparison) []string {
	var all []string
	if b := c.UpstreamBack; b != nil {
		all = append(all, fmt.Sprintf("%s was rolled back from #%d on %s: this promotes what it was rolled back to", c.Passed, b.Of, cepler.Moment(b.At)))
	}
	if b := c.Back; b != nil {
		all = append(all, fmt.Sprintf("%s was rolled back from #%d on %s: this lets it have again what was taken back", c.Environment, b.Of, cepler.Moment(b.At)))
	}
	for _, s := range c.Spans {
		if s.Span != nil && s.Back > 0 {
			all = append(all, fmt.Sprintf("this takes back %d commits of %s", s.Back, lineage.RepositoryName(s.Repository)))
		}
	}
	for i, r := range []*deployments.Running{c.Runs, c.Upstream} {
		if r != nil && r.Dirty {
			all = append(all, fmt.Sprintf("#%d of %s is dirty: files were deployed that git does not have", r.Version, []string{c.Environment, c.Passed}[i]))
		}
	}
	return all
}

func chartPairs(before, after []lineage.Chart) []shownPair {
	was := map[string]lineage.Chart{}
	for _, c := range before {
		was[c.Path] = c
	}
	var pairs []shownPair
	for _, c := range after {
		if old, is := chartText(was[c.Path]), chartText(c); old != is {
			pairs = append(pairs, shownPair{c.Name, old, is})
		}
		delete(was, c.Path)
	}
	for _, c := range before {
		if _, gone := was[c.Path]; gone {
			pairs = append(pairs, shownPair{c.Name, chartText(c), ""})
		}
	}
	return pairs
}

func chartText(c lineage.Chart) string {
	if c.Vendored == nil || c.Vendored.Commit.Hash == "" {
		return c.Version
	}
	return strings.TrimSpace(c.Version + " " + c.Vendored.Commit.Short())
}

func imageText(i *lineage.Image) string {
	const shown = len("sha256:") + 12 // people look at no more of a digest
	if i == nil {
		return ""
	}
	text := i.Digest[:min(len(i.Digest), shown)]
	if i.Source == nil {
		return text
	}
	text += " from " + i.Source.Commit.Short()
	if len(i.Source.Releases) > 0 {
		text += ", release " + i.Source.Releases[0]
	}
	return text
}

// rulesOf are a gate's rules in words.
func rulesOf(g cepler.Gate) []string {
	var rules []string
	add := func(holds bool, format string, args ...any) {
		if holds {
			rules = append(rules, fmt.Sprintf(format, args...))
		}
	}
	add(g.Soak > 0, "soak %s", g.Soak)
	add(len(g.Windows) > 0, "%d windows", len(g.Windows))
	for _, f := range g.Freezes {
		text := "frozen"
		if !f.From.IsZero() {
			text = "freeze from " + cepler.Moment(f.From)
		}
		if !f.To.IsZero() {
			text += " to " + cepler.Moment(f.To)
		}
		if f.Reason != "" {
			text += ": " + f.Reason
		}
		add(true, "%s", text)
	}
	add(g.Need > 0, "%d approvals, of which %d are given", g.Need, len(g.Approvals))
	add(g.Resume > 0, "resume #%d", g.Resume)
	add(g.Reason != "", "%s", g.Reason)
	return rules
}

// text writes it for people.
func (s *shownGate) text(w io.Writer, width int) error {
	p := &prose{width: width}
	p.line("", "%s/%s, gate in %s of branch %s", s.Deployment, s.Environment, s.File, s.GatesBranch)
	p.line("  gate   ", "%s", cmp.Or(s.Gate, "none"))
	if m := s.Moved; m != nil {
		p.line("  moved  ", "by %s on %s: %s", m.By, cepler.Moment(m.At), m.Subject)
	}
	for _, rule := range s.Rules {
		p.line("  rule   ", "%s", rule)
	}
	p.line("  runs   ", "%s", running(s.Runs))
	for _, why := range s.Waits {
		p.line("  waits  ", "%s", why)
	}
	if s.Nothing != "" {
		p.line("", "")
		p.line("", "%s", s.Nothing)
	}
	if s.Promotion != nil {
		s.Promotion.text(p, s.Environment)
	}
	_, err := io.WriteString(w, p.String())
	return err
}

func running(r *deployments.Running) string {
	if r == nil {
		return "nothing yet"
	}
	text := r.String()
	if !r.Recorded.IsZero() {
		text += ", since " + cepler.Moment(r.Recorded)
	}
	if r.By != "" {
		text += ", by " + r.By
	}
	return text
}

// Bounds of the lists that people are shown; JSON has all.
const (
	shownCommits = 20
	shownFiles   = 20
)

func (s *shownPromotion) text(p *prose, environment string) {
	p.line("", "")
	upstream := ""
	if s.Upstream != nil {
		upstream = fmt.Sprintf(", with what %s runs: %s", s.Passed, running(s.Upstream))
	}
	p.line("", "An open gate lets %s have the branch up to %.7s%s", environment, s.Commit, upstream)
	for _, warning := range s.Warnings {
		p.line("  WARNING  ", "%s", warning)
	}
	if s.Releases.Before+s.Releases.After != "" {
		p.line("  release  ", "%s", s.Releases)
	}
	for _, c := range s.Charts {
		p.line("  chart    ", "%s: %s", c.Name, c)
	}
	for _, i := range s.Images {
		p.line("  image    ", "%s: %s", i.Name, i)
	}
	for _, span := range s.Sources {
		span.text(p)
	}
	p.line("  files    ", "%d of the deployments", len(s.Files))
	for i, f := range s.Files {
		if i == shownFiles {
			p.line("    ", "and %d more", len(s.Files)-i)
			break
		}
		p.line("    ", "%s %s, %.7s %s", f.Kind, f.Path, f.Commit, f.Subject)
	}
	for _, why := range s.Waits {
		p.line("  then it waits  ", "%s", why)
	}
	for _, note := range s.Unknown {
		p.line("  not known  ", "%s", note)
	}
}

// String says what becomes of it.
func (p shownPair) String() string {
	return cmp.Or(p.Before, "none") + " → " + cmp.Or(p.After, "none")
}

func (s shownSpan) text(p *prose) {
	p.line("  commits  ", "%s: %.7s → %.7s, %d commits", s.Repository, s.Before, s.After, s.Total)
	if s.Why != "" {
		p.line("    ", "not known: %s", s.Why)
	}
	for i, c := range s.Commits {
		if i == shownCommits {
			p.line("    ", "and %d more", s.Total-i)
			break
		}
		p.line("    ", "%.7s %s (%s)", c.Hash, c.Subject, c.Author)
	}
}
