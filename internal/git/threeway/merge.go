package threeway

import (
	"bytes"
	"slices"
	"strings"
)

// MaxSize is the size in bytes up to which a text is merged, 16 MiB. It bounds the memory that a
// merge takes.
const MaxSize = 16 << 20

// IsBinary reports whether git takes a content for binary: it has a zero byte near its beginning.
func IsBinary(content []byte) bool {
	const looked = 8000 // bytes, as in git
	return bytes.IndexByte(content[:min(len(content), looked)], 0) >= 0
}

// Markers say how conflicts are written into the result.
type Markers struct {
	// Size is the number of characters of a marker, 7 in files that people see.
	Size int
	// Ours and Theirs name the two sides.
	Ours, Theirs string
}

// Merge applies the changes from base to theirs to ours. conflicts is the number of places where both
// sides changed the same lines in different ways; the result has both versions there, between
// markers.
func Merge(base, ours, theirs []byte, m Markers) (merged []byte, conflicts int) {
	numbers := numbering{}
	o, a, b := numbers.text(base), numbers.text(ours), numbers.text(theirs)
	mine, other := compare(o, a), compare(o.fresh(), b)
	p := &plan{ours: a, theirs: b}
	p.combine(mine, other)
	p.refine()
	p.join()
	for _, h := range p.hunks {
		if h.side == conflict {
			conflicts++
		}
	}
	return p.write(m), conflicts
}

// side says whose lines a hunk takes.
type side int

const (
	conflict side = iota
	fromOurs
	fromTheirs
	identical
)

// hunk is a place where ours or theirs differs from base.
type hunk struct {
	side        side
	ours, nOurs int // position and number of the lines in ours
	theirs      int
	nTheirs     int
}

type plan struct {
	ours, theirs *text
	hunks        []hunk
}

// combine puts the changes of both sides in order. Changes that touch each other are one conflict.
func (p *plan) combine(mine, other []change) {
	shiftMine, shiftOther := 0, 0 // position in ours and in theirs, less the one in base
	takeMine := func(c change) {
		p.add(hunk{fromOurs, c.after, c.added, c.before + shiftOther, c.removed})
		shiftMine = c.after + c.added - c.before - c.removed
	}
	takeOther := func(c change) {
		p.add(hunk{fromTheirs, c.before + shiftMine, c.removed, c.after, c.added})
		shiftOther = c.after + c.added - c.before - c.removed
	}
	for len(mine) > 0 && len(other) > 0 {
		x, y := mine[0], other[0]
		endMine, endOther := x.before+x.removed, y.before+y.removed
		switch {
		case endMine < y.before:
			takeMine(x)
			mine = mine[1:]
			continue
		case endOther < x.before:
			takeOther(y)
			other = other[1:]
			continue
		case !p.equal(x, y):
			p.add(overlap(x, y))
		}
		if endMine >= endOther {
			other = other[1:]
			shiftOther = y.after + y.added - endOther
		}
		if endOther >= endMine {
			mine = mine[1:]
			shiftMine = x.after + x.added - endMine
		}
	}
	for _, c := range mine {
		takeMine(c)
	}
	for _, c := range other {
		takeOther(c)
	}
}

func (p *plan) equal(x, y change) bool {
	return x.before == y.before && x.removed == y.removed && x.added == y.added &&
		slices.Equal(p.ours.numbers[x.after:x.after+x.added], p.theirs.numbers[y.after:y.after+y.added])
}

// overlap is the smallest conflict that holds two changes.
func overlap(x, y change) hunk {
	from := min(x.before, y.before)
	to := max(x.before+x.removed, y.before+y.removed)
	h := hunk{ours: x.after - (x.before - from), theirs: y.after - (y.before - from)}
	h.nOurs = x.after + x.added + to - (x.before + x.removed) - h.ours
	h.nTheirs = y.after + y.added + to - (y.before + y.removed) - h.theirs
	return h
}

// add appends a hunk, or extends the last one when they touch.
func (p *plan) add(h hunk) {
	if len(p.hunks) == 0 {
		p.hunks = append(p.hunks, h)
		return
	}
	last := &p.hunks[len(p.hunks)-1]
	if h.ours > last.ours+last.nOurs && h.theirs > last.theirs+last.nTheirs {
		p.hunks = append(p.hunks, h)
		return
	}
	if h.side != last.side {
		last.side = conflict
	}
	last.nOurs = h.ours + h.nOurs - last.ours
	last.nTheirs = h.theirs + h.nTheirs - last.theirs
}

// refine takes out of conflicts what both sides have in common.
func (p *plan) refine() {
	var all []hunk
	for _, h := range p.hunks {
		if h.side != conflict || h.nOurs == 0 || h.nTheirs == 0 {
			all = append(all, h)
			continue
		}
		differences := compare(p.ours.part(h.ours, h.nOurs), p.theirs.part(h.theirs, h.nTheirs))
		if len(differences) == 0 {
			h.side = identical
			all = append(all, h)
		}
		for _, c := range differences {
			all = append(all, hunk{conflict, h.ours + c.before, c.removed, h.theirs + c.after, c.added})
		}
	}
	p.hunks = all
}

// join makes one conflict of two that have at most three lines between them, as git does.
func (p *plan) join() {
	const near = 3 // lines
	var all []hunk
	for _, h := range p.hunks {
		if n := len(all); n > 0 && h.side == conflict && all[n-1].side == conflict && h.ours-all[n-1].ours-all[n-1].nOurs <= near {
			all[n-1].nOurs = h.ours + h.nOurs - all[n-1].ours
			all[n-1].nTheirs = h.theirs + h.nTheirs - all[n-1].theirs
			continue
		}
		all = append(all, h)
	}
	p.hunks = all
}

func (p *plan) write(m Markers) []byte {
	var out bytes.Buffer
	at := 0
	for _, h := range p.hunks {
		switch h.side {
		case fromOurs, identical:
			continue // the stretches between hunks are those of ours
		case fromTheirs:
			copyLines(&out, p.ours, at, h.ours)
			copyLines(&out, p.theirs, h.theirs, h.theirs+h.nTheirs)
		case conflict:
			copyLines(&out, p.ours, at, h.ours)
			m.line(&out, "<", m.Ours)
			copyWhole(&out, p.ours, h.ours, h.ours+h.nOurs)
			m.line(&out, "=", "")
			copyWhole(&out, p.theirs, h.theirs, h.theirs+h.nTheirs)
			m.line(&out, ">", m.Theirs)
		}
		at = h.ours + h.nOurs
	}
	copyLines(&out, p.ours, at, len(p.ours.lines))
	return out.Bytes()
}

func (m Markers) line(out *bytes.Buffer, sign, name string) {
	out.WriteString(strings.Repeat(sign, m.Size))
	if name != "" {
		out.WriteString(" " + name)
	}
	out.WriteString("\n")
}

func copyLines(out *bytes.Buffer, t *text, from, to int) {
	for _, line := range t.lines[from:to] {
		out.Write(line)
	}
}

// copyWhole is copyLines with a line feed after the last line, for a marker to follow.
func copyWhole(out *bytes.Buffer, t *text, from, to int) {
	copyLines(out, t, from, to)
	if from < to && !bytes.HasSuffix(t.lines[to-1], []byte("\n")) {
		out.WriteByte('\n')
	}
}
