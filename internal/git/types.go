package git

import (
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Hash names an object. The zero hash stands for "nothing": no ref, no parent,
// the empty tree.
type Hash = plumbing.Hash

// Commit is a parsed commit. Encodings other than UTF-8 and signatures are
// passed over.
type Commit struct {
	Hash, Tree Hash
	// Parents are as the commit names them; they need not be at hand.
	Parents           []Hash
	Author, Committer Signature
	Message           string
}

// Signature says who made something, and when.
type Signature struct {
	Name, Email string
	When        time.Time // to the second, in the zone that was recorded
}

// Entry is one line of a tree.
type Entry struct {
	Name string // of the file or folder, without a path
	Mode filemode.FileMode
	Hash Hash
}

// Change describes a commit on top of another one.
type Change struct {
	// Parent is the commit to build on; zero makes a first commit.
	Parent Hash
	// Edits are by path from the top, with slashes.
	Edits map[string]Edit
	// Author is the Committer when it is empty.
	Author, Committer Signature
	Message           string
}

// Edit is what becomes of one path.
type Edit struct {
	// Mode of the file; filemode.Empty keeps the present one, and stands for a
	// regular file where there is none.
	Mode    filemode.FileMode
	Content []byte
	// Delete removes the path; it is no error when there is nothing.
	Delete bool
}

// Built is a commit that exists here but not yet at the remote.
type Built struct {
	Hash   Hash
	Commit *Commit
	// Objects are those that the remote needs to have for the commit to be
	// complete, given that it has the parent.
	Objects []plumbing.EncodedObject
	// Also are further refs that Store.Change moves in the same push, for
	// instance a tag.
	Also []Update
}

// Update moves one ref.
type Update struct {
	Ref string // full, as in "refs/heads/main"
	// Old is the value that the decision was based on; zero: the ref must not
	// exist. A ref that has another value by now is not touched.
	Old Hash
	// New is the value to set; zero deletes the ref.
	New Hash
}

// Options are about this process, not about the repository.
type Options struct {
	// Logf gets warnings and word of retries; nil drops them.
	Logf func(format string, args ...any)
	// TempDir is where large answers are kept while they are in use; empty is
	// the system's folder.
	TempDir string
}
