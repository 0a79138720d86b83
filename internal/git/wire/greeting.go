package wire

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Greeting is what a server says first: in protocol version 2 what it can do,
// before that also all of its refs. See gitprotocol-pack(5), gitprotocol-v2(5).
type Greeting struct {
	V2   bool
	can  map[string]string      // capabilities with their values
	Refs map[string]object.Hash // before version 2 only; peeled tags with ^{}
}

func (g *Greeting) supports(capability string) bool {
	_, ok := g.can[capability]
	return ok
}

// fetches reports whether the command fetch of version 2 has a feature.
func (g *Greeting) fetches(feature string) bool {
	for f := range strings.FieldsSeq(g.can["fetch"]) {
		if f == feature {
			return true
		}
	}
	return false
}

// Deepens reports whether depth can be counted from where the client's history
// ends.
func (g *Greeting) Deepens() bool {
	return g.V2 && g.fetches("shallow") || g.supports("deepen-relative")
}

// Filters reports whether blobs can be omitted.
func (g *Greeting) Filters() bool {
	return g.V2 && g.fetches("filter") || g.supports("filter")
}

// Usual is the greeting of most servers: protocol version 2, with what a fetch needs to leave things out.
func Usual() *Greeting {
	return &Greeting{V2: true, can: map[string]string{"object-format": "sha1", "fetch": "shallow filter"}}
}

// ReadGreeting reads what a server says first.
func ReadGreeting(p *Reader) (*Greeting, error) {
	g := &Greeting{can: map[string]string{}, Refs: map[string]object.Hash{}}
	first := true
	for {
		text, ok, err := p.line()
		if err != nil {
			return g, err
		}
		if !ok {
			err := g.check()
			return g, err
		}
		if err := g.add(text, first); err != nil {
			return g, err
		}
		first = false
	}
}

func (g *Greeting) add(text string, first bool) error {
	switch {
	case first && text == "version 2":
		g.V2 = true
		return nil
	case first && text == "version 1":
		return nil
	case g.V2:
		name, value, _ := strings.Cut(text, "=")
		g.can[name] = value
		return nil
	}
	text, capabilities, ok := strings.Cut(text, "\x00")
	if ok {
		for c := range strings.FieldsSeq(capabilities) {
			name, value, _ := strings.Cut(c, "=")
			g.can[name] = value
		}
	}
	id, name, ok := strings.Cut(text, " ")
	switch {
	case id == "shallow" && plumbing.IsHash(name):
		// where the server's own history ends; a fetch says so too
	case !ok || !plumbing.IsHash(id):
		return fmt.Errorf("%w: %.80q instead of a ref", ErrProtocol, text)
	case name != "capabilities^{}":
		g.Refs[name] = plumbing.NewHash(id)
	}
	return nil
}

func (g *Greeting) check() error {
	if f, ok := g.can["object-format"]; ok && f != "sha1" {
		return fmt.Errorf("the repository uses %s hashes, only sha1 is understood", f)
	}
	return nil
}

// ReadHTTPGreeting passes over the line that names the service, which servers
// of version 2 may leave out.
func ReadHTTPGreeting(p *Reader, service string) (*Greeting, error) {
	head, err := p.r.Peek(len("0000# service="))
	if err == nil && bytes.HasPrefix(head[4:], []byte("# service=")) {
		text, _, err := p.line()
		if err != nil {
			return nil, err
		}
		if text != "# service="+service {
			return nil, fmt.Errorf("%w: %.80q", ErrProtocol, text)
		}
		if kind, _, err := p.next(); err != nil || kind != flush {
			return nil, fmt.Errorf("%w: no end of %.80q", ErrProtocol, text)
		}
	}
	return ReadGreeting(p)
}
