package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Tag is an annotated tag. Signatures are passed over.
type Tag struct {
	Name   string // as the tag itself says, without "refs/tags/"
	Target Hash   // of any kind
	Tagger Signature
}

// Tag reads an annotated tag; it is nil when the object is of another kind, as
// that of a lightweight tag is.
func (s *Store) Tag(ctx context.Context, h Hash) (*Tag, error) {
	if err := s.get(ctx, plumbing.TagObject, h); err != nil {
		return nil, err
	}
	kind, content, err := s.object(h)
	if err != nil || kind != plumbing.TagObject {
		return nil, err
	}
	t := &Tag{}
	if t.Target, err = tagged(content); err != nil {
		return nil, fmt.Errorf("read tag %s: %w", h, err)
	}
	head, _, _ := strings.Cut(string(content), "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		if name, ok := strings.CutPrefix(line, "tag "); ok {
			t.Name = name
		}
		if who, ok := strings.CutPrefix(line, "tagger "); ok {
			t.Tagger = parseSignature(who)
		}
	}
	return t, nil
}
