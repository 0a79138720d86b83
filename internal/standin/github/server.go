// Package github is a local stand-in for GitHub: it keeps pull requests,
// labels, statuses and releases in memory, really merges in the repositories of a
// gittest server, and answers the calls of package forge as GitHub does: status
// codes, bodies, pages, validation errors, rate limits. It does not need package
// testing, so that programs which rehearse a pipeline can use it too.
//
// What a person does at GitHub's pages is a method of [Repository]. Servers can
// be made to misbehave while they run, see [Fault], and count what they are asked,
// see [Server.Requests].
//
// The answers follow https://docs.github.com/en/rest and
// https://docs.github.com/en/graphql, under the paths of a GitHub Enterprise
// server: /api/v3, /api/graphql, /api/uploads.
package github

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Options say what a server offers.
type Options struct {
	// Git has the repositories, as "owner/name". It is required.
	Git *gittest.Server
	// Tokens are accepted as access tokens. Without any, and without an App, every
	// request is accepted.
	Tokens []string
	// TLS serves https with a certificate of an own authority, see CA.
	TLS bool
	// Now is the clock; nil is the machine's.
	Now func() time.Time
	// ShareTokens lets the git server accept the tokens of apps, and want
	// credentials from then on.
	ShareTokens bool
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	handler  http.Handler
	listener net.Listener
	http     *http.Server
	ca       string
	ctx      context.Context
	cancel   context.CancelFunc

	mu           sync.Mutex // guards all that follows, and the repositories
	repositories map[string]*Repository
	apps         map[string]*app
	tokens       map[string]time.Time // when they end; zero: never
	tokenLife    time.Duration
	unknownFor   int // requests for which a new token is not known
	lastID       int64
	faults       []*Fault
	requests     []*Request
	used         int // requests since the start
}

// New starts a server on loopback.
func New(o Options) (*Server, error) {
	if o.Git == nil {
		return nil, errors.New("github stand-in: no git server is given")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		options: o, repositories: map[string]*Repository{}, apps: map[string]*app{},
		tokens: map[string]time.Time{}, tokenLife: time.Hour,
	}
	for _, t := range o.Tokens {
		s.tokens[t] = time.Time{}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.handler = s.routes()
	if err := s.listen(); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

func (s *Server) listen() error {
	var lc net.ListenConfig
	l, err := lc.Listen(s.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.options.TLS {
		l = s.secure(l)
	}
	s.listener = l
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 30 * time.Minute}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return nil
}

// secure serves with the certificate that net/http/httptest has built in.
func (s *Server) secure(l net.Listener) net.Listener {
	t := httptest.NewUnstartedServer(nil)
	t.StartTLS()
	defer t.Close()
	s.ca = pemOf(t.Certificate())
	return tls.NewListener(l, &tls.Config{Certificates: t.TLS.Certificates, MinVersion: tls.VersionTLS12})
}

// Close stops the server.
func (s *Server) Close() error {
	s.cancel()
	return s.http.Close()
}

// CA is the certificate authority of a TLS server in PEM, else empty.
func (s *Server) CA() string { return s.ca }

// BaseURL is the address of the pages for people, without a trailing slash.
func (s *Server) BaseURL() string {
	scheme := "http"
	if s.options.TLS {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// APIURL is what a source has as api_url.
func (s *Server) APIURL() string { return s.BaseURL() + "/api/v3" }

// Repository is the repository called "owner/name". It must exist at the git
// server when it is used.
func (s *Server) Repository(name string) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repository(name)
}

func (s *Server) repository(name string) *Repository {
	key := strings.ToLower(name)
	if s.repositories[key] == nil {
		s.repositories[key] = newRepository(s, name)
	}
	return s.repositories[key]
}

func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Second) }

func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

// Requests are the requests since the start or the last Reset, in the order of
// their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// Reset forgets the requests counted so far.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Inject adds a fault; the first one that matches a request and is not used up
// decides.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) take(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.matches(r) })
	if i < 0 {
		return &Fault{}
	}
	f := s.faults[i]
	if f.Skip > 0 {
		f.Skip--
		return &Fault{}
	}
	f.Times--
	if f.Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return f
}
