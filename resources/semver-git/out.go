package semvergit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Out sets or bumps the version. It succeeds only when the remote has it.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (Result, error) {
	b, err := openBranch(src, step.Logf)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = b.Close() }()
	if p.GetLatest {
		if !p.isZero() {
			step.Logf("warning: get_latest changes nothing, so bump, pre and build have no effect; to bump what the get delivers write them under get_params")
		}
		return b.latest(ctx)
	}
	put := &put{branch: b, step: step, params: p, now: time.Now()}
	if err := put.open(ctx); err != nil {
		return Result{}, err
	}
	defer func() { _ = put.close() }()
	tip, err := b.store.UpdateRef(ctx, src.ref(), put.build)
	if err != nil {
		return Result{}, put.explain(err)
	}
	return put.answer(ctx, tip)
}

// latest answers the version that holds now.
func (b *branch) latest(ctx context.Context) (Result, error) {
	tip, err := b.tip(ctx)
	if err != nil {
		return Result{}, err
	}
	v, err := b.current(ctx, tip)
	if err != nil {
		return Result{}, err
	}
	b.logf("the version is %s", v.Number)
	out := Result{Version: v}
	out.Metadata.Add("number", "%s", v.Number)
	return out, nil
}

// put is one put. What it decides is decided again whenever somebody else was
// faster.
type put struct {
	*branch
	step   concourse.Step
	params putParams
	now    time.Time

	wanted *version.Version // from params.file
	code   *code            // with params.repository

	tries int
	last  decision
}

func (p *put) open(ctx context.Context) error {
	if p.params.File != "" {
		v, err := version.Read(p.step.Artifacts(), p.params.File)
		if err != nil {
			return fmt.Errorf("params.file: %w", err)
		}
		p.wanted = &v
	}
	if p.params.Repository == "" {
		return nil
	}
	dir, err := p.step.Artifacts().Path(p.params.Repository)
	if err != nil {
		return fmt.Errorf("params.repository: %w", err)
	}
	if p.code, err = openCode(ctx, p.step.Dir, dir, p.branch); err != nil {
		return fmt.Errorf("params.repository %s: %w", p.params.Repository, err)
	}
	return nil
}

func (p *put) close() error {
	if p.code == nil {
		return nil
	}
	return p.code.Close()
}

// build makes the commit that the branch is to get, on top of tip; nothing when
// the branch is as asked already.
func (p *put) build(ctx context.Context, tip *git.Commit) (*git.Built, error) {
	p.tries++
	before, err := p.read(ctx, tip)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) && p.wanted != nil {
		p.logf("warning: it is replaced: %v", err)
		before, err = kept{}, nil
	}
	if err != nil {
		return nil, err
	}
	if p.code != nil {
		if err := p.code.follow(ctx, tip, p.tries); err != nil {
			return nil, err
		}
	}
	d, err := p.decide(ctx, before)
	if err != nil {
		return nil, err
	}
	if err := p.sameCandidate(ctx, tip, d); err != nil {
		return nil, err
	}
	if d.tag, err = p.chooseTag(ctx, d); err != nil {
		return nil, err
	}
	p.last = d
	if d.settled != nil || d.unchanged() && d.tag.update == nil {
		return nil, nil //nolint:nilnil // nothing to do
	}
	built, err := p.commitOf(ctx, tip, d)
	if err == nil {
		d.tag.addTo(built)
	}
	return built, err
}

// commitOf is the commit with the version, or the tip itself when only a tag is
// missing.
func (p *put) commitOf(ctx context.Context, tip *git.Commit, d decision) (*git.Built, error) {
	if d.unchanged() {
		return &git.Built{Hash: tip.Hash, Commit: tip}, nil
	}
	number := d.next.String()
	m := message{subject: p.src.subject(number), build: p.step.Build}
	edits := map[string]git.Edit{p.src.file(): {Content: []byte(number + "\n")}}
	switch {
	case d.marks != nil: // it was released before: its notes and its entry are written
		m.commit, m.tag = d.marks.Commit, d.marks.Name
	case p.code != nil:
		notes, err := p.code.notes(ctx, d.next, p.now)
		if err != nil {
			return nil, err
		}
		prefix, err := p.code.TagPrefix(ctx)
		if err != nil {
			return nil, err
		}
		m.notes, m.commit, m.tag = string(notes), p.code.Head(), d.next.Tag(prefix)
		if p.params.Changelog != "" {
			if err := p.editChangelog(ctx, tip, edits, notes, d.next); err != nil {
				return nil, fmt.Errorf("params.changelog: %w", err)
			}
		}
	}
	spec := git.NewCommit{Edits: edits, Committer: p.src.access().Committer(p.now), Message: m.String()}
	if tip != nil {
		spec.Parent = tip.Hash
	}
	return p.store.Build(ctx, spec)
}

// explain adds to an error what this resource knows about it.
func (p *put) explain(err error) error {
	var rejected *git.Rejected
	if errors.As(err, &rejected) {
		return fmt.Errorf("version %s was not set: %w", p.last.next, err)
	}
	return err
}

// answer tells what was done.
func (p *put) answer(ctx context.Context, tip *git.Commit) (Result, error) {
	d := p.last
	out := Result{Version: Version{Number: d.next.String()}}
	done := d.settled == nil && !d.unchanged()
	switch {
	case d.settled != nil:
		out.Version = *d.settled
	case done:
		out.Version.Commit = tip.Hash.String()
	default:
		v, err := p.current(ctx, tip)
		if err != nil {
			return out, err
		}
		out.Version = v
	}
	p.tell(d, done)
	out.Metadata = p.metadata(d, out.Version, done)
	return out, nil
}

func (p *put) tell(d decision, done bool) {
	for _, line := range d.why {
		p.logf("%s", line)
	}
	switch {
	case done:
		p.logf("%s on branch %s is now %s, after %s", p.src.File, p.src.Branch, d.next, d.before)
	case d.settled != nil:
		p.logf("this commit is %s already", d.settled.Number)
	default:
		p.logf("%s on branch %s is %s already", p.src.File, p.src.Branch, d.next)
	}
	if d.tag.update != nil {
		p.logf("tag %s marks %s", d.tag.name, short(p.code.Head()))
	}
}

func (p *put) metadata(d decision, v Version, done bool) concourse.Metadata {
	var m concourse.Metadata
	m.Add("number", "%s", v.Number)
	if done {
		m.Add("previous", "%s", d.before)
	}
	if p.code != nil {
		m.Add("code", "%s", p.code.Head())
	}
	if d.tag.name != "" {
		m.Add("tag", "%s", d.tag.name)
	}
	for _, line := range d.why {
		m.Add("because", "%s", line)
	}
	if web := p.remote.WebURL(); web != "" && v.Commit != "" {
		m.Add("url", "%s/commit/%s", web, v.Commit)
	}
	return m
}
