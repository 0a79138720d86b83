package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Place is where a page is published.
type Place struct {
	// Ref is the full name of a branch, which is made when it is absent, and Path the page's in it.
	Ref, Path string
	// Committer signs; its time is the moment of the page. Trailers end the commit's message.
	Committer git.Signature
	Trailers  []string
}

// Published is a page on a branch.
type Published struct {
	Commit *git.Commit
	// News says that this publication made the commit.
	News         bool
	Environments int
	// Web is the address of the repository's page, "" without one.
	Web string
}

// Publish commits the page of the repository as it is now to a branch of the same repository. A page of which nothing but its
// moment would change stays. When someone else is faster, everything is read again, so that no older page replaces a newer one.
func (r *Repository) Publish(ctx context.Context, p Place) (*Published, error) {
	now := p.Committer.When.UTC().Truncate(time.Second) // as a commit has it
	out := &Published{}
	if r.remote != nil {
		out.Web = r.remote.WebURL()
	}
	var err error
	out.Commit, err = r.store.UpdateRef(ctx, p.Ref, func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		page, b, err := r.newer(ctx, tip, p.Path, now)
		if err != nil {
			return nil, err
		}
		out.Environments, out.News = b.size(), page != nil
		if page == nil {
			return nil, nil //nolint:nilnil // nothing to do
		}
		next := git.NewCommit{Edits: map[string]git.Edit{p.Path: {Content: page}}, Committer: p.Committer, Message: message(b, p.Trailers)}
		next.Committer.When = now
		if tip != nil {
			next.Parent = tip.Hash
		}
		return r.store.Build(ctx, next)
	})
	return out, err
}

// newer is the page and its board; the page is nil if the one that a commit has says the same.
func (r *Repository) newer(ctx context.Context, tip *git.Commit, path string, now time.Time) ([]byte, *Board, error) {
	refs, err := r.Refs(ctx)
	if err != nil {
		return nil, nil, err
	}
	old, made, err := r.published(ctx, tip, path)
	if err != nil {
		return nil, nil, err
	}
	if old != nil {
		b, err := r.Board(ctx, refs, made)
		if err != nil {
			return nil, nil, err
		}
		page, err := b.Page()
		if err != nil || bytes.Equal(page, old) && (b.Until.IsZero() || now.Before(b.Until)) {
			return nil, b, err
		}
	}
	b, err := r.Board(ctx, refs, now)
	if err != nil {
		return nil, nil, err
	}
	page, err := b.Page()
	return page, b, err
}

// published is the page that a commit has, with its moment; nil without one.
func (r *Repository) published(ctx context.Context, tip *git.Commit, path string) ([]byte, time.Time, error) {
	if tip == nil {
		return nil, time.Time{}, nil
	}
	entry, err := r.store.Lookup(ctx, tip.Tree, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	var page []byte
	switch {
	case err != nil:
	case entry.Mode.IsFile():
		page, err = r.store.Blob(ctx, entry.Hash)
	default:
		err = errors.New("is not a file there")
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read %s at %.7s: %w", path, tip.Hash, err)
	}
	by, err := r.store.Newest(ctx, tip.Hash, []string{path})
	if err != nil {
		return nil, time.Time{}, err
	}
	if c := by[path]; c != nil {
		tip = c
	}
	return page, tip.Committer.When.UTC(), nil
}

func message(b *Board, trailers []string) string {
	text := fmt.Sprintf("Publish the board of %s at %.7s\n", b.Branch, b.Head.Hash)
	if len(trailers) > 0 {
		text += "\n" + strings.Join(trailers, "\n") + "\n"
	}
	return text
}
