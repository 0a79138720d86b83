package server

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// Fault is one way for a server to misbehave.
type Fault struct {
	// Method and Path choose the requests. Path is a part of the path and query, as in "/repos/team/code/pulls"; empty ones
	// match all requests.
	Method, Path string
	// Skip lets so many matching requests pass first.
	Skip int
	// Times is how often the fault strikes; 0 means until Heal.
	Times int

	// Before is called before anything else, for instance to move a branch between two requests of a client.
	Before func()
	// Delay holds the answer back.
	Delay time.Duration
	// Hang never answers. The request ends when the client gives up or the server closes.
	Hang bool
	// Status answers with this status, Header and Body.
	Status int
	Header http.Header
	Body   string
	// Lose does what is asked, and then breaks the connection instead of answering.
	Lose bool
	// Change changes the body of the answer. It is called for each answer anew.
	Change func() Change
}

// Change gets the next bytes of an answer's body and returns what is sent in their place, and whether the connection breaks
// behind them.
type Change func(p []byte) (sent []byte, broken bool)

// Cut is a change that breaks the connection after n bytes of the body.
func Cut(n int) func() Change {
	return func() Change {
		left := n
		return func(p []byte) ([]byte, bool) {
			p = p[:min(left, len(p))]
			left -= len(p)
			return p, left == 0
		}
	}
}

func (f *Fault) matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path+"?"+r.URL.RawQuery, f.Path)
}

// misbehave answers a request that meets a fault.
func (s *Server) misbehave(a *answer, r *http.Request, f *Fault) {
	if f.Before != nil {
		f.Before()
	}
	if !s.wait(r, f) {
		a.broken = true
		return
	}
	if f.Change != nil {
		a.change = f.Change()
	}
	switch {
	case f.Lose:
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
		a.broken = true
	case f.Status != 0:
		maps.Copy(a.Header(), f.Header)
		a.WriteHeader(f.Status)
		_, _ = io.WriteString(a, f.Body) // the client may have gone
	default:
		s.handler.ServeHTTP(a, r)
	}
}

// wait holds a request back as long as the fault says, and reports whether the client still waits.
func (s *Server) wait(r *http.Request, f *Fault) bool {
	var after <-chan time.Time
	switch {
	case f.Hang:
	case f.Delay > 0:
		after = time.After(f.Delay)
	default:
		return true
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
	return false
}
