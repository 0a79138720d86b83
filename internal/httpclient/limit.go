package httpclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrTooLarge says that an answer is larger than a program reads. The same question
// has the same answer, so trying again does not help.
var ErrTooLarge = errors.New("the server's answer is too large")

// LimitBodies returns a transport whose answers have at most limit bytes each;
// reading on is [ErrTooLarge]. It is for APIs, whose answers are read as a whole.
func LimitBodies(below http.RoundTripper, limit int64) http.RoundTripper {
	return &limited{below, limit}
}

type limited struct {
	below http.RoundTripper
	limit int64
}

// RoundTrip makes the request below.
func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.below.RoundTrip(r)
	if err == nil {
		response.Body = &limitedBody{response.Body, l.limit, l.limit}
	}
	return response, err
}

// CloseIdleConnections closes those of the transport below.
func (l *limited) CloseIdleConnections() {
	if c, ok := l.below.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type limitedBody struct {
	io.ReadCloser
	left, limit int64
}

// Read reads up to the limit.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var more [1]byte
		if n, err := b.ReadCloser.Read(more[:]); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, b.limit)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
