package wire

import (
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// LsRefs asks for the refs whose full names begin with one of the prefixes.
func LsRefs(prefixes []string) []byte {
	var w writer
	w.line("command=ls-refs")
	w.line("agent=%s", Agent)
	w.line("object-format=sha1")
	w.delimiter()
	w.line("peel")
	for _, prefix := range prefixes {
		w.line("ref-prefix %s", prefix)
	}
	w.flush()
	return w.Bytes()
}

// ReadRefs is the answer to ls-refs: "<hash> <name>", then attributes of which
// peeled:<hash> matters. A branch that has no commit yet is "unborn".
func ReadRefs(p *Reader) (map[string]object.Hash, error) {
	refs := map[string]object.Hash{}
	for {
		kind, data, err := p.next()
		if err != nil {
			return nil, err
		}
		if kind != Data {
			return refs, nil
		}
		fields := strings.Fields(string(data))
		switch {
		case len(fields) >= 2 && fields[0] == "unborn":
			continue
		case len(fields) < 2 || !plumbing.IsHash(fields[0]):
			return nil, fmt.Errorf("%w: %.80q instead of a ref", ErrProtocol, data)
		}
		refs[fields[1]] = plumbing.NewHash(fields[0])
		for _, attribute := range fields[2:] {
			if peeled, ok := strings.CutPrefix(attribute, "peeled:"); ok && plumbing.IsHash(peeled) {
				refs[fields[1]+"^{}"] = plumbing.NewHash(peeled)
			}
		}
	}
}
