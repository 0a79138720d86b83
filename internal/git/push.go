package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
	"github.com/taxiway-ci/taxiway/internal/git/transport"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// Push sends what was built, which may be nothing, and moves refs, all of them
// or none. It is nil only if the remote really has it. Refs that have another
// value than Old are not touched: ErrNonFastForward. A refusal is *Rejected, with what
// the server said. When the connection breaks after sending, the refs are read
// again to find out.
func (r *Remote) Push(ctx context.Context, s *Store, b *Built, updates ...Update) error {
	if err := checkUpdates(updates); err != nil {
		return fmt.Errorf("push to %s: %w", r.URL(), err)
	}
	if r.access.SigningKey != "" && r.options.Sign == nil && b != nil {
		return fmt.Errorf("push to %s: the source has a signing_key, but the repository was opened without it", r.URL())
	}
	p := &push{remote: r, store: s, updates: updates}
	if b != nil {
		p.objects = b.Objects
	}
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("push to %s: %w", r.URL(), err)
	}
	s.pushed(p.objects, updates)
	return nil
}

func checkUpdates(updates []Update) error {
	if len(updates) == 0 {
		return errors.New("there is nothing to update")
	}
	seen := map[string]bool{}
	for _, u := range updates {
		if object.CheckRef(u.Ref) != nil || seen[u.Ref] {
			return fmt.Errorf("%q is not a full ref name, or is listed twice", u.Ref)
		}
		seen[u.Ref] = true
	}
	return nil
}

// pushed makes what was sent readable without fetching it.
func (s *Store) pushed(objects []Object, updates []Update) {
	if s.packs == nil {
		return
	}
	for _, o := range objects {
		if !s.Has(o.Hash) {
			s.made[o.Hash] = o
		}
	}
	for _, u := range updates {
		if _, ok := s.packs.State.Tips[u.Ref]; ok && s.objects.Has(u.New) {
			s.packs.State.Tips[u.Ref] = u.New
		}
	}
}

type push struct {
	remote  *Remote
	store   *Store
	updates []Update
	objects []Object
	// unsure says that a try was sent and its outcome was not heard: only then
	// can our commit be in a history that went on.
	unsure bool
}

func (p *push) run(ctx context.Context) error {
	if p.remote.local != nil {
		return p.remote.local.Push(p.objects, p.updates)
	}
	loop := retry.Loop{What: "push to " + p.remote.URL(), Logf: p.remote.logf, Again: func(err error) (time.Duration, bool) {
		undecided := (*undecidedError)(nil)
		return transport.RetryAfter(err), errors.As(err, &undecided)
	}}
	_, err := retry.Do(ctx, loop, func() (struct{}, error) { return struct{}{}, p.try(ctx) })
	return err
}

// undecidedError is a push that failed without moving a ref, for a reason that
// may pass.
type undecidedError struct{ error }

// Unwrap gives the reason.
func (e *undecidedError) Unwrap() error { return e.error }

// try pushes once. When the answer does not tell the outcome, it reads the refs
// to find out.
func (p *push) try(ctx context.Context) error {
	sent, unclear, err := p.once(ctx)
	var rejected *Rejected
	p.unsure = p.unsure || (sent && err != nil && !errors.As(err, &rejected))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && sent:
		return fmt.Errorf("%w while the server was at work: it is not known whether it accepted the push", context.Cause(ctx))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !unclear:
		return err
	}
	done, verdict := p.verdict(ctx)
	if verdict != nil {
		return fmt.Errorf("%w (before that: %w)", verdict, err)
	}
	if done {
		p.remote.logf("the push to %s went through, although: %v", p.remote.URL(), err)
		return nil
	}
	return &undecidedError{err}
}

// verdict decides from the values that the refs have now: done, not done (the
// same may be tried again), or ErrNonFastForward.
func (p *push) verdict(ctx context.Context) (done bool, err error) {
	names := make([]string, 0, len(p.updates))
	for _, u := range p.updates {
		names = append(names, u.Ref)
	}
	refs, err := p.remote.refs(ctx, names)
	if err != nil {
		return false, fmt.Errorf("it is not known whether the server accepted the push: %w", err)
	}
	return p.judge(ctx, refs)
}

func (p *push) judge(ctx context.Context, refs map[string]Hash) (done bool, err error) {
	unmoved := 0
	for _, u := range p.updates {
		switch now := refs[u.Ref]; now {
		case u.New:
		case u.Old:
			unmoved++
		default:
			landed, err := p.landed(ctx, u, now)
			if err != nil {
				return false, err
			}
			if !landed {
				return false, &object.NonFastForwardError{Ref: u.Ref, Old: u.Old, Seen: now}
			}
		}
	}
	return unmoved == 0, nil
}

// landed reports whether our commit is in the history of what a ref has now.
func (p *push) landed(ctx context.Context, u Update, now Hash) (bool, error) {
	if !p.unsure || now.IsZero() || u.New.IsZero() || !p.sends(u.New) {
		return false, nil
	}
	if err := p.store.Advance(ctx, u.Ref, now); err != nil {
		return false, fmt.Errorf("it is not known whether the server accepted the push: %w", err)
	}
	return p.store.IsAncestor(ctx, u.New, now)
}

func (p *push) sends(h Hash) bool {
	return slices.ContainsFunc(p.objects, func(o Object) bool { return o.Hash == h && o.Kind == plumbing.CommitObject })
}

// once tries to push. sent: the server may have it although there is an error.
// unclear: the error says nothing about the outcome.
func (p *push) once(ctx context.Context) (sent, unclear bool, err error) {
	s, err := p.remote.push(ctx, p.updates)
	if err != nil {
		return false, false, err
	}
	defer s.Close()
	done, err := p.judge(ctx, s.Refs())
	if err != nil || done {
		return false, false, err
	}
	pending := slices.DeleteFunc(slices.Clone(p.updates), func(u Update) bool { return s.Refs()[u.Ref] == u.New })
	message, err := s.Message(pending, func(w io.Writer) error { return pack.Write(w, p.objects) })
	if err != nil {
		return false, false, err
	}
	unclear, err = s.Send(ctx, message, pending)
	return true, unclear, err
}

// UpdateRef commits on top of whatever a ref has. build is called with the commit
// that the ref has now, nil when there is none, and again each time when someone
// else was faster; it gives nil when there is nothing to do. Refs in Built.Also
// move in the same push, all of them or none. It returns the commit
// that the remote has afterwards.
func (s *Store) UpdateRef(ctx context.Context, ref string, build func(ctx context.Context, tip *Commit) (*Built, error)) (*Commit, error) {
	if s.remote == nil {
		return nil, fmt.Errorf("update %s of %s: it was opened for reading only", ref, s.name)
	}
	var moved *object.NonFastForwardError
	loop := retry.Loop{
		What: fmt.Sprintf("update %s of %s", ref, s.name), Logf: s.remote.logf,
		Again: func(err error) (time.Duration, bool) { return 0, errors.As(err, &moved) },
	}
	return retry.Win(ctx, loop, func(paused bool) (*Commit, error) {
		if paused {
			moved = nil
		}
		return s.updateRefOnce(ctx, ref, moved, build)
	})
}

func (s *Store) updateRefOnce(ctx context.Context, ref string, moved *object.NonFastForwardError, build func(context.Context, *Commit) (*Built, error)) (*Commit, error) {
	tip, err := s.tip(ctx, ref, moved)
	if err != nil {
		return nil, err
	}
	built, err := build(ctx, tip)
	if err != nil || built == nil {
		return tip, err
	}
	u := Update{Ref: ref, New: built.Hash}
	if tip != nil {
		u.Old = tip.Hash
	}
	updates := append([]Update{u}, built.Also...)
	if u.Old == u.New {
		if updates = updates[1:]; len(updates) == 0 {
			return tip, nil
		}
	}
	if err := s.remote.Push(ctx, s, built, updates...); err != nil {
		return nil, err
	}
	return built.Commit, nil
}

// tip is the commit that a ref has, nil when there is none. A push that came too late has seen it already, and
// so has the last look at the refs: if that is outdated, the push will say so.
func (s *Store) tip(ctx context.Context, ref string, moved *object.NonFastForwardError) (*Commit, error) {
	refs := map[string]Hash{}
	last, asked := s.remote.last[ref]
	defer delete(s.remote.last, ref) // what it is after this is not known
	switch {
	case moved != nil && moved.Ref == ref && !moved.Seen.IsZero():
		refs[ref] = moved.Seen
	case asked && moved == nil && !last.IsZero():
		refs[ref] = last
	default:
		s.remote.ExpectPush()
		all, err := s.remote.Refs(ctx, ref)
		if err != nil {
			return nil, err
		}
		maps.Copy(refs, all)
	}
	h, ok := refs[ref]
	if !ok {
		return nil, nil //nolint:nilnil // no commit is an answer
	}
	if err := s.Advance(ctx, ref, h); err != nil {
		return nil, err
	}
	return s.Commit(ctx, h)
}
