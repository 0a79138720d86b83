package transport

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that sends a byte now and then is never silent for long, and is ended
// all the same; one that sends enough is not.
func TestATrickleHasAnEnd(t *testing.T) {
	ctx, w := watchRate(t.Context(), time.Hour, 50*time.Millisecond)
	defer w.stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			w.moved(1)
		case <-ctx.Done():
		}
	}
	require.ErrorIs(t, context.Cause(ctx), errStalled)
	require.ErrorIs(t, w.cause(context.Canceled), errStalled)

	ctx, w = watchRate(t.Context(), time.Hour, time.Hour)
	w.moved(1 << 30)
	require.NoError(t, ctx.Err())
	w.stop()
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
