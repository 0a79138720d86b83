package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

const (
	pushTries = 4
	lockWait  = 200 * time.Millisecond // at most, when another push holds a lock
)

// movedError is ErrMoved with the value that was found.
type movedError struct {
	ref       string
	old, seen Hash
}

// Error names both values.
func (e *movedError) Error() string {
	return fmt.Sprintf("%s: %s: it is %s, not %s", e.ref, ErrMoved.Error(), describe(e.seen), describe(e.old))
}

// Is makes it an ErrMoved.
func (e *movedError) Is(target error) bool { return target == ErrMoved }

func describe(h Hash) string {
	if h.IsZero() {
		return "not there"
	}
	return h.String()
}

// Push sends what was built, which may be nothing, and moves refs, all of them
// or none. It is nil only if the remote really has it. Refs that have another
// value than Old are not touched: ErrMoved. A refusal is *Rejected, with what
// the server said. When the connection breaks after sending, the refs are read
// again to find out.
func (r *Remote) Push(ctx context.Context, s *Store, b *Built, updates ...Update) error {
	if err := checkUpdates(updates); err != nil {
		return fmt.Errorf("push to %s: %w", r.URL(), err)
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
		if !strings.HasPrefix(u.Ref, "refs/") || checkBranch(u.Ref) != nil || seen[u.Ref] {
			return fmt.Errorf("%q is no full name of a ref, or is there twice", u.Ref)
		}
		seen[u.Ref] = true
	}
	return nil
}

// pushed makes what was sent readable without fetching it.
func (s *Store) pushed(objects []plumbing.EncodedObject, updates []Update) {
	if s.packs == nil {
		return
	}
	for _, o := range objects {
		if content, err := contentOf(o); err == nil && !s.Has(o.Hash()) {
			s.made[o.Hash()] = wholeObject{o.Type(), content}
		}
	}
	for _, u := range updates {
		if _, ok := s.packs.state.tips[u.Ref]; ok && s.objects.has(u.New) {
			s.packs.state.tips[u.Ref] = u.New
		}
	}
}

func contentOf(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

type push struct {
	remote  *Remote
	store   *Store
	updates []Update
	objects []plumbing.EncodedObject
	// unsure says that a try was sent and its outcome was not heard: only then
	// can our commit be in a history that went on.
	unsure bool
}

func (p *push) run(ctx context.Context) error {
	if p.remote.local != nil {
		return p.remote.local.push(p.objects, p.updates)
	}
	var err error
	for try := range pushTries {
		if try > 0 {
			wait := time.Duration(rand.Int64N(int64(lockWait) << try))
			if seconds, ok := wishedWait(err); ok {
				wait += time.Duration(seconds) * time.Second
			}
			if err := httpclient.Sleep(ctx, wait); err != nil {
				return err
			}
		}
		var sent, again bool
		sent, again, err = p.once(ctx)
		var rejected *Rejected
		p.unsure = p.unsure || (sent && err != nil && !errors.As(err, &rejected))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && sent:
			return fmt.Errorf("%w while the server was at work: whether it took the push is not known", context.Cause(ctx))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !again:
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
		p.remote.logf("push to %s: %v: trying again", p.remote.URL(), err)
	}
	return err
}

// verdict decides from the values that the refs have now: done, not done (the
// same may be tried again), or ErrMoved.
func (p *push) verdict(ctx context.Context) (done bool, err error) {
	names := make([]string, 0, len(p.updates))
	for _, u := range p.updates {
		names = append(names, u.Ref)
	}
	refs, err := p.remote.refs(ctx, names)
	if err != nil {
		return false, fmt.Errorf("whether the server took the push is not known: %w", err)
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
				return false, &movedError{u.Ref, u.Old, now}
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
		return false, fmt.Errorf("whether the server took the push is not known: %w", err)
	}
	return p.store.IsAncestor(ctx, u.New, now)
}

func (p *push) sends(h Hash) bool {
	return slices.ContainsFunc(p.objects, func(o plumbing.EncodedObject) bool { return o.Hash() == h && o.Type() == plumbing.CommitObject })
}

// once tries to push. sent: the server may have it although there is an error.
// again: the error says nothing about the outcome.
func (p *push) once(ctx context.Context) (sent, again bool, err error) {
	s, g, err := p.greeted(ctx)
	if err != nil {
		return false, false, err
	}
	defer func() { _ = s.close() }() // the report is what counts
	done, err := p.judge(ctx, g.refs)
	if err != nil || done {
		return false, false, err
	}
	pending := slices.DeleteFunc(slices.Clone(p.updates), func(u Update) bool { return g.refs[u.Ref] == u.New })
	message, err := p.message(g, pending)
	if err != nil {
		return false, false, err
	}
	var said strings.Builder
	body, err := s.ask(ctx, message)
	if err != nil {
		return true, !isFinal(err), err
	}
	defer func() { _ = body.Close() }()
	report, err := readReport(body, g, &said)
	if err != nil {
		return true, true, err
	}
	err = report.verdict(pending, p.remote.scrub(said.String()))
	return true, isCollision(err), err
}

// greeted opens a session for pushing. That may be repeated freely.
func (p *push) greeted(ctx context.Context) (session, *greeting, error) {
	var s session
	g, err := retry(ctx, p.remote, "push", func() (*greeting, error) {
		var err error
		if s, err = p.remote.dialer.dial(ctx, receivePack, false); err != nil {
			return nil, err
		}
		g, err := s.greet(ctx)
		if err != nil {
			_ = s.close()
		}
		return g, err
	})
	return s, g, err
}

// message is the request of git-receive-pack, see gitprotocol-pack(5).
func (p *push) message(g *greeting, updates []Update) ([]byte, error) {
	if len(updates) > 1 && !g.supports("atomic") {
		return nil, errors.New("the server can't update several refs at once, so it would be possible that only a part of them is updated")
	}
	use := []string{"agent=" + agent}
	for _, c := range []string{"report-status", "side-band-64k"} {
		if g.supports(c) {
			use = append(use, c)
		}
	}
	if len(updates) > 1 {
		use = append(use, "atomic")
	}
	if _, ok := g.can["object-format"]; ok {
		use = append(use, "object-format=sha1")
	}
	var w pktWriter
	deletes := true
	for i, u := range updates {
		text := fmt.Sprintf("%s %s %s", u.Old, u.New, u.Ref)
		if i == 0 {
			text += "\x00 " + strings.Join(use, " ")
		}
		fmt.Fprintf(&w.Buffer, "%04x%s", len(text)+4, text)
		deletes = deletes && u.New.IsZero()
	}
	w.flush()
	if !deletes {
		if err := writePack(&w.Buffer, p.objects); err != nil {
			return nil, err
		}
	}
	return w.Bytes(), nil
}

// writePack makes a pack without deltas.
func writePack(w *bytes.Buffer, objects []plumbing.EncodedObject) error {
	start := w.Len()
	w.WriteString("PACK")
	writeUint32(w, 2, len(objects))
	for _, o := range objects {
		content, err := contentOf(o)
		if err != nil {
			return err
		}
		writeObjectHeader(w, o.Type(), len(content))
		z := zlib.NewWriter(w)
		if _, err := z.Write(content); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
	}
	w.Write(checksum(w.Bytes()[start:]))
	return nil
}

// report is the server's word on each ref; "" is success.
type report struct {
	unpack string
	refs   map[string]string
	known  bool // the server reports at all
}

func readReport(body io.Reader, g *greeting, said *strings.Builder) (*report, error) {
	r := &report{refs: map[string]string{}, known: g.supports("report-status")}
	p := newPktReader(body)
	if g.supports("side-band-64k") {
		band := &sideband{pkts: p, says: func(text string) {
			if said.Len() < maxSaid {
				said.WriteString(text)
			}
		}}
		defer func() { _, _ = io.Copy(io.Discard, band) }() // the server's last words
		p = newPktReader(band)
	}
	if !r.known {
		return r, nil
	}
	for first := true; ; first = false {
		text, ok, err := p.line()
		if err != nil {
			return nil, err
		}
		if !ok {
			return r, nil
		}
		if err := r.add(text, first); err != nil {
			return nil, err
		}
	}
}

// maxSaid bounds the words of a server, in bytes.
const maxSaid = 16 << 10

func (r *report) add(text string, first bool) error {
	what, rest, _ := strings.Cut(text, " ")
	ref, reason, _ := strings.Cut(rest, " ")
	switch {
	case first && what == "unpack":
		if rest != "ok" {
			r.unpack = rest
		}
	case what == "ok":
		r.refs[ref] = ""
	case what == "ng":
		if reason == "" {
			reason = "no reason given"
		}
		r.refs[ref] = reason
	case what == "option":
	default:
		return fmt.Errorf("%w: %.80q in the report of a push", errProtocol, text)
	}
	return nil
}

// errUnreported is a push of which the server said nothing.
var errUnreported = errors.New("the server does not say whether it took the push")

func (r *report) verdict(updates []Update, said string) error {
	if !r.known {
		return errUnreported
	}
	// Of several refs that fail together, one has the reason.
	var rejected *Rejected
	for _, u := range updates {
		reason, ok := r.refs[u.Ref]
		if !ok {
			return fmt.Errorf("%s: %w", u.Ref, errUnreported)
		}
		if reason != "" && (rejected == nil || rejected.Reason == atomicFailed) {
			rejected = &Rejected{Ref: u.Ref, Reason: reason, Remote: said}
		}
	}
	if r.unpack != "" {
		return &Rejected{Ref: updates[0].Ref, Reason: "the server could not store the objects: " + r.unpack, Remote: said}
	}
	if rejected != nil {
		return rejected
	}
	return nil
}

const atomicFailed = "atomic push failure"

// isCollision says that a push may have failed only because another one was at
// work, so that the values of the refs have to be looked at.
func isCollision(err error) bool {
	var r *Rejected
	if errors.Is(err, errUnreported) {
		return true
	}
	if !errors.As(err, &r) {
		return false
	}
	reason := strings.ToLower(r.Reason)
	return slices.ContainsFunc([]string{
		"failed to update ref", "failed to lock", "cannot lock", "could not lock", "unable to lock", "lock exists", "already exists",
		"atomic", "transaction", "fetch first", "non-fast-forward", "stale info", "reference does not exist", "is at ", "migrat",
	}, func(words string) bool { return strings.Contains(reason, words) })
}

// Change commits on top of whatever a ref has. build is called with the commit
// that the ref has now, nil when there is none, and again each time when someone
// else was faster; it gives nil when there is nothing to do. Refs in Built.Also
// move in the same push, all of them or none. What Change gives is the commit
// that the remote has afterwards.
func (s *Store) Change(ctx context.Context, ref string, build func(ctx context.Context, tip *Commit) (*Built, error)) (*Commit, error) {
	if s.remote == nil {
		return nil, fmt.Errorf("change %s of %s: it was opened for reading only", ref, s.name)
	}
	var moved *movedError
	for try := range changeTries {
		start := time.Now()
		done, err := s.changeOnce(ctx, ref, moved, build)
		switch {
		case err == nil:
			return done, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("change %s of %s: %w", ref, s.name, err)
		case !errors.As(err, &moved):
			return nil, err
		}
		if try == 0 || (try+1)%tellEvery == 0 {
			s.remote.logf("%s of %s was moved by someone else, trying again (%d)", ref, s.name, try+1)
		}
		// A try takes the longer the more writers there are, so that it measures
		// how far apart they have to come.
		longest := max(int64(shortestPause)<<min(try, longestPauses), int64(time.Since(start))<<min(try, 2))
		if err := httpclient.Sleep(ctx, time.Duration(rand.Int64N(longest))); err != nil {
			return nil, fmt.Errorf("change %s of %s: after %d tries, as others were always faster: %w", ref, s.name, try+1, err)
		}
	}
	return nil, fmt.Errorf("change %s of %s: someone else pushed each time, gave up after %d tries: %w", ref, s.name, changeTries, moved)
}

const (
	changeTries   = 200
	tellEvery     = 10
	shortestPause = 50 * time.Millisecond
	longestPauses = 5 // doublings of the pause
)

func (s *Store) changeOnce(ctx context.Context, ref string, moved *movedError, build func(context.Context, *Commit) (*Built, error)) (*Commit, error) {
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

// tip is the commit that a ref has, nil when there is none. A push that came too
// late has seen it already.
func (s *Store) tip(ctx context.Context, ref string, moved *movedError) (*Commit, error) {
	refs := map[string]Hash{}
	if moved != nil && moved.ref == ref && !moved.seen.IsZero() {
		refs[ref] = moved.seen
	} else {
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
