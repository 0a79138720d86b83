package version

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/fault"
)

// The ways in which nothing can be decided.
var (
	// ErrNothing: no commit asks for a release.
	ErrNothing = errors.New("nothing to release")
	// ErrNoCandidate: there is none that could become final.
	ErrNoCandidate = errors.New("no release candidate")
	// ErrBackwards: the requested version is not above the one there is.
	ErrBackwards = errors.New("the version would go backwards")
)

// Question is what the next version depends on.
type Question struct {
	// Base is the newest final version that history has, nil when there is none.
	Base *Version
	// Candidates are the pre-releases that are known, in any order.
	Candidates []Version
	// Commits are those since Base, newest first.
	Commits []Commit
	Rules   Rules
	// Pre makes a candidate, as in "rc".
	Pre string
	// Final promotes the newest candidate above Base, whatever the commits say.
	Final bool
	// Override is a person's word: major, minor or patch, or a whole version.
	Override string
}

// Decision is the answer.
type Decision struct {
	// Next is the version to release. With [ErrNothing] it is the base.
	Next Version
	// Level is the highest that anything asks for.
	Level Level
	// Base is the version that was bumped; nil for a first release.
	Base *Version
	// Reasons has a line for every commit, newest first, and one for each rule
	// that is not about a commit, first.
	Reasons []Reason
}

// Reason says how something was read.
type Reason struct {
	Hash, Subject string // empty when it is not about a commit
	Rule          string
	Level         Level
}

// Deciding are the reasons that led to the version: those of the highest level,
// and those that are not about a commit.
func (d Decision) Deciding() []Reason {
	return slices.DeleteFunc(slices.Clone(d.Reasons), func(r Reason) bool {
		return r.Hash != "" && (r.Level == LevelNone || r.Level != d.Level)
	})
}

// Decide finds the next version, by the rules of cocogitto 7 with candidates that
// are counted. Its errors are [ErrNothing], [ErrNoCandidate], [ErrBackwards],
// [ErrBump] and [ErrInvalid].
func Decide(q Question) (Decision, error) {
	if err := q.checkPre(); err != nil {
		return Decision{}, err
	}
	d := Decision{Base: q.Base}
	for _, c := range q.Commits {
		_, level, rule, _ := q.Rules.read(c, q.base())
		d.Reasons = append(d.Reasons, Reason{Hash: c.Hash, Subject: c.Subject(), Rule: rule, Level: level})
		d.Level = max(d.Level, level)
	}
	switch {
	case q.Final:
		return q.promote(d)
	case q.Override != "":
		return q.override(d)
	}
	return q.bump(d)
}

// checkPre wants a word that candidates can be counted by: those of "rc.1" would
// all be rc.1.1, whatever they were made of.
func (q Question) checkPre() error {
	if err := (Bump{Pre: q.Pre}).Validate(); err != nil {
		return err
	}
	if strings.Contains(q.Pre, ".") || isNumber(q.Pre) {
		return fault.Of(ErrBump, "pre: %s can't be counted up: write one word like rc, to which the number is added", shown(q.Pre))
	}
	return nil
}

func (q Question) base() Version {
	if q.Base == nil {
		return Version{}
	}
	return *q.Base
}

// because puts a reason that is not about a commit first.
func (d *Decision) because(format string, args ...any) {
	d.Reasons = slices.Insert(d.Reasons, 0, Reason{Rule: fmt.Sprintf(format, args...), Level: d.Level})
}

// newest is the highest candidate above the base.
func (q Question) newest() (Version, bool) {
	var best Version
	found := false
	for _, c := range q.Candidates {
		above := q.Base == nil || c.Final().Compare(*q.Base) > 0
		if !c.IsFinal() && above && (!found || c.Compare(best) > 0) {
			best, found = c, true
		}
	}
	return best, found
}

func (q Question) promote(d Decision) (Decision, error) {
	candidate, ok := q.newest()
	if !ok {
		if q.Base == nil {
			return d, fmt.Errorf("%w to make final", ErrNoCandidate)
		}
		return d, fmt.Errorf("%w above %s to make final", ErrNoCandidate, q.Base)
	}
	d.because("%s becomes final", candidate)
	d.Next = candidate.Final()
	return d, nil
}

func (q Question) override(d Decision) (Decision, error) {
	if level, err := parseLevel(q.Override); err == nil && level != LevelNone {
		d.Level = level
		d.because("%s was requested", level)
		d.Next = q.number(level.part().apply(q.base()))
		return d, nil
	}
	next, err := Parse(q.Override)
	if err != nil {
		return d, fmt.Errorf("the requested bump is not major, minor, patch or a version: %w", err)
	}
	if q.Base != nil && next.Compare(*q.Base) <= 0 {
		return d, fmt.Errorf("%w: %s was requested, but %s is released", ErrBackwards, next, q.Base)
	}
	d.because("%s was requested", next)
	if next.IsFinal() {
		next = q.number(next)
	}
	d.Next = next
	return d, nil
}

func (q Question) bump(d Decision) (Decision, error) {
	next := Version{Minor: 1}
	if q.Base == nil {
		d.because("no version is released yet: the first one is %s", next)
	} else {
		if d.Level == LevelNone {
			d.Next = *q.Base
			return d, fmt.Errorf("%w: none of %s since %s asks for it", ErrNothing, commits(len(d.Reasons)), q.Base)
		}
		next = d.Level.part().apply(q.Base.Final())
	}
	if candidate, ok := q.newest(); ok && candidate.Compare(next) > 0 {
		d.because("%s is out already, so that %s would go backwards", candidate, next)
		next = candidate.Final()
	}
	d.Next = q.number(next)
	return d, nil
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

// number makes a candidate of a version, the next one of its kind.
func (q Question) number(next Version) Version {
	if q.Pre == "" {
		return next
	}
	last := next
	for _, c := range q.Candidates {
		same := c.Final().Compare(next) == 0 && preNumber(c.Pre, q.Pre) > 0
		if same && preNumber(c.Pre, q.Pre) > preNumber(last.Pre, q.Pre) {
			last.Pre = c.Pre
		}
	}
	return Bump{Pre: q.Pre}.Apply(last)
}
