package git

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// greeting is what a server says first: in protocol version 2 what it can do,
// before that also all of its refs. See gitprotocol-pack(5), gitprotocol-v2(5).
type greeting struct {
	v2       bool
	can      map[string]string // capabilities with their values
	refs     map[string]Hash   // before version 2 only; peeled tags with ^{}
	shallow  []Hash            // where the server's own history ends
	silently bool              // the connection ended before the first word
}

func (g *greeting) supports(capability string) bool {
	_, ok := g.can[capability]
	return ok
}

// fetches reports whether the command fetch of version 2 has a feature.
func (g *greeting) fetches(feature string) bool {
	for f := range strings.FieldsSeq(g.can["fetch"]) {
		if f == feature {
			return true
		}
	}
	return false
}

func readGreeting(p *pktReader) (*greeting, error) {
	g := &greeting{can: map[string]string{}, refs: map[string]Hash{}}
	first := true
	for {
		text, ok, err := p.line()
		if first && errors.Is(err, io.ErrUnexpectedEOF) {
			g.silently = true
		}
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

func (g *greeting) add(text string, first bool) error {
	switch {
	case first && text == "version 2":
		g.v2 = true
		return nil
	case first && text == "version 1":
		return nil
	case g.v2:
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
		g.shallow = append(g.shallow, plumbing.NewHash(name))
	case !ok || !plumbing.IsHash(id):
		return fmt.Errorf("%w: %.80q instead of a ref", errProtocol, text)
	case name != "capabilities^{}":
		g.refs[name] = plumbing.NewHash(id)
	}
	return nil
}

func (g *greeting) check() error {
	if f, ok := g.can["object-format"]; ok && f != "sha1" {
		return fmt.Errorf("the repository uses %s hashes, only sha1 is understood", f)
	}
	return nil
}

// readRefs is the answer to ls-refs: "<hash> <name>", then attributes of which
// peeled:<hash> matters. A branch that has no commit yet is "unborn".
func readRefs(p *pktReader) (map[string]Hash, error) {
	refs := map[string]Hash{}
	for {
		kind, data, err := p.next()
		if err != nil {
			return nil, err
		}
		if kind != pktData {
			return refs, nil
		}
		fields := strings.Fields(string(data))
		switch {
		case len(fields) >= 2 && fields[0] == "unborn":
			continue
		case len(fields) < 2 || !plumbing.IsHash(fields[0]):
			return nil, fmt.Errorf("%w: %.80q instead of a ref", errProtocol, data)
		}
		refs[fields[1]] = plumbing.NewHash(fields[0])
		for _, attribute := range fields[2:] {
			if peeled, ok := strings.CutPrefix(attribute, "peeled:"); ok && plumbing.IsHash(peeled) {
				refs[fields[1]+"^{}"] = plumbing.NewHash(peeled)
			}
		}
	}
}
