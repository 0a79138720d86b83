package semvergit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// branch is the branch that keeps the version.
type branch struct {
	src    Source
	remote *git.Remote
	store  *git.Store
	logf   func(format string, args ...any)
}

func openBranch(src Source, logf func(string, ...any)) (*branch, error) {
	remote, err := signing.Open(src.access(), git.Options{Logf: logf})
	if err != nil {
		return nil, err
	}
	store, err := remote.Store("")
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	return &branch{src: src, remote: remote, store: store, logf: logf}, nil
}

// Close ends the connections.
func (b *branch) Close() error { return errors.Join(b.store.Close(), b.remote.Close()) }

// tip is the branch's latest commit, nil when there is no branch.
func (b *branch) tip(ctx context.Context) (*git.Commit, error) {
	refs, err := b.remote.Refs(ctx, b.src.ref())
	if err != nil {
		return nil, err
	}
	h, ok := refs[b.src.ref()]
	if !ok {
		return nil, nil //nolint:nilnil // no commit is an answer
	}
	return b.commit(ctx, h)
}

func (b *branch) commit(ctx context.Context, tip git.Hash) (*git.Commit, error) {
	if err := b.store.Advance(ctx, b.src.ref(), tip); err != nil {
		return nil, err
	}
	return b.store.Commit(ctx, tip)
}

// kept is what the branch says.
type kept struct {
	number version.Version
	// exists is false when nothing set a version yet: no branch, no file, or an
	// empty one.
	exists bool
}

// String is the version, and where it is from when it is not from the file.
func (k kept) String() string {
	if k.exists {
		return k.number.String()
	}
	return k.number.String() + ", the initial version"
}

// read gives the version in a commit, which may be nil.
func (b *branch) read(ctx context.Context, c *git.Commit) (kept, error) {
	initial, err := b.src.initial()
	if err != nil {
		return kept{}, err
	}
	none := kept{number: initial}
	if c == nil {
		return none, nil
	}
	e, ok, err := b.entry(ctx, c)
	if err != nil {
		return none, err
	}
	if !ok {
		b.logf("branch %s has no file %s yet: the version is the initial one", b.src.Branch, b.src.File)
		return none, nil
	}
	content, err := b.store.Blob(ctx, e.Hash)
	if err != nil {
		return none, err
	}
	if strings.TrimSpace(string(content)) == "" {
		b.logf("warning: %s is empty at %s: that counts as no version yet", b.src.File, short(c.Hash))
		return none, nil
	}
	number, err := version.Parse(string(content))
	if err != nil {
		return none, &unreadableError{fmt.Errorf("read the version from file %s on branch %s of %s at %s: %w; fix the file with a commit, or put a version with params.file",
			b.src.File, b.src.Branch, b.remote.URL(), short(c.Hash), err)}
	}
	return kept{number, true}, nil
}

// unreadableError is a file that holds no version.
type unreadableError struct{ err error }

// Error says where and why.
func (e *unreadableError) Error() string { return e.err.Error() }

// Unwrap gives the reason.
func (e *unreadableError) Unwrap() error { return e.err }

// entry is the file in a commit's tree, and whether there is one.
func (b *branch) entry(ctx context.Context, c *git.Commit) (e git.Entry, found bool, err error) {
	e, err = b.store.Lookup(ctx, c.Tree, b.src.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return git.Entry{}, false, nil
	case err != nil:
		return git.Entry{}, false, err
	case !e.Mode.IsFile() || e.Mode == filemode.Symlink:
		return git.Entry{}, false, fmt.Errorf("read %s on branch %s of %s: it is not a regular file; source.file must name one", b.src.File, b.src.Branch, b.remote.URL())
	}
	return e, true, nil
}

// setting is a commit that set the file.
type setting struct {
	commit *git.Commit
	file   git.Entry
}

// history gives the commits of a range that set the file, the newest first.
func (b *branch) history(ctx context.Context, r git.Range) iter.Seq2[setting, error] {
	r.Paths = git.OnlyPath(b.src.file())
	return func(yield func(setting, error) bool) {
		for c, err := range b.store.Log(ctx, r) {
			var e git.Entry
			if err == nil {
				e, err = b.setIn(ctx, c)
			}
			if err == nil && e.Hash.IsZero() {
				continue // it was deleted here
			}
			if !yield(setting{c, e}, err) || err != nil {
				return
			}
		}
	}
}

// setIn is the file in a commit of the past; empty where there is none.
func (b *branch) setIn(ctx context.Context, c *git.Commit) (git.Entry, error) {
	e, err := b.store.Lookup(ctx, c.Tree, b.src.file())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Mode.IsFile() {
		return git.Entry{}, nil
	}
	return e, err
}

// current is the version that holds at a commit, with the commit that set it.
func (b *branch) current(ctx context.Context, tip *git.Commit) (Version, error) {
	k, err := b.read(ctx, tip)
	if err != nil {
		return Version{}, err
	}
	v := Version{Number: k.number.String()}
	if !k.exists {
		return v, nil
	}
	for set, err := range b.history(ctx, git.Range{From: []git.Hash{tip.Hash}}) {
		if err != nil {
			return v, err
		}
		v.Commit = set.commit.Hash.String()
		break
	}
	return v, nil
}

// holds reports whether a file is known to hold a version, without reading it:
// as this resource writes it, and as people do.
func holds(e git.Entry, number string) bool {
	for _, end := range []string{"\n", ""} {
		if plumbing.ComputeHash(plumbing.BlobObject, []byte(number+end)) == e.Hash {
			return true
		}
	}
	return false
}

func short(h git.Hash) string { return h.String()[:7] }
