package types

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// container is what a verb works in.
type container struct {
	dir  string // to fill, or with the artifacts
	temp string
	env  map[string]string // the BUILD_… variables
	log  *rehearsal.Log
}

func (c container) logf(format string, args ...any) { _, _ = fmt.Fprintf(c.log, format+"\n", args...) }

// result is what a get or put prints.
type result struct {
	Version  rehearsal.Version         `json:"version"`
	Metadata []rehearsal.MetadataField `json:"metadata"`
}

// verbs are the three programs of a type with the source S, the get params G
// and the put params P.
type verbs[S, G, P any] struct {
	check func(ctx context.Context, c container, source S, from rehearsal.Version) ([]rehearsal.Version, error)
	in    func(ctx context.Context, c container, source S, version rehearsal.Version, params G) (result, error)
	out   func(ctx context.Context, c container, source S, params P) (result, error)
}

// none is for params of a verb that takes none.
type none struct{}

// run decodes the request and runs the verb. What the verb complains of fails
// the step, as a program's exit status would; a key that the double does not
// know makes it an errored one.
func (v verbs[S, G, P]) run(ctx context.Context, name string, call rehearsal.Call) ([]byte, error) {
	var raw struct {
		Source  json.RawMessage `json:"source"`
		Version json.RawMessage `json:"version"`
		Params  json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(call.Request, &raw); err != nil {
		return nil, fmt.Errorf("the double of %s reads its request: %w", name, err)
	}
	var source S
	if err := strict(raw.Source, &source); err != nil {
		return nil, fmt.Errorf("the double of %s reads the source: %w", name, err)
	}
	var version rehearsal.Version
	if err := strict(raw.Version, &version); err != nil {
		return nil, fmt.Errorf("the double of %s reads the version: %w", name, err)
	}
	c := container{dir: call.Dir, temp: call.Temp, env: map[string]string{}, log: call.Log}
	for _, pair := range call.Env {
		key, value, _ := strings.Cut(pair, "=")
		c.env[key] = value
	}
	answer, err := v.answer(ctx, c, call.Verb, source, version, raw.Params)
	if errors.Is(err, errRequest) {
		return nil, fmt.Errorf("the double of %s: %w", name, err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.logf("%s %s: %v", name, call.Verb, err)
		return nil, fmt.Errorf("%w: %s %s: %w", rehearsal.ErrScript, name, call.Verb, err)
	}
	return json.Marshal(answer)
}

func (v verbs[S, G, P]) answer(ctx context.Context, c container, verb rehearsal.Verb, source S, version rehearsal.Version, params json.RawMessage) (any, error) {
	switch verb {
	case rehearsal.Check:
		found, err := v.check(ctx, c, source, version)
		if found == nil {
			found = []rehearsal.Version{}
		}
		return found, err
	case rehearsal.In:
		var p G
		if err := strict(params, &p); err != nil {
			return nil, fmt.Errorf("%w: params of the get: %w", errRequest, err)
		}
		return v.in(ctx, c, source, version, p)
	case rehearsal.Out:
		var p P
		if err := strict(params, &p); err != nil {
			return nil, fmt.Errorf("%w: params of the put: %w", errRequest, err)
		}
		return v.out(ctx, c, source, p)
	default:
		return nil, fmt.Errorf("%w: there is no verb %q", errRequest, verb)
	}
}

// errRequest means that a double was asked for something it does not do.
var errRequest = errors.New("asked for what it does not do")

// strict decodes one JSON value, nothing into nothing.
func strict(text []byte, into any) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// path is the place of a slash-separated path among the artifacts.
func (c container) path(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%q is not a path in the build's folder", name)
	}
	return filepath.Join(c.dir, filepath.FromSlash(clean)), nil
}

// text is the content of an artifact's file, without white space around it.
func (c container) text(name string) (string, error) {
	at, err := c.path(name)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(at)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return strings.TrimSpace(string(content)), nil
}

// write makes a file in the folder to fill.
func (c container) write(name, content string) error {
	at := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeAll makes files in the folder to fill, which are given as names and contents.
func (c container) writeAll(pairs ...string) error {
	for pair := range slices.Chunk(pairs, 2) {
		if err := c.write(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// fields is metadata, which is given as names and values.
func fields(pairs ...string) []rehearsal.MetadataField {
	var all []rehearsal.MetadataField
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, rehearsal.MetadataField{Name: pair[0], Value: pair[1]})
	}
	return all
}

// after are the versions from the given one on; without it, or when it is no
// longer there, the newest.
func after(all []rehearsal.Version, from rehearsal.Version, same func(a, b rehearsal.Version) bool) []rehearsal.Version {
	if len(all) == 0 {
		return nil
	}
	if from != nil {
		for i, v := range all {
			if same(v, from) {
				return all[i:]
			}
		}
	}
	return all[len(all)-1:]
}
