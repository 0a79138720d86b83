package git

import (
	"errors"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/transport"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// again describes the repetition of an operation on this remote: it goes on while
// a failure of the network or the server may pass.
func (r *Remote) again(what string) retry.Loop {
	return retry.Loop{What: what + " of " + r.URL(), Logf: r.logf, Again: func(err error) (time.Duration, bool) {
		return transport.RetryAfter(err), passes(err)
	}}
}

// passes reports whether the same operation may succeed next time. A pack may
// have been damaged on its way.
func passes(err error) bool {
	return transport.IsTransient(err) || errors.Is(err, ErrDamaged) && !transport.IsFinal(err)
}
