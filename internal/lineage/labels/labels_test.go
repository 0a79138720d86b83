package labels

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A registry that takes a question and says nothing is given up.
func TestASilentRegistryIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := newClient()
		require.NoError(t, err)
		over, ok := client.Transport.(*http.Transport)
		require.True(t, ok)
		over.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, there)
				_ = there.Close()
			}()
			return here, nil
		}
		over.DialTLSContext = over.DialContext
		start := time.Now()
		_, err = Registry{Transport: over}.Labels(t.Context(), "r.example.org/acme/bank", "sha256:"+strings.Repeat("a", 64))
		require.ErrorContains(t, err, "timeout awaiting response headers")
		assert.LessOrEqual(t, time.Since(start), 3*time.Minute)
		client.CloseIdleConnections()
		<-time.After(time.Minute) // the registry notices
	})
}
