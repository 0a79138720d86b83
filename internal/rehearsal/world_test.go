package rehearsal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// shelf is a resource type in memory: a list of numbers for each source name.
// A put takes a number from params, or the next one.
type shelf struct {
	mu    sync.Mutex
	lists map[string][]string
	given []string // to check, in order
	fail  map[rehearsal.Verb]bool
}

func newShelf() *shelf {
	return &shelf{lists: map[string][]string{}, fail: map[rehearsal.Verb]bool{}}
}

func (s *shelf) add(name string, numbers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[name] = append(s.lists[name], numbers...)
}

func (s *shelf) Run(_ context.Context, c rehearsal.Call) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var req struct {
		Source  struct{ Name string }
		Version rehearsal.Version
		Params  map[string]string
	}
	if err := json.Unmarshal(c.Request, &req); err != nil {
		return nil, err
	}
	if s.fail[c.Verb] {
		return nil, fmt.Errorf("%w: told to fail", rehearsal.ErrScript)
	}
	switch c.Verb {
	case rehearsal.Check:
		s.given = append(s.given, req.Version["n"])
		return json.Marshal(s.after(req.Source.Name, req.Version["n"]))
	case rehearsal.In:
		err := os.WriteFile(filepath.Join(c.Dir, "n"), []byte(req.Version["n"]+"\n"), 0o644)
		return fmt.Appendf(nil, `{"version":{"n":%q},"metadata":[{"name":"from","value":%q}]}`, req.Version["n"], req.Source.Name), err
	default:
		n := req.Params["n"]
		if file := req.Params["file"]; file != "" {
			text, err := os.ReadFile(filepath.Join(c.Dir, file))
			if err != nil {
				return nil, err
			}
			n = strings.TrimSpace(string(text))
		}
		s.lists[req.Source.Name] = append(s.lists[req.Source.Name], n)
		return fmt.Appendf(nil, `{"version":{"n":%q}}`, n), nil
	}
}

// after are the given number and those after it; all but the last are left out
// when nothing is given.
func (s *shelf) after(name, given string) []map[string]string {
	out := []map[string]string{}
	list := s.lists[name]
	if given == "" && len(list) > 0 {
		list = list[len(list)-1:]
	}
	for i, n := range list {
		if n == given {
			out = nil
		}
		out = append(out, map[string]string{"n": list[i]})
	}
	return out
}

// rehearse makes a rehearsal of a pipeline whose resources are of type shelf.
func rehearse(t *testing.T, s *shelf, text string) *rehearsal.Rehearsal {
	t.Helper()
	r, err := tryRehearse(t, s, text)
	require.NoError(t, err)
	return r
}

func tryRehearse(t *testing.T, s *shelf, text string) (*rehearsal.Rehearsal, error) {
	t.Helper()
	p, err := pipeline.Parse("pipeline.yml", []byte(text))
	require.NoError(t, err)
	return rehearsal.New(rehearsal.Options{
		Pipeline: p, Types: map[string]rehearsal.Type{"shelf": s}, TaskPath: os.Getenv("PATH"), Dir: t.TempDir(),
		Vars: map[string]any{"word": "hello", "deep": map[string]any{"n": 7}},
	})
}

// settled runs what there is to run and names the builds: "job#1 succeeded".
func settled(t *testing.T, r *rehearsal.Rehearsal) []string {
	t.Helper()
	builds, err := r.Settle(t.Context())
	require.NoError(t, err)
	var out []string
	for _, b := range builds {
		out = append(out, fmt.Sprintf("%s#%d %s", b.Job, b.Number, b.Status))
	}
	return out
}

// plan runs a job with the given plan once and returns the build.
func plan(t *testing.T, job string) *rehearsal.Build {
	t.Helper()
	r := rehearse(t, newShelf(), "resources:\n- {name: a, type: shelf, source: {name: a}}\njobs:\n- name: j\n"+indent(job))
	b, err := r.Trigger(t.Context(), "j", "tester")
	require.NoError(t, err)
	return b
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// steps lists what ran: "one succeeded".
func steps(b *rehearsal.Build) []string {
	var out []string
	for _, s := range b.Steps {
		out = append(out, s.Name+" "+string(s.Status))
	}
	return out
}
