package cepler

import (
	"fmt"
	"strings"
	"time"
)

// Facts are what the rules of a gate are decided by.
type Facts struct {
	Now time.Time
	// UpstreamRecorded is when the passed environment recorded what is to be
	// deployed; zero when nothing comes from it, and then nothing soaks.
	UpstreamRecorded time.Time
	// Upstream is the passed environment's name, for the reasons; it may be
	// empty.
	Upstream string
	// Approved reports whether an approval of that commit covers what is to be
	// deployed. nil approves nothing.
	Approved func(commit string) bool
}

// Verdict says whether a gate lets something through.
type Verdict struct {
	Open bool
	// Until is when it may open next; zero if it is open, or if only a person
	// can open it.
	Until time.Time
	// Reasons say why it is closed, each for people; empty when it is open.
	Reasons []string
	// Rules are the rules that deny, one for each reason.
	Rules []Rule
}

// Rule is a kind of rule of a gate.
type Rule string

// The rules.
const (
	RuleFreeze    Rule = "freeze"
	ruleSoak      Rule = "soak"
	RuleWindow    Rule = "window"
	RuleApprovals Rule = "approvals"
)

func (v *Verdict) deny(rule Rule, why string) {
	v.Reasons, v.Rules = append(v.Reasons, why), append(v.Rules, rule)
}

// Decide says whether the gate is open. Every rule must allow it: the side
// that denies wins. The gate's Commit is not a part of it.
func (g Gate) Decide(f Facts) Verdict {
	var v Verdict
	needsPerson := false
	for _, freeze := range g.Freezes {
		if freeze.active(f.Now) {
			v.deny(RuleFreeze, freeze.why())
		}
	}
	if soaked := g.soaked(f); f.Now.Before(soaked) {
		v.deny(ruleSoak, g.whySoak(f, soaked))
	}
	if !g.inWindow(f.Now) {
		opens, zone := g.nextWindow(f.Now)
		v.deny(RuleWindow, fmt.Sprintf("outside its windows; next opens %s %s", opens.In(zone).Format("Mon 2006-01-02 15:04"), zone))
	}
	if by := g.approvedBy(f); len(by) < g.Need {
		needsPerson = true
		v.deny(RuleApprovals, whyApprovals(by, g.Need))
	}
	v.Open = len(v.Reasons) == 0
	if v.Open {
		return v
	}
	if g.Reason != "" {
		v.Reasons[len(v.Reasons)-1] += " (" + g.Reason + ")"
	}
	if !needsPerson {
		v.Until = g.opens(f)
	}
	return v
}

// soaked is when the soak is over; zero without one.
func (g Gate) soaked(f Facts) time.Time {
	if g.Soak == 0 || f.UpstreamRecorded.IsZero() {
		return time.Time{}
	}
	return f.UpstreamRecorded.Add(g.Soak)
}

// whySoak says when the soak ends and what it counts from.
func (g Gate) whySoak(f Facts, soaked time.Time) string {
	upstream := f.Upstream
	if upstream == "" {
		upstream = "the environment before"
	}
	return fmt.Sprintf("soaks until %s (%s since %s recorded it)", Moment(soaked), Duration(g.Soak), upstream)
}

func (f Freeze) why() string {
	text := "frozen"
	if !f.To.IsZero() {
		text += " until " + Moment(f.To)
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}

func whyApprovals(by []string, need int) string {
	text := fmt.Sprintf("%d of %d approvals", len(by), need)
	if len(by) > 0 {
		text += ", by " + strings.Join(by, ", ")
	}
	return text
}

// approvedBy are the different people who approved, in the file's order.
func (g Gate) approvedBy(f Facts) []string {
	var by []string
	seen := map[string]bool{}
	for _, a := range g.Approvals {
		person := strings.ToLower(strings.TrimSpace(a.By))
		if seen[person] || f.Approved == nil || !f.Approved(a.Commit) {
			continue
		}
		seen[person] = true
		by = append(by, strings.TrimSpace(a.By))
	}
	return by
}

func (g Gate) inWindow(t time.Time) bool {
	for _, w := range g.Windows {
		if w.open(t) {
			return true
		}
	}
	return len(g.Windows) == 0
}

// nextWindow is when the first window after t opens, and where.
func (g Gate) nextWindow(t time.Time) (time.Time, *time.Location) {
	var first time.Time
	zone := time.UTC
	for _, w := range g.Windows {
		if opens := w.next(t); first.IsZero() || opens.Before(first) {
			first, zone = opens, w.zone
		}
	}
	return first, zone
}

// opens is the first moment from now on that no rule denies; zero if none comes
// without a person.
func (g Gate) opens(f Facts) time.Time {
	t := f.Now
	if soaked := g.soaked(f); t.Before(soaked) {
		t = soaked
	}
	// Each turn ends a freeze for good or goes to a window, and after as many
	// turns as that takes nothing is left to deny.
	for range 2*len(g.Freezes) + 2 {
		next := t
		for _, freeze := range g.Freezes {
			if !freeze.active(next) {
				continue
			}
			if freeze.To.IsZero() {
				return time.Time{}
			}
			next = freeze.To
		}
		if !g.inWindow(next) {
			next, _ = g.nextWindow(next)
		}
		if next.Equal(t) {
			return t
		}
		t = next
	}
	return t
}

// Moment is a time for people.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Duration is a duration without zeros at its end: 2h, 1h30m, 3d.
func Duration(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
