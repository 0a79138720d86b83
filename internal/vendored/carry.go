package vendored

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Moved is a copy that has another commit than before.
type Moved struct {
	// Dir is its folder, from the repository's root.
	Dir string
	// URL is the address of the origin as vendir.yml has it; Old and New are the refs.
	URL, Old, New string
}

// Carried is a tree whose vendir.yml and lock file have what a branch holds of other contents. It reads
// those two files as changed; the files of the copies are those of the base.
type Carried struct {
	Tree
	// Edits are of vendir.yml and its lock file; none if nothing is carried over.
	Edits map[string]git.Edit
	// Moved are the copies that are carried over.
	Moved []Moved
	// Outdated are the folders of those that the base has changed since: they are not.
	Outdated []string
}

// Read gives a file's content.
func (c *Carried) Read(ctx context.Context, name string) ([]byte, error) {
	if e, ok := c.Edits[name]; ok {
		return e.Content, nil
	}
	return c.Tree.Read(ctx, name)
}

// Carry brings the contents that a branch has moved into its base, but for that of the target. before is
// where the branch begins, and after its end. A copy counts as a whole: if the base has another ref or
// another file of it than before, then the base has a newer one, which stays.
func Carry(ctx context.Context, base, before, after Tree, t Target) (*Carried, error) {
	c := &Carried{Tree: base, Edits: map[string]git.Edit{}}
	var all [3]map[string]*Content
	for i, tree := range []Tree{before, after, base} {
		var err error
		if all[i], err = contents(ctx, tree, t.Config); err != nil {
			return nil, err
		}
	}
	was, is, now := all[0], all[1], all[2]
	own, _, err := readTarget(ctx, base, t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Config, err)
	}
	for _, place := range slices.Sorted(maps.Keys(now)) {
		next := now[place]
		old, ok := was[place]
		held, stays := is[place]
		if !ok || !stays || held.Ref == old.Ref || held.Ref == next.Ref || place == own.place() {
			continue
		}
		if err := c.carry(ctx, before, after, t, old, held, next); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", t.Config, next.where(), err)
		}
	}
	return c, nil
}

// carry brings one content over, unless it is outdated.
func (c *Carried) carry(ctx context.Context, before, after Tree, t Target, was, is, now *Content) error {
	dir := now.dir(t)
	same, err := sameFiles(ctx, c.Tree, before, dir)
	if err != nil {
		return err
	}
	if now.Ref != was.Ref || !same {
		c.Outdated = append(c.Outdated, dir)
		return nil
	}
	moved := Moved{Dir: dir, URL: now.URL, Old: now.Ref, New: is.Ref}
	t.Directory, t.Content = now.directory, now.path
	content, _, err := readTarget(ctx, c, t) // with what was carried over until now
	if err != nil {
		return err
	}
	config, err := content.setRef(is.Ref)
	if err != nil {
		return err
	}
	lockName := t.lock()
	lock, err := readOptional(ctx, c, lockName)
	if err != nil {
		return err
	}
	from, err := readOptional(ctx, after, lockName)
	if err != nil {
		return err
	}
	if from != nil {
		if lock, err = copyLocked(lock, from, now.directory, now.path); err != nil {
			return fmt.Errorf("%s: %w", LockFile, err)
		}
		c.Edits[lockName] = git.Edit{Content: lock}
	}
	c.Edits[path.Clean(t.Config)] = git.Edit{Content: config}
	c.Moved = append(c.Moved, moved)
	return nil
}

// sameFiles reports whether two trees have the same files below a folder.
func sameFiles(ctx context.Context, a, b Tree, dir string) (bool, error) {
	one, err := a.List(ctx, dir)
	if err != nil {
		return false, err
	}
	other, err := b.List(ctx, dir)
	return maps.Equal(one, other), err
}

// contents are those of a vendir.yml that can be moved, by their place.
func contents(ctx context.Context, tree Tree, name string) (map[string]*Content, error) {
	data, err := tree.Read(ctx, path.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	config, _, _, err := readConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := map[string]*Content{}
	for _, d := range config.Directories {
		for _, k := range d.Contents {
			c, err := ReadContent(data, Target{Config: name, Directory: d.Path, Content: k.Path})
			if errors.Is(err, errUnsupported) || errors.Is(err, ErrNoContent) || errors.Is(err, errConfig) {
				continue // nobody can have moved it
			}
			if err != nil {
				return nil, err
			}
			out[c.place()] = c
		}
	}
	return out, nil
}

// readTarget reads a content of a tree, and its vendir.yml as it is.
func readTarget(ctx context.Context, tree Tree, t Target) (*Content, []byte, error) {
	data, err := tree.Read(ctx, path.Clean(t.Config))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Of(fs.ErrNotExist, "the file does not exist: set source.config (or --config) to the path of vendir.yml")
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := ReadContent(data, t)
	return c, data, err
}

// readOptional reads a file that may be missing.
func readOptional(ctx context.Context, tree Tree, name string) ([]byte, error) {
	data, err := tree.Read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.Clone(data), err
}
