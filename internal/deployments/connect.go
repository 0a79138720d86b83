package deployments

import (
	"errors"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Connection is a repository together with the remote it is read from.
type Connection struct {
	*Repository
	Remote *git.Remote
}

// Connect prepares reading the repository that src names, and writing it if open is that of package signing. Objects
// are kept in memory. No network is used yet.
func Connect(src Source, open func(git.Access, git.Options) (*git.Remote, error), logf func(format string, args ...any)) (*Connection, error) {
	remote, err := open(src.Access, git.Options{Logf: logf})
	if err != nil {
		return nil, err
	}
	store, err := remote.Store("")
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	return &Connection{NewRepository(src, &oneLook{RefReader: remote, first: src.RefNames()}, store, logf), remote}, nil
}

// Close ends the connection.
func (c *Connection) Close() error { return errors.Join(c.store.Close(), c.Remote.Close()) }
