package rehearsal

import (
	"maps"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// scope holds the artifacts and local variables that steps see. An inner one,
// as each combination of an across step has, sees the outer one's; what it
// makes stays in it.
type scope struct {
	outer     *scope
	mu        sync.Mutex
	artifacts map[string]string // folder by artifact name
	vars      map[string]any
}

func newScope(outer *scope) *scope {
	return &scope{outer: outer, artifacts: map[string]string{}, vars: map[string]any{}}
}

func (s *scope) artifact(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		s.mu.Lock()
		dir, ok := s.artifacts[name]
		s.mu.Unlock()
		if ok {
			return dir, true
		}
	}
	return "", false
}

// all are the artifacts in sight, by name.
func (s *scope) all() map[string]string {
	out := map[string]string{}
	if s.outer != nil {
		out = s.outer.all()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(out, s.artifacts)
	return out
}

func (s *scope) keep(name, dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.artifacts[name] = dir
}

func (s *scope) set(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vars[name] = value
}

// lookup finds ((.:name)) references.
func (s *scope) lookup() pipeline.Lookup {
	var lookups []pipeline.Lookup
	for at := s; at != nil; at = at.outer {
		lookups = append(lookups, func(r pipeline.Ref) (any, bool) {
			at.mu.Lock()
			defer at.mu.Unlock()
			return pipeline.LocalVars(at.vars)(r)
		})
	}
	return pipeline.FirstOf(lookups...)
}
