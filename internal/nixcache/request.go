package nixcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

const (
	redirects = 5
	maxText   = 300 // bytes of a refusal that are shown
	// small is the size in bytes of answers of which many may be read at once.
	small = 64 << 10
)

// question is one request, however often it must be sent.
type question struct {
	method    string
	url       *url.URL
	body      []byte // JSON
	most      int64  // bytes of the answer
	firstByte bool   // ask for one byte, and read none

	take func(body []byte) error // gets the answer's body in place of the caller
}

// answer is a success.
type answer struct {
	body []byte
	size int64 // of the file behind it; -1 when not said
}

// ask sends a question until it is answered or refused for good. A failure that
// may pass is retried; if it stays, the error is [ErrUnwell].
func (c *Cache) ask(ctx context.Context, q question) (answer, error) {
	var last error
	loop := retry.Loop{What: "ask the cache", Logf: c.logf, Again: func(err error) (time.Duration, bool) {
		wait := retryAfterOf(err)
		if wait > 0 {
			c.gate.close(wait)
		}
		return wait, errors.Is(err, ErrUnwell)
	}}
	got, err := retry.Do(ctx, loop, func() (got answer, err error) {
		got, last = c.follow(ctx, q)
		return got, last
	})
	if errors.Is(context.Cause(ctx), errGaveUp) {
		return got, last // the reason for a path not found yet
	}
	return got, err
}

// retryAfterOf is the Retry-After of the server that an error comes from; 0 when
// there is none.
func retryAfterOf(err error) time.Duration {
	if status := (*statusError)(nil); errors.As(err, &status) {
		return status.after
	}
	return 0
}

// follow sends a question once, and again to where it is redirected.
func (c *Cache) follow(ctx context.Context, q question) (answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	if err := c.gate.pass(ctx); err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, requestLimit, errSlow)
	defer cancel()
	for range redirects {
		got, next, err := c.send(ctx, q)
		if err != nil || next == nil {
			return got, err
		}
		q.url = next
	}
	return answer{}, fmt.Errorf("%w: it redirects more than %d times", ErrWrong, redirects)
}

var errSlow = fmt.Errorf("%w: no answer within %s", ErrUnwell, requestLimit)

// send is one HTTP request. It answers with an address when it is redirected.
func (c *Cache) send(ctx context.Context, q question) (answer, *url.URL, error) {
	request := (&http.Request{
		Method: q.method, URL: q.url, Body: http.NoBody, Header: http.Header{"User-Agent": {"taxiway-cachix-paths"}},
	}).WithContext(ctx)
	if q.body != nil {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(q.body)), int64(len(q.body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(q.body)), nil }
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json")
	}
	c.access.authorise(request)
	if q.firstByte {
		request.Header.Set("Range", "bytes=0-0")
	}
	c.requests.Add(1)
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, nil, fault(ctx, q.url, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.ProtoMajor > 1 {
		c.widen()
	}
	if next, err := redirected(q, response); next != nil || err != nil {
		return answer{}, next, err
	}
	got, err := c.read(q, response)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return got, nil, err
}

func (c *Cache) read(q question, response *http.Response) (answer, error) {
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return answer{}, &statusError{
			at: q.url, status: response.StatusCode, text: readable(text),
			after: httpclient.RetryAfter(response), kind: kindOf(response.StatusCode),
		}
	}
	got := answer{size: wholeSize(response)}
	if q.firstByte {
		return got, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, min(small, q.most+1)))
	if err == nil && len(body) == small {
		c.large.Lock()
		defer c.large.Unlock()
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(response.Body, q.most+1-small))
		body = append(body, rest...)
	}
	switch {
	case err != nil:
		return got, fmt.Errorf("%w: %s broke off: %w", ErrUnwell, shown(q.url), err)
	case int64(len(body)) > q.most:
		return got, fmt.Errorf("%w: %s is larger than %d KiB", ErrWrong, shown(q.url), q.most>>10)
	}
	if q.take != nil {
		return got, q.take(body)
	}
	got.body = body
	return got, nil
}

// wholeSize is the size of the file of which a part may have been sent.
func wholeSize(response *http.Response) int64 {
	if response.StatusCode != http.StatusPartialContent {
		return response.ContentLength
	}
	_, whole, _ := strings.Cut(response.Header.Get("Content-Range"), "/")
	if size, err := strconv.ParseInt(whole, 10, 64); err == nil {
		return size
	}
	return -1
}

// redirected is where to ask instead.
func redirected(q question, response *http.Response) (*url.URL, error) {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil //nolint:nilnil // no redirect is neither an address nor a fault
	}
	if q.method != http.MethodGet {
		return nil, fmt.Errorf("%w: %s is redirected to %s: is api_url right?", ErrWrong, shown(q.url), quote(response.Header.Get("Location")))
	}
	next, err := q.url.Parse(response.Header.Get("Location"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s redirects to no address: %w", ErrWrong, shown(q.url), err)
	}
	if q.url.Scheme == "https" && next.Scheme != "https" {
		return nil, fmt.Errorf("%w: %s redirects to %s, which is not encrypted", ErrWrong, shown(q.url), shown(next))
	}
	return next, nil
}

// shown leaves the query out: that of a signed address is a secret.
func shown(u *url.URL) string {
	plain := *u
	plain.RawQuery, plain.User = "", nil
	return plain.String()
}

// readable makes one short line of a server's text.
func readable(text []byte) string {
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "")), " ")
	if strings.HasPrefix(line, "<") {
		return "" // a page for browsers
	}
	if len(line) > maxText {
		return strings.ToValidUTF8(line[:maxText], "") + "…"
	}
	return line
}

// fault tells what passes from what stays.
func fault(ctx context.Context, u *url.URL, err error) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errSlow) {
			return fmt.Errorf("%s: %w", shown(u), cause)
		}
		return context.Cause(ctx)
	}
	explained := httpclient.Explain(err)
	if stays(err) {
		return fmt.Errorf("ask %s: %w", shown(u), explained)
	}
	return fmt.Errorf("%w: ask %s: %w", ErrUnwell, shown(u), explained)
}

// stays are faults that no waiting removes: a certificate, a name that nobody
// knows, a server that does not speak TLS.
func stays(err error) bool {
	var name *net.DNSError
	if errors.As(err, &name) {
		return name.IsNotFound
	}
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ") || strings.Contains(text, "unsupported protocol") ||
		strings.Contains(text, "gave HTTP response to HTTPS client")
}

// access is a token and where it may go.
type access struct {
	token string
	home  *url.URL
	api   *url.URL // of Cachix, nil for a plain cache
}

// authorise adds the token, if the request goes where the token belongs:
// Cachix's API has it as a bearer token, files are asked for as Nix asks with a
// netrc, with a password and no user.
func (a access) authorise(request *http.Request) {
	if a.token == "" || !a.trusts(request.URL) {
		return
	}
	if a.api != nil && request.URL.Host == a.api.Host && strings.HasPrefix(request.URL.Path, a.api.Path) {
		request.Header.Set("Authorization", "Bearer "+a.token)
		return
	}
	request.SetBasicAuth("", a.token)
}

// trusts is the host itself, and for Cachix the hosts below it, where its
// caches are. The token never goes out unencrypted when its home is encrypted.
func (a access) trusts(u *url.URL) bool {
	if u.Scheme != a.home.Scheme || port(u) != port(a.home) {
		return false
	}
	host, home := strings.ToLower(u.Hostname()), strings.ToLower(a.home.Hostname())
	return host == home || a.api != nil && strings.HasSuffix(host, "."+home)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// gate keeps all requests back while the server refuses requests.
type gate struct {
	mu   sync.Mutex
	open time.Time // when requests may pass again
}

func (g *gate) close(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.open) {
		g.open = until
	}
}

func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		left := time.Until(g.open)
		g.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := retry.Sleep(ctx, left); err != nil {
			return err
		}
	}
}
