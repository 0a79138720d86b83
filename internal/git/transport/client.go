package transport

import (
	"context"
	"errors"
	"io"
	"maps"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// Client asks one repository for refs and objects, and updates its refs. It keeps
// the connection, and what it has learned about the server, from one question to
// the next. It is for one goroutine at a time, and repeats nothing.
type Client struct {
	dialer dialer

	reader   session
	greeting *wire.Greeting
	answered bool // the reader has listed refs
	wrong    bool // the server did not take what most servers do: its greeting has to be read first
	noV2     bool // the server does not know protocol version 2
}

// Open prepares the way to a repository that is not on this machine. It uses no
// network yet. logf gets warnings.
func Open(a Access, e *Address, logf func(string, ...any)) (*Client, error) {
	var d dialer
	var err error
	switch e.Scheme {
	case "ssh":
		d, err = newSSHDialer(a, e, logf)
	case "git":
		d = &gitDialer{endpoint: e}
	default:
		d, err = dialHTTP(a, e, logf)
	}
	if err != nil {
		return nil, err
	}
	return &Client{dialer: d}, nil
}

// Close ends the connections.
func (c *Client) Close() error {
	var errs []error
	if c.reader != nil {
		errs = append(errs, c.reader.close())
		c.reader, c.greeting = nil, nil
	}
	return errors.Join(append(errs, c.dialer.close())...)
}

// Refs lists the refs whose full names begin with one of the prefixes, and possibly
// others. The commit of an annotated tag is under its name with "^{}" added.
func (c *Client) Refs(ctx context.Context, prefixes []string) (map[string]object.Hash, error) {
	refs, err := c.askRefs(ctx, prefixes)
	if err != nil {
		c.endReading()
	}
	return refs, err
}

// askRefs omits the greeting where that is possible, and falls back to the old
// protocol at any surprise.
func (c *Client) askRefs(ctx context.Context, prefixes []string) (map[string]object.Hash, error) {
	if c.answered || c.noV2 {
		c.forget() // the server's process keeps the values that it read first, or they are in its greeting
	}
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	if s.stateless() && c.greeting == nil && !c.noV2 {
		refs, err := c.lsRefs(ctx, s, prefixes)
		if err == nil || decides(err) || retry.TimedOut(err) || ctx.Err() != nil {
			return refs, err
		}
	}
	s, g, err := c.reading(ctx)
	if err != nil {
		return nil, err
	}
	if !g.V2 {
		c.noV2 = true
		return maps.Clone(g.Refs), nil
	}
	return c.lsRefs(ctx, s, prefixes)
}

func (c *Client) lsRefs(ctx context.Context, s session, prefixes []string) (refs map[string]object.Hash, err error) {
	body, err := s.ask(ctx, wire.LsRefs(prefixes))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	c.answered = !s.stateless()
	return wire.ReadRefs(wire.NewReader(body))
}

// Fetch hands the pack that answers a request to take. It omits the greeting where that is possible.
func (c *Client) Fetch(ctx context.Context, q wire.Fetch, take func(io.Reader) error) (*wire.Fetched, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	if s.stateless() && c.greeting == nil && !c.noV2 && !c.wrong {
		answer, began, err := c.fetchUngreeted(ctx, q, take)
		if err == nil || began || ctx.Err() != nil || decides(err) || wire.IsRefused(err) || IsTransient(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return answer, err
		}
	}
	s, g, err := c.reading(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := fetchOnce(ctx, s, g, q, take)
	if err != nil || !g.V2 {
		c.endReading()
	}
	return answer, err
}

// decides reports whether an answer without a greeting is the last word. It is not where a server redirects the greeting alone, as
// GitLab does for an address without .git.
func decides(err error) bool { return IsFinal(err) && !errors.Is(err, object.ErrNoRepository) }

// fetchUngreeted asks as most servers allow it. When that works, what the server can do is known.
func (c *Client) fetchUngreeted(ctx context.Context, q wire.Fetch, take func(io.Reader) error) (answer *wire.Fetched, began bool, err error) {
	usual := wire.Usual()
	answer, err = fetchOnce(ctx, c.reader, usual, q, func(r io.Reader) error {
		began = true
		return take(r)
	})
	switch {
	case began || err == nil:
		c.greeting = usual
	case !wire.IsRefused(err):
		c.wrong = true
	}
	return answer, began, err
}

func fetchOnce(ctx context.Context, s session, g *wire.Greeting, q wire.Fetch, take func(io.Reader) error) (answer *wire.Fetched, err error) {
	body, err := s.ask(ctx, q.Message(g))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	answer, pack, err := wire.ReadFetched(body, g, q)
	if err != nil {
		return nil, err
	}
	if err := take(pack); err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, pack) // up to the flush, so that the session goes on
	return answer, err
}

// Deepens reports whether the server can count the depth of a fetch from where
// history ends here.
func (c *Client) Deepens(ctx context.Context) bool {
	_, g, err := c.reading(ctx)
	return err == nil && g.Deepens() // after an error the fetch itself says what is wrong
}

// Filters reports whether the server can omit blobs from a fetch.
func (c *Client) Filters(ctx context.Context) bool {
	_, g, err := c.reading(ctx)
	return err == nil && g.Filters() // after an error the fetch itself says what is wrong
}

// reading returns a session for refs and objects, and its greeting.
func (c *Client) reading(ctx context.Context) (session, *wire.Greeting, error) {
	if c.reader != nil && c.greeting != nil {
		return c.reader, c.greeting, nil
	}
	s, err := c.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	g, err := s.greet(ctx)
	if err != nil {
		c.endReading()
		return nil, nil, err
	}
	c.greeting = g
	return s, g, nil
}

// session is the one for reading, which may not have been greeted.
func (c *Client) session(ctx context.Context) (session, error) {
	if c.reader == nil {
		s, err := c.dialer.dial(ctx, uploadPack, true)
		if err != nil {
			return nil, err
		}
		c.reader = s
	}
	return c.reader, nil
}

// endReading forgets a session over a connection that lasts; the next question
// begins another one. An error at its end has no consequence.
func (c *Client) endReading() {
	if c.reader != nil && !c.reader.stateless() {
		c.forget()
	}
}

func (c *Client) forget() {
	if c.reader != nil {
		_ = c.reader.close()
	}
	c.reader, c.greeting, c.answered = nil, nil, false
}

// Stateless reports whether each request stands alone, so that a push may begin long before it ends.
func (c *Client) Stateless() bool {
	_, http := c.dialer.(*httpDialer)
	return http
}

// Push is a session that updates refs, once.
type Push struct {
	session  session
	greeting *wire.Greeting
}

// Push begins a session. It changes nothing yet.
func (c *Client) Push(ctx context.Context) (*Push, error) {
	s, err := c.dialer.dial(ctx, receivePack, false)
	if err != nil {
		return nil, err
	}
	g, err := s.greet(ctx)
	if err != nil {
		_ = s.close()
		return nil, err
	}
	return &Push{s, g}, nil
}

// Refs are all refs of the repository when the session began.
func (p *Push) Refs() map[string]object.Hash { return p.greeting.Refs }

// Message is the request that updates refs, all of them or none, with the pack that
// write makes if any ref is set.
func (p *Push) Message(updates []object.Update, write func(io.Writer) error) ([]byte, error) {
	return wire.Push(p.greeting, updates, write)
}

// Send asks for the updates. A refusal is *Rejected. After other errors the server
// may have done what it was asked. unclear says that the refs must be read to find
// out what they have now.
func (p *Push) Send(ctx context.Context, message []byte, updates []object.Update) (unclear bool, err error) {
	body, err := p.session.ask(ctx, message)
	if err != nil {
		return !IsFinal(err), err
	}
	defer func() { _ = body.Close() }() // the report is what counts
	report, err := wire.ReadReport(body, p.greeting)
	if err != nil {
		return true, err
	}
	err = report.Verdict(updates)
	return wire.IsCollision(err), err
}

// Close ends the connections.
func (p *Push) Close() { _ = p.session.close() } // the report is what counts
