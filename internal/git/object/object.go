package object

import (
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Hash names an object. The zero hash stands for "nothing": no ref, no parent,
// the empty tree.
type Hash = plumbing.Hash

// Object is an object in full, as git stores it without its header.
type Object struct {
	Hash    Hash
	Kind    plumbing.ObjectType
	Content []byte
}

// Large is the size in bytes from which on a blob is streamed and never whole in
// memory.
const Large = 1 << 20

// New computes the hash of a content.
func New(kind plumbing.ObjectType, content []byte) Object {
	return Object{plumbing.ComputeHash(kind, content), kind, content}
}

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

// Update moves one ref.
type Update struct {
	Ref string // full, as in "refs/heads/main"
	// Old is the value that the decision was based on; zero: the ref must not
	// exist. A ref that has another value by now is not touched.
	Old Hash
	// New is the value to set; zero deletes the ref.
	New Hash
}

// Tag is an annotated tag. Signatures are passed over.
type Tag struct {
	Name   string // as the tag itself says, without "refs/tags/"
	Target Hash   // of any kind
	Tagger Signature
}
