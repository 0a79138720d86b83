package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Remote is a repository that is reached as the source says. It is for one
// goroutine at a time.
type Remote struct {
	access   Access
	options  Options
	endpoint *endpoint
	dialer   dialer
	local    *localRepository // in place of a dialer

	reader   session
	greeting *greeting
	answered bool // the reader gave refs already
	old      bool // the server speaks no protocol version 2
	byHash   answerToWants
}

// Close ends the connections. Stores of this remote can't fetch afterwards.
func (r *Remote) Close() error {
	var errs []error
	if r.reader != nil {
		errs = append(errs, r.reader.close())
		r.reader, r.greeting = nil, nil
	}
	if r.dialer != nil {
		errs = append(errs, r.dialer.close())
	}
	return errors.Join(errs...)
}

// URL is the address without credentials.
func (r *Remote) URL() string { return r.endpoint.String() }

// WebURL is the address of the repository's page for people, "" when none is
// known.
func (r *Remote) WebURL() string { return r.endpoint.web() }

// Refs gives the values of refs by their full names; those that are not there
// are missing from the answer. An annotated tag's commit is under its name with
// "^{}" added. It is one request, and an empty repository has no refs.
func (r *Remote) Refs(ctx context.Context, names ...string) (map[string]Hash, error) {
	all, err := r.refs(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read the refs of %s: %w", r.URL(), err)
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name], wanted[name+"^{}"] = true, true
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
		all, err = r.local.allRefs()
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

func (r *Remote) refs(ctx context.Context, names []string) (map[string]Hash, error) {
	if r.local != nil {
		return r.local.refs(names)
	}
	return retry(ctx, r, "read the refs", func() (map[string]Hash, error) {
		refs, err := r.askRefs(ctx, names)
		if err != nil {
			r.endReading()
		}
		return refs, err
	})
}

// askRefs asks without a greeting where that is possible, and falls back to the
// old protocol at any surprise.
func (r *Remote) askRefs(ctx context.Context, names []string) (map[string]Hash, error) {
	if r.old {
		return r.greetingRefs(ctx)
	}
	if r.answered {
		r.endReading() // a server's process does not see that refs move
	}
	if r.reader == nil {
		s, err := r.dialer.dial(ctx, uploadPack, true)
		if err != nil {
			return nil, err
		}
		r.reader = s
	}
	if r.reader.stateless() && r.greeting == nil {
		refs, err := r.lsRefs(ctx, r.reader, names)
		if err == nil || isFinal(err) || ctx.Err() != nil {
			return refs, err
		}
	}
	s, g, err := r.reading(ctx)
	if err != nil {
		return nil, err
	}
	if !g.v2 {
		r.old = true
		return maps.Clone(g.refs), nil
	}
	return r.lsRefs(ctx, s, names)
}

// greetingRefs are the refs of a server that lists all of them first of all.
func (r *Remote) greetingRefs(ctx context.Context) (map[string]Hash, error) {
	if r.reader != nil {
		_ = r.reader.close()
		r.reader, r.greeting = nil, nil
	}
	_, g, err := r.reading(ctx)
	if err != nil {
		return nil, err
	}
	return maps.Clone(g.refs), nil
}

func (r *Remote) lsRefs(ctx context.Context, s session, names []string) (refs map[string]Hash, err error) {
	var w pktWriter
	w.line("command=ls-refs")
	w.line("agent=%s", agent)
	w.line("object-format=sha1")
	w.delimiter()
	w.line("peel")
	for _, name := range names {
		w.line("ref-prefix %s", name)
	}
	w.flush()
	body, err := s.ask(ctx, w.Bytes())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	r.answered = !s.stateless()
	return readRefs(newPktReader(body))
}

func (r *Remote) logf(format string, args ...any) {
	if r.options.Logf != nil {
		r.options.Logf("%s", r.scrub(fmt.Sprintf(format, args...)))
	}
}

// scrub takes secrets out of what a server or a library said.
func (r *Remote) scrub(text string) string {
	secrets := r.access.Secrets()
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "((redacted))")
		}
	}
	return text
}
