package secret

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	key := "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\nbm9uZQ+/AAAAAAAABAAABlwA\nshort=\n-----END OPENSSH PRIVATE KEY-----\n"
	quoted, err := json.Marshal(key)
	require.NoError(t, err)
	var m Mask
	m.Hide("pass word/+1&ü", key, "", "x", "((", "tok", "<tag>&more", `back\slash"`, "overlapping-and", "and-one-more", "two  blanks")
	for name, text := range map[string]string{
		"as it is":              "pass word/+1&ü",
		"in a query":            url.QueryEscape("pass word/+1&ü"),
		"in a path":             url.PathEscape("pass word/+1&ü"),
		"as userinfo":           url.UserPassword("ana", "pass word/+1&ü").String(),
		"in JSON":               `{"k": ` + string(quoted) + `}`,
		"HTML-safe JSON":        `<tag>&more`,
		"a whole key":           key,
		"a line of a key":       "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE",
		"an escaped line":       url.QueryEscape("bm9uZQ+/AAAAAAAABAAABlwA"),
		"base64":                base64.StdEncoding.EncodeToString([]byte("pass word/+1&ü")),
		"base64 with a user":    base64.StdEncoding.EncodeToString([]byte("ana:pass word/+1&ü")),
		"base64 with another":   base64.StdEncoding.EncodeToString([]byte("an:pass word/+1&ü")),
		"base64 for addresses":  base64.RawURLEncoding.EncodeToString([]byte("é:pass word/+1&ü~")),
		"base64 of a line":      base64.StdEncoding.EncodeToString([]byte("bm9uZQ+/AAAAAAAABAAABlwA")),
		"tiny, on its own":      "the password is x.",
		"credentials of others": "https://bob:hunter2@example.com/r.git",
		"a token as user":       "https://ghp_hunter2@example.com/r.git",
		"a password of ssh":     "ssh://git:hunter2@example.com/r.git",
		"one slash":             "https:/bob:hunter2@example.com/r",
		"no scheme":             "fetch //bob:hunter2@example.com/r: no",
		"the form of scp":       "uri: bob:hunter2@example.com:r.git",
		"lower-case percent":    "pass%20word%2f%2b1%26%c3%bc",
		"in Go's quotes":        fmt.Sprintf("%q", `the key "pass word/+1&ü" is wrong`),
		"in ASCII quotes":       fmt.Sprintf("%+q", "pass word/+1&ü"),
		"JSON without HTML":     `{"k": "<tag>&more"}`,
		"JSON in JSON":          `{"k": "{\"k\": \"\\u003ctag\\u003e\\u0026more\"}"}`,
		"HTML":                  html.EscapeString("<tag>&more"),
		"quotes at its end":     `{"k": "back\\slash\""}`,
		"overlapping secrets":   "overlapping-and-one-more",
		"base64 in an address":  "https://h/?token=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("ana:pass word/+1&ü"))),
		"address in address":    "https://h/?to=" + url.QueryEscape("https://i/?token="+url.QueryEscape("pass word/+1&ü")),
		"JSON of Python":        `{"k": "pass word/+1&\u00fc"}`,
		"JSON of PHP":           `{"k": "pass word\/+1&\u00fc"}`,
		"HTML of Python":        "its &#x27;pass word/+1&amp;ü",
		"blanks made one":       "two blanks",
		"cut":                   "the token is pass word/…",
		"cut in quotes":         `the token is "pass word/+"…`,
	} {
		masked := m.Text(text)
		assert.Contains(t, masked, redacted, name)
		for _, never := range []string{"pass word", "pass%20word", "pass+word", "b3Blbn", "bm9uZQ", "hunter2", "tag", "is x", "slash", "one-more", "overlapping", "two"} {
			assert.NotContains(t, masked, never, name)
		}
	}
	for _, harmless := range []string{"exit, box", "ssh://git@example.com/r.git", "git@example.com:o/r.git", "token", "stock", "https://example.com/a@b", "repo:1.2.3@sha256:00", "registry.example:5000/bank:edge@sha256:00", "git@example.com:o/r.git: no such branch", "a long text…"} {
		assert.Equal(t, harmless, m.Text(harmless))
	}
	assert.Equal(t, "a secret", (&Mask{}).Text("a secret"))
}

func TestMaskOfEveryAlignment(t *testing.T) {
	secret := "correct horse battery staple"
	var m Mask
	m.Hide(secret)
	for before := range 7 {
		for after := range 4 {
			text := strings.Repeat("é", before)[:before] + secret + strings.Repeat("z", after)
			masked := m.Text(base64.StdEncoding.EncodeToString([]byte(text)))
			left := strings.ReplaceAll(masked, redacted, "")
			assert.LessOrEqual(t, len(left), 12+4, "%d before, %d after: %s", before, after, masked)
			assert.Contains(t, masked, redacted)
		}
	}
}

// Each program that is given a key does this when it starts.
func BenchmarkHideAKey(b *testing.B) {
	content := make([]byte, 2400) // as many as an RSA key of 4096 bits has
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: content}))
	b.ReportAllocs()
	for b.Loop() {
		var m Mask
		m.Hide(key)
	}
}
