package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// request is what the programs of a resource type read.
type request struct {
	Source  any     `json:"source"`
	Version Version `json:"version,omitempty"`
	Params  any     `json:"params,omitempty"`
}

// get fetches the version that the build was given for the step.
func (r *run) get(ctx context.Context, s pipeline.Step, at where, rec *StepRecord) (bool, error) {
	use, ok := r.build.Inputs[s.Get.Name]
	if !ok {
		return false, fmt.Errorf("line %d: the build was given no version for it", s.Line)
	}
	params, err := s.Get.Params.Interpolate(r.lookup(at.scope))
	if err != nil {
		return false, err
	}
	return r.fetch(ctx, s.Get.Name, use, params, at, rec)
}

// fetch runs in and keeps the artifact.
func (r *run) fetch(ctx context.Context, artifact string, use Use, params pipeline.Value, at where, rec *StepRecord) (bool, error) {
	rec.Resource, rec.Version = use.Resource, use.Version
	dir, err := r.folder("get")
	if err != nil {
		return false, err
	}
	a, ok, err := r.call(ctx, In, use.Resource, request{Version: use.Version, Params: params.Data()}, dir, rec)
	if err != nil || !ok {
		return ok, err
	}
	rec.Version, rec.Metadata = a.Version, a.Metadata
	at.scope.keep(artifact, dir)
	return true, nil
}

// put runs out and, unless told not to, gets what it made.
func (r *run) put(ctx context.Context, s pipeline.Step, at where, rec *StepRecord) (bool, error) {
	p := s.Put
	rec.Resource = p.Resource
	params, err := p.Params.Interpolate(r.lookup(at.scope))
	if err != nil {
		return false, err
	}
	dir, err := r.folder("put")
	if err != nil {
		return false, err
	}
	for _, name := range putInputs(p.Inputs, params, at.scope) {
		from, ok := at.scope.artifact(name)
		if !ok {
			return false, fmt.Errorf("no step has made the artifact %q", name)
		}
		to, err := inside(dir, name)
		if err != nil {
			return false, err
		}
		if err := copyInto(to, from); err != nil {
			return false, fmt.Errorf("bring in %s: %w", name, err)
		}
	}
	a, ok, err := r.call(ctx, Out, p.Resource, request{Params: params.Data()}, dir, rec)
	if err != nil || !ok {
		return ok, err
	}
	rec.Version, rec.Metadata = a.Version, a.Metadata
	r.output(Use{p.Resource, a.Version})
	if p.NoGet {
		return true, nil
	}
	getParams, err := p.GetParams.Interpolate(r.lookup(at.scope))
	if err != nil {
		return false, err
	}
	return r.fetch(ctx, p.Name, Use{p.Resource, a.Version}, getParams, at, rec)
}

// putInputs are the artifacts that a put sees: those it names, all, or those
// that the first segment of a text in its params names.
func putInputs(in pipeline.Inputs, params pipeline.Value, s *scope) []string {
	have := s.all()
	switch {
	case in.All:
		return slices.Sorted(maps.Keys(have))
	case in.Given && !in.Detect:
		names := make([]string, len(in.Names))
		for i, n := range in.Names {
			names[i] = n.Value
		}
		return names
	}
	found := map[string]bool{}
	for _, text := range texts(params.Data()) {
		first, _, _ := strings.Cut(strings.TrimPrefix(text, "./"), "/")
		if _, ok := have[first]; ok {
			found[first] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// texts are the strings anywhere in a value.
func texts(data any) []string {
	switch v := data.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, item := range v {
			all = append(all, texts(item)...)
		}
		return all
	default:
		return nil
	}
}

// call runs one verb of a resource for the build. A program that fails fails
// the step; anything else is an error.
func (r *run) call(ctx context.Context, verb Verb, resource string, req request, dir string, rec *StepRecord) (answer, bool, error) {
	res := r.resources[resource]
	source, err := r.options.source(res)
	if err != nil {
		return answer{}, false, err
	}
	req.Source = source
	text, err := json.Marshal(req)
	if err != nil {
		return answer{}, false, fmt.Errorf("write the request: %w", err)
	}
	temp, err := r.folder("container")
	if err != nil {
		return answer{}, false, err
	}
	log := &Log{}
	env := r.env
	if res.config.ExposeBuildCreatedBy && r.build.By != "" {
		env = append(slices.Clone(env), "BUILD_CREATED_BY="+r.build.By)
	}
	out, err := res.typ.Run(ctx, Call{Verb: verb, Request: text, Dir: dir, Env: env, Temp: temp, Log: log})
	rec.Log += log.String()
	if errors.Is(err, ErrScript) {
		return answer{}, false, nil
	}
	if err != nil {
		return answer{}, false, err
	}
	a, err := decodeAnswer(verb, out)
	return a, err == nil, err
}

// folder is a new empty folder of the build.
func (r *run) folder(prefix string) (string, error) {
	dir, err := os.MkdirTemp(r.dir, prefix+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the build: %w", err)
	}
	return dir, nil
}
