package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/local"
	"github.com/taxiway-ci/taxiway/internal/git/transport"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// Remote is a repository that is reached as the source says. It is for one
// goroutine at a time.
type Remote struct {
	access   Access
	options  Options
	endpoint *transport.Address
	client   *transport.Client
	local    *local.Repository // in place of a client
	byHash   answerToWants
	last     map[string]Hash // what Refs answered last; zero for a ref that was not there

	expectsPush bool
	begun       *transport.Push // by the last look at the refs; no push has used it
}

// Open prepares the way to a repository. It uses no network yet.
func Open(a Access, o Options) (*Remote, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	e, err := transport.ParseAddress(a.URI)
	if err != nil {
		return nil, err
	}
	r := &Remote{access: a, options: o, endpoint: e, last: map[string]Hash{}}
	for _, text := range a.Warnings() {
		r.logf("warning: %s", text)
	}
	if e.Scheme == "file" {
		r.local, err = local.Open(e.Path)
		if errors.Is(err, ErrNoRepository) && !filepath.IsAbs(e.Path) {
			err = fmt.Errorf("%w; the address of a server begins with https:// or ssh://, or is user@host:path", err)
		}
	} else {
		r.client, err = transport.Open(a, e, r.logf)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", e, err)
	}
	return r, nil
}

// Close ends the connections. Stores of this remote can't fetch afterwards.
func (r *Remote) Close() error {
	if r.client == nil {
		return nil
	}
	return r.client.Close()
}

// URL is the address without credentials.
func (r *Remote) URL() string { return r.endpoint.String() }

// WebURL is the address of the repository's page for people, "" when none is
// known.
func (r *Remote) WebURL() string { return r.endpoint.Web() }

// Refs gives the values of refs by their full names; those that are not there
// are missing from the answer. An annotated tag's commit is under its name with
// "^{}" added. It is one request, and an empty repository has no refs.
func (r *Remote) Refs(ctx context.Context, names ...string) (map[string]Hash, error) {
	all, err := r.look(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", r.URL(), err)
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name], wanted[name+"^{}"] = true, true
		r.last[name] = all[name]
	}
	maps.DeleteFunc(all, func(name string, _ Hash) bool { return !wanted[name] })
	return all, nil
}

// RefsUnder gives the values of all refs whose full names begin with one of the
// prefixes, as "refs/tags/". Annotated tags are as in Refs. It is one request.
func (r *Remote) RefsUnder(ctx context.Context, prefixes ...string) (map[string]Hash, error) {
	var all map[string]Hash
	var err error
	if r.local != nil {
		all, err = r.local.AllRefs()
	} else {
		all, err = r.refs(ctx, prefixes)
	}
	if err != nil {
		return nil, fmt.Errorf("list the refs of %s: %w", r.URL(), err)
	}
	maps.DeleteFunc(all, func(name string, _ Hash) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	return all, nil
}

// ExpectPush says that the next look at branches is for a push. Over HTTP a push begins with a list of the refs, so that the look is its
// beginning, and one request less.
func (r *Remote) ExpectPush() { r.expectsPush = r.client != nil && r.client.Stateless() }

// look reads the refs, by the beginning of a push if one is expected. Who may not push may still read, and is told when the push begins.
func (r *Remote) look(ctx context.Context, names []string) (map[string]Hash, error) {
	branches := !slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, "refs/heads/") })
	if r.expectsPush && branches { // a push lists no commits of tags
		r.expectsPush = false
		s, err := r.beginPush(ctx)
		if err == nil {
			r.begun = s
			return maps.Clone(s.Refs()), nil
		}
		if passes(err) || ctx.Err() != nil {
			return nil, err
		}
	}
	return r.refs(ctx, names)
}

// push begins a push, or goes on with the one that a look at the refs began, if they were then as the updates have them.
func (r *Remote) push(ctx context.Context, updates []Update) (*transport.Push, error) {
	s := r.begun
	r.begun = nil
	if s != nil && !slices.ContainsFunc(updates, func(u Update) bool { return s.Refs()[u.Ref] != u.Old }) {
		return s, nil
	}
	return r.beginPush(ctx)
}

func (r *Remote) beginPush(ctx context.Context) (*transport.Push, error) {
	return retry.Do(ctx, r.again("push"), func() (*transport.Push, error) { return r.client.Push(ctx) })
}

func (r *Remote) refs(ctx context.Context, names []string) (map[string]Hash, error) {
	if r.local != nil {
		return r.local.Refs(names)
	}
	return retry.Do(ctx, r.again("read the refs"), func() (map[string]Hash, error) { return r.client.Refs(ctx, names) })
}

// fetch hands the pack that answers a request to take. It tries again when the
// connection breaks, so take may be called more than once.
func (r *Remote) fetch(ctx context.Context, q wire.Fetch, take func(io.Reader) error) (*wire.Fetched, error) {
	return retry.Do(ctx, r.again("fetch"), func() (*wire.Fetched, error) { return r.client.Fetch(ctx, q, take) })
}

func (r *Remote) logf(format string, args ...any) {
	if r.options.Logf != nil {
		r.options.Logf(format, args...)
	}
}
