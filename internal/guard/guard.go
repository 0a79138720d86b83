// Package guard turns a panic into an error that a person can read and report. A panic ends the whole
// program unless its own goroutine recovers it, so each goroutine runs what it does through this package.
package guard

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Run does work. A panic becomes an error that names the line it comes from.
func Run(work func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			text := strings.Join(strings.Fields(fmt.Sprint(fault)), " ")
			err = fmt.Errorf("a fault in this program%s: %s; please report it", origin(), text)
		}
	}()
	return work()
}

// origin is " at file.go:12" of the panic that is being recovered.
func origin() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicking := false
	for {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicking && !inRuntime {
			return fmt.Sprintf(" at %s:%d", filepath.Base(frame.File), frame.Line)
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
