package git

import (
	"io"

	"github.com/taxiway-ci/taxiway/internal/git/history"
	"github.com/taxiway-ci/taxiway/internal/git/merge"
	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/transport"
	"github.com/taxiway-ci/taxiway/internal/git/workdir"
)

//nolint:revive // the words of the floors below that callers use, each documented there
type (
	Hash          = object.Hash
	Commit        = object.Commit
	Signature     = object.Signature
	Entry         = object.Entry
	Tag           = object.Tag
	Object        = object.Object
	Update        = object.Update
	Rejected      = object.Rejected //nolint:errname // it is what happened
	Access        = transport.Access
	File          = workdir.File
	GitDir        = workdir.GitDir
	Range         = history.Range
	Paths         = history.Paths
	Touch         = history.Touch
	ConflictError = merge.ConflictError
)

// One sentinel for each decision that a caller can take, see package object.
var (
	ErrNotFound       = object.ErrNotFound
	ErrNoBranch       = object.ErrNoBranch
	ErrNonFastForward = object.ErrNonFastForward
	ErrNoRepository   = object.ErrNoRepository
	ErrEmpty          = object.ErrEmpty
	ErrShallow        = object.ErrShallow
	ErrDamaged        = object.ErrDamaged
)

// HashBlob is the hash that git gives to a file with the content of r, see package
// object.
func HashBlob(r io.Reader, size int64) (Hash, error) { return object.HashBlob(r, size) }

// OnlyPath picks one file, see package history.
func OnlyPath(name string) *Paths { return history.OnlyPath(name) }

// KnownHosts are the hosts whose ssh keys are known without any known_hosts.
func KnownHosts() []string { return transport.KnownHosts() }

// CheckBranch refuses what can't be the short name of a branch, see package transport.
func CheckBranch(name string) error { return transport.CheckBranch(name) }

// PublicAddress is the address of a repository as people may see it, see package
// transport.
func PublicAddress(uri string) string { return transport.PublicAddress(uri) }
