package retry

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// contestTries is how often a writer may lose before it gives up. Each loss
	// means that another writer succeeded, so the number bounds a queue, not a
	// fault: fifty writers at once need less than half of it.
	contestTries = 200
	// spreadFirst is the longest pause after a first loss, in attempts. It lets
	// writers that lost together come back apart. With a longer one, three writers
	// in a loop get past a writer more often during the pause than after it.
	spreadFirst = 1
	// spreadEvery is the number of losses after which a writer pauses again, for
	// spreadLater attempts at most. A writer among a few rarely loses so often; one
	// that does has too many others beside it for all of them to go on at once.
	spreadEvery = 12
	spreadLater = 8
	// toldEvery is the number of losses between two log lines.
	toldEvery = 10
)

// Win runs attempt until it is not overtaken by another writer: while the loop's
// Again reports that its error is a lost race. It does not wait longer after each
// loss, because then a writer that has just arrived would always be faster. It
// pauses after the first loss, for a random part of an attempt, which grows with
// the number of writers, and then goes on without pauses: the longer a writer has
// waited, the shorter it waits. paused tells the attempt that what it knew before
// may be out of date.
func Win[T any](ctx context.Context, l Loop, attempt func(paused bool) (T, error)) (T, error) {
	longest, paused := time.Duration(0), false
	for loss := 1; ; loss++ {
		start := time.Now()
		out, err := attempt(paused)
		if err == nil {
			return out, nil
		}
		_, lost := l.Again(err)
		switch tries := cmp.Or(l.Tries, contestTries); {
		case !lost && ctx.Err() != nil:
			return out, fmt.Errorf("%s: %w", l.What, ended(ctx, err))
		case !lost:
			return out, err
		case loss == tries:
			return out, fmt.Errorf("%s: someone else pushed each time, gave up after %d tries: %w", l.What, tries, err)
		}
		longest = max(longest, time.Since(start))
		if loss%toldEvery == 1 {
			l.logf("%s: someone else pushed first, trying again (%d)", l.What, loss)
		}
		width := time.Duration(spreadFirst)
		if loss > 1 {
			width = spreadLater
		}
		if paused = loss%spreadEvery == 1; paused && l.pause(ctx, rand.N(width*longest+1)) != nil || ctx.Err() != nil {
			return out, fmt.Errorf("%s: stopped after %d tries, as someone else pushed each time: %w", l.What, loss, context.Cause(ctx))
		}
	}
}
