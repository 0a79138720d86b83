package transport

import (
	"context"
	"testing"
	"time"

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
