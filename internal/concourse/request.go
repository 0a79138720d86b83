package concourse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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

// checkKeys looks in JSON for objects that say a key twice.
func checkKeys(path string, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return keysOnce(dec, path)
}

// keysOnce reads one value.
func keysOnce(dec *json.Decoder, path string) error {
	begun, err := dec.Token()
	if err != nil {
		return err
	}
	switch begun {
	case json.Delim('{'):
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			at := strings.TrimPrefix(path+"."+name, ".")
			if seen[name] {
				return &keyError{at, "appears twice"}
			}
			seen[name] = true
			if err := keysOnce(dec, at); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if err := keysOnce(dec, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = dec.Token() // its end
	return err
}
