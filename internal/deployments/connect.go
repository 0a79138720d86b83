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

// Connect prepares reading and writing the repository that src names. Objects
// are kept in storeDir, or in memory when it is "". No network is used yet.
func Connect(src Source, storeDir string, logf Logf) (*Connection, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: logf})
	if err != nil {
		return nil, err
	}
	c, err := Attach(src, remote, storeDir, logf)
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	return c, nil
}

// Attach does what Connect does, over a remote that is open already.
func Attach(src Source, remote *git.Remote, storeDir string, logf Logf) (*Connection, error) {
	store, err := remote.Store(storeDir)
	if err != nil {
		return nil, err
	}
	return &Connection{NewRepository(src, remote, store, logf), remote}, nil
}

// Close ends the connection.
func (c *Connection) Close() error { return errors.Join(c.store.Close(), c.Remote.Close()) }

// CloseStore ends reading, and leaves the remote open.
func (c *Connection) CloseStore() error { return c.store.Close() }
