package githubapp

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canned answers every request with one text, without a network.
type canned struct {
	status int
	text   string
}

// RoundTrip makes no request.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.text)), Request: r}, nil
}

// Whatever a server answers in place of GitHub, there is a token or an error.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		`{"id": 12, "permissions": {"contents": "write"}, "token": "t", "expires_at": "2030-01-01T00:00:00Z"}`, "null", "{}", "[]", "<html>",
		`{"id": -1, "token": "a b\r\nX: y"}`, `{"id": 1, "token": "t", "expires_at": "yesterday"}`, `{"message": null}`, `{"message": "Bad credentials"}`,
	} {
		f.Add(text, uint16(0))
		f.Add(text, uint16(203)) // 403
	}
	key := pkcs1(newKey(f))
	f.Fuzz(func(t *testing.T, text string, status uint16) {
		a, err := New(Config{
			ID: "1", PrivateKey: key, Owner: "team", Repository: "code", API: API("https", "github.com"),
			Client: &http.Client{Transport: canned{200 + int(status)%400, text}}, Permissions: map[string]string{"contents": "write"},
		})
		require.NoError(t, err)
		token, _, err := a.Token(t.Context())
		if err == nil {
			assert.Regexp(t, `^[[:graph:]]+$`, token, "a token is a word of a header")
		}
		_, _ = a.Granted(t.Context())
	})
}
