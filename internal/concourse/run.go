package concourse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/guard"
	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// grace is how long a method may take to tidy up after its context has ended.
const grace = 800 * time.Millisecond

// Run is one run of a resource type's program between the streams of p. It
// returns the exit status: 0 when the thing is done and the answer is written, 1
// otherwise (for a Command the status of its error, see WithStatus), with one error on p.Stderr and nothing on p.Stdout.
//
// The program's name says which method to call (check, in or out, as Concourse
// does); under any other name the first argument does.
func Run[S Source, V, G, P any](ctx context.Context, p Process, r Resource[S, V, G, P], extra ...Command) int {
	out := newConsole(p)
	run := &run[S, V, G, P]{resource: r, process: p, console: out, extra: extra}
	answer, err := supervise(secret.With(ctx, &out.mask), run.dispatch)
	if err == nil && answer != nil {
		if _, err = p.Stdout.Write(answer); err != nil {
			err = fmt.Errorf("write the answer to stdout: %w", err)
		}
	}
	if err != nil {
		out.fail(run.honest(ctx, err))
		return statusOf(err)
	}
	out.close()
	return 0
}

// statusError is an error with an exit status of its own.
type statusError struct {
	error
	status int
}

// Unwrap is the error itself.
func (s *statusError) Unwrap() error { return s.error }

// WithStatus gives the error of a Command an exit status other than 1.
func WithStatus(err error, status int) error { return &statusError{err, status} }

func statusOf(err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 1
}

// honest adds what a stopped put can't know: the remote may have taken its push
// just before.
func (r *run[S, V, G, P]) honest(ctx context.Context, err error) error {
	verb, _ := r.verb()
	if ctx.Err() == nil || verb != "out" {
		return err
	}
	return fmt.Errorf("%w; it is not known whether the put took effect: run it again, which does no harm if it did", err)
}

// supervise runs work and returns at the latest a short while after ctx ended.
func supervise(ctx context.Context, work func(context.Context) ([]byte, error)) ([]byte, error) {
	type outcome struct {
		answer []byte
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = guard.Run(func() (err error) { o.answer, err = work(ctx); return err })
		done <- o
	}()
	var result outcome
	select {
	case result = <-done:
	case <-ctx.Done():
		select {
		case result = <-done:
		case <-time.After(grace):
			return nil, context.Cause(ctx)
		}
	}
	if result.err != nil && ctx.Err() != nil {
		return nil, stopped(ctx, result.err)
	}
	return result.answer, result.err
}

// stopped says that the work was stopped, and what it was doing then.
func stopped(ctx context.Context, err error) error {
	doing := strings.TrimSuffix(strings.TrimSuffix(err.Error(), context.Canceled.Error()), ": ")
	if doing == "" || errors.Is(err, context.Cause(ctx)) {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w (%s)", context.Cause(ctx), doing)
}

type run[S Source, V, G, P any] struct { //nolint:gocritic // Run, which makes one, comes first
	resource Resource[S, V, G, P]
	process  Process
	console  *console
	extra    []Command
}

func (r *run[S, V, G, P]) dispatch(ctx context.Context) ([]byte, error) {
	verb, args := r.verb()
	switch verb {
	case "check":
		return r.check(ctx, args)
	case "in":
		return r.in(ctx, args)
	case "out":
		return r.out(ctx, args)
	case "help", "-h", "-help", "--help":
		return []byte(r.usage() + "\n"), nil
	case "version", "--version":
		return []byte(r.name() + " " + programVersion() + "\n"), nil
	case "":
		return nil, errors.New("which verb?\n" + r.usage())
	}
	i := slices.IndexFunc(r.extra, func(c Command) bool { return c.Name == verb })
	if i < 0 {
		return nil, fmt.Errorf("unknown verb %q\n%s", verb, r.usage())
	}
	p := r.process
	p.Args = args
	err := r.extra[i].Run(ctx, p)
	if errors.Is(err, flag.ErrHelp) {
		err = nil
	}
	return nil, err
}

func (r *run[S, V, G, P]) name() string {
	if len(r.process.Args) == 0 {
		return "resource"
	}
	return strings.TrimSuffix(filepath.Base(r.process.Args[0]), ".exe")
}

// verb is what to do, and the arguments for it.
func (r *run[S, V, G, P]) verb() (verb string, args []string) {
	switch name := r.name(); {
	case name == "check" || name == "in" || name == "out":
		return name, r.process.Args[1:]
	case len(r.process.Args) > 1:
		return r.process.Args[1], r.process.Args[2:]
	}
	return "", nil
}

func (r *run[S, V, G, P]) usage() string {
	lines := []string{
		"usage: " + r.name() + " check      < request.json",
		"       " + r.name() + " in FOLDER  < request.json",
		"       " + r.name() + " out FOLDER < request.json",
	}
	for _, c := range r.extra {
		lines = append(lines, "       "+r.name()+" "+c.Usage)
	}
	return strings.Join(append(lines, "       "+r.name()+" version"), "\n")
}

// programVersion is what the Go toolchain noted at build time.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" })
	if i < 0 {
		return info.Main.Version
	}
	return info.Main.Version + " " + info.Settings[i].Value
}

func (r *run[S, V, G, P]) step(dir string, build Build) Step {
	return Step{Dir: dir, Logf: r.console.logf, Progress: r.console.progressf, Build: build}
}

func (r *run[S, V, G, P]) check(ctx context.Context, args []string) ([]byte, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("check takes no argument, got %q", args[0])
	}
	q, src, err := r.request(ctx)
	if err != nil {
		return nil, err
	}
	var from *V
	if len(q.Version) > 0 && q.Version[0] != 'n' {
		from = new(V)
		// what an older resource type stored need not have every key
		d := decoder{lenient: true, partial: true}
		d.decode("version", q.Version, from)
		if err := d.err(); err != nil {
			return nil, err
		}
	}
	versions, err := r.resource.Check(ctx, r.step("", Build{}), src, from)
	if err != nil {
		return nil, err
	}
	if versions == nil {
		versions = []V{}
	}
	for _, v := range versions {
		if err := checkVersion(v); err != nil {
			return nil, err
		}
	}
	return marshal(versions, "")
}

func (r *run[S, V, G, P]) in(ctx context.Context, args []string) ([]byte, error) {
	q, src, err := r.request(ctx)
	if err != nil {
		return nil, err
	}
	if len(q.Version) == 0 || q.Version[0] == 'n' {
		return nil, errors.New("the request on stdin has no \"version\": in delivers one, as check lists them")
	}
	var version V
	d := decoder{lenient: true}
	d.decode("version", q.Version, &version)
	if err := d.err(); err != nil {
		return nil, err
	}
	params, err := decodeParams[G](q.Params, placeOf[S, G, P], r.console)
	if err != nil {
		return nil, err
	}
	dir, err := folder("in", args, true)
	if err != nil {
		return nil, err
	}
	result, err := r.resource.In(ctx, r.step(dir, newBuild(r.process)), src, version, params)
	return r.result(result, err)
}

func (r *run[S, V, G, P]) out(ctx context.Context, args []string) ([]byte, error) {
	q, src, err := r.request(ctx)
	if err != nil {
		return nil, err
	}
	params, err := decodeParams[P](q.Params, placeOf[S, G, P], r.console)
	if err != nil {
		return nil, err
	}
	dir, err := folder("out", args, false)
	if err != nil {
		return nil, err
	}
	result, err := r.resource.Out(ctx, r.step(dir, newBuild(r.process)), src, params)
	return r.result(result, err)
}

// request reads the request and its source, and masks the source's secrets.
func (r *run[S, V, G, P]) request(ctx context.Context) (request, S, error) {
	var src S
	q, err := readRequest(ctx, r.process, r.console.logf)
	if err != nil {
		return q, src, err
	}
	d := decoder{elsewhere: placeOf[S, G, P]}
	d.decode("source", q.Source, &src)
	r.console.mask.Hide(append(src.Secrets(), pasted(q.Source)...)...)
	if err := foreign("source", src, d.err()); err != nil {
		return q, src, err
	}
	if err := src.Validate(); err != nil {
		return q, src, fmt.Errorf("source: %w", err)
	}
	return q, src, nil
}

// foreign is the error of a source that is meant for something else, such as another driver, in
// place of one for each key that is unknown here.
func foreign(path string, value any, problems error) error {
	if s, ok := value.(interface{ Foreign() error }); ok && problems != nil {
		if err := s.Foreign(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return problems
}

// validator and secretive are what params may be besides data.
type (
	validator interface{ Validate() error }
	secretive interface{ Secrets() []string }
)

func decodeParams[T any](raw json.RawMessage, elsewhere func(key string) string, out *console) (T, error) {
	var params T
	d := decoder{elsewhere: elsewhere}
	out.mask.Hide(pasted(raw)...)
	d.decode("params", raw, &params)
	if s, ok := any(params).(secretive); ok {
		out.mask.Hide(s.Secrets()...)
	}
	if err := d.err(); err != nil {
		return params, err
	}
	if v, ok := any(params).(validator); ok {
		if err := v.Validate(); err != nil {
			return params, fmt.Errorf("params: %w", err)
		}
	}
	return params, nil
}

// folder is the absolute path of the folder a verb was given.
func folder(verb string, args []string, create bool) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("%s takes one argument, a folder, got %d", verb, len(args))
	}
	dir, err := filepath.Abs(args[0])
	if err != nil {
		return "", fmt.Errorf("find the folder %s: %w", args[0], err)
	}
	if create {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return "", fmt.Errorf("make the folder to fill: %w", err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("open the folder: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", dir)
	}
	return dir, nil
}

func (r *run[S, V, G, P]) result(result Result[V], err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if err := checkVersion(result.Version); err != nil {
		return nil, err
	}
	shown := make(Metadata, len(result.Metadata))
	for i, f := range result.Metadata {
		shown[i] = Field{Name: visible.Line(r.console.mask.Text(f.Name)), Value: visible.Text(r.console.mask.Text(f.Value))}
	}
	result.Metadata = shown
	return marshal(result, "")
}

// checkVersion refuses what Concourse would not take for a version: a map of
// strings.
func checkVersion(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the version as JSON: %w", err)
	}
	var keys map[string]string
	if err := json.Unmarshal(raw, &keys); err != nil || keys == nil {
		return fmt.Errorf("a fault in this program: the version %s is not a map of strings; please report it", raw)
	}
	return nil
}

// marshal writes JSON in which addresses stay readable, in one line where there is no indent.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return b.Bytes(), nil
}
