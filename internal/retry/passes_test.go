package retry_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/retry"
)

func TestPasses(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("read: %w", syscall.ECONNRESET):                  true,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}:         true,
		io.ErrUnexpectedEOF:                                         true,
		&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}:       true,
		&net.DNSError{Err: "server misbehaving", IsTemporary: true}: true,
		&net.DNSError{Err: "no such host", IsNotFound: true}:        false,
		errors.New("bad key"):                                       false,
		syscall.ENOSPC:                                              false,
	} {
		assert.Equal(t, want, retry.Passes(err), "%v", err)
	}
}

// TestCutAnywhereInAResponsePasses cuts a real connection after each byte of a
// response: inside the status line, the header and the body.
func TestCutAnywhereInAResponsePasses(t *testing.T) {
	const response = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nContent-Length: 4\r\n\r\n0000"
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	cuts := make(chan int)
	go func() {
		for cut := range cuts {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096)) // the request
			_, _ = io.WriteString(c, response[:cut])
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { close(cuts) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for cut := range len(response) {
		cuts <- cut
		err := get(t, client, "http://"+listener.Addr().String())
		require.Error(t, err, "cut after %q", response[:cut])
		assert.True(t, retry.Passes(err), "cut after %q: %v", response[:cut], err)
	}
}

func get(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	// A POST is not repeated by net/http itself.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	require.NoError(t, err)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.ReadAll(answer.Body)
	return err
}
