package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
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
		assert.Equal(t, want, httpclient.Passes(err), "%v", err)
	}
}

func TestSleep(t *testing.T) {
	require.NoError(t, httpclient.Sleep(t.Context(), time.Nanosecond))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the build was stopped")
	cancel(why)
	require.ErrorIs(t, httpclient.Sleep(ctx, time.Hour), why)
}
