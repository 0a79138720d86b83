package concourse

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Main is the whole main function of a resource type's program. It owns the
// process: nothing but the answer reaches stdout, whatever prints; SIGTERM and
// SIGINT end the work, with status 1 within a second.
func Main[S Source, V, G, P any](r Resource[S, V, G, P], extra ...Command) {
	os.Exit(process(r, extra))
}

func process[S Source, V, G, P any](r Resource[S, V, G, P], extra []Command) int {
	LimitMemory()
	debug.SetTraceback("none") // a stack trace helps nobody in a build's log; GOTRACEBACK still does more
	stdout, err := takeStdout()
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: keep stdout for the answer: %v\n", err)
		return 1
	}
	signal.Ignore(syscall.SIGPIPE) // the write's error says it
	ctx, stop := untilSignal(context.Background())
	defer stop()
	return Run(ctx, Process{Args: os.Args, Stdin: os.Stdin, Stdout: stdout, Stderr: os.Stderr, Env: os.Environ()}, r, extra...)
}

// LimitMemory lets the program collect garbage more often from a size of memory on: workers run many containers, each with
// little memory. GOMEMLIMIT in the environment says another size. It returns the limit there was.
func LimitMemory() (before int64) {
	const softMemory = 80 << 20 // bytes
	if os.Getenv("GOMEMLIMIT") != "" {
		return debug.SetMemoryLimit(-1)
	}
	return debug.SetMemoryLimit(softMemory)
}

// untilSignal is a context that ends with the first SIGTERM or SIGINT; a second
// one ends the process, as without us.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(stoppedError(signalName(s)))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// stoppedError is the cause of a context that a signal ended.
type stoppedError string

// Error names the signal.
func (s stoppedError) Error() string {
	return "stopped by " + string(s)
}

func signalName(s os.Signal) string {
	if s == syscall.SIGTERM {
		return "SIGTERM"
	}
	return "SIGINT"
}
