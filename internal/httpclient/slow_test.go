package httpclient

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that sends a byte a second is ended, in whichever part of its answer it is slow. The clock runs ahead.
func TestSlowAnswersHaveAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		address, begins, want string
		most                  time.Duration
	}{
		"in the handshake": {"https://a.example/", "\x16\x03\x03\x3f\xff", "TLS handshake timeout", handshakeLimit},
		"in the headers":   {"http://a.example/", "HTTP/1.1 200 OK\r\nX-A: ", "timeout awaiting response headers", silenceLimit},
		"in the body":      {"http://a.example/", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "did not come to its end", bodyLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := New(TLS{})
				require.NoError(t, err)
				transport, ok := client.Transport.(*http.Transport)
				require.True(t, ok)
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					go trickle(there, c.begins)
					return here, nil
				}
				client.Transport = LimitBodies(transport, 1<<20)
				start := time.Now()
				err = fetch(t, client, c.address)
				require.ErrorContains(t, err, c.want)
				assert.LessOrEqual(t, time.Since(start), c.most+time.Second)
				client.CloseIdleConnections()
				<-time.After(time.Minute) // the server notices
			})
		})
	}
}

// trickle waits until something is asked, sends a text, and then a byte a second until nobody reads any more.
func trickle(c net.Conn, text string) {
	_, err := c.Read(make([]byte, 1))
	go func() { _, _ = io.Copy(io.Discard, c) }()
	if err == nil {
		_, err = io.WriteString(c, text)
	}
	for err == nil {
		<-time.After(time.Second)
		_, err = c.Write([]byte(" "))
	}
}

func fetch(t *testing.T, c *http.Client, address string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := c.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
