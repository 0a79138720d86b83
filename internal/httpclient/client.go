// Package httpclient makes the HTTP clients of everything that talks to a web
// server: they obey a source's TLS keys and the proxies of the environment, give
// up on servers that stay silent, and follow no redirects by themselves.
package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	connectLimit      = 30 * time.Second
	handshakeLimit    = 20 * time.Second
	silenceLimit      = 2 * time.Minute // before a server begins to answer
	bodyLimit         = 2 * time.Minute // for the whole answer of an API, once it has begun
	longestRetryAfter = 365 * 24 * 3600 // seconds; more would overflow a duration
)

// TLS are the keys of a source that say whom to trust.
type TLS struct {
	// CACert is trusted in addition to the usual authorities; PEM.
	CACert string
	// SkipVerification trusts everybody.
	SkipVerification bool
}

// Exposed reports whether credentials that are sent to a host can be read on the way: the connection
// is not encrypted, and leaves this machine.
func Exposed(scheme, host string) bool {
	ip := net.ParseIP(host)
	return scheme == "http" && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// New makes a client. Its errors name the key of the source that is wrong.
func New(t TLS) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.SkipVerification {
		config.InsecureSkipVerify = true
	}
	if t.CACert != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(t.CACert)) {
			return nil, errors.New("ca_cert: it has no certificate; it must be PEM text with -----BEGIN CERTIFICATE-----")
		}
		config.RootCAs = pool
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectLimit}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   handshakeLimit,
		ResponseHeaderTimeout: silenceLimit,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   2,
		ForceAttemptHTTP2:     true,

		OnProxyConnectResponse: refusedByProxy,
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// refusedByProxy names the proxy that does not connect to a server. net/http has only the text of the
// status, as if the server had said it.
func refusedByProxy(_ context.Context, proxy *url.URL, request *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	advice := "check https_proxy and no_proxy"
	if response.StatusCode == http.StatusProxyAuthRequired {
		advice = "it wants credentials: put them into https_proxy"
	}
	return &proxyError{fmt.Sprintf("the proxy %s does not connect to %s: HTTP %s: %s", proxy.Host, request.Host, response.Status, advice), response.StatusCode}
}

// proxyError is a refusal of a proxy. A fault of its server may pass.
type proxyError struct {
	text   string
	status int
}

// Error names the proxy and the server.
func (e *proxyError) Error() string { return e.text }

// Timeout makes it a net.Error that may be over at the next try.
func (e *proxyError) Timeout() bool { return e.status >= http.StatusInternalServerError }

// Temporary is part of net.Error.
func (e *proxyError) Temporary() bool { return e.Timeout() }

// Explain leaves out the address that net/http repeats in its errors, and that of a redirect which
// cannot be read, of which net/http shows a part; and says what to do about a certificate that is not trusted.
func Explain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if err != nil && strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return errors.New("the server redirects to something that is not a valid address")
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	if errors.As(err, &unknown) || errors.As(err, &invalid) || errors.As(err, &name) {
		return fmt.Errorf("%w: give the certificate of your authority as ca_cert, or set skip_ssl_verification", err)
	}
	return err
}

// RetryAfter is how long a server wishes to be left alone (RFC 9110, section
// 10.2.3), at least a second; 0 when it does not say.
func RetryAfter(response *http.Response) time.Duration {
	value := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return max(time.Second, time.Duration(min(seconds, longestRetryAfter))*time.Second)
	}
	if when, err := http.ParseTime(value); err == nil {
		return max(time.Second, time.Until(when))
	}
	return 0
}
