package release

import (
	"context"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// Request says how the next version is decided.
type Request struct {
	// Rules say what commits ask for; their TagPrefix is not used here.
	Rules version.Rules
	// Pre, Final and Override are as in version.Question.
	Pre      string
	Final    bool
	Override string
	// Known are versions that are known from elsewhere, for instance from the
	// branch that keeps the version.
	Known []version.Version
}

// Decide finds the next version. Candidates that lie on other lines of history
// count only where the number would be taken twice. Its errors are those of
// version.Decide, and [ErrShallow].
func (c *Code) Decide(ctx context.Context, w Request) (version.Decision, error) {
	base, line, tags, err := c.known(ctx)
	if err != nil {
		return version.Decision{}, err
	}
	q := version.Question{
		Candidates: slices.Clone(w.Known), Commits: line.commits, Rules: w.Rules,
		Pre: w.Pre, Final: w.Final, Override: w.Override,
	}
	if base != nil {
		q.Base = &base.Version
	}
	var others []version.Version
	for _, t := range tags {
		if line.has[t.Commit] {
			q.Candidates = append(q.Candidates, t.Version)
		} else {
			others = append(others, t.Version)
		}
	}
	d, err := version.Decide(q)
	if err != nil {
		return d, err
	}
	taken := slices.DeleteFunc(others, func(v version.Version) bool { return v.Final().Compare(d.Next.Final()) != 0 })
	if len(taken) == 0 {
		return d, nil
	}
	q.Candidates = append(q.Candidates, taken...)
	return version.Decide(q)
}

// Entry is what notes are written about.
type Entry struct {
	Version version.Version
	Date    time.Time
	Rules   version.Rules
	Links   version.Links
}

// Notes are those of a version that is released at the commit: of all commits
// since the final version before it.
func (c *Code) Notes(ctx context.Context, e Entry) ([]byte, error) {
	final := e.Version.Final()
	base, err := c.baseBelow(ctx, &final)
	if err != nil {
		return nil, err
	}
	line, err := c.line(ctx, base)
	if err != nil {
		return nil, err
	}
	in := version.NotesInput{Version: e.Version, Date: e.Date, Commits: line.commits, Rules: e.Rules, Links: e.Links}
	if base != nil {
		in.Previous = &base.Version
	}
	return version.Notes(in), nil
}
