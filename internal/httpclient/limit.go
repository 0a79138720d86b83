package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ErrTooLarge says that an answer is larger than a program reads. The same question
// has the same answer, so trying again does not help.
var ErrTooLarge = errors.New("the server's answer is too large")

// errSlow says that an answer began and did not end.
var errSlow = fmt.Errorf("the server's answer did not come to its end within %s", bodyLimit)

// ErrPage says that an address is one for people.
var ErrPage = errors.New("it answers a web page, not an API: check the address of the API")

// NotAPage returns ErrPage for a success that is a web page, as from a wrong address of an API.
func NotAPage(response *http.Response) error {
	if response.StatusCode/100 == 2 && strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		return fmt.Errorf("%s://%s%s: %w", response.Request.URL.Scheme, response.Request.URL.Host, response.Request.URL.Path, ErrPage)
	}
	return nil
}

// LimitBodies returns a transport whose answers have at most limit bytes each;
// reading on is [ErrTooLarge], as is JSON of too many values. One that takes too long is [errSlow]. It is for APIs, whose answers are read as a whole. A web page
// is [ErrPage].
func LimitBodies(below http.RoundTripper, limit int64) http.RoundTripper {
	return &limited{below, limit}
}

type limited struct {
	below http.RoundTripper
	limit int64
}

// RoundTrip makes the request below.
func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	response, err := l.below.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return response, err
	}
	if err := NotAPage(response); err != nil {
		cancel(nil)
		return nil, errors.Join(err, response.Body.Close())
	}
	timer := time.AfterFunc(bodyLimit, func() { cancel(errSlow) })
	end := func() { timer.Stop(); cancel(nil) }
	response.Body = &limitedBody{ReadCloser: response.Body, left: l.limit, limit: l.limit, ctx: ctx, end: end}
	return response, nil
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
	values      values
	ctx         context.Context //nolint:containedctx // the body lasts as long as it
	end         func()
}

// Close ends the wait for the rest.
func (b *limitedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
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
	if err != nil && errors.Is(context.Cause(b.ctx), errSlow) {
		err = errSlow
	}
	if many := b.values.count(p[:n]); many != nil {
		return 0, many
	}
	return n, err
}

// maxValues is how many values an answer may have: a page of 100 pull requests has some 50,000. Each may become an object of
// hundreds of bytes in memory, though it has two in the answer.
const maxValues = 250_000

// FewValues returns [ErrTooLarge] for JSON of more values than a program takes, see [LimitBodies].
func FewValues(body []byte) error { return new(values).count(body) }

// values counts those of JSON that comes in pieces, as what begins or follows one.
type values struct {
	n               int
	inText, escaped bool
}

func (v *values) count(piece []byte) error {
	for _, c := range piece {
		switch {
		case v.escaped:
			v.escaped = false
		case v.inText:
			v.escaped, v.inText = c == '\\', c != '"'
		case c == '"':
			v.inText = true
		case c == ',' || c == '[' || c == '{':
			v.n++
		}
	}
	if v.n > maxValues {
		return fmt.Errorf("%w: it has more than %d values", ErrTooLarge, maxValues)
	}
	return nil
}
