// Package gittest serves real git repositories on the loopback interface: over
// HTTP (optionally with TLS and credentials) and over SSH
// (sshd). It needs the git program and does not need package testing, so that
// programs which rehearse a pipeline can use it too.
//
// The HTTP side can be made to misbehave while it runs, see [Fault]; both sides
// count what they are asked, see [Server.Requests] and [Server.SSHConnections].
package gittest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
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
	// TLS serves https with a certificate of its own authority, see CA.
	TLS bool
	// NoV2 ignores that a client asks for protocol version 2, on HTTP and SSH.
	NoV2 bool
	// RefuseWants answers a fetch over HTTP of anything but the tip of a ref
	// with "not our ref", as servers do that do not allow wants by hash.
	RefuseWants bool
	// Remember answers a request for refs or objects that was answered before without asking git again, where git would say the
	// same: for many clients that begin with nothing. It is for repositories whose configuration does not change.
	Remember bool
	// SSH also starts sshd; New returns ErrNoSSHD when there is none.
	SSH bool
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	*server.Server

	options Options
	git     string
	dir     string
	ownDir  bool
	ctx     context.Context
	cancel  context.CancelFunc
	ssh     *sshServer

	mu           sync.Mutex // guards what follows
	passwords    map[string]string
	capabilities map[string][]byte // told to clients of protocol version 2, by repository and its configuration
	answers      map[string][]byte // of Options.Remember
}

// New starts a server on loopback.
func New(o Options) (*Server, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrNoGit
	}
	s := &Server{options: o, git: program, dir: o.Dir, passwords: map[string]string{}, capabilities: map[string][]byte{}, answers: map[string][]byte{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Server = server.New(http.HandlerFunc(s.serve), o.TLS)
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
		s.AddPassword(s.options.Username, s.options.Password)
	}
	if !s.options.SSH {
		return nil
	}
	ssh, err := startSSH(s.ctx, filepath.Join(s.dir, "ssh"), s.git, s.options.NoV2)
	s.ssh = ssh
	return err
}

// Close stops the server and, when New made the folder, removes it.
func (s *Server) Close() error {
	s.cancel()
	s.Server.Close()
	if s.ssh != nil {
		s.ssh.close()
	}
	if s.ownDir {
		return os.RemoveAll(s.dir)
	}
	return nil
}

func (s *Server) repositories() string { return filepath.Join(s.dir, "repositories") }

// Dir is the folder of the server.
func (s *Server) Dir() string { return s.dir }

// URL is the HTTP address of a repository, without credentials.
func (s *Server) URL(name string) string { return s.BaseURL() + "/" + name + ".git" }

// sshURL is the SSH address of a repository. It is empty without Options.SSH.
func (s *Server) sshURL(name string) string {
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

// Reset forgets the requests counted so far, on HTTP and SSH.
func (s *Server) Reset() {
	s.Server.Reset()
	if s.ssh != nil {
		s.ssh.reset()
	}
}
