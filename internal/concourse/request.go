package concourse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/taxiway-ci/taxiway/internal/guard"
	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// maxRequest is the size in bytes that a request may have. Concourse's are a few
// kilobytes.
const maxRequest = 16 << 20

// request is what Concourse sends. Other keys are ignored, as a later Concourse
// may have more.
type request struct {
	Source  json.RawMessage `json:"source"`
	Version json.RawMessage `json:"version"`
	Params  json.RawMessage `json:"params"`
}

// readRequest reads one JSON object and nothing behind it.
func readRequest(ctx context.Context, p Process, say func(format string, args ...any)) (request, error) {
	if f, ok := p.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		say("reading the request from the keyboard: one JSON object, then ctrl-d")
	}
	data, err := readAll(ctx, io.LimitReader(p.Stdin, maxRequest+1))
	if ctx.Err() != nil {
		return request{}, context.Cause(ctx)
	}
	if err != nil {
		return request{}, fmt.Errorf("read the request from stdin: %w", err)
	}
	if len(data) > maxRequest {
		return request{}, fmt.Errorf("the request on stdin is larger than %d MiB", maxRequest>>20)
	}
	return parseRequest(data)
}

// readAll reads everything, unless ctx ends before.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type read struct {
		data []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		var all read
		all.err = guard.Run(func() (err error) { all.data, err = io.ReadAll(r); return err })
		done <- all
	}()
	select {
	case all := <-done:
		return all.data, all.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func parseRequest(data []byte) (request, error) {
	const wanted = `want one JSON object like {"source": {...}}`
	if len(bytes.TrimSpace(data)) == 0 {
		return request{}, errors.New("the request on stdin is empty: " + wanted)
	}
	if err := checkJSON(data); err != nil {
		return request{}, fmt.Errorf("the request on stdin %w; %s", err, wanted)
	}
	if err := checkKeys("", data); err != nil {
		return request{}, err
	}
	raw := json.RawMessage(bytes.TrimSpace(data))
	if raw[0] != '{' {
		return request{}, fmt.Errorf("the request on stdin is %s: %s", got(raw), wanted)
	}
	var q request
	var names []string
	for _, m := range members(raw) {
		names = append(names, m.key)
		switch m.key {
		case "source":
			q.Source = m.value
		case "version":
			q.Version = m.value
		case "params":
			q.Params = m.value
		}
	}
	if q.Source == nil {
		hint := ""
		if near := nearest.Of("source", names); near != "" {
			hint = fmt.Sprintf(" (it has %q)", near)
		}
		return q, fmt.Errorf("the request on stdin has no \"source\"%s: %s", hint, wanted)
	}
	return q, nil
}

// checkJSON refuses what is not exactly one JSON value.
func checkJSON(data []byte) error {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return notJSON(data, err)
	}
	return nil
}

func notJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("is not JSON: %w", err)
	}
	before := data[:min(max(int(syntax.Offset)-1, 0), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("is not JSON at line %d, column %d: %w", line, column, err)
}

// level is an object or list that is being read.
type level struct {
	path string
	keys map[string]bool // nil in a list
	key  string
	next int // index in a list
	want bool
}

// begins is the object or list that begins with a token, nil for any other.
func begins(token json.Token, path string) *level {
	switch token {
	case json.Delim('{'):
		return &level{path: path, keys: map[string]bool{}, want: true}
	case json.Delim('['):
		return &level{path: path}
	}
	return nil
}

// child is the path of the value that comes next.
func (l *level) child() string {
	switch {
	case l.keys == nil:
		return fmt.Sprintf("%s[%d]", l.path, l.next)
	case l.path == "":
		return l.key
	}
	return l.path + "." + l.key
}

// checkKeys looks in JSON for objects that say a key twice.
func checkKeys(path string, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var levels []*level
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("is not JSON: %w", err)
		}
		here, top := path, &level{}
		if len(levels) > 0 {
			top = levels[len(levels)-1]
			here = top.child()
		}
		if name, ok := token.(string); ok && top.want {
			top.key, top.want = name, false
			if top.keys[name] {
				return &KeyError{Path: top.child(), Text: "appears twice"}
			}
			top.keys[name] = true
			continue
		}
		if begun := begins(token, here); begun != nil {
			levels = append(levels, begun)
			continue
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			if levels = levels[:len(levels)-1]; len(levels) == 0 {
				continue
			}
			top = levels[len(levels)-1]
		}
		top.next++
		top.want = top.keys != nil
	}
}
