package concourse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
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
func readRequest(p Process, say func(format string, args ...any)) (request, error) {
	if f, ok := p.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		say("reading the request from the keyboard: one JSON object, then ctrl-d")
	}
	data, err := io.ReadAll(io.LimitReader(p.Stdin, maxRequest+1))
	if err != nil {
		return request{}, fmt.Errorf("read the request from stdin: %w", err)
	}
	if len(data) > maxRequest {
		return request{}, fmt.Errorf("the request on stdin is larger than %d MiB", maxRequest>>20)
	}
	return parseRequest(data)
}

func parseRequest(data []byte) (request, error) {
	const wanted = `want one JSON object like {"source": {...}}`
	if len(bytes.TrimSpace(data)) == 0 {
		return request{}, errors.New("the request on stdin is empty: " + wanted)
	}
	if err := checkJSON(data); err != nil {
		return request{}, fmt.Errorf("the request on stdin: %w; %s", err, wanted)
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
		if near := nearest("source", names); near != "" {
			hint = fmt.Sprintf(" (it has %q)", near)
		}
		return q, fmt.Errorf("the request on stdin has no \"source\"%s: %s", hint, wanted)
	}
	return q, nil
}

// checkJSON refuses what is not exactly one JSON value, and objects that say a
// key twice.
func checkJSON(data []byte) error {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return notJSON(data, err)
	}
	return checkKeys(whole)
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

func (l *level) child() string {
	if l.keys == nil {
		return fmt.Sprintf("%s[%d]", l.path, l.next)
	}
	if l.path == "" {
		return l.key
	}
	return l.path + "." + l.key
}

// checkKeys looks for keys that an object has twice.
func checkKeys(raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	levels := []*level{{}}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("is not JSON: %w", err)
		}
		top := levels[len(levels)-1]
		if name, ok := token.(string); ok && top.want {
			if top.keys[name] {
				top.key = name
				return &Problem{Path: top.child(), Text: "is there twice"}
			}
			top.keys[name], top.key, top.want = true, name, false
			continue
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, &level{path: top.child(), keys: map[string]bool{}, want: true})
			continue
		case json.Delim('['):
			levels = append(levels, &level{path: top.child()})
			continue
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:len(levels)-1]
			top = levels[len(levels)-1]
		}
		top.next++
		top.want = top.keys != nil
	}
}
