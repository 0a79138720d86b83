package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// What a fetch leaves out, see --filter in git-rev-list(1).
const (
	noBlobs = "blob:none"
	noTrees = "tree:0"
)

// everything is the depth that git takes for no limit.
const everything = 1<<31 - 1

// fetchRequest asks for objects.
type fetchRequest struct {
	wants []Hash
	// haves are commits that are here with all of their trees.
	haves []Hash
	// shallow are all commits here whose parents are not.
	shallow []Hash
	// depth cuts history off after so many commits; 0 does not.
	depth int
	// relative counts depth from the commits in shallow on.
	relative bool
	// filter is dropped for servers that know none.
	filter string
}

// fetchAnswer is what comes with the objects.
type fetchAnswer struct{ shallow, unshallow []Hash }

// fetch hands the pack that answers a request to take. It tries again when the
// connection breaks, so take may be called more than once.
func (r *Remote) fetch(ctx context.Context, q fetchRequest, take func(io.Reader) error) (*fetchAnswer, error) {
	return retry(ctx, r, "fetch", func() (*fetchAnswer, error) {
		s, g, err := r.reading(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := fetchOnce(ctx, s, g, q, take)
		if err != nil || !g.v2 {
			r.endReading()
		}
		return answer, err
	})
}

func fetchOnce(ctx context.Context, s session, g *greeting, q fetchRequest, take func(io.Reader) error) (answer *fetchAnswer, err error) {
	message := q.v0(g)
	if g.v2 {
		message = q.v2(g)
	}
	body, err := s.ask(ctx, message)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	pkts := newPktReader(body)
	var pack io.Reader
	if g.v2 {
		answer, pack, err = readFetchV2(pkts)
	} else {
		answer, pack, err = readFetchV0(pkts, g, q)
	}
	if err != nil {
		return nil, err
	}
	if err := take(pack); err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, pack) // up to the flush, so that the session goes on
	return answer, err
}

func (q fetchRequest) v2(g *greeting) []byte {
	var w pktWriter
	w.line("command=fetch")
	w.line("agent=%s", agent)
	if g.supports("object-format") {
		w.line("object-format=sha1")
	}
	w.delimiter()
	w.line("thin-pack")
	w.line("no-progress")
	w.line("ofs-delta")
	if g.fetches("shallow") {
		if q.relative {
			w.line("deepen-relative")
		}
		q.history(&w)
	}
	if q.filter != "" && g.fetches("filter") {
		w.line("filter %s", q.filter)
	}
	for _, h := range q.wants {
		w.line("want %s", h)
	}
	for _, h := range q.haves {
		w.line("have %s", h)
	}
	w.line("done")
	w.flush()
	return w.Bytes()
}

func (q fetchRequest) history(w *pktWriter) {
	for _, h := range q.shallow {
		w.line("shallow %s", h)
	}
	if q.depth > 0 {
		w.line("deepen %d", q.depth)
	}
}

// v0 is the message of the older protocol, see gitprotocol-pack(5).
func (q fetchRequest) v0(g *greeting) []byte {
	var w pktWriter
	asked := []string{"multi_ack_detailed", "side-band-64k", "thin-pack", "ofs-delta", "no-progress"}
	if q.relative {
		asked = append(asked, "deepen-relative")
	}
	if q.filter != "" {
		asked = append(asked, "filter")
	}
	var use []string
	for _, c := range asked {
		if g.supports(c) {
			use = append(use, c)
		}
	}
	if g.supports("agent") {
		use = append(use, "agent="+agent)
	}
	for i, h := range q.wants {
		if i == 0 {
			w.line("want %s %s", h, strings.Join(use, " "))
		} else {
			w.line("want %s", h)
		}
	}
	if g.supports("shallow") {
		q.history(&w)
	}
	if q.filter != "" && g.supports("filter") {
		w.line("filter %s", q.filter)
	}
	w.flush()
	for _, h := range q.haves {
		w.line("have %s", h)
	}
	w.line("done")
	return w.Bytes()
}

// readFetchV2 reads the sections before the pack.
func readFetchV2(p *pktReader) (*fetchAnswer, io.Reader, error) {
	answer := &fetchAnswer{}
	for {
		section, ok, err := p.line()
		switch {
		case err != nil:
			return nil, nil, err
		case !ok:
			return nil, nil, fmt.Errorf("%w: no pack", errProtocol)
		case section == "packfile":
			return answer, &sideband{pkts: p}, nil
		}
		for {
			text, ok, err := p.line()
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				break
			}
			if section == "shallow-info" {
				answer.add(text)
			}
		}
	}
}

func (a *fetchAnswer) add(text string) bool {
	what, id, _ := strings.Cut(text, " ")
	switch {
	case !plumbing.IsHash(id):
		return false
	case what == "shallow":
		a.shallow = append(a.shallow, plumbing.NewHash(id))
	case what == "unshallow":
		a.unshallow = append(a.unshallow, plumbing.NewHash(id))
	default:
		return false
	}
	return true
}

// readFetchV0 reads what comes before the pack: where history is cut, when that
// was asked for, then what the server has in common.
func readFetchV0(p *pktReader, g *greeting, q fetchRequest) (*fetchAnswer, io.Reader, error) {
	answer := &fetchAnswer{}
	cut := q.depth > 0 && g.supports("shallow")
	for {
		text, ok, err := p.line()
		if err != nil {
			return nil, nil, err
		}
		switch fields := strings.Fields(text); {
		case cut && !ok:
			cut = false
		case cut && answer.add(text):
		case ok && len(fields) == 3 && fields[0] == "ACK":
		case ok && (text == "NAK" || (len(fields) == 2 && fields[0] == "ACK")):
			if g.supports("side-band-64k") {
				return answer, &sideband{pkts: p}, nil
			}
			return answer, p.r, nil
		default:
			return nil, nil, fmt.Errorf("%w: %.80q before the pack", errProtocol, text)
		}
	}
}

// reading gives a session that can be asked for refs and objects, and its
// greeting.
func (r *Remote) reading(ctx context.Context) (session, *greeting, error) {
	if r.reader != nil && r.greeting != nil {
		return r.reader, r.greeting, nil
	}
	if r.reader == nil {
		s, err := r.dialer.dial(ctx, uploadPack, true)
		if err != nil {
			return nil, nil, err
		}
		r.reader = s
	}
	g, err := r.reader.greet(ctx)
	if err != nil {
		r.endReading()
		return nil, nil, err
	}
	r.greeting = g
	return r.reader, g, nil
}

// endReading forgets the session; the next one starts anew. What can be said
// against its end does not matter any more.
func (r *Remote) endReading() {
	if r.reader != nil && !r.reader.stateless() {
		_ = r.reader.close()
		r.reader, r.greeting, r.answered = nil, nil, false
	}
}
