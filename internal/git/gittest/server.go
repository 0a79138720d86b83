// Package gittest serves real git repositories on the loopback interface: over
// HTTP (git http-backend, optionally with TLS and credentials) and over SSH
// (sshd). It needs the git program and does not need package testing, so that
// programs which rehearse a pipeline can use it too.
//
// Servers can be made to misbehave while they run, see [Fault], and count what
// they are asked, see [Server.Requests].
package gittest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ErrNoSSHD says that this machine has no sshd program; tests skip on it.
var ErrNoSSHD = errors.New("no sshd program on this machine (package openssh-server)")

// ErrNoGit says that this machine has no git program; tests skip on it.
var ErrNoGit = errors.New("no git program on this machine")

// Options say what a server offers. The zero value is a plain HTTP server that
// everybody may read and write.
type Options struct {
	// Dir keeps the repositories and keys. Empty: a new temporary folder,
	// removed by Close.
	Dir string
	// Username and Password are asked for by HTTP (basic authentication) when
	// Password is set.
	Username, Password string
	// Token is accepted as a bearer token when set.
	Token string
	// AnonymousRead lets everybody read although credentials are configured.
	AnonymousRead bool
	// TLS serves https with a certificate of an own authority, see CA.
	TLS bool
	// NoV2 ignores a client's wish for protocol version 2, on HTTP and SSH.
	NoV2 bool
	// SSH also starts sshd; New returns ErrNoSSHD when there is none.
	SSH bool
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	options Options
	git     string
	dir     string
	ownDir  bool
	ctx     context.Context
	cancel  context.CancelFunc

	listener net.Listener
	http     *http.Server
	ca       []byte
	ssh      *sshServer

	mu        sync.Mutex
	faults    []*Fault
	requests  []*Request
	passwords map[string]string
	tokens    []string
}

// New starts a server on loopback.
func New(o Options) (*Server, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrNoGit
	}
	s := &Server{options: o, git: program, dir: o.Dir, passwords: map[string]string{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start() error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "gittest-")
		if err != nil {
			return err
		}
		s.dir, s.ownDir = dir, true
	}
	if err := os.MkdirAll(s.repositories(), 0o750); err != nil {
		return err
	}
	if s.options.Password != "" {
		s.passwords[s.options.Username] = s.options.Password
	}
	if s.options.Token != "" {
		s.tokens = append(s.tokens, s.options.Token)
	}
	if err := s.startHTTP(); err != nil {
		return err
	}
	if !s.options.SSH {
		return nil
	}
	ssh, err := startSSH(s.ctx, filepath.Join(s.dir, "ssh"), s.git, s.options.NoV2)
	s.ssh = ssh
	return err
}

func (s *Server) startHTTP() error {
	var lc net.ListenConfig
	l, err := lc.Listen(s.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.options.TLS {
		ca, cert, err := newAuthority()
		if err != nil {
			return errors.Join(err, l.Close())
		}
		s.ca = ca
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	s.listener = l
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 30 * time.Minute}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return nil
}

// Close stops the server and, when New made the folder, removes it.
func (s *Server) Close() error {
	s.cancel()
	var errs []error
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	if s.ssh != nil {
		s.ssh.close()
	}
	if s.ownDir {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

func (s *Server) repositories() string { return filepath.Join(s.dir, "repositories") }

// Dir is the folder of the server.
func (s *Server) Dir() string { return s.dir }

// CA is the certificate authority of a TLS server in PEM, else empty.
func (s *Server) CA() string { return string(s.ca) }

// BaseURL is the server's address without a trailing slash.
func (s *Server) BaseURL() string {
	scheme := "http"
	if s.options.TLS {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// URL is the HTTP address of a repository, without credentials.
func (s *Server) URL(name string) string { return s.BaseURL() + "/" + name + ".git" }

// SSHURL is the SSH address of a repository. It is empty without Options.SSH.
func (s *Server) SSHURL(name string) string {
	if s.ssh == nil {
		return ""
	}
	return fmt.Sprintf("ssh://%s@%s%s", s.ssh.user, s.ssh.address(), s.path(name))
}

func (s *Server) path(name string) string {
	return filepath.Join(s.repositories(), filepath.FromSlash(name)+".git")
}

// Create makes an empty bare repository called name ("deployments" or
// "owner/deployments") with the branch main as its HEAD. It allows pushes,
// filters and wants by hash.
func (s *Server) Create(name string) (*Repository, error) {
	r, err := Init(s.path(name))
	if err != nil {
		return nil, err
	}
	r.ctx, r.server, r.name = s.ctx, s, name
	return r, nil
}

// Find is a repository that Create made; ok says whether there is one.
func (s *Server) Find(name string) (r *Repository, ok bool) {
	dir := s.path(name)
	if !isFolder(dir) {
		return nil, false
	}
	return &Repository{Dir: dir, ctx: s.ctx, server: s, name: name}, true
}

// AddPassword makes HTTP also accept this user and password.
func (s *Server) AddPassword(username, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passwords[username] = password
}

// AddToken makes HTTP also accept this bearer token.
func (s *Server) AddToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, token)
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

// Requests are the HTTP requests since the start or the last Reset, in the
// order of their arrival. Requests that are being answered are in it with the
// numbers reached so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// Reset forgets the requests counted so far, on HTTP and SSH.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
	if s.ssh != nil {
		s.ssh.reset()
	}
}

func (s *Server) take(r *http.Request, service string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.matches(r, service) })
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
