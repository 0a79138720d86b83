package semvergit

import (
	"context"
	"errors"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// decision is what a put found out.
type decision struct {
	before kept
	next   version.Version
	// settled is the version that the commit has already, from an earlier put.
	settled *Version
	// keep says that nothing is to be released. The version is then the present one, and marks the
	// tag that says so, if none lower is on the branch.
	keep  bool
	marks *release.Tag
	why   []string
	tag   tagging
}

// unchanged says that the branch has the version already.
func (d decision) unchanged() bool {
	return (d.keep || d.before.exists) && d.before.number.String() == d.next.String()
}

var errBackwards = errors.New("the version would become lower")

// decide chooses the next version.
func (p *put) decide(ctx context.Context, before kept) (decision, error) {
	d := decision{before: before}
	var err error
	switch {
	case p.wanted != nil:
		d.next = *p.wanted
	case p.code != nil && p.params.Bump != "final" && p.params.Bump != "":
		d, err = p.fromCommits(ctx, before)
	default:
		d.next, err = p.bumped(before.number)
	}
	if err != nil || d.settled != nil || d.keep {
		return d, err
	}
	if p.said() && before.exists && d.next.Compare(before.number) < 0 && !p.params.AllowDowngrade {
		return d, fmt.Errorf("%w: %s on branch %s has %s, and %s was to be set%s; params.allow_downgrade: true permits it",
			errBackwards, p.src.File, p.src.Branch, before.number, d.next, p.untagged(before.number))
	}
	return d, nil
}

// said says that the version does not come from the one before it, by the
// arithmetic of the older type: that may step from rc.3 to alpha.1.
func (p *put) said() bool {
	return p.wanted != nil || p.params.wholeVersion() || p.code != nil && p.params.Bump != "final" && p.params.Bump != ""
}

// untagged is a hint for a version that is final but has no tag, so that it is
// not seen in the code's history.
func (p *put) untagged(v version.Version) string {
	if p.code == nil || !v.IsFinal() || p.params.Bump != conventional {
		return ""
	}
	return fmt.Sprintf(" (no tag says which commit %s is: tag it, or set fetch_tags: true in the git resource)", v)
}

// bumped is the arithmetic of the older type, and a whole version for one run.
func (p *put) bumped(v version.Version) (version.Version, error) {
	if p.params.wholeVersion() {
		wanted, err := version.Parse(p.params.Bump)
		if err != nil {
			return v, err
		}
		if p.params.Pre != "" && v.Final().Compare(wanted) == 0 && !v.IsFinal() {
			wanted = v // count its candidates on
		}
		return version.Bump{Pre: p.params.Pre}.Apply(wanted), nil
	}
	bump, err := p.params.bump()
	return bump.Apply(v), err
}

// fromCommits asks the code's history.
func (p *put) fromCommits(ctx context.Context, before kept) (decision, error) {
	d := decision{before: before}
	override := p.params.Bump
	if override == conventional {
		override = ""
	}
	known, err := p.known(ctx)
	if err != nil {
		return d, err
	}
	answer, err := p.code.decide(ctx, known, p.params.Pre, override)
	if err == nil && override == "" {
		err = p.isFirst(answer, before)
	}
	if errors.Is(err, version.ErrNothing) {
		keep, failed := p.keeps(ctx, before, err)
		if failed != nil {
			return d, failed
		}
		if keep {
			return p.present(ctx, before, append([]string{err.Error()}, reasons(answer)...))
		}
		answer, err = p.code.decide(ctx, known, p.params.Pre, "patch")
	}
	if err != nil {
		return d, err
	}
	if p.params.Tag && p.params.Pre != "" {
		var marks release.Tag
		d.settled, marks, err = p.settled(ctx, answer.Next)
		if d.settled != nil {
			answer.Next, d.tag.name = marks.Version, marks.Name
		}
	}
	d.next, d.why = answer.Next, explain(answer)
	return d, err
}

// isFirst is [version.ErrNothing] when no version is released, no commit asks for one, and a first
// release would be lower than what the branch says, or is not to be made for nothing.
func (p *put) isFirst(answer version.Decision, before kept) error {
	if answer.Base != nil || answer.Level != version.LevelNone {
		return nil
	}
	lower := before.exists && answer.Next.Compare(before.number) < 0
	if p.params.NoBump != fail && !lower {
		return nil
	}
	return fmt.Errorf("%w: no version is tagged yet, and no commit asks for one", version.ErrNothing)
}

// keeps reports whether the present version stays, as no commit asks for another one; not if
// no_bump is patch. With no_bump: fail its error is the put's.
func (p *put) keeps(ctx context.Context, before kept, nothing error) (bool, error) {
	released, err := p.isReleased(ctx, before)
	switch {
	case err != nil:
		return false, err
	case released:
		return true, nil
	case p.params.NoBump == fail:
		now, err := p.present(ctx, before, nil)
		if err != nil {
			return false, err
		}
		return false, fmt.Errorf("%w; no_bump: keep would succeed with %s, and no_bump: patch release a patch", nothing, now.next)
	}
	return p.params.NoBump != "patch", nil
}

// present is the decision to keep the higher of what the branch and the tags say.
func (p *put) present(ctx context.Context, before kept, why []string) (decision, error) {
	d := decision{before: before, next: before.number, keep: true, why: why}
	newest, err := p.code.Newest(ctx)
	if err != nil || newest == nil {
		return d, err
	}
	if !before.exists || newest.Version.Compare(before.number) > 0 {
		d.next, d.marks = newest.Version, newest
	}
	return d, nil
}

// isReleased reports whether an earlier put released this very commit, and
// nothing else was set since: putting it again does no harm.
func (p *put) isReleased(ctx context.Context, before kept) (bool, error) {
	if p.params.Pre != "" || !before.exists {
		return false, nil
	}
	base, err := p.code.Base(ctx)
	if err != nil || base == nil {
		return false, err
	}
	return base.Commit == p.code.Head() && base.Version.String() == before.number.String(), nil
}

// maxReasons bounds the commits that are listed.
const maxReasons = 15

// explain is the choice in words, one line for each commit that decided.
func explain(a version.Decision) []string {
	head := fmt.Sprintf("%s: %s", a.Next, a.Level)
	if a.Base != nil {
		head += " since " + a.Base.String()
	}
	return append([]string{head}, reasons(a)...)
}

func reasons(a version.Decision) []string {
	var lines []string
	all := a.Deciding()
	if len(all) == 0 {
		all = a.Reasons
	}
	for i, r := range all {
		if i == maxReasons {
			return append(lines, fmt.Sprintf("and %d more", len(all)-i))
		}
		if r.Hash == "" {
			lines = append(lines, r.Rule)
			continue
		}
		lines = append(lines, fmt.Sprintf("%.7s %s (%s)", r.Hash, r.Subject, r.Rule))
	}
	return lines
}
