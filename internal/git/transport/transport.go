package transport

import (
	"context"
	"io"

	"github.com/taxiway-ci/taxiway/internal/git/wire"
)

// The two services of a git server.
const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
)

// dialer reaches one repository over one kind of connection.
type dialer interface {
	// dial begins a session of a service. v2 asks for protocol version 2, which
	// the server may ignore.
	dial(ctx context.Context, service string, v2 bool) (session, error)
	close() error
}

// session is one conversation.
type session interface {
	// greet gives what the server sends first, up to its flush.
	greet(ctx context.Context) (*wire.Greeting, error)
	// ask sends a message and gives the answer, which must be closed.
	ask(ctx context.Context, body []byte) (io.ReadCloser, error)
	// stateless says that each ask stands alone: no greeting is needed before it,
	// and none of them ends the session.
	stateless() bool
	close() error
}
