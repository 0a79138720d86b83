package vendored

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// File is a file of the copy.
type File struct {
	Mode filemode.FileMode
	Hash git.Hash // of its content
}

// Origin is a commit of the repository that is copied, in a clone on this
// machine.
type Origin struct {
	store  *git.Store
	clone  *git.Clone // nil if the store is of a remote repository
	commit *git.Commit
}

// OpenOrigin reads a clone at a commit: a full hash, or "" for what is checked out. If it
// succeeds, Close closes the clone.
func OpenOrigin(ctx context.Context, clone *git.Clone, commit string) (*Origin, error) {
	hash := plumbing.NewHash(commit)
	if commit == "" {
		var err error
		if hash, err = clone.Ref("HEAD"); err != nil {
			return nil, fmt.Errorf("find the commit that is checked out: %w", err)
		}
	} else if hash.String() != strings.ToLower(commit) {
		return nil, fmt.Errorf("%q is not the full hash of a commit", commit)
	}
	c, err := clone.Commit(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", hash, err)
	}
	return &Origin{store: clone.Store, clone: clone, commit: c}, nil
}

// OriginAt is a commit of a repository that is open already, and that Close
// closes.
func OriginAt(store *git.Store, c *git.Commit) *Origin {
	return &Origin{store: store, commit: c}
}

// Close gives files back.
func (o *Origin) Close() error { return o.store.Close() }

// Commit is the commit's hash.
func (o *Origin) Commit() string { return o.commit.Hash.String() }

// Title is the first line of its message.
func (o *Origin) Title() string {
	title, _, _ := strings.Cut(strings.TrimSpace(o.commit.Message), "\n")
	return title
}

// Follows reports whether the commit comes after an older one, by its whole hash.
// known says whether the clone has that one.
func (o *Origin) Follows(ctx context.Context, older string) (follows, known bool) {
	hash := plumbing.NewHash(older)
	if hash.IsZero() || !o.store.Has(hash) {
		return false, false
	}
	follows, err := o.store.IsAncestor(ctx, hash, o.commit.Hash)
	return follows, err == nil
}

// lockTitle is the title as vendir writes it.
func (o *Origin) lockTitle() string {
	message := strings.TrimSpace(o.commit.Message)
	if title, _, more := strings.Cut(message, "\n"); more {
		return title + "..."
	}
	return message
}

// Select gives the files that a content takes from the commit, by their paths in
// the copy. The error is errNothing if the commit has none of them.
func (c *Content) Select(ctx context.Context, o *Origin) (map[string]File, error) {
	root := path.Clean(c.config.NewRootPath)
	tree := o.commit.Tree
	if root != "." {
		at, err := o.store.Lookup(ctx, tree, root)
		switch {
		case errors.Is(err, fs.ErrNotExist) || (err == nil && at.Mode != filemode.Dir):
			return nil, fmt.Errorf("%s: commit %s has no folder %s, which newRootPath names: %w", c.where(), o.Commit(), root, errNothing)
		case err != nil:
			return nil, err
		}
		tree = at.Hash
	}
	out := map[string]File{}
	all := func(string) bool { return true }
	err := o.store.Walk(ctx, tree, all, func(p string, e git.Entry) error {
		name := path.Join(root, p)
		if e.Mode == filemode.Submodule {
			return c.checkSubmodule(name)
		}
		if c.keeps(name) {
			out[p] = File{Mode: regular(e.Mode), Hash: e.Hash}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 0:
		return nil, fmt.Errorf("%s: of commit %s, with includePaths %s, excludePaths %s and newRootPath %q: %w",
			c.where(), o.Commit(), list(c.config.IncludePaths), list(c.config.ExcludePaths), c.config.NewRootPath, errNothing)
	}
	return out, c.check(ctx, o, out)
}

// regular makes one of git's old modes be what git writes today.
func regular(m filemode.FileMode) filemode.FileMode {
	if m == filemode.Deprecated {
		return filemode.Regular
	}
	return m
}

func (c *Content) checkSubmodule(name string) error {
	kept := c.keeps(name) || c.keeps(name+"/x")
	if !kept || c.config.Git.SkipInitSubmodules {
		return nil
	}
	return fmt.Errorf("%s: %s is a submodule, whose files are in another repository: exclude it, or set skipInitSubmodules: %w", c.where(), name, errUnsupported)
}

const (
	lfsPointer    = "version https://git-lfs.github.com/spec/"
	maxLFSPointer = 1024 // bytes, by the specification of Git LFS
	maxLinks      = 40   // that follow one another, as Linux has it
)

// check refuses what can't be copied as it is.
func (c *Content) check(ctx context.Context, o *Origin, files map[string]File) error {
	links := map[string]string{}
	for p, f := range files {
		content, size, err := o.head(ctx, f.Hash)
		switch {
		case err != nil:
			return err
		case f.Mode == filemode.Symlink:
			links[p] = string(content)
		case size <= maxLFSPointer && bytes.HasPrefix(content, []byte(lfsPointer)) && !c.config.Git.LFSSkipSmudge:
			return fmt.Errorf("%s: %s is kept by Git LFS elsewhere: exclude it, or set lfsSkipSmudge: %w", c.where(), p, errUnsupported)
		}
	}
	for p := range links {
		if !resolves(p, files, links) {
			return fmt.Errorf("%s: %s is a symbolic link to %s, which is not in the copy: %w", c.where(), p, links[p], errUnsupported)
		}
	}
	return nil
}

// head reads the beginning of a file, enough for links and pointers.
func (o *Origin) head(ctx context.Context, h git.Hash) (content []byte, size int64, err error) {
	r, size, err := o.store.OpenBlob(ctx, h)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	content = make([]byte, min(size, 4*maxLFSPointer))
	for n := 0; n < len(content); {
		k, err := r.Read(content[n:])
		if n += k; err != nil && n < len(content) {
			return nil, 0, fmt.Errorf("read blob %s: %w", h, err)
		}
	}
	return content, size, nil
}

// resolves follows a link to something in the copy.
func resolves(name string, files map[string]File, links map[string]string) bool {
	for range maxLinks {
		to, isLink := links[name]
		if !isLink {
			break
		}
		if path.IsAbs(to) {
			return false
		}
		if name = path.Join(path.Dir(name), to); name == ".." || strings.HasPrefix(name, "../") {
			return false
		}
		name = throughFolders(name, links)
	}
	if _, isLink := links[name]; isLink {
		return false
	}
	if _, ok := files[name]; ok || name == "." {
		return true
	}
	for p := range files {
		if strings.HasPrefix(p, name+"/") {
			return true
		}
	}
	return false
}

// throughFolders replaces the first folder of a path that is a link.
func throughFolders(name string, links map[string]string) string {
	parts := strings.Split(name, "/")
	for i := range parts[:len(parts)-1] {
		folder := strings.Join(parts[:i+1], "/")
		if to, ok := links[folder]; ok && !path.IsAbs(to) {
			return path.Join(path.Dir(folder), to, strings.Join(parts[i+1:], "/"))
		}
	}
	return name
}
