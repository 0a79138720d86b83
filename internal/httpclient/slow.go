package httpclient

import (
	"context"
	"errors"
)

// SlowError is the cause with which a deadline ends one request: a net.Error, as the next request may do better.
type SlowError struct{}

// Error says so.
func (SlowError) Error() string { return "no complete answer came in time" }

// Timeout makes it a net.Error.
func (SlowError) Timeout() bool { return true }

// Temporary is part of net.Error.
func (SlowError) Temporary() bool { return true }

// WhenSlow is err, or SlowError if that is what ended ctx.
func WhenSlow(ctx context.Context, err error) error {
	if slow := (SlowError{}); err != nil && errors.Is(context.Cause(ctx), slow) {
		return slow
	}
	return err
}
