package git

import (
	"context"
	"errors"
)

var errSoon = errors.New("being written")

func (r *Remote) Push(_ context.Context, _ *Store, _ *Built, _ ...Update) error { return errSoon }
func (s *Store) Change(_ context.Context, _ string, _ func(context.Context, *Commit) (*Built, error)) (*Commit, error) {
	return nil, errSoon
}
