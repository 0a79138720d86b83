package transport

import (
	"context"
	"fmt"
	"net"
)

// gitDialer speaks the git:// protocol, see gitprotocol-pack(5): one connection
// for each session, without credentials.
type gitDialer struct{ endpoint *Address }

func (d *gitDialer) close() error { return nil }

func (d *gitDialer) dial(ctx context.Context, service string, v2 bool) (session, error) {
	c, err := (&net.Dialer{Timeout: connectLimit}).DialContext(ctx, "tcp", d.endpoint.dialAddress("9418"))
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("%s %s\x00host=%s\x00", service, d.endpoint.Path, d.endpoint.hostPort())
	if v2 {
		request += "\x00version=2\x00"
	}
	s := &stream{r: c, w: c, end: c.Close}
	answer, err := s.ask(ctx, fmt.Appendf(nil, "%04x%s", len(request)+4, request))
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, answer.Close() // the answer is the greeting
}
