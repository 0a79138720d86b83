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
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// Options say what a server offers.
type Options struct {
	// Git has the repositories, as "owner/name". It is required.
	Git *gittest.Server
	// Tokens are accepted as access tokens. Without any, and without an App, every
	// request is accepted.
	Tokens []string
	// Login is who the tokens belong to; empty is galoybot.
	Login string
	// Scopes are those of a classic token, as GitHub tells them in X-OAuth-Scopes; a token without an entry is a fine-grained one.
	Scopes map[string]string
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
	*server.Server

	options Options

	mu           sync.Mutex // guards all that follows, and the repositories
	repositories map[string]*Repository
	apps         map[string]*app
	tokens       map[string]time.Time // when they end; zero: never
	tokenLife    time.Duration
	unknownFor   int // requests for which a new token is not known
	lastID       int64
	used         int // requests since the start
}

// New starts a server on loopback. Close ends it.
func New(o Options) *Server {
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
	s.Server = server.New(s.routes(), o.TLS)
	return s
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

// Requests returns the requests since the start or the last Reset, see [server.Server.Requests]. Paths are without /api/v3, as in
// "/repos/team/code/pulls".
func (s *Server) Requests() []server.Request {
	all := s.Server.Requests()
	for i := range all {
		all[i].Path = strings.TrimPrefix(all[i].Path, "/api/v3")
	}
	return all
}
