package httpclient

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Sleep waits between two tries, unless the context ends first; its cause is
// the error then.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Passes reports whether err is a fault of a network that may be over at the
// next try: connections that were refused, reset or cut, names that can't be
// looked up at the moment, and what took too long.
func Passes(err error) bool {
	for _, passing := range []error{
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
		io.ErrUnexpectedEOF, io.EOF, net.ErrClosed,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
