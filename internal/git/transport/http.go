package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

const (
	connectLimit = 30 * time.Second
	maxRedirects = 5
	errorText    = 400 // bytes of an error page that are shown
)

// httpDialer speaks git's "smart" HTTP, see gitprotocol-http(5).
type httpDialer struct {
	client *http.Client
	base   *url.URL // of the repository; follows redirects
	origin string   // scheme and host that may see the credentials
	login  loginSource
}

// loginSource gives the credentials for the host of the uri, fresh ones when
// they end after a while.
type loginSource interface {
	// login gives name and password; an empty password is none. fresh says that
	// the server may not know them yet.
	login(ctx context.Context) (name, password string, fresh bool, err error)
	// refused says that the last ones did not work, and reports whether others
	// are available.
	refused() bool
}

// fixedLogin is a name and password from the source.
type fixedLogin struct{ name, password string }

func (l fixedLogin) login(context.Context) (name, password string, fresh bool, err error) {
	return l.name, l.password, false, nil
}

func (l fixedLogin) refused() bool { return false }

func newHTTPClient(a Access) (*http.Client, error) {
	return httpclient.New(httpclient.TLS{CACert: a.CACert, SkipVerification: a.SkipSSLVerification})
}

func newHTTPDialer(e *Address, client *http.Client, login loginSource) *httpDialer {
	base := &url.URL{Scheme: e.Scheme, Host: e.hostPort(), Path: strings.TrimSuffix(e.Path, "/")}
	return &httpDialer{client: client, base: base, origin: origin(base), login: login}
}

func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

func (d *httpDialer) dial(_ context.Context, service string, v2 bool) (session, error) {
	return &httpSession{dialer: d, service: service, v2: v2}, nil
}

func (d *httpDialer) close() error {
	d.client.CloseIdleConnections()
	return nil
}

type httpSession struct {
	dialer  *httpDialer
	service string
	v2      bool
}

func (s *httpSession) stateless() bool { return true }

func (s *httpSession) close() error { return nil }

func (s *httpSession) greet(ctx context.Context) (g *wire.Greeting, err error) {
	body, err := s.dialer.get(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	p := wire.NewReader(body)
	g, err = wire.ReadHTTPGreeting(p, s.service)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, body) // a connection whose answer was read to its end is used again
	return g, err
}

func (s *httpSession) ask(ctx context.Context, body []byte) (io.ReadCloser, error) {
	return s.dialer.post(ctx, s, body)
}

func (d *httpDialer) post(ctx context.Context, s *httpSession, body []byte) (io.ReadCloser, error) {
	u := d.base.JoinPath(s.service)
	response, err := d.send(ctx, func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
		if err == nil {
			r.Header.Set("Content-Type", "application/x-"+s.service+"-request")
			r.Header.Set("Accept", "application/x-"+s.service+"-result")
			s.mark(r)
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	return d.checked(response, s.service+"-result")
}

func (s *httpSession) mark(r *http.Request) {
	r.Header.Set("User-Agent", "git/"+wire.Agent)
	if s.v2 {
		r.Header.Set("Git-Protocol", "version=2")
	}
}

// get asks for the greeting and follows redirects, which then hold for all that
// comes later.
func (d *httpDialer) get(ctx context.Context, s *httpSession) (io.ReadCloser, error) {
	for range maxRedirects + 1 {
		u := d.base.JoinPath("info", "refs")
		u.RawQuery = "service=" + s.service
		response, err := d.send(ctx, func(ctx context.Context) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
			if err == nil {
				s.mark(r)
			}
			return r, err
		})
		if err != nil {
			return nil, err
		}
		if response.StatusCode < 300 || response.StatusCode > 399 {
			return d.checked(response, s.service+"-advertisement")
		}
		err = d.redirect(u, response.Header.Get("Location"))
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the server redirects more than %d times", maxRedirects)
}

func (d *httpDialer) redirect(from *url.URL, location string) error {
	to, err := from.Parse(location)
	if err != nil || location == "" {
		return errors.New("the server redirects to something that is not a valid address")
	}
	p, ok := strings.CutSuffix(to.Path, "/info/refs")
	if !ok || (to.Scheme != "https" && to.Scheme != from.Scheme) {
		return fmt.Errorf("the server redirects to %s, which is not a git repository; check the uri", to.Redacted())
	}
	d.base = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: p}
	return nil
}

// send makes a request, with credentials when it goes to the host of the uri,
// and once more when they were refused and there are others.
func (d *httpDialer) send(ctx context.Context, request func(context.Context) (*http.Request, error)) (*http.Response, error) {
	for {
		ctx, w := watch(ctx, stallLimit)
		r, err := request(ctx)
		if err != nil {
			w.stop()
			return nil, err
		}
		known, err := d.authorise(ctx, r)
		if err != nil {
			w.stop()
			return nil, err
		}
		response, err := d.client.Do(r)
		if err != nil {
			w.stop()
			return nil, httpclient.Explain(w.cause(err))
		}
		if response.StatusCode == http.StatusUnauthorized && known == loginGiven && d.login.refused() {
			_ = response.Body.Close()
			w.stop()
			continue
		}
		response.Body = w.body(response.Body)
		if known == loginFresh && (response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusUnauthorized) {
			_, err := d.checked(response, "")
			return nil, fmt.Errorf("%w: %w", errFreshToken, err)
		}
		return response, nil
	}
}

type loginState int

const (
	loginNone loginState = iota
	loginGiven
	loginFresh
)

func (d *httpDialer) authorise(ctx context.Context, r *http.Request) (loginState, error) {
	if d.login == nil || origin(r.URL) != d.origin {
		return loginNone, nil
	}
	name, password, fresh, err := d.login.login(ctx)
	switch {
	case err != nil:
		return loginNone, err
	case password == "" && name == "":
		return loginNone, nil
	}
	r.SetBasicAuth(name, password)
	if fresh {
		return loginFresh, nil
	}
	return loginGiven, nil
}

// checked turns answers other than success into errors for people.
func (d *httpDialer) checked(response *http.Response, kind string) (io.ReadCloser, error) {
	if response.StatusCode == http.StatusOK {
		if got := response.Header.Get("Content-Type"); got != "application/x-"+kind {
			_ = response.Body.Close()
			return nil, fmt.Errorf("%w: it is of type %q: is the uri right?", wire.ErrProtocol, got)
		}
		return response.Body, nil
	}
	defer func() { _ = response.Body.Close() }()
	e := &statusError{status: response.StatusCode, retryAfter: httpclient.RetryAfter(response)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
		text, _ := io.ReadAll(io.LimitReader(response.Body, errorText+1)) // what came is enough
		e.text = cut(text, errorText)
	}
	d.explain(e, response)
	return nil, e
}

// cut is the beginning of a text, in one line and with a mark where it was cut.
func cut(text []byte, most int) string {
	mark := ""
	if len(text) > most {
		text, mark = text[:most], "…"
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "")), " ") + mark
}

// hasLogin reports whether there are credentials for the host of the uri.
func (d *httpDialer) hasLogin() bool {
	fixed, ok := d.login.(fixedLogin)
	return !ok || fixed.password != ""
}

func (d *httpDialer) explain(e *statusError, response *http.Response) {
	withLogin := response.Request.Header.Get("Authorization") != ""
	switch e.status {
	case http.StatusUnauthorized:
		e.kind, e.advice = object.ErrAuth, "check username and password (or the token): are they valid, and may they see this repository?"
		switch to := response.Request.URL; {
		case withLogin:
		case d.hasLogin() && origin(to) != d.origin:
			e.advice = fmt.Sprintf("the uri was redirected to %s, where the credentials are not sent: write the address with %s://%s as the uri", to.Host, to.Scheme, to.Host)
		default:
			e.advice = "the server wants credentials: set username and password, or app_id and app_private_key"
		}
	case http.StatusForbidden:
		e.kind, e.advice = object.ErrForbidden, "the credentials do not allow this"
		if response.Request.Method == http.MethodPost || strings.Contains(response.Request.URL.RawQuery, receivePack) {
			e.advice = "check that these credentials may do this to the repository"
		}
	case http.StatusNotFound, http.StatusGone:
		e.kind, e.advice = object.ErrNoRepository, "check the uri; many servers also say this when the credentials may not see the repository"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.advice = "the repository has moved"
	case http.StatusProxyAuthRequired:
		e.advice = "the proxy wants credentials: put them into https_proxy"
	}
}

func dialHTTP(a Access, e *Address, logf func(string, ...any)) (dialer, error) {
	client, err := newHTTPClient(a)
	if err != nil {
		return nil, err
	}
	if a.SkipSSLVerification && e.Scheme == "https" {
		logf("warning: skip_ssl_verification is set: the identity of %s is not verified", e.host)
	}
	if a.AppID != "" {
		app, err := newApp(a, e, client)
		if err != nil {
			return nil, err
		}
		return newHTTPDialer(e, client, app), nil
	}
	login := fixedLogin{a.Username, a.Password}
	if login.name == "" {
		login.name = e.user
	}
	if login.password == "" {
		login.password = e.pass
	}
	if login.name == "" && login.password != "" {
		login.name = "x-access-token" // servers that take tokens do not look at the name
	}
	return newHTTPDialer(e, client, login), nil
}
