package rehearsal

import "context"

// TaskDouble stands in for a program that a task runs, in this process: one
// that is known by its name alone, such as the program build of a task that
// builds images. An error that wraps ErrScript means that it ran and failed.
type TaskDouble interface {
	RunTask(ctx context.Context, c TaskCall) error
}

// TaskCall is one run of a task's program.
type TaskCall struct {
	// Path and Args are what the task runs.
	Path string
	Args []string
	// Dir is the folder it is run in; Env its environment, as NAME=value.
	Dir string
	Env []string
	// Log receives what it says.
	Log *Log
}
