package board

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the style and the script
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// What the page has of its own, with nothing from outside in it.
var (
	//go:embed page.css
	style markup
	//go:embed page.js
	script markup
)

// Page is the board as one file of HTML that needs nothing besides. It is the same for the same board.
func (b *Board) Page() ([]byte, error) {
	facts, err := json.Marshal(b.facts()) // which escapes what would end a script
	if err != nil {
		return nil, fmt.Errorf("write the board: %w", err)
	}
	return []byte(fill(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>Board of {}</title>
<style>{}</style>
</head>
<body>
{}{}
<main>{}
<p class="newer" role="status" hidden><span>The deployments have moved.</span> <a href="">Load the newer board</a></p>
<ul class="totals" aria-label="How many environments are how">{}</ul>
<section id="environments" aria-labelledby="h-environments">
<h2 id="h-environments">Environments</h2>{}
</section>
<section id="compare" aria-labelledby="h-compare">
<h2 id="h-compare">Compare</h2>
<noscript><p class="dim">To compare any two environments on this page the browser must run scripts. Each card says how far it is behind the one before it, and <code>taxiway diff A B</code> compares any two.</p></noscript>
<div class="pick" hidden>
<label for="compare-a">What</label> <select id="compare-a"></select>
<label for="compare-b">has and</label> <select id="compare-b"></select> <span>has not</span>
</div>
<div id="compared" class="scroll" role="region" aria-label="Comparison" aria-live="polite" tabindex="0"></div>
<script type="application/json" id="facts">{}</script>
</section>
<section id="history" aria-labelledby="h-history">
<h2 id="h-history">History</h2>{}
</section>
<section id="trace" aria-labelledby="h-trace">
<h2 id="h-trace">Trace</h2>
<p class="dim">From what runs back to the source. A link that is missing is named, and nothing after it is guessed.</p>{}
</section>{}
</main>
<footer class="dim">Made by taxiway from git alone: {}, {}.</footer>
<script>{}</script>
</body>
</html>
`,
		policy(), name(b.Name), trimmed(style), symbols, b.top(),
		when(b.Fault != "", "\n"+`<p class="fault" role="alert">This is not the newest state: it could not be read. {}</p>`, reason(b.Fault)),
		each(b.totals(), func(t total) markup { return fill(`<li class="m-{}"><b>{}</b> {}</li>`, t.Mark, t.N, t.Text) }),
		each(b.Deployments, b.deployment), markup(facts), b.history(), each(b.traces(), b.track), b.legend(),
		name(b.Name), cepler.Moment(b.At), trimmed(script))), nil
}

// WriteFile writes the page to a file.
func (b *Board) WriteFile(name string) error {
	page, err := b.Page()
	if err != nil {
		return err
	}
	const everybodyReads = 0o644
	return os.WriteFile(name, page, everybodyReads)
}

func trimmed(part markup) markup { return "\n" + markup(strings.TrimSpace(string(part))) + "\n" }

// policy lets the page run its own script and style, ask whether a newer page is there, and nothing else.
func policy() string {
	hash := func(part markup) string {
		sum := sha256.Sum256([]byte(trimmed(part)))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'", hash(style), hash(script))
}

// Texts as the page has them.
func name(s string) string   { return clip(s, maxName) }
func line(s string) string   { return clip(s, maxSubject) }
func reason(s string) string { return clip(s, maxReason) }
func short(s string) string  { return clip(s, len("1234567")+1) }

func (b *Board) time(t time.Time) markup {
	if t.IsZero() {
		return "at an unknown time"
	}
	return fill(`<time datetime="{}" title="{}">{}</time>`, t.UTC().Format(time.RFC3339), cepler.Moment(t), ago(t, b.At))
}

// commit is a commit with a link to its page, where it has one.
func commit(c lineage.Commit, page string) markup {
	if page == "" {
		return fill(`<code class="hash" title="{}">{}</code>`, c.Hash, c.Short())
	}
	return fill(`<a class="hash" href="{}" title="{}">{}</a>`, page, c.Hash, c.Short())
}

// own is a commit of the deployments repository.
func (b *Board) own(c lineage.Commit) markup {
	return commit(c, lineage.CommitPage(b.Repository, c.Hash))
}

// brief is one of those of which there are many.
func (b *Board) brief(c lineage.Commit) markup {
	if page := lineage.CommitPage(b.Repository, c.Hash); page != "" {
		return fill(`<a class="hash" href="{}">{}</a>`, page, c.Short())
	}
	return fill(`<code class="hash">{}</code>`, c.Short())
}

func build(address string) markup {
	if !isWeb(address) {
		return fill(`{}`, buildName(address))
	}
	return fill(`<a href="{}">{}</a>`, address, buildName(address))
}

func broken(x lineage.Broken) markup {
	return fill(`<span class="broken"><b>{} missing:</b> {} <span class="dim">{}</span></span>`, x.Link, reason(x.Why), line(x.Where))
}

const symbols markup = `<a class="skip" href="#environments">Skip to the environments</a>
<svg class="symbols" aria-hidden="true" width="0" height="0" focusable="false">
<symbol id="i-none" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><path d="M3 8h9M8.5 4.5 12 8l-3.5 3.5"/></symbol>
<symbol id="i-open" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><path d="M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 4.8-1"/></symbol>
<symbol id="i-closed" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><path d="M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5"/></symbol>
<symbol id="i-timed" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><circle cx="8" cy="8" r="5.5"/><path d="M8 5v3l2 1.5"/></symbol>
<symbol id="i-people" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><circle cx="8" cy="5.5" r="2.5"/><path d="M3 13.5c.5-3 2.5-4 5-4s4.5 1 5 4"/></symbol>
<symbol id="i-frozen" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"><path d="M8 2v12M2.8 5l10.4 6M13.2 5 2.8 11"/></symbol>
</svg>
`

func (b *Board) top() markup {
	return fill(`<header class="top">
<div>
<h1>{}</h1>
<p class="dim">Branch {} at {} {}<br>
read {}</p>
</div>
<nav aria-label="Parts of this page"><ul>
<li><a href="#environments">Environments</a></li><li><a href="#compare">Compare</a></li><li><a href="#history">History</a></li><li><a href="#trace">Trace</a></li><li><a href="#legend">Legend</a></li>
</ul></nav>
</header>`, name(b.Name), name(b.Branch), b.own(b.Head), line(b.Head.Subject), b.time(b.At))
}

func (b *Board) deployment(d Deployment) markup {
	return fill(`
<section class="deployment" aria-label="Deployment {}">
<h3>{}</h3>
<div class="lanes depth{}" role="region" aria-label="Chains of {}" tabindex="0">{}
</div>
</section>`, name(d.Name), name(d.Name), d.depth(), name(d.Name), each(d.tracks(), b.node))
}

// node is a card, and to the right of it those that come after it.
func (b *Board) node(n node) markup {
	return fill(`
<div class="node">
{}{}
</div>`, b.card(n.Environment), when(len(n.Next) > 0, `
<div class="stub" aria-hidden="true"><svg viewBox="0 0 100 100" preserveAspectRatio="none"><path d="M0 50H100"/></svg></div>
<div class="next">{}
</div>`, each(n.Next, b.branch)))
}

func (b *Board) branch(n node) markup {
	path := map[string]markup{"only": "M0 50H100", "first": "M0 100V50H100", "last": "M0 0V50H100", "middle": "M0 0V100M0 50H100"}[n.Place]
	return fill(`
<div class="branch">
<div class="edge"><svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path d="{}"/></svg>
{}</div>{}
</div>`, path, pill(n.Environment), b.node(n))
}

// pill is the gate before an environment, with what waits at it.
func pill(e Environment) markup {
	state, ahead := e.Gate.State, e.Ahead()
	text := fill(`{}`, state)
	if state == gateNone {
		text = `<span class="hide">no gate</span>`
	}
	if state == gatePeople {
		text = "approval"
	}
	return fill(`<span class="pill g-{}"><svg aria-hidden="true"><use href="#{}"/></svg>{}{}</span>`, state, "i-"+state, text,
		when(ahead != "", `<span class="plus">+{}</span>`, ahead))
}

func (b *Board) card(e Environment) markup {
	s, gaps := e.Status(), len(e.AllBroken())
	out := fill(`
<article class="card m-{}" id="{}" aria-labelledby="n-{}">
<header><h4 id="n-{}">{}</h4><span class="status m-{}">{}</span></header>
<p class="version">{}</p>`, s.Mark, e.anchor(), e.anchor(), e.anchor(), name(e.Name), s.Mark, line(s.Text), name(e.Headline()))
	sources := e.sources()
	out += each(sources[:min(len(sources), maxNames)], func(c sourceLine) markup {
		about := fill(`{}`, line(c.Subject))
		if c.Subject == "" {
			about = fill(`<span class="dim">{}</span>`, name(c.Repository))
		}
		return fill("\n"+`<p class="source">{} {}</p>`, commit(c.Commit, c.Link), about)
	})
	out += when(e.Version != 0, "\n"+`<p class="dim">#{} since {}{}</p>`, e.Version, b.time(e.Since), when(e.Build != "", `, <span class="nobreak">{}</span>`, build(e.Build)))
	out += when(e.Dirty, `<p class="tag m-gap">dirty: files were deployed that git does not have</p>`)
	if r := e.Rollback; r != nil {
		out += fill(`<p class="tag m-held">rolled back from #{}{} {}</p>`, r.Of, when(r.To != 0, ` to #{}`, r.To), b.time(r.At))
	}
	out += when(e.Held != "", `<p class="tag m-held">{}</p>`, reason(e.Held))
	if p := e.Pending; p != nil {
		out += fill(`<p class="pending"><b>Next: #{}</b> {} <span class="dim">{}</span></p>`, p.Version, line(p.Subject), visible.Count(len(p.Changes), "file"))
	}
	out += when(len(e.Waits) > 0, `<ul class="waits">{}</ul>`, each(e.Waits, item))
	if e.Until != nil {
		out += fill(`<p class="dim">May end by itself {}, at {}.</p>`, b.time(*e.Until), cepler.Moment(*e.Until))
	}
	command := e.Command()
	out += when(command != "", `<p class="command"><code>{}</code> <button type="button" data-copy="{}" hidden>Copy</button></p>`, command, command)
	out += b.gate(e)
	if r := e.Report; r != nil && r.Error != "" {
		out += fill(`<p class="broken">{}</p>`, reason(r.Error))
	}
	out += b.behind(e)
	return out + when(gaps > 0, `<p><span class="tag m-gap">{} in the <a href="#trace">trace</a></span></p>`, visible.Count(gaps, "gap")) + "\n</article>"
}

func item(why string) markup { return fill(`<li>{}</li>`, reason(why)) }

func (b *Board) gate(e Environment) markup {
	g := e.Gate
	if g.At == "" {
		return ""
	}
	var moved markup
	if g.Moved != nil {
		moved = fill(`, moved by {} {}`, name(g.Moved.By), b.time(g.Moved.When))
	}
	return fill(`<p class="dim">Gate at <code>{}</code>{}{}{}</p>`, gateAt(g.At), moved,
		each(g.Rules, func(r string) markup { return fill(`; {}`, name(r)) }),
		when(g.Reason != "" && len(e.Waits) == 0, `: {}`, reason(g.Reason)))
}

// behind is what the environment before has and this one does not have.
func (b *Board) behind(e Environment) markup {
	ahead, d, listed := e.Ahead(), e.Behind, b.listed()
	if ahead == "" {
		return ""
	}
	compare := func(address, what string) markup {
		return when(address != "", ` <a href="{}">compare<span class="hide"> {}</span></a>`, address, what)
	}
	return fill(`
<details><summary>{} behind {}</summary>
<ul>{}{}{}{}{}{}
</ul></details>`, ahead, name(e.Passed),
		each(d.Releases, func(r string) markup { return fill(`<li>release {}</li>`, name(r)) }),
		each(d.Charts, func(c lineage.ChartDifference) markup {
			return fill(`<li>chart {} {} → {}{}</li>`, name(c.Name), c.Lacks, c.Has, compare(c.Compare, "chart "+name(c.Name)))
		}),
		each(d.Sources, func(s lineage.SourceSpan) markup {
			repository := name(lineage.RepositoryName(s.Repository))
			return fill(`<li>{} {} → {}{}{}</li>`, repository, short(s.Before), short(s.After), compare(s.Compare, repository), commits(s.Span, listed))
		}),
		each(d.Files[:min(len(d.Files), listed)], func(f lineage.FileDifference) markup {
			return fill(`<li>{} <span class="path">{}</span></li>`, f.Kind, line(f.Path))
		}),
		when(len(d.Files) > listed, `<li class="dim">{} in all</li>`, visible.Count(len(d.Files), "file")),
		when(d.Compare != "", `<li>{}</li>`, compare(d.Compare, "the deployments of "+name(e.Name))))
}

// commits are those between two sources, as far as they are known.
func commits(s *lineage.Span, listed int) markup {
	if s == nil {
		return ""
	}
	var some markup
	for _, c := range s.Commits[:min(len(s.Commits), listed)] {
		some += fill(`<li>{} {}</li>`, short(c.Hash), line(cepler.Summary(c.Message)))
	}
	return fill(`<ul>{}{}{}</ul>`, some,
		when(s.Total > listed, `<li class="dim">{} in all</li>`, s.Total),
		when(s.Back > 0, `<li class="broken">takes back {}</li>`, visible.Count(s.Back, "commit")))
}

func (b *Board) history() markup {
	h := b.History
	known := fill(`not known`)
	if h.Keys.Leads > 0 {
		known = fill(`{} <span class="dim">median of {}</span>`, span(h.Keys.Lead), h.Keys.Leads)
	}
	return fill(`
<div class="measures">
<figure><figcaption>Records a week, the last twelve weeks</figcaption>
<svg viewBox="0 0 118 28" width="236" height="56" role="img" aria-label="Records in each of the last twelve weeks">{}</svg></figure>
<dl>
<div><dt>Deployments to last environments</dt><dd>{} a week</dd></div>
<div><dt>From commit to a last environment</dt><dd>{}</dd></div>
<div><dt>Rollbacks</dt><dd>{} <span class="dim">of {}</span></dd></div>
<div><dt>Failed deployments, time to restore</dt><dd>not known <span class="dim">git has only what was recorded</span></dd></div>
</dl>
</div>
{}`,
		each(h.bars(), func(r bar) markup {
			return fill(`<rect x="{}" y="{}" width="8" height="{}"><title>{}</title></rect>`, r.X, r.Y, r.Height, r.Title)
		}),
		strings.TrimSuffix(fmt.Sprintf("%.1f", h.Keys.PerWeek), ".0"), known, h.Keys.Rollbacks, visible.Count(h.Keys.Looked, "record"), b.records())
}

func (b *Board) records() markup {
	h := b.History
	if len(h.Records) == 0 {
		return `<p>Nothing was recorded yet.</p>`
	}
	all := fill(`All {} since {}.`, visible.Count(h.Total, "record"), cepler.Moment(h.Since))
	if len(h.Records) < h.Total {
		all = fill(`The newest {} of {} records; git has them all since {}.`, len(h.Records), h.Total, cepler.Moment(h.Since))
	}
	return fill(`<div class="pick" id="filter" hidden>
<label for="filter-environment">Environment</label> <select id="filter-environment"><option value="">all</option></select>
<label for="filter-text">contains</label> <input id="filter-text" type="search" autocomplete="off" spellcheck="false">
<span id="filter-count" role="status"></span>
</div>
<p class="dim">{}</p>
<div class="scroll" role="region" aria-label="Records" tabindex="0">
<table class="records">
<thead><tr><th scope="col">Time</th><th scope="col">Environment</th><th scope="col">State</th><th scope="col">From → to</th><th scope="col">Build</th><th scope="col">Gate</th></tr></thead>
<tbody>{}
</tbody>
</table>
</div>`, all, each(h.Records, b.record))
}

func (b *Board) record(r Record) markup {
	var to, opened markup
	if r.To.Hash != "" {
		to = fill(`{} {}`, b.brief(r.To), line(cmp.Or(r.Change.Subject, r.To.Subject)))
	}
	if o := r.Opened; o != nil {
		opened = fill(`<span title="{}, {}">moved by {}</span>`, cepler.Moment(o.When), line(o.Commit.Subject), name(o.By))
	}
	number := when(r.Number != 0, `#{}`, r.Number)
	return fill(`
<tr data-e="{}"><td>{}</td><th scope="row"><a href="#{}">{}</a></th>
<td>{}{}{}</td>
<td>{}{}{}</td>
<td>{}</td>
<td>{}</td></tr>`, r.Environment, b.time(r.When), "e-"+r.Environment, name(r.Environment),
		cmp.Or(number, "not readable"),
		when(r.RollbackOf != 0, ` <span class="tag m-held">rollback of #{}</span>`, r.RollbackOf),
		when(r.Dirty, ` <span class="tag m-gap">dirty</span>`),
		when(r.From.Hash != "", `{} → `, b.brief(r.From)), to, when(r.Changed != 0, ` <span class="dim">{}</span>`, visible.Count(r.Changed, "file")),
		build(r.Build), opened)
}

// track is what one or more environments run, on the way back to the source.
func (b *Board) track(t track) markup {
	const open = 3 // the first ones
	comma := markup("")
	return fill(`
<details class="track" id="t-{}"{}>
<summary>{}</summary>
<ol class="steps">{}{}
</ol>
</details>`, t.N, when(t.N <= open, " open"),
		each(t.Environments, func(e Environment) markup {
			m := comma + fill(`<a href="#{}">{}</a>`, e.anchor(), name(e.Key()))
			comma = ", "
			return m
		}),
		each(t.Environments, func(e Environment) markup {
			record := markup("a commit that is not known")
			if e.Record.Hash != "" {
				record = b.own(e.Record)
			}
			return fill("\n"+`<li><b>{}</b> #{} deployed from {} {}, recorded in {}{}{}</li>`, name(e.Key()), e.Version, b.own(e.Trigger), line(e.Trigger.Subject),
				record, when(e.Build != "", ` by {}`, build(e.Build)), each(e.Broken, broken))
		}),
		contents(t.Runs))
}

func contents(c lineage.Contents) markup {
	return each(c.Broken, func(x lineage.Broken) markup { return fill(`<li>{}</li>`, broken(x)) }) + each(c.Charts, chart) + each(c.Images, image)
}

func chart(c lineage.Chart) markup {
	var from markup
	if v := c.Vendored; v != nil {
		from = `<br>`
		if v.Commit.Hash != "" {
			from += fill(`from {} {} of {}{}`, commit(v.Commit, lineage.CommitPage(v.Repository, v.Commit.Hash)), line(v.Commit.Subject), name(lineage.RepositoryName(v.Repository)),
				when(v.Verified, ` <span class="good">the files are those of that commit</span>`))
		}
	}
	return fill(`
<li>chart <b>{}</b> {}{} <span class="path dim">{}</span>{}{}{}</li>`, name(c.Name), name(c.Version), when(c.AppVersion != "", `, app {}`, name(c.AppVersion)), line(c.Path),
		from, each(c.Broken, broken), when(len(c.Images) > 0, `<ol>{}</ol>`, each(c.Images, image)))
}

func image(i lineage.Image) markup {
	var from markup
	if s := i.Source; s != nil {
		from = fill(`<br>built from {} {} of {}{} <span class="dim">by {}</span>`, commit(s.Commit, lineage.CommitPage(s.Repository, s.Commit.Hash)),
			line(s.Commit.Subject), name(lineage.RepositoryName(s.Repository)), when(s.Subdir != "", `/{}`, name(s.Subdir)), s.By)
		switch {
		case len(s.Releases) > 0:
			names := make([]string, len(s.Releases))
			for i, r := range s.Releases {
				names[i] = name(r)
			}
			from += fill(`, release <b>{}</b>`, strings.Join(names, ", "))
		case s.ReleasedIn != "":
			from += fill(`, in release <b>{}</b> and later`, name(s.ReleasedIn))
		}
	}
	return fill(`
<li>image <b>{}</b> <code title="{}">{}</code> <span class="path dim">{}</span>{}{}</li>`, cmp.Or(name(i.Repository), "without a name"), i.Digest, lineage.ShortDigest(i.Digest),
		line(i.Path), from, each(i.Broken, broken))
}

func (b *Board) legend() markup {
	return fill(`
<section id="legend" aria-labelledby="h-legend">
<h2 id="h-legend">Legend</h2>
<ul class="legend">{}
<li><span class="pill"><svg aria-hidden="true"><use href="#i-none"/></svg>no gate</span> what the environment before has deployed passes by itself</li>
<li><span class="pill g-open"><svg aria-hidden="true"><use href="#i-open"/></svg>open</span> the gate lets everything through that was deployed before it</li>
<li><span class="pill g-closed"><svg aria-hidden="true"><use href="#i-closed"/></svg>closed</span> something is beyond the gate; a person opens it</li>
<li><span class="pill g-timed"><svg aria-hidden="true"><use href="#i-timed"/></svg>timed</span> a soak or a window ends by itself at the time on the card</li>
<li><span class="pill g-people"><svg aria-hidden="true"><use href="#i-people"/></svg>approval</span> people must approve</li>
<li><span class="pill g-frozen"><svg aria-hidden="true"><use href="#i-frozen"/></svg>frozen</span> nothing passes until the freeze ends</li>
</ul>{}
</section>`,
		each(marks(), func(m Status) markup {
			return fill(`<li><span class="status m-{}">{}</span> {}</li>`, m.Mark, m.Mark, m.Text)
		}),
		when(len(b.Trace.NotAsked) > 0, `
<h3>Not looked at</h3>
<ul class="dim">{}</ul>`, each(b.Trace.NotAsked, item)))
}
