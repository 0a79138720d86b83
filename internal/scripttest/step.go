package scripttest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

// Program runs one step of a resource type in this process and returns the exit status.
type Program func(ctx context.Context, process concourse.Process) int

// Steps is the command "step" for two resource types that share a source, one that is read and one that is put to:
//
//	[!] step check ENVIRONMENT [KEY=VALUE…]
//	[!] step get|put|reget ENVIRONMENT DIR [KEY=VALUE…]
//
// The source has the uri $URI, the branch main and the environment ("-" leaves it out). KEY is a key of the source, or
// given=FILE (the version that a check is given), version=FILE (the version that a get fetches, default last.json) or
// param.KEY. VALUE is JSON, or else a string. The newest version of an answer is written to last.json. A put records the
// folder DIR, unless param.repository says another one; a reget is the get that follows a put.
func Steps(read, put Program) Commands {
	return Commands{"step": func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) < 2 || args[0] != "check" && len(args) < 3 {
			ts.Fatalf("usage: step check ENVIRONMENT [KEY=VALUE...] | step get|put ENVIRONMENT DIR [KEY=VALUE...]")
		}
		s := newStep(ts, args)
		program := read
		if s.verb != "check" && s.verb != "get" {
			program = put
		}
		if status := s.run(program); (status != 0) != neg {
			ts.Fatalf("step %s: exit status %d", strings.Join(args, " "), status)
		}
	}}
}

// step is one request to a resource type.
type step struct {
	ts             *testscript.TestScript
	verb, dir      string
	source, params map[string]any
	request        map[string]any
	versionFile    string
}

func newStep(ts *testscript.TestScript, args []string) *step {
	s := &step{
		ts: ts, verb: args[0], versionFile: "last.json", params: map[string]any{},
		source: map[string]any{"uri": ts.Getenv("URI"), "branch": "main", "environment": args[1]},
	}
	s.request = map[string]any{"source": s.source, "params": s.params}
	if args[1] == "-" {
		delete(s.source, "environment")
	}
	rest := args[2:]
	if s.verb != "check" {
		s.dir, rest = ts.MkAbs(rest[0]), rest[1:]
	}
	for _, arg := range rest {
		s.set(arg)
	}
	return s
}

// set takes one KEY=VALUE of the command.
func (s *step) set(arg string) {
	key, value, _ := strings.Cut(arg, "=")
	param, isParam := strings.CutPrefix(key, "param.")
	switch {
	case key == "given":
		s.request["version"] = json.RawMessage(s.ts.ReadFile(value))
	case key == "version":
		s.versionFile = value
	case isParam:
		s.params[param] = parse(value)
	default:
		s.source[key] = parse(value)
	}
}

func (s *step) run(program Program) int {
	var args []string
	switch s.verb {
	case "check":
		args = []string{"check"}
	case "get", "reget":
		s.request["version"] = json.RawMessage(s.ts.ReadFile(s.versionFile))
		args = []string{"in", s.dir}
	case "put":
		if _, ok := s.params["repository"]; !ok {
			s.params["repository"] = filepath.Base(s.dir)
		}
		if s.params["repository"] == "" {
			delete(s.params, "repository")
		}
		args = []string{"out", filepath.Dir(s.dir)}
	default:
		s.ts.Fatalf("step %s: want check, get, put or reget", s.verb)
	}
	request, err := json.Marshal(s.request)
	s.ts.Check(err)
	var answer bytes.Buffer
	status := program(context.Background(), concourse.Process{
		Args: args, Stdin: bytes.NewReader(request), Stdout: &answer, Stderr: s.ts.Stderr(), Env: []string{"NO_COLOR=1"},
	})
	_, err = s.ts.Stdout().Write(answer.Bytes())
	s.ts.Check(err)
	s.keepLast(answer.Bytes())
	return status
}

// keepLast writes the newest version of an answer to last.json.
func (s *step) keepLast(answer []byte) {
	var list []json.RawMessage
	var result struct {
		Version json.RawMessage `json:"version"`
	}
	var last json.RawMessage
	if json.Unmarshal(answer, &list) == nil && len(list) > 0 {
		last = list[len(list)-1]
	} else if json.Unmarshal(answer, &result) == nil {
		last = result.Version
	}
	if last != nil {
		s.ts.Check(os.WriteFile(s.ts.MkAbs("last.json"), last, 0o644))
	}
}

// parse returns the value of JSON text, or the text itself when it is not JSON or a number.
func parse(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		if _, number := v.(float64); !number {
			return v
		}
	}
	return text
}
