package httpclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

func TestBodiesEndAtTheirLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("[null,")); err != nil {
					return
				}
			}
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	}))
	defer server.Close()
	client, err := httpclient.New(httpclient.TLS{})
	require.NoError(t, err)
	client.Transport = httpclient.LimitBodies(client.Transport, 1000)
	defer client.CloseIdleConnections()
	get := func(path string) ([]byte, error) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(q)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		return io.ReadAll(response.Body)
	}
	body, err := get("/thousand")
	require.NoError(t, err, "exactly the limit is not over it")
	assert.Len(t, body, 1000)
	_, err = get("/endless")
	require.ErrorIs(t, err, httpclient.ErrTooLarge)
}

func TestJSONOfManyValuesIsTooLarge(t *testing.T) {
	for text, few := range map[string]bool{
		"[" + strings.Repeat("{},", 200_000) + "{}]": false, "[" + strings.Repeat("0,", 300_000) + "0]": false, strings.Repeat("[", 300_000): false,
		`["` + strings.Repeat(`,[{\"`, 300_000) + `"]`: true, `{"a": [1, 2]}`: true,
	} {
		err := httpclient.FewValues([]byte(text))
		if few {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, httpclient.ErrTooLarge)
		assert.ErrorContains(t, err, "more than 250000 values")
	}
}
