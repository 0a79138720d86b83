package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// task runs a task's program on this machine, in a folder with copies of its
// inputs. Its image, platform, user, limits and privileges are not looked at.
func (r *run) task(ctx context.Context, s pipeline.Step, at where, rec *StepRecord) (bool, error) {
	config, err := r.taskConfig(s.Task, at)
	if err != nil {
		return false, err
	}
	dir, err := r.folder("task")
	if err != nil {
		return false, err
	}
	rec.Dir = dir
	if err := bring(s.Task, config, at.scope, dir); err != nil {
		return false, err
	}
	call, err := r.taskCall(s.Task, config, at, dir)
	if err != nil {
		return false, err
	}
	err = r.runTask(ctx, call)
	rec.Log = call.Log.String()
	if kept := keepOutputs(s.Task, config, at.scope, dir); kept != nil {
		return false, kept
	}
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if errors.Is(err, ErrScript) {
		return false, nil
	}
	return false, fmt.Errorf("run %s: %w", config.Run.Path, err)
}

// runTask runs the program, or what stands in for it in this process.
func (r *run) runTask(ctx context.Context, call TaskCall) error {
	if double, ok := r.options.TaskDoubles[call.Path]; ok {
		return double.RunTask(ctx, call)
	}
	program, err := r.program(call.Path, call.Dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, call.Args...)
	cmd.Args[0] = call.Path
	cmd.Dir, cmd.Env = call.Dir, call.Env
	cmd.Stdout, cmd.Stderr = call.Log, call.Log
	stopWithChildren(cmd)
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %w", ErrScript, exit)
	}
	return err
}

// taskConfig is the step's own, or that of the file it names.
func (r *run) taskConfig(t *pipeline.Task, at where) (*pipeline.TaskConfig, error) {
	if t.Config != nil {
		return t.Config, nil
	}
	name, text, err := r.read(t.File, at)
	if err != nil {
		return nil, fmt.Errorf("the task's file: %w", err)
	}
	return pipeline.ParseTask(name, text)
}

// bring copies the inputs to where the task wants them and makes the folders of
// its outputs and caches.
func bring(t *pipeline.Task, c *pipeline.TaskConfig, s *scope, dir string) error {
	for _, in := range c.Inputs {
		from, ok := s.artifact(mapped(t.InputMapping, in.Name))
		if !ok && in.Optional {
			continue
		}
		if !ok {
			return fmt.Errorf("no step has made its input %q", mapped(t.InputMapping, in.Name))
		}
		to, err := inside(dir, cmp.Or(in.Path, in.Name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		if err := copyInto(to, from); err != nil {
			return fmt.Errorf("bring in %s: %w", in.Name, err)
		}
	}
	for _, out := range c.Outputs {
		if err := makeInside(dir, cmp.Or(out.Path, out.Name)); err != nil {
			return err
		}
	}
	for _, cache := range c.Caches {
		if err := makeInside(dir, cache.Path); err != nil {
			return err
		}
	}
	return nil
}

func makeInside(dir, name string) error {
	at, err := inside(dir, name)
	if err != nil {
		return err
	}
	return os.MkdirAll(at, 0o750)
}

// keepOutputs makes artifacts of the outputs, also of a task that failed: a
// hook may want them.
func keepOutputs(t *pipeline.Task, c *pipeline.TaskConfig, s *scope, dir string) error {
	for _, out := range c.Outputs {
		at, err := inside(dir, cmp.Or(out.Path, out.Name))
		if err != nil {
			return err
		}
		s.keep(mapped(t.OutputMapping, out.Name), at)
	}
	return nil
}

// taskCall is what the task runs, with references filled in.
func (r *run) taskCall(t *pipeline.Task, c *pipeline.TaskConfig, at where, dir string) (TaskCall, error) {
	call := TaskCall{Args: make([]string, len(c.Run.Args)), Log: &Log{}}
	var err error
	if call.Env, err = r.taskEnv(t, c, at); err != nil {
		return call, err
	}
	if call.Path, err = r.filledFor(t, c.Run.Path, at); err != nil {
		return call, err
	}
	for i, arg := range c.Run.Args {
		if call.Args[i], err = r.filledFor(t, arg, at); err != nil {
			return call, err
		}
	}
	if call.Dir, err = inside(dir, cmp.Or(c.Run.Dir, ".")); err == nil && r.options.LocalTask != nil {
		err = r.options.LocalTask(&call)
	}
	return call, err
}

// program finds what a task runs: what stands for a program of its image, in its folder, or on the tasks' PATH.
func (r *run) program(path, dir string) (string, error) {
	if here, ok := r.options.Programs[path]; ok {
		return here, nil
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	if strings.Contains(path, "/") {
		return filepath.Join(dir, filepath.FromSlash(path)), nil
	}
	for _, folder := range filepath.SplitList(r.options.TaskPath) {
		at := filepath.Join(folder, path)
		if info, err := os.Stat(at); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return at, nil
		}
	}
	return "", fmt.Errorf("there is no program %q: looked in %s", path, r.options.TaskPath)
}

// taskEnv is the environment of a task: its config's params, those of the step
// over them, and little else.
func (r *run) taskEnv(t *pipeline.Task, c *pipeline.TaskConfig, at where) ([]string, error) {
	home, err := r.folder("container")
	if err != nil {
		return nil, err
	}
	params := map[string]string{}
	for _, set := range []pipeline.Value{c.Params, t.Params} {
		filled, err := set.Interpolate(r.taskLookup(t, at))
		if err != nil {
			return nil, err
		}
		for _, f := range filled.Fields() {
			if params[f.Name], err = envText(f.Value); err != nil {
				return nil, err
			}
		}
	}
	env := []string{"PATH=" + r.options.TaskPath, "HOME=" + home, "TMPDIR=" + home, "USER=root"}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		env = append(env, name+"="+params[name])
	}
	return env, nil
}

// envText writes a param as Concourse does: text as it is, nothing as nothing,
// all else as JSON.
func envText(v pipeline.Value) (string, error) {
	if v.IsZero() {
		return "", nil
	}
	if s, ok := v.Data().(string); ok {
		return s, nil
	}
	text, err := v.JSON()
	return string(text), err
}

// taskLookup also knows the step's vars, which are for the task's file.
func (r *run) taskLookup(t *pipeline.Task, at where) pipeline.Lookup {
	if t.Vars.IsZero() {
		return r.lookup(at.scope)
	}
	vars, _ := t.Vars.Data().(map[string]any)
	return pipeline.FirstOf(pipeline.Vars(vars), r.lookup(at.scope))
}

func (r *run) filledFor(t *pipeline.Task, text string, at where) (string, error) {
	if !strings.Contains(text, "((") {
		return text, nil
	}
	return pipeline.InterpolateText(text, r.taskLookup(t, at))
}

// loadVar makes a local variable of a file.
func (r *run) loadVar(_ context.Context, s pipeline.Step, at where, _ *StepRecord) (bool, error) {
	name, text, err := r.read(s.LoadVar.File, at)
	if err != nil {
		return false, err
	}
	value, err := loaded(cmp.Or(s.LoadVar.Format, formatOf(name)), text)
	if err != nil {
		return false, fmt.Errorf("load %s: %w", name, err)
	}
	at.scope.set(s.LoadVar.Name, value)
	return true, nil
}

func formatOf(name string) string {
	switch filepath.Ext(name) {
	case ".json":
		return "json"
	case ".yml", ".yaml":
		return "yaml"
	default:
		return "trim"
	}
}

func loaded(format string, text []byte) (any, error) {
	switch format {
	case "raw":
		return string(text), nil
	case "trim":
		return strings.TrimSpace(string(text)), nil
	case "json":
		dec := json.NewDecoder(strings.NewReader(string(text)))
		var value any
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
			return nil, errors.New("something follows the JSON value")
		}
		return value, nil
	case "yaml", "yml":
		var value any
		err := yaml.Unmarshal(text, &value)
		return value, err
	default:
		return nil, fmt.Errorf("there is no format %q: use json, yaml, trim or raw", format)
	}
}

func mapped(m map[string]string, name string) string {
	if to, ok := m[name]; ok {
		return to
	}
	return name
}
