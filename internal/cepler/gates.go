package cepler

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Gates are the gates of a gates file, by environment.
type Gates struct{ gates map[string]Gate }

// Gate is how far an environment may see, and the rules for promoting to it.
// Two gates that are written alike are equal (reflect.DeepEqual).
type Gate struct {
	// Commit is where the environment's view of the branch ends: HEAD, or a
	// commit, short commit, tag or branch; whoever knows Git resolves it.
	Commit string
	// Soak is how long the passed environment must have had a state.
	Soak time.Duration
	// Windows are when promoting is allowed; at any time if there are none.
	Windows []Window
	// Freezes are when it is not, whatever else says.
	Freezes []Freeze
	// Need is how many different people must approve, 0 for none, and
	// Approvals is what was approved.
	Need      int
	Approvals []Approval
	// Reason is a text for the people who wait.
	Reason string
	// Resume is the number of the environment's record that holds pending files
	// back because it rolled the environment back, and no longer shall; 0 without
	// one. It says nothing about any other record.
	Resume uint64
}

// Approval is one person's word that a commit may be deployed.
type Approval struct{ By, Commit string }

const (
	headGate  = "HEAD"
	maxNeed   = 20
	maxSoak   = 366 * 24 * time.Hour
	maxReason = 1000 // bytes: it is printed at every check
)

// ParseGates reads the gates file that is at path. It is cepler's map from
// environments to HEAD or a commit, or for any environment a mapping with more
// to say:
//
//	staging: HEAD
//	production:
//	  commit: 1f3c2aa            # HEAD if it is left out
//	  soak: 2h                   # since the passed environment recorded it
//	  windows:                   # any of them
//	    - {days: mon-thu, from: "09:00", to: "16:30", zone: Europe/Zurich}
//	  freeze:                    # or true, or a reason
//	    - {from: 2026-12-20, to: 2027-01-03, zone: Europe/Zurich, reason: holidays}
//	  approvals:
//	    need: 2                  # different people
//	    given: [{by: ana, commit: 1f3c2aa}]
//	  reason: ask the platform team
//	  resume: 3                  # record #3 rolled it back; go on from there
//
// In such a mapping nothing is guessed: unknown keys, and values that make no
// sense, are errors that name the file and the line.
func ParseGates(path string, data []byte) (*Gates, error) {
	p := &gatesParser{document{path: path}}
	root := p.root(data, maxConfig)
	out := &Gates{gates: map[string]Gate{}}
	lines := map[string]int{}
	for _, f := range p.fields(root, "the gates file") {
		// cepler lets the later one count, which opens a gate that somebody closed
		if first, twice := lines[f.name]; twice {
			p.failf(f.line, "the gates file has %s twice, first in line %d; remove one", f.name, first)
		}
		lines[f.name] = f.line
		out.gates[f.name] = p.gate(f)
	}
	if p.err != nil {
		return nil, p.err
	}
	return out, nil
}

// For is the gate of an environment, and whether the file has one.
func (g *Gates) For(environment string) (Gate, bool) {
	gate, ok := g.gates[environment]
	return gate, ok
}

// Environments are the environments that have a gate, sorted.
func (g *Gates) Environments() []string { return slices.Sorted(maps.Keys(g.gates)) }

// HasRules reports whether anything but the commit decides.
func (g Gate) HasRules() bool {
	return g.Soak > 0 || len(g.Windows) > 0 || len(g.Freezes) > 0 || g.Need > 0
}

type gatesParser struct{ document }

func (p *gatesParser) gate(f field) Gate {
	n := resolve(f.value)
	if n.Kind != yaml.MappingNode {
		return Gate{Commit: p.required(f)}
	}
	g := Gate{Commit: headGate}
	for _, f := range p.strict(n, f.name, "commit", "soak", "windows", "freeze", "approvals", "reason", "resume") {
		p.rule(&g, f)
	}
	return g
}

func (p *gatesParser) rule(g *Gate, f field) {
	switch key := f.name[strings.LastIndexByte(f.name, '.')+1:]; key {
	case "commit":
		g.Commit = p.required(f)
	case "soak":
		g.Soak = p.duration(f)
	case "windows":
		g.Windows = list(p, f, p.window)
	case "freeze":
		g.Freezes = p.freeze(f)
	case "approvals":
		g.Need, g.Approvals = p.approvals(f)
	case "reason":
		g.Reason = p.reason(f)
	case "resume":
		g.Resume = p.record(f)
	}
}

// record is the number of a record, from 1.
func (p *gatesParser) record(f field) uint64 {
	value := p.required(f)
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n == 0 {
		p.failf(f.line, "%s: %q is not the number of a record; write a number like 3", f.name, value)
	}
	return n
}

// strict are the fields of a mapping, of which there must be at least one; none
// may be there twice or be unknown. Their names are given with the way to them.
func (p *gatesParser) strict(n *yaml.Node, what string, known ...string) []field {
	fields := p.fields(n, what)
	if len(fields) == 0 {
		p.failf(n.Line, "%s is empty; %s", what, didYouMean("", known))
	}
	seen := map[string]bool{}
	for i, f := range fields {
		if !slices.Contains(known, f.name) {
			p.failf(f.line, "%s: unknown key %q; %s", what, f.name, didYouMean(f.name, known))
			return nil
		}
		if seen[f.name] {
			p.failf(f.line, "%s has %s twice", what, f.name)
		}
		seen[f.name] = true
		fields[i].name = what + "." + f.name
	}
	return fields
}

// required is a text that is not empty.
func (p *gatesParser) required(f field) string {
	value := p.scalar(f.value, f.name)
	if isNull(f.value) || strings.TrimSpace(value) == "" {
		p.failf(f.line, "%s: nothing is given", f.name)
	}
	return value
}

// list reads a list, or the one item that stands for a list of one.
func list[T any](p *gatesParser, f field, item func(field) T) []T {
	n := resolve(f.value)
	switch {
	case n.Kind == yaml.MappingNode:
		return []T{item(f)}
	case n.Kind != yaml.SequenceNode:
		p.failf(f.line, "%s: want a list, got %s", f.name, describe(n))
	case len(n.Content) == 0:
		p.failf(f.line, "%s: the list is empty; omit the key instead", f.name)
	}
	if p.err != nil {
		return nil
	}
	out := make([]T, 0, len(n.Content))
	for i, entry := range n.Content {
		out = append(out, item(field{name: fmt.Sprintf("%s[%d]", f.name, i), line: entry.Line, value: entry}))
	}
	return out
}

// duration reads 90m, 2h30m or 3d.
func (p *gatesParser) duration(f field) time.Duration {
	value := p.required(f)
	days, rest, found := strings.Cut(value, "d")
	if !found {
		days, rest = "0", value
	}
	n, err := strconv.ParseUint(days, 10, 16)
	total := time.Duration(n) * 24 * time.Hour
	if err == nil && rest != "" {
		var d time.Duration
		d, err = time.ParseDuration(rest)
		total += d
		if d < 0 {
			total = -1
		}
	}
	switch {
	case err != nil:
		p.failf(f.line, "%s: %q is not a valid duration; write 30m, 2h, 1h30m or 3d", f.name, value)
	case total <= 0 || total > maxSoak:
		p.failf(f.line, "%s: %q must be positive and at most a year", f.name, value)
	}
	return total
}

func (p *gatesParser) reason(f field) string {
	value := p.required(f)
	if len(value) > maxReason {
		p.failf(f.line, "%s: the text has %d bytes, at most %d are shown", f.name, len(value), maxReason)
	}
	return strings.Join(strings.Fields(value), " ")
}

func (p *gatesParser) approvals(f field) (need int, given []Approval) {
	need = 1
	for _, g := range p.strict(resolve(f.value), f.name, "need", "given") {
		switch {
		case g.name == f.name+".need":
			need = p.need(g)
		case isEmptyList(g.value):
			// how a file begins that people add their approvals to
		default:
			given = list(p, g, p.approval)
		}
	}
	return need, given
}

func isEmptyList(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == yaml.SequenceNode && len(n.Content) == 0 || isNull(n)
}

func (p *gatesParser) need(f field) int {
	value := p.required(f)
	need, err := strconv.Atoi(value)
	if err != nil || need < 1 || need > maxNeed {
		p.failf(f.line, "%s: want a number of people from 1 to %d, got %q", f.name, maxNeed, value)
	}
	return need
}

func (p *gatesParser) approval(f field) (a Approval) {
	for _, g := range p.strict(resolve(f.value), f.name, "by", "commit") {
		if g.name == f.name+".commit" {
			a.Commit = p.required(g)
		} else {
			a.By = p.required(g)
		}
	}
	switch {
	case a.By == "":
		p.failf(f.line, "%s has no by: name the person who approves", f.name)
	case a.Commit == "":
		p.failf(f.line, "%s has no commit: name what %s approves", f.name, a.By)
	}
	return a
}
