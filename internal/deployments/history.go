package deployments

import (
	"context"
	"errors"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// history lets cepler's model look back through a git branch.
type history struct{ store *git.Store }

// Parents are the commit's parents, in order.
func (h history) Parents(ctx context.Context, commit string) ([]string, error) {
	id, err := full(commit)
	if err != nil {
		return nil, err
	}
	parents, err := h.store.Parents(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("parents of %s: %w", short(id), err)
	}
	names := make([]string, len(parents))
	for i, p := range parents {
		names[i] = p.String()
	}
	return names, nil
}

// Message is the commit's message.
func (h history) Message(ctx context.Context, commit string) (string, error) {
	c, err := h.commit(ctx, commit)
	if err != nil {
		return "", err
	}
	return c.Message, nil
}

// Changed are those of paths that commit has otherwise than parent.
func (h history) Changed(ctx context.Context, commit, parent string, paths *cepler.PathSet) ([]string, error) {
	after, err := h.commit(ctx, commit)
	if err != nil {
		return nil, err
	}
	before, err := h.commit(ctx, parent)
	if err != nil {
		return nil, err
	}
	var changed []string
	err = h.store.Diff(ctx, before.Tree, after.Tree, paths.Descend, func(p string, was, is *git.Entry) error {
		if paths.Has(p) && (was == nil || is == nil || was.Hash != is.Hash || !sameMode(was.Mode, is.Mode)) {
			changed = append(changed, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare %.7s with %.7s: %w", commit, parent, err)
	}
	return changed, nil
}

func (h history) commit(ctx context.Context, name string) (*git.Commit, error) {
	id, err := full(name)
	if err != nil {
		return nil, err
	}
	return h.store.Commit(ctx, id)
}

func full(name string) (git.Hash, error) {
	id, ok := parseHash(name)
	if !ok {
		return git.Hash{}, errors.New("commit " + name + " is not a full hash")
	}
	return id, nil
}
