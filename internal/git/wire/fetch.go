package wire

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// What a fetch leaves out, see --filter in git-rev-list(1).
const (
	NoBlobs = "blob:none"
	NoTrees = "tree:0"
	// SmallBlobs leaves out the others.
	SmallBlobs = "blob:limit=16k"
)

// Everything is the depth that git takes for no limit.
const Everything = 1<<31 - 1

// Fetch asks for objects.
type Fetch struct {
	Wants []object.Hash
	// haves are commits that are here with all of their trees.
	Haves []object.Hash
	// shallow are all commits here whose parents are not.
	Shallow []object.Hash
	// depth cuts history off after so many commits; 0 does not.
	Depth int
	// DepthWhole is the depth for servers that know no filter; 0 is Depth.
	DepthWhole int
	// relative counts depth from the commits in shallow on.
	Relative bool
	// filter is dropped for servers that know none.
	Filter string
}

// Fetched is what comes with the objects.
type Fetched struct{ Shallow, Unshallow []object.Hash }

// Message is the request in the version of the protocol that the server chose.
func (q Fetch) Message(g *Greeting) []byte {
	if q.DepthWhole > 0 && !g.Filters() {
		q.Depth = q.DepthWhole
	}
	if g.V2 {
		return q.v2(g)
	}
	return q.v0(g)
}

func (q Fetch) v2(g *Greeting) []byte {
	var w writer
	w.line("command=fetch")
	w.line("agent=%s", Agent)
	if g.supports("object-format") {
		w.line("object-format=sha1")
	}
	w.delimiter()
	w.line("thin-pack")
	w.line("no-progress")
	w.line("ofs-delta")
	if g.fetches("shallow") {
		if q.Relative {
			w.line("deepen-relative")
		}
		q.history(&w)
	}
	if q.Filter != "" && g.fetches("filter") {
		w.line("filter %s", q.Filter)
	}
	for _, h := range q.Wants {
		w.line("want %s", h)
	}
	for _, h := range q.Haves {
		w.line("have %s", h)
	}
	w.line("done")
	w.flush()
	return w.Bytes()
}

func (q Fetch) history(w *writer) {
	for _, h := range q.Shallow {
		w.line("shallow %s", h)
	}
	if q.Depth > 0 {
		w.line("deepen %d", q.Depth)
	}
}

// v0 is the message of the older protocol, see gitprotocol-pack(5).
func (q Fetch) v0(g *Greeting) []byte {
	var w writer
	asked := []string{"multi_ack_detailed", "side-band-64k", "thin-pack", "ofs-delta", "no-progress"}
	if q.Relative {
		asked = append(asked, "deepen-relative")
	}
	if q.Filter != "" {
		asked = append(asked, "filter")
	}
	var use []string
	for _, c := range asked {
		if g.supports(c) {
			use = append(use, c)
		}
	}
	if g.supports("agent") {
		use = append(use, "agent="+Agent)
	}
	for i, h := range q.Wants {
		if i == 0 {
			w.line("want %s %s", h, strings.Join(use, " "))
		} else {
			w.line("want %s", h)
		}
	}
	if g.supports("shallow") {
		q.history(&w)
	}
	if q.Filter != "" && g.supports("filter") {
		w.line("filter %s", q.Filter)
	}
	w.flush()
	for _, h := range q.Haves {
		w.line("have %s", h)
	}
	w.line("done")
	return w.Bytes()
}

// ReadFetched reads an answer up to its pack, which comes from the reader that it
// returns.
func ReadFetched(body io.Reader, g *Greeting, q Fetch) (*Fetched, io.Reader, error) {
	p := NewReader(body)
	if g.V2 {
		return readFetchV2(p)
	}
	return readFetchV0(p, g, q)
}

// readFetchV2 reads the sections before the pack.
func readFetchV2(p *Reader) (*Fetched, io.Reader, error) {
	answer := &Fetched{}
	for {
		section, ok, err := p.line()
		switch {
		case err != nil:
			return nil, nil, err
		case !ok:
			return nil, nil, fmt.Errorf("%w: no pack", ErrProtocol)
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

func (a *Fetched) add(text string) bool {
	what, id, _ := strings.Cut(text, " ")
	switch {
	case !plumbing.IsHash(id):
		return false
	case what == "shallow":
		a.Shallow = append(a.Shallow, plumbing.NewHash(id))
	case what == "unshallow":
		a.Unshallow = append(a.Unshallow, plumbing.NewHash(id))
	default:
		return false
	}
	return true
}

// readFetchV0 reads what comes before the pack: where history is cut, when that
// was asked for, then what the server has in common.
func readFetchV0(p *Reader, g *Greeting, q Fetch) (*Fetched, io.Reader, error) {
	answer := &Fetched{}
	cut := q.Depth > 0 && g.supports("shallow")
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
			return nil, nil, fmt.Errorf("%w: %.80q before the pack", ErrProtocol, text)
		}
	}
}
