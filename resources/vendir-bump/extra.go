package vendirbump

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/proposal"
)

// What is wrong with an extra file that somebody else has changed, too.
var (
	errMoved = errors.New("the branch has another version of it since")
	errHeld  = errors.New("the pull request has another version of it, which came with another copy: merge the pull request first, or write the two to different files")
)

// madeFrom is the clone that the extra files were made from, with the tree that is checked out there.
type madeFrom struct {
	clone *git.Clone
	head  *git.Commit
}

// readExtra reads the files that go into the same commit, and opens the clone that they were made from.
func (b *bumper) readExtra(ctx context.Context) (err error) {
	b.extra, err = b.params.ExtraFiles.Read(b.step.Artifacts(), func(string) error { return nil })
	if err != nil || b.params.MadeFrom == "" {
		return err
	}
	dir, err := b.step.Artifacts().Path(b.params.MadeFrom)
	if err != nil {
		return fmt.Errorf("params.made_from: %w", err)
	}
	made := &madeFrom{}
	if made.clone, err = git.OpenCloneWithin(b.step.Dir, dir); err != nil {
		return fmt.Errorf("params.made_from %s: %w: is it the folder of a get of a git resource?", b.params.MadeFrom, err)
	}
	b.made = made
	head, err := made.clone.Ref("HEAD")
	if err == nil {
		made.head, err = made.clone.Commit(ctx, head)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("params.made_from %s: %w", b.params.MadeFrom, err), made.clone.Close())
	}
	return nil
}

func (b *bumper) closeExtra() {
	if b.made != nil {
		_ = b.made.clone.Close() // it was read only
	}
}

// addExtra adds the extra files to the edits of a commit. A version that the bot's branch holds is replaced, unless it came with
// another copy: that is so when other copies have moved there and this one has not.
func (b *bumper) addExtra(ctx context.Context, on *git.Commit, held proposal.Held, others bool, edits map[string]git.Edit) error {
	if others {
		_, own, err := held.Changed(ctx, b.last.Dir)
		if err != nil {
			return err
		}
		others = !own
	}
	extra := maps.Clone(b.extra)
	if err := b.params.ExtraFiles.Replace(ctx, b.store, on.Tree, extra); err != nil {
		return err
	}
	for name, edit := range extra {
		if b.src.target().Owns(name) || strings.HasPrefix(name+"/", b.last.Dir+"/") {
			return fmt.Errorf("params.extra_files: %s belongs to the copy, which this resource writes itself", name)
		}
		if err := b.current(ctx, on, name, edit); err != nil {
			return fmt.Errorf("params.extra_files: %s was made from commit %.7s, and %w; start the job again", name, b.made.head.Hash, err)
		}
		if !others {
			continue
		}
		theirs, changed, err := held.Changed(ctx, name)
		if err != nil {
			return err
		}
		if changed && !has(theirs, edit) {
			return fmt.Errorf("params.extra_files: %s: %w", name, errHeld)
		}
	}
	b.files = slices.Sorted(maps.Keys(extra))
	maps.Copy(edits, extra)
	return nil
}

// current is an error if the branch has changed a file since the commit that its new content was made from, unless it has that
// content already.
func (b *bumper) current(ctx context.Context, on *git.Commit, name string, edit git.Edit) error {
	if b.made == nil {
		return nil
	}
	now, err := proposal.EntryAt(ctx, b.store, on.Tree, name)
	if err != nil {
		return err
	}
	then, err := proposal.EntryAt(ctx, b.made.clone.Store, b.made.head.Tree, name)
	if err != nil {
		return err
	}
	if proposal.Same(now, then) || has(now, edit) {
		return nil
	}
	return errMoved
}

// has reports whether an edit of an entry, which is nil for nothing, would change nothing.
func has(e *git.Entry, edit git.Edit) bool {
	if e == nil || edit.Delete {
		return e == nil && edit.Delete
	}
	return e.Mode == edit.Mode && e.Hash == plumbing.ComputeHash(plumbing.BlobObject, edit.Content)
}
