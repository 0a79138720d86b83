// Package server is the HTTP server on loopback below every stand-in: it counts what it is asked, see [Server.Requests], and can
// be made to misbehave while it runs, see [Fault]. It does not need package testing, because rehearsals use it too.
package server

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
)

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	handler http.Handler
	http    *httptest.Server
	ctx     context.Context // done when the server closes
	cancel  context.CancelFunc

	mu                        sync.Mutex // guards all that follows
	faults                    []*Fault
	requests                  []*Request
	busy, peakBusy            int
	connections, peakConnects int
}

// New starts a server that answers with a handler, over TLS if that is asked for. Close ends it.
func New(h http.Handler, tls bool) *Server {
	s := &Server{handler: h}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = httptest.NewUnstartedServer(s.Handler())
	s.http.Config.ConnState = s.connection
	if tls {
		s.http.EnableHTTP2 = true
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	return s
}

// Close ends the server and breaks all connections.
func (s *Server) Close() {
	s.cancel()
	s.http.CloseClientConnections()
	s.http.Close()
}

// BaseURL returns the server's address without a trailing slash.
func (s *Server) BaseURL() string { return s.http.URL }

// CA returns the certificate authority of a server with TLS in PEM, and "" for one without.
func (s *Server) CA() string {
	c := s.http.Certificate()
	if c == nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Handler counts, misbehaves and answers as the server does, but without a network: for tests with a clock of their own.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Inject adds a fault. The oldest fault that matches a request and is not used up decides.
func (s *Server) Inject(f Fault) {
	s.note(func() { s.faults = append(s.faults, &f) })
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.note(func() { s.faults = nil })
}

// Requests returns the requests since the start or the last Reset in the order of their arrival. A request that is still being
// answered has the numbers that it has reached.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// Reset forgets the requests.
func (s *Server) Reset() {
	s.note(func() { s.requests = nil })
}

// PeakRequests returns the largest number of requests that were being answered at the same time.
func (s *Server) PeakRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peakBusy
}

// PeakConnections returns the largest number of connections at the same time. A connection that a client has closed counts for
// a little longer.
func (s *Server) PeakConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peakConnects
}

func (s *Server) connection(_ net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.connections++
		s.peakConnects = max(s.peakConnects, s.connections)
	case http.StateClosed, http.StateHijacked:
		s.connections--
	case http.StateActive, http.StateIdle:
	}
}

func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// take uses the fault that a request meets; nil when it meets none.
func (s *Server) take(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		switch {
		case !f.matches(r):
			continue
		case f.Skip > 0:
			f.Skip--
			continue
		}
		f.Times--
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return nil
}
