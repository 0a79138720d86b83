package cepler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/cepler/zones"
)

// Window is a part of the week, as a clock on the wall in some time zone shows
// it: when that clock is put back, an hour of a window happens twice.
type Window struct {
	// Days are the days that it begins on.
	Days [7]bool // by time.Weekday
	// From and To are minutes of the day. A window whose To is not after its
	// From ends on the next day.
	From, To int
	// Zone is the name of the time zone.
	Zone string

	zone *time.Location
}

// Freeze is a time that nothing is promoted in.
type Freeze struct {
	// From is when it begins; zero if it always was.
	From time.Time
	// To is when it ends; zero if somebody must end it.
	To time.Time
	// Reason is why, "" if nobody said.
	Reason string
}

const dayMinutes = 24 * 60

// dayNames are the days of a week, by time.Weekday.
func dayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func (p *gatesParser) window(f field) Window {
	w := Window{Days: [7]bool{true, true, true, true, true, true, true}, To: dayMinutes, Zone: "UTC", zone: time.UTC}
	for _, g := range p.strict(resolve(f.value), f.name, "days", "from", "to", "zone") {
		switch strings.TrimPrefix(g.name, f.name+".") {
		case "days":
			w.Days = p.days(g)
		case "from":
			w.From = p.clock(g)
		case "to":
			w.To = p.clock(g)
		case "zone":
			w.Zone, w.zone = p.zone(g)
		}
	}
	if w.From == w.To || w.From == dayMinutes {
		p.failf(f.line, "%s: a window from %s to %s is empty; omit both for whole days", f.name, clockText(w.From), clockText(w.To))
	}
	return w
}

// days reads `mon-fri`, `mon, wed`, or a list of such.
func (p *gatesParser) days(f field) (days [7]bool) {
	n := resolve(f.value)
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		for span := range strings.SplitSeq(p.scalar(item, f.name), ",") {
			if !addDays(&days, strings.ToLower(strings.TrimSpace(span))) {
				p.failf(item.Line, "%s: %q is not a day or a range of days; write mon, or mon-fri, or [mon, wed]", f.name, span)
			}
		}
	}
	if days == [7]bool{} {
		p.failf(f.line, "%s: no day is given", f.name)
	}
	return days
}

func addDays(days *[7]bool, span string) bool {
	first, last, isSpan := strings.Cut(span, "-")
	if !isSpan {
		last = first
	}
	from := slices.Index(dayNames(), strings.TrimSpace(first))
	to := slices.Index(dayNames(), strings.TrimSpace(last))
	if from < 0 || to < 0 {
		return false
	}
	for day := from; ; day = (day + 1) % 7 {
		days[day] = true
		if day == to {
			return true
		}
	}
}

// clock reads a time of the day; 24:00 is its end.
func (p *gatesParser) clock(f field) int {
	value := p.required(f)
	if value == "24:00" {
		return dayMinutes
	}
	t, err := time.Parse("15:04", value)
	if err != nil {
		p.failf(f.line, "%s: %q is not a time of day; write 09:00 or 17:30", f.name, value)
	}
	return t.Hour()*60 + t.Minute()
}

func (p *gatesParser) zone(f field) (string, *time.Location) {
	name := p.required(f)
	zone, err := zones.Load(name)
	if err != nil || name == "Local" {
		p.failf(f.line, "%s: there is no time zone %q; write UTC, or a name like Europe/Zurich", f.name, name)
		return name, time.UTC
	}
	return name, zone
}

// freeze reads true, false, a reason, or a list of times.
func (p *gatesParser) freeze(f field) []Freeze {
	n := resolve(f.value)
	if n.Kind != yaml.ScalarNode {
		return list(p, f, p.freezeTime)
	}
	if isPlain(n) {
		switch n.Value {
		case "false":
			return nil
		case "true":
			return []Freeze{{}}
		}
	}
	return []Freeze{{Reason: p.reason(f)}}
}

func (p *gatesParser) freezeTime(f field) (out Freeze) {
	fields := p.strict(resolve(f.value), f.name, "from", "to", "zone", "reason")
	zone := time.UTC
	for _, g := range fields {
		if g.name == f.name+".zone" {
			_, zone = p.zone(g)
		}
	}
	for _, g := range fields {
		switch strings.TrimPrefix(g.name, f.name+".") {
		case "from":
			out.From = p.instant(g, zone, false)
		case "to":
			out.To = p.instant(g, zone, true)
		case "reason":
			out.Reason = p.reason(g)
		}
	}
	if !out.To.IsZero() && !out.From.Before(out.To) {
		p.failf(f.line, "%s: it ends before it begins", f.name)
	}
	return out
}

// instant reads a date, with or without a time. The last day of a freeze is
// part of it. Where the clock on the wall shows a time twice, or never, the
// freeze is the longer one.
func (p *gatesParser) instant(f field, zone *time.Location, end bool) time.Time {
	value := p.required(f)
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t.UTC()
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		wall, err := time.Parse(layout, value)
		if err != nil {
			continue
		}
		if end && layout == "2006-01-02" {
			wall = wall.AddDate(0, 0, 1)
		}
		first, last := instants(wall, zone)
		if end {
			return last
		}
		return first
	}
	p.failf(f.line, "%s: %q is not a valid date; write 2026-12-20, \"2026-12-20 18:00\" or 2026-12-20T18:00:00+01:00", f.name, value)
	return time.Time{}
}

// instants are the first and the last moment at which the clock in zone shows
// wall, which is given in UTC. Where it skips wall, they are the moments at
// which it would have shown it by the old time and by the new.
func instants(wall time.Time, zone *time.Location) (first, last time.Time) {
	shown := func(t time.Time) time.Time {
		t = t.In(zone)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	at := func(offsetOf time.Time) time.Time {
		_, offset := offsetOf.In(zone).Zone()
		return wall.Add(-time.Duration(offset) * time.Second)
	}
	// no zone is further than 24 hours from UTC, and none changes twice in two days
	before, after := at(wall.Add(-24*time.Hour)), at(wall.Add(24*time.Hour))
	switch {
	case !shown(before).Equal(wall) && shown(after).Equal(wall):
		before = after
	case !shown(after).Equal(wall) && shown(before).Equal(wall):
		after = before
	}
	if after.Before(before) {
		before, after = after, before
	}
	return before, after
}

// active reports whether t is in the freeze.
func (f Freeze) active(t time.Time) bool {
	return !t.Before(f.From) && (f.To.IsZero() || t.Before(f.To))
}

// minute is what the clock on the wall shows at t: the day, and the minute of
// it.
func (w Window) minute(t time.Time) (day time.Weekday, minute int) {
	local := t.In(w.zone)
	return local.Weekday(), local.Hour()*60 + local.Minute()
}

// open reports whether t is in the window.
func (w Window) open(t time.Time) bool {
	day, minute := w.minute(t)
	if w.From < w.To {
		return w.Days[day] && w.From <= minute && minute < w.To
	}
	return w.Days[day] && w.From <= minute || w.Days[(day+6)%7] && minute < w.To
}

// next is when the window opens after t, at which it is closed.
func (w Window) next(t time.Time) time.Time {
	for {
		// until the clock is changed the next time, it runs evenly
		opens := w.evenly(t)
		_, change := t.In(w.zone).ZoneBounds()
		if change.IsZero() || opens.Before(change) {
			return opens
		}
		if w.open(change) {
			return change
		}
		t = change
	}
}

// evenly is when the window opens after t, if the clock is not changed before.
func (w Window) evenly(t time.Time) time.Time {
	day, minute := w.minute(t)
	local := t.In(w.zone)
	start := t.Add(-time.Duration(minute)*time.Minute - time.Duration(local.Second())*time.Second - time.Duration(local.Nanosecond()))
	for i := range 8 {
		opens := start.Add(time.Duration(i*dayMinutes+w.From) * time.Minute)
		if w.Days[(int(day)+i)%7] && opens.After(t) {
			return opens
		}
	}
	return t // not reached: a window has a day
}

// String is the window as people say it.
func (w Window) String() string {
	var days []string
	for i := range 7 {
		if day := (i + 1) % 7; w.Days[day] {
			days = append(days, dayNames()[day])
		}
	}
	text := strings.Join(days, ",")
	if len(days) == 7 {
		text = "daily"
	}
	return fmt.Sprintf("%s %s-%s %s", text, clockText(w.From), clockText(w.To), w.Zone)
}

func clockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
