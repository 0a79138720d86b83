package retry

import (
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"syscall"
)

// Passes reports whether err is a network failure that may be over at the next
// try: a connection that was refused, reset or cut, a name that cannot be looked
// up at the moment, or a timeout.
func Passes(err error) bool {
	for _, passing := range []error{
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
		io.ErrUnexpectedEOF, io.EOF, net.ErrClosed,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	return TimedOut(err) || cutInHeader(err)
}

// TimedOut reports whether err is that the other side was silent or slow.
func TimedOut(err error) bool {
	network := net.Error(nil)
	return errors.As(err, &network) && network.Timeout()
}

// cutInHeader reports whether a connection ended inside the header of an HTTP
// response. net/http parses the part that arrived and calls it malformed; only
// the text of its error tells so.
func cutInHeader(err error) bool {
	if malformed := textproto.ProtocolError(""); errors.As(err, &malformed) {
		return true
	}
	return err != nil && strings.Contains(err.Error(), "malformed HTTP ")
}
