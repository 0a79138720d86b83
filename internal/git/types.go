package git

import (
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// NewCommit describes a commit on top of another one.
type NewCommit struct {
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
	// Delete removes the path; a path that does not exist is not an error.
	Delete bool
}

// AddFile is the edit that adds a file as it is on disk: regular, executable or a symbolic link, whose
// content is its target.
func AddFile(mode fs.FileMode, content []byte) Edit {
	const ownerExecutes = 0o100
	e := Edit{Mode: filemode.Regular, Content: content}
	switch {
	case mode&fs.ModeSymlink != 0:
		e.Mode = filemode.Symlink
	case mode&ownerExecutes != 0:
		e.Mode = filemode.Executable
	}
	return e
}

// Built is a commit that exists here but not yet at the remote.
type Built struct {
	Hash   Hash
	Commit *Commit
	// Objects are those that the remote needs to have for the commit to be
	// complete, given that it has the parent.
	Objects []Object
	// Also are further refs that Store.UpdateRef moves in the same push, for
	// instance a tag.
	Also []Update
}

// Options are about this process, not about the repository.
type Options struct {
	// Logf gets warnings and word of retries; nil drops them.
	Logf func(format string, args ...any)
	// Sign signs what stores of the remote build, package signing has it; nil leaves that unsigned.
	Sign Sign
}

// Sign makes the detached signature of a commit or tag, as armored text. at is the time of the committer or tagger.
type Sign func(content []byte, at time.Time) ([]byte, error)
