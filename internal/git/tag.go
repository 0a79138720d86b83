package git

import (
	"context"
	"fmt"

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
