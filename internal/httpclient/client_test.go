package httpclient

import (
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, c *http.Client, address string) (status int, _ error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestWhomToTrust(t *testing.T) {
	server := httptest.NewTLSServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for name, c := range map[string]struct {
		tls TLS
		ok  bool
	}{"nobody": {TLS{}, false}, "the authority": {TLS{CACert: ca}, true}, "everybody": {TLS{SkipVerification: true}, true}} {
		client, err := New(c.tls)
		require.NoError(t, err)
		status, err := get(t, client, server.URL)
		if !c.ok {
			require.ErrorContains(t, Explain(err), "give the certificate of your authority as ca_cert")
			assert.NotContains(t, Explain(err).Error(), server.URL)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusFound, status, "redirects are for the caller")
	}
	_, err := New(TLS{CACert: "none"})
	require.ErrorContains(t, err, "ca_cert: it has no certificate")
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	other := errors.New("other")
	assert.Equal(t, other, Explain(other))
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "0": time.Second, "17": 17 * time.Second, "9999999999999": 365 * 24 * time.Hour, "-3": 0, "soon": 0, "Mon, 02 Jan 2006 15:04:05 GMT": time.Second} {
		assert.Equal(t, want, RetryAfter(&http.Response{Header: http.Header{"Retry-After": {value}}}), value)
	}
	in := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	assert.InDelta(t, time.Hour, RetryAfter(&http.Response{Header: http.Header{"Retry-After": {in}}}), float64(2*time.Second))
}

// A proxy that does not connect is named, and a fault of its server may pass.
func TestAProxyThatRefusesIsNamed(t *testing.T) {
	for status, want := range map[int]struct {
		text   string
		passes bool
	}{
		http.StatusForbidden:         {"HTTP 403 Forbidden: check https_proxy and no_proxy", false},
		http.StatusProxyAuthRequired: {"HTTP 407 Proxy Authentication Required: it wants credentials: put them into https_proxy", false},
		http.StatusBadGateway:        {"HTTP 502 Bad Gateway", true},
	} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		at, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		client, err := New(TLS{})
		require.NoError(t, err)
		transport, ok := client.Transport.(*http.Transport)
		require.True(t, ok)
		transport.Proxy = http.ProxyURL(at)
		_, err = get(t, client, "https://git.example.com/x")
		require.ErrorContains(t, Explain(err), "the proxy "+at.Host+" does not connect to git.example.com:443: "+want.text)
		var network net.Error
		require.ErrorAs(t, Explain(err), &network)
		assert.Equal(t, want.passes, network.Timeout())
		proxy.Close()
	}
}

// A page for people at the address of an API is named as that; what an API says of its errors is not.
func TestAWebPageIsNotAnAPI(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("<html>"))
	}))
	defer server.Close()
	client := &http.Client{Transport: LimitBodies(http.DefaultTransport, 100)}
	_, err := get(t, client, server.URL+"/api?token=x")
	require.ErrorIs(t, err, ErrPage)
	require.ErrorContains(t, Explain(err), server.URL+"/api: it answers a web page, not an API: check the address of the API")
	status, err := get(t, client, server.URL+"/missing")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, status)
}
