package transport

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// watcher ends work on which nothing moves for a while.
type watcher struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelFunc
	struck atomic.Bool
}

// watch gives a context that ends when the watcher sees no movement for so long.
func watch(parent context.Context, limit time.Duration) (context.Context, *watcher) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watcher{limit: limit, cancel: func() { cancel(nil) }}
	w.timer = time.AfterFunc(limit, func() {
		w.struck.Store(true)
		cancel(errStalled)
	})
	return ctx, w
}

func (w *watcher) moved() { w.timer.Reset(w.limit) }

func (w *watcher) stop() {
	w.timer.Stop()
	w.cancel()
}

// cause names the watcher as the reason of an error that it brought about.
func (w *watcher) cause(err error) error {
	if err != nil && w.struck.Load() {
		return errStalled
	}
	return err
}

// body watches a stream until it is closed.
func (w *watcher) body(r io.ReadCloser) io.ReadCloser { return &watchedBody{r, w} }

type watchedBody struct {
	r io.ReadCloser
	w *watcher
}

// Read notes each movement.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if n > 0 {
		b.w.moved()
	}
	return n, b.w.cause(err)
}

// Close ends the watch.
func (b *watchedBody) Close() error {
	b.w.stop()
	return b.r.Close()
}
