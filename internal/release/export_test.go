package release

import (
	"context"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// Since gives the commits since a tag, newest first; nil is from the beginning.
func (c *Code) Since(ctx context.Context, base *Tag) ([]version.Commit, error) {
	l, err := c.line(ctx, base)
	if err != nil {
		return nil, err
	}
	return l.commits, nil
}
