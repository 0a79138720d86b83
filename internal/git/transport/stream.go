package transport

import (
	"context"
	"io"

	"github.com/taxiway-ci/taxiway/internal/git/wire"
)

// stream is a session over a connection that lasts. The server sends nothing
// but answers, so each answer can have a buffer of its own.
type stream struct {
	r   io.Reader
	w   io.Writer
	end func() error
	// reason makes a better error of one that ended the connection, with what
	// the other side said; nil keeps it.
	reason func(error) error
}

func (s *stream) stateless() bool { return false }

func (s *stream) close() error { return s.end() }

func (s *stream) greet(ctx context.Context) (*wire.Greeting, error) {
	a := s.listen(ctx)
	defer a.stop()
	return wire.ReadGreeting(wire.NewReader(a))
}

func (s *stream) ask(ctx context.Context, body []byte) (io.ReadCloser, error) {
	a := s.listen(ctx)
	if _, err := s.w.Write(body); err != nil {
		err = a.explain(err)
		a.stop()
		return nil, err
	}
	return a, nil
}

// listen begins an answer. The connection ends when the context does, or when
// nothing comes for long.
func (s *stream) listen(ctx context.Context) *streamAnswer {
	watched, w := watch(ctx, stallLimit)
	undo := context.AfterFunc(watched, func() { _ = s.end() })
	return &streamAnswer{stream: s, ctx: ctx, watcher: w, undo: undo}
}

type streamAnswer struct {
	stream  *stream
	ctx     context.Context //nolint:containedctx // the answer lasts as long as it
	watcher *watcher
	undo    func() bool
}

// Read gives the reason when the connection ended.
func (a *streamAnswer) Read(p []byte) (int, error) {
	n, err := a.stream.r.Read(p)
	if n > 0 {
		a.watcher.moved(n)
	}
	if err != nil {
		err = a.explain(err)
	}
	return n, err
}

func (a *streamAnswer) explain(err error) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	err = a.watcher.cause(err)
	if a.stream.reason != nil {
		err = a.stream.reason(err)
	}
	return err
}

func (a *streamAnswer) stop() {
	a.undo()
	a.watcher.stop()
}

// Close ends the watch, not the connection.
func (a *streamAnswer) Close() error {
	a.stop()
	return nil
}
