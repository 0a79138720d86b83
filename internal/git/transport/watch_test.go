package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

// A server that sends a byte now and then is ended, whatever it sent before; one that sends enough is not.
func TestATrickleHasAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		first, each int           // bytes
		want        string        // of the error
		least, most time.Duration // until then
	}{
		"nothing":                    {0, 0, "the server sent nothing for 2m0s", stallLimit, stallLimit},
		"a byte a second":            {0, 1, "the server sent less than 16 KiB a second for 5m0s", slowLimit, slowLimit + time.Second},
		"a byte a second after much": {1 << 30, 1, "less than 16 KiB a second", slowLimit, slowLimit + time.Second},
		"half of what is enough":     {0, slowestRate / 2, "less than 16 KiB a second", 2*slowLimit - time.Second, 2*slowLimit + time.Second},
		"enough":                     {0, slowestRate, "", time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, w := watch(t.Context(), stallLimit)
				defer w.stop()
				start := time.Now()
				w.moved(c.first)
				for ctx.Err() == nil && time.Since(start) < time.Hour {
					if retry.Sleep(ctx, time.Second) == nil && c.each > 0 {
						w.moved(c.each)
					}
				}
				assert.LessOrEqual(t, c.least, time.Since(start))
				assert.LessOrEqual(t, time.Since(start), c.most)
				if c.want == "" {
					require.NoError(t, ctx.Err())
					return
				}
				require.ErrorContains(t, context.Cause(ctx), c.want)
				assert.Equal(t, context.Cause(ctx), w.cause(context.Canceled))
			})
		})
	}
}

// A server that begins an answer and goes on with a byte a second holds an operation for five minutes, one that says nothing
// for four, with all tries: over HTTP, where refs and packs are answers to requests, and over a connection that lasts, as that of SSH.
func TestSlowServersHoldAnOperationForMinutes(t *testing.T) {
	const header = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nContent-Length: 1000000000\r\n\r\n"
	refs := func(ctx context.Context, c *Client) error {
		_, err := c.Refs(ctx, []string{"refs/heads/main"})
		return err
	}
	fetch := func(ctx context.Context, c *Client) error {
		_, err := c.Fetch(ctx, wire.Fetch{Wants: []object.Hash{{1}}}, func(r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		})
		return err
	}
	for name, c := range map[string]struct {
		begins string
		asks   func(ctx context.Context, c *Client) error
		rate   int // bytes a second
		most   time.Duration
		conns  int
	}{
		"refs a byte at a time":           {header + "0fff", refs, 1, slowLimit, 1},
		"a pack a byte at a time":         {header + "000dpackfile\n0fff\x01PACK", fetch, 1, slowLimit, 1},
		"no more than the header":         {header, fetch, 0, 2 * stallLimit, 2},
		"no answer":                       {"", fetch, 0, 2 * stallLimit, 2},
		"a pack that stops":               {header + "000dpackfile\n0fff\x01PACK", fetch, 0, 2 * stallLimit, 2},
		"refs that stop over SSH":         {"0fff", nil, 0, 2 * stallLimit, 2},
		"refs a byte at a time over SSH":  {"0fff", nil, 1, slowLimit, 1},
		"a server of SSH that is silent ": {"", nil, 0, 2 * stallLimit, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns := 0
				dial := func() net.Conn {
					conns++
					here, there := net.Pipe()
					go trickle(there, c.begins, c.rate)
					return here
				}
				start := time.Now()
				again := retry.Loop{What: name, Again: func(err error) (time.Duration, bool) { return 0, IsTransient(err) }}
				_, err := retry.Do(t.Context(), again, func() (int, error) {
					client := &Client{dialer: slowDialer{dial}}
					if c.asks != nil {
						over := &http.Client{Transport: &http.Transport{
							DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(), nil }, ResponseHeaderTimeout: stallLimit,
						}}
						client.dialer = newHTTPDialer(&Address{Scheme: "http", host: "a.example", Path: "/x"}, over, fixedLogin{})
						return 0, errors.Join(c.asks(t.Context(), client), client.Close())
					}
					return 0, refs(t.Context(), client)
				})
				require.Error(t, err)
				assert.True(t, retry.TimedOut(err), "%v", err)
				assert.LessOrEqual(t, time.Since(start), c.most+10*time.Second)
				assert.Equal(t, c.conns, conns)
				<-time.After(time.Minute) // the server notices
			})
		})
	}
}

// slowDialer makes connections that last.
type slowDialer struct{ connect func() net.Conn }

func (d slowDialer) dial(context.Context, string, bool) (session, error) {
	c := d.connect()
	return &stream{r: c, w: c, end: c.Close}, nil
}

func (d slowDialer) close() error { return nil }

// trickle takes what comes, sends a text, and then so many bytes a second until nobody reads any more.
func trickle(c net.Conn, text string, rate int) {
	ended := make(chan struct{})
	if strings.HasPrefix(text, "HTTP") { // it is an answer
		_, _ = c.Read(make([]byte, 1))
	}
	go func() {
		_, _ = io.Copy(io.Discard, c)
		close(ended)
	}()
	_, err := io.WriteString(c, text)
	for err == nil && rate > 0 {
		<-time.After(time.Second)
		_, err = c.Write(make([]byte, rate))
	}
	<-ended
	_ = c.Close()
}

// A server whose answers end a little later than what git reads of them keeps its connection.
func TestAnswersThatEndLaterKeepTheConnection(t *testing.T) {
	var from []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = append(from, r.RemoteAddr)
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = w.Write([]byte("0000"))
		assert.NoError(t, http.NewResponseController(w).Flush())
		<-time.After(5 * time.Millisecond)
	}))
	defer server.Close()
	address, err := ParseAddress(server.URL + "/a.git")
	require.NoError(t, err)
	client, err := Open(Access{}, address, t.Logf)
	require.NoError(t, err)
	for range 3 {
		_, err := client.Refs(t.Context(), nil)
		require.NoError(t, err)
	}
	require.NoError(t, client.Close())
	assert.Len(t, slices.Compact(from), 1, "%v", from)
}
