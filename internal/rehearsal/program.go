package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Verb is one of the three things a resource type can be asked to do.
type Verb string

// The verbs of the resource protocol; their texts are the programs' names.
const (
	Check Verb = "check"
	In    Verb = "in"
	Out   Verb = "out"
)

// Call is one run of a resource type.
type Call struct {
	Verb Verb
	// Request is the JSON object that the program reads.
	Request []byte
	// Dir is the folder to fill (In) or that holds the artifacts (Out); empty
	// for Check.
	Dir string
	// Env are the BUILD_… variables; empty for Check.
	Env []string
	// Temp is private to the container: for Check it is the same every time.
	Temp string
	// Log receives what the program says on its standard error.
	Log *Log
}

// Type is a resource type: a Program, or something in this process that stands
// in for one. Run returns the JSON that the program prints. An error that wraps
// ErrScript means that the program ran and failed; any other that it could not
// be run.
type Type interface {
	Run(ctx context.Context, c Call) ([]byte, error)
}

// ErrScript is wrapped by the error of a resource program that ran and failed.
// It fails its step, where any other fault makes the step an errored one.
var ErrScript = errors.New("the resource's program failed")

// Program is a resource type whose programs check, in and out are in a folder,
// as /opt/resource of its image. They run on this machine with a clean
// environment.
type Program struct{ Dir string }

// Run starts the verb's program and waits for it.
func (p Program) Run(ctx context.Context, c Call) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.Dir, string(c.Verb)))
	if c.Dir != "" {
		cmd.Args = append(cmd.Args, c.Dir)
	}
	cmd.Dir = c.Temp
	cmd.Env = append([]string{"PATH=" + containerPath, "HOME=" + c.Temp, "TMPDIR=" + c.Temp}, c.Env...)
	cmd.Stdin = bytes.NewReader(c.Request)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, c.Log
	stopWithChildren(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, fmt.Errorf("%w: %s: %w: %s", ErrScript, c.Verb, exit, c.Log.lastLine())
		}
		return nil, fmt.Errorf("run %s: %w", c.Verb, err)
	}
	return stdout.Bytes(), nil
}

// containerPath is the PATH of a container whose image says nothing.
const containerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// stopGrace is how long a program may take to end after it was told to.
const stopGrace = 5 * time.Second

// lastLine is the last thing that was said, which is usually the reason.
func (l *Log) lastLine() string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return lines[len(lines)-1]
}
