package vendored

import (
	"context"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Copy is a copy as a commit has it.
type Copy struct {
	// Ref is the commit that was copied, as vendir.yml says.
	Ref string
	// Files are by their paths in the copy; none when vendir was never run.
	Files []git.File
}

// ReadCopy finds the copy of a target in a commit.
func ReadCopy(ctx context.Context, store *git.Store, commit git.Hash, t Target) (*Copy, error) {
	c, err := store.Commit(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("read commit %s of %s: %w", commit, store.URL(), err)
	}
	tree := At(store, c.Tree)
	content, _, err := readTarget(ctx, tree, t)
	if err != nil {
		return nil, fmt.Errorf("%s of commit %.7s: %w", t.Config, commit, err)
	}
	files, err := tree.List(ctx, content.dir(t))
	if err != nil {
		return nil, err
	}
	out := &Copy{Ref: content.Ref}
	for name, f := range files {
		out.Files = append(out.Files, git.File{Path: name, Mode: f.Mode, Hash: f.Hash})
	}
	return out, nil
}
