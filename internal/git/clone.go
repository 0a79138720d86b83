package git

import (
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/git/local"
)

// Clone is a repository on this machine that is read where it is: a clone, a linked work
// tree or a bare repository. Nothing is ever fetched.
type Clone struct {
	*Store
	local *local.Repository
}

// OpenClone opens the repository to which a folder belongs, as the git program does: a
// folder of a clone opens the clone.
func OpenClone(dir string) (*Clone, error) {
	l, err := local.Find(dir)
	return newClone(dir, l, err)
}

// OpenCloneWithin opens the clone in a folder that a build has made. A folder of the
// clone is an error, since a put names the artifact itself. Nothing outside of root is
// read: a repository of which a part is elsewhere is an error too.
func OpenCloneWithin(root, dir string) (*Clone, error) {
	l, err := local.OpenWithin(root, dir)
	return newClone(dir, l, err)
}

func newClone(dir string, l *local.Repository, err error) (*Clone, error) {
	if err != nil {
		return nil, err
	}
	s := newStore(dir)
	s.local, s.objects = l, l
	return &Clone{s, l}, nil
}

// Ref returns the value of a ref by its full name, or of HEAD; ErrNoBranch if there is
// none.
func (c *Clone) Ref(name string) (Hash, error) {
	refs, err := c.local.Refs([]string{name})
	if err != nil {
		return Hash{}, err
	}
	h, ok := refs[name]
	if !ok {
		return Hash{}, fmt.Errorf("%s in %s: %w", name, c.name, ErrNoBranch)
	}
	return h, nil
}

// Refs returns all refs and HEAD. The commit of an annotated tag is under its name with
// "^{}" added.
func (c *Clone) Refs() (map[string]Hash, error) { return c.local.AllRefs() }

// Branches returns the commits of the branches by their short names. A branch that was
// never checked out in the clone is that of the remote "origin".
func (c *Clone) Branches() (map[string]Hash, error) { return c.local.Branches() }

// Head is the short name of the branch that is checked out; "" for a commit that is
// checked out by itself.
func (c *Clone) Head() (string, error) { return c.local.Head() }

// Dir is the folder of the repository itself, with its objects and refs.
func (c *Clone) Dir() string { return c.local.Dir() }

// Origin is the address of the remote "origin"; "" if there is none.
func (c *Clone) Origin() string { return c.local.Origin() }

// IsShallow reports whether a part of the history was not fetched.
func (c *Clone) IsShallow() bool { return c.local.IsShallow() }

// PackedObjects is the number of objects in packs. git chooses the length of short hashes
// by it.
func (c *Clone) PackedObjects() int { return c.local.PackedObjects() }
