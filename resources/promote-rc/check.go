package promoterc

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Check lists the pull requests that were merged since the given one, or only the
// newest. It asks the forge and never git: three requests when nothing was
// merged, and one more while a pull request is open.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	f, err := src.GitHub.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer f.Disconnect()
	j := judge{forge: f, src: src, logf: step.Logf}
	since, placed, err := j.place(ctx, given)
	if err != nil {
		return nil, err
	}
	merged, err := f.Merged(ctx, src.Branch, src.botBranch(), since)
	if err != nil {
		return nil, err
	}
	j.guardOpen(ctx)
	if !placed {
		return j.newest(ctx, merged)
	}
	return j.after(ctx, *given, merged)
}

// judge says which pull requests are releases.
type judge struct {
	forge *forge.Forge
	src   Source
	logf  func(format string, args ...any)
}

// place finds when the given version was merged.
func (j judge) place(ctx context.Context, given *Version) (merged time.Time, placed bool, err error) {
	if given == nil {
		return merged, false, nil
	}
	number := given.number()
	if number == 0 {
		j.logf("the version that was given names no pull request, so only the newest one is listed")
		return merged, false, nil
	}
	p, err := j.forge.PullByNumber(ctx, number)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		j.logf("pull request %d is not there any more, so only the newest one is listed", number)
		return merged, false, nil
	case err != nil:
		return merged, false, err
	case !p.Merged || p.MergeCommit != given.Commit:
		j.logf("pull request %d is not merged as %.7s, so only the newest one is listed", number, given.Commit)
		return merged, false, nil
	}
	return p.MergedAt, true, nil
}

// newest is the last release.
func (j judge) newest(ctx context.Context, merged []*forge.Pull) ([]Version, error) {
	for _, p := range slices.Backward(merged) {
		v, ok, err := j.version(ctx, p)
		if err != nil {
			return nil, err
		}
		if ok {
			return []Version{v}, nil
		}
	}
	return []Version{}, nil
}

// after are the given release and those after it.
func (j judge) after(ctx context.Context, given Version, merged []*forge.Pull) ([]Version, error) {
	at := slices.IndexFunc(merged, func(p *forge.Pull) bool { return strconv.Itoa(p.Number) == given.PR })
	versions := []Version{given}
	for _, p := range merged[at+1:] {
		v, ok, err := j.version(ctx, p)
		if err != nil {
			return nil, err
		}
		if ok {
			versions = append(versions, v)
		}
	}
	return versions, nil
}

// version is the release that a merged pull request stands for. One that stands
// for none is explained.
func (j judge) version(ctx context.Context, p *forge.Pull) (v Version, ok bool, err error) {
	if label := j.src.labels()[0]; !p.HasLabel(label) {
		j.logf("warning: pull request %d is not a release: it does not have the label %s (%s)", p.Number, label, p.URL)
		return v, false, nil
	}
	m, ok := parseMarker(p.Body)
	if !ok {
		j.logf("warning: pull request %d is not a release: its description does not say any more which candidate it is about (%s)", p.Number, p.URL)
		return v, false, nil
	}
	others, err := j.others(ctx, p)
	if errors.Is(err, forge.ErrTooManyFiles) {
		j.logf("warning: pull request %d is not a release: %v (%s)", p.Number, err, p.URL)
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	if len(others) > 0 {
		j.logf("warning: pull request %d is not a release of %s: it changes %s, and only %s may be changed (%s)",
			p.Number, m.version, listed(others), strings.Join(j.src.allowedFiles(), ", "), p.URL)
		return v, false, nil
	}
	return Version{PR: strconv.Itoa(p.Number), Version: m.version.String(), Commit: p.MergeCommit, Candidate: m.commit}, true, nil
}

// listed is a list that a line can bear.
func listed(names []string) string {
	const enough = 5
	return visible.List(names, enough)
}
