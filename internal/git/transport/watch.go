package transport

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// An answer may be silent for a while, and may be slow for a while: a server that sends a byte now and then holds a build no longer than one
// that sends nothing.
const (
	stallLimit = 2 * time.Minute // of silence

	slowestRate = 16 << 10        // bytes a second
	slowLimit   = 5 * time.Minute // of almost nothing; a server that prepares a large pack sends a few bytes meanwhile

	lastWait  = 2 * time.Second // for the end of an answer
	lastBytes = 16 << 10
)

// watcher ends work on which nothing moves for a while, or too little.
type watcher struct {
	silence time.Duration // at most
	slow    time.Duration // the most that a deadline is ahead
	// deadline moves on by a second with each slowestRate bytes, but never further ahead than slow: whatever came before, a server that
	// sends almost nothing is ended after that time, and one that sends half of the rate after twice as long.
	deadline time.Time
	timer    *time.Timer
	cancel   context.CancelFunc
	next     atomic.Pointer[slowError] // what the end of the timer means
	struck   atomic.Pointer[slowError]
}

// watch returns a context that ends when the watcher sees no movement for so long,
// or less than slowestRate.
func watch(parent context.Context, silence time.Duration) (context.Context, *watcher) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watcher{silence: silence, slow: slowLimit, deadline: time.Now().Add(slowLimit), cancel: func() { cancel(nil) }}
	w.next.Store(&slowError{silence, 0})
	w.timer = time.AfterFunc(silence, func() {
		err := w.next.Load()
		w.struck.Store(err)
		cancel(err)
	})
	return ctx, w
}

// moved notes that bytes came. It is called by one goroutine at a time.
func (w *watcher) moved(n int) {
	now := time.Now()
	w.deadline = w.deadline.Add(time.Duration(n) * time.Second / slowestRate)
	if furthest := now.Add(w.slow); w.deadline.After(furthest) {
		w.deadline = furthest
	}
	left := w.deadline.Sub(now)
	if left < w.silence {
		w.next.Store(&slowError{w.slow, slowestRate})
	} else {
		left = w.silence
		w.next.Store(&slowError{w.silence, 0})
	}
	w.timer.Reset(left)
}

func (w *watcher) stop() {
	w.timer.Stop()
	w.cancel()
}

// cause names the watcher as the reason of an error that it brought about.
func (w *watcher) cause(err error) error {
	if slow := w.struck.Load(); err != nil && slow != nil {
		return slow
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
