package ceplergate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/promotion"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Out keeps the pull request or, if params say so, first moves or approves the gate itself. It succeeds only
// when the remote has it.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p PutParams) (out Result, err error) {
	d, err := p.deed(src, step.Build)
	if err != nil {
		return out, err
	}
	if d == nil && src.GitHub == nil {
		return out, errors.New("source.github: is required to keep a pull request; or set params.open, close or approve")
	}
	w, err := open(src, step)
	if err != nil {
		return out, err
	}
	defer w.close()
	if d != nil {
		if err := w.act(ctx, *d, &out.Metadata); err != nil {
			return out, fmt.Errorf("%s the gate of %s: %w", d.Verb, src.Environment, err)
		}
	}
	if src.GitHub != nil {
		if err := w.propose(ctx, &out.Metadata); err != nil {
			return out, fmt.Errorf("propose the promotion to %s: %w", src.Environment, err)
		}
	}
	out.Version, err = w.newest(ctx)
	return out, err
}

// deed is what the params say; nil without any.
func (p PutParams) deed(src Source, build concourse.Build) (*promotion.Deed, error) {
	var verbs []string
	for _, v := range []struct {
		verb string
		set  bool
	}{{string(promotion.Open), p.Open}, {string(promotion.Close), p.Close}, {string(promotion.Approve), p.Approve}} {
		if v.set {
			verbs = append(verbs, v.verb)
		}
	}
	if len(verbs) == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	if len(verbs) > 1 {
		return nil, fmt.Errorf("params: %s exclude each other: set one of them", strings.Join(verbs, " and "))
	}
	d := &promotion.Deed{Verb: promotion.Verb(verbs[0]), By: person(build.CreatedBy)}
	if d.By == "" && (d.Verb == promotion.Approve || !src.AllowAnonymous) {
		advice := ""
		if d.Verb != promotion.Approve {
			advice = "; or set source.allow_anonymous: true"
		}
		return nil, fmt.Errorf("params.%s: nobody knows who started this build: Concourse did not say it (BUILD_CREATED_BY); set expose_build_created_by: true on the resource, and start the job by hand%s", d.Verb, advice)
	}
	return d, nil
}

// person is a name as a commit can have it.
func person(name string) string {
	return strings.TrimSpace(strings.NewReplacer("<", "", ">", "").Replace(visible.Line(name)))
}

// act does a deed on whatever the gates branch has.
func (w *world) act(ctx context.Context, d promotion.Deed, note *concourse.Metadata) error {
	w.remote.ExpectPush()
	view, err := w.view(ctx)
	if err != nil {
		return err
	}
	changed := false
	_, err = w.store.UpdateRef(ctx, w.src.GatesRef(), func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		changed = false
		if tip == nil {
			return nil, fmt.Errorf("branch %s: %w", w.src.GatesBranch, git.ErrNoBranch)
		}
		gates, data, err := w.repo.GatesAt(ctx, tip)
		if err != nil {
			return nil, err
		}
		done, err := promotion.Apply(ctx, w.repo, w.src.Source, view.WithGates(gates), data, d)
		if err != nil || bytes.Equal(done.Data, data) {
			w.step.Logf("%s", done.What)
			return nil, err
		}
		changed = true
		return w.store.Build(ctx, w.commit(tip, d, done))
	})
	if err == nil && changed {
		by := cmp.Or(d.By, "a build that nobody is known to have started")
		w.step.Logf("done: %s of the gate of %s by %s", d.Verb, w.src.Environment, by)
		note.Add(string(d.Verb), "by %s", by)
	}
	return err
}

// commit is the commit of a deed: its author is the person.
func (w *world) commit(tip *git.Commit, d promotion.Deed, done promotion.Edited) git.NewCommit {
	committer := w.src.Committer(time.Now())
	author := committer
	if d.By != "" {
		author.Name = d.By
	}
	message := done.What + "\n"
	if trailers := w.step.Build.Trailers(); len(trailers) > 0 {
		message += "\n" + strings.Join(trailers, "\n") + "\n"
	}
	return git.NewCommit{
		Parent: tip.Hash, Edits: map[string]git.Edit{w.src.GatesFile: {Content: done.Data}}, Author: author, Committer: committer, Message: message,
	}
}
