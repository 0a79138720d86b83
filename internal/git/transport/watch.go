package transport

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// An answer may be silent for a while, and has a deadline that moves with what came:
// a server that sends a byte now and then does not hold a build forever.
const (
	slowestRate = 16 << 10         // bytes a second, on the average
	graceOfRate = 15 * time.Minute // for a server that prepares a large pack

	lastWait  = 2 * time.Second // for the end of an answer
	lastBytes = 16 << 10
)

// watcher ends work on which nothing moves for a while, or too little.
type watcher struct {
	limit    time.Duration
	grace    time.Duration
	began    time.Time
	received atomic.Int64
	timer    *time.Timer
	cancel   context.CancelFunc
	struck   atomic.Bool
}

// watch returns a context that ends when the watcher sees no movement for so long,
// or less than slowestRate.
func watch(parent context.Context, limit time.Duration) (context.Context, *watcher) {
	return watchRate(parent, limit, graceOfRate)
}

func watchRate(parent context.Context, limit, grace time.Duration) (context.Context, *watcher) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watcher{limit: limit, grace: grace, began: time.Now(), cancel: func() { cancel(nil) }}
	w.timer = time.AfterFunc(min(limit, grace), func() {
		w.struck.Store(true)
		cancel(errStalled)
	})
	return ctx, w
}

// moved notes that bytes came.
func (w *watcher) moved(n int) {
	deadline := w.grace + time.Duration(w.received.Add(int64(n)))*time.Second/slowestRate
	w.timer.Reset(min(w.limit, deadline-time.Since(w.began)))
}

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
		b.w.moved(n)
	}
	return n, b.w.cause(err)
}

// Close ends the watch. Before that it reads the end of the answer, which servers send a little later than git's own: a connection is
// used again only then. One on which much is left, or nothing comes for a while, is given up.
func (b *watchedBody) Close() error {
	giveUp := time.AfterFunc(lastWait, b.w.cancel)
	_, _ = io.CopyN(io.Discard, b.r, lastBytes)
	giveUp.Stop()
	b.w.stop()
	return b.r.Close()
}
