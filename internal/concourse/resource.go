package concourse

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
)

// Source is what a pipeline says under "source". Its JSON tags name the keys,
// `concourse:"required"` marks those that can't be left out, `concourse:"filled"`
// optional ones whose value can't be an empty text, and embedded
// structs give their keys to the struct around them.
type Source interface {
	// Validate reports what decoding can't see, without using the network. Its
	// text starts with the key it is about.
	Validate() error
	// Secrets lists the values that must never be shown. It is also called for
	// a source that could only be read in part.
	Secrets() []string
}

// Resource is what a resource type implements: S is its source, V its version,
// G and P are the params of get and put. A process calls one method, once. V's
// values are strings in JSON. G and P may have the methods of [Source] as well.
type Resource[S Source, V, G, P any] interface {
	// Check lists the versions since from, the oldest first and from included
	// while it is still valid; from is nil the first time.
	Check(ctx context.Context, step Step, source S, from *V) ([]V, error)
	// In fills step.Dir with the content of version.
	In(ctx context.Context, step Step, source S, version V, params G) (Result[V], error)
	// Out does what params ask for, with the build's artifacts in step.Dir.
	Out(ctx context.Context, step Step, source S, params P) (Result[V], error)
}

// Result is the answer of In and Out.
type Result[V any] struct {
	Version  V        `json:"version"`
	Metadata Metadata `json:"metadata,omitempty"`
}

// Metadata is what Concourse shows beside a version, in this order.
type Metadata []Field

// Field is one line of metadata. Concourse makes a link of a value that is an
// address.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Add appends a field.
func (m *Metadata) Add(name, format string, args ...any) {
	*m = append(*m, Field{Name: name, Value: fmt.Sprintf(format, args...)})
}

// Step is what surrounds a call of a resource's method.
type Step struct {
	// Dir is the absolute path of the folder to fill (In) or of the build's
	// artifacts (Out). It is empty in Check.
	Dir string
	// Logf writes one line for people. Secrets of the source are masked. A line
	// that starts with "warning:" stands out.
	Logf func(format string, args ...any)
	// Progress is Logf for a line that replaces the previous progress line, such
	// as what a step is waiting for. Every call is kept in the build's log, so
	// once a second is plenty.
	Progress func(format string, args ...any)
	// Build is the build that runs the step. It is the zero value in Check.
	Build Build
}

// Artifacts is the build's folder of a put.
func (s Step) Artifacts() artifact.Folder { return artifact.Folder(s.Dir) }

// Write makes files of a get, by their names in the folder to fill.
func (s Step) Write(files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write the version's files: %w", err)
		}
	}
	return nil
}

// Command is a verb of the program besides check, in and out.
type Command struct {
	// Name is the verb.
	Name string
	// Usage is one line: the verb, its flags and arguments.
	Usage string
	// Run gets the arguments after the verb. What it returns is shown as the
	// program's error.
	Run func(ctx context.Context, p Process) error
}

// Process is the part of an operating system process a program needs.
type Process struct {
	// Args are the arguments; for [Run] the first one is the program's name.
	Args   []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Env holds "NAME=value".
	Env []string
}

// Getenv is the value of an environment variable, or "".
func (p Process) Getenv(name string) string {
	value := ""
	for _, entry := range p.Env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}
