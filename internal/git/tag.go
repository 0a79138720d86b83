package git

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

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
	t, err := object.ParseTag(content)
	if err != nil {
		return nil, fmt.Errorf("read tag %s: %w", h, err)
	}
	return t, nil
}

// BuildTag makes a signed annotated tag of a commit, with its name and nothing else as the message. It returns nil if the
// remote was opened without a key that signs: a tag without a signature says no more than the ref itself.
func (s *Store) BuildTag(name string, commit Hash, tagger Signature) (*Object, error) {
	if s.remote == nil || s.remote.options.Sign == nil {
		return nil, nil //nolint:nilnil // no tag is an answer
	}
	content, err := s.signed(object.FormatTag(&Tag{Name: name, Target: commit, Tagger: tagger}), tagger.When, func(tag, signature []byte) []byte {
		return append(tag, signature...)
	})
	if err != nil {
		return nil, fmt.Errorf("build tag %s: %w", name, err)
	}
	o := object.New(plumbing.TagObject, content)
	return &o, nil
}

// signed adds a signature to the content of a commit or tag, if the remote was opened with a key that signs.
func (s *Store) signed(content []byte, at time.Time, add func(content, signature []byte) []byte) ([]byte, error) {
	if s.remote == nil || s.remote.options.Sign == nil {
		return content, nil
	}
	signature, err := s.remote.options.Sign(content, at)
	if err != nil {
		return nil, err
	}
	return add(content, append(bytes.TrimRight(signature, "\n"), '\n')), nil
}
