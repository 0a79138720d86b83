package httpclient

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, c *http.Client, url string) (status int, _ error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
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
