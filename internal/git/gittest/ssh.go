package gittest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sshServer is sshd behind a listener of ours, which counts bytes and can be
// silent. sshd runs once per connection (-i), so there is nothing to wait for
// and no port to guess.
type sshServer struct {
	program, dir string
	user         string
	hostKeys     []string // authorised lines
	listener     net.Listener
	silent       atomic.Bool

	mu          sync.Mutex
	connections int
	open        map[net.Conn]bool
	closed      bool
	wg          sync.WaitGroup
}

// sshdProgram finds sshd, which is usually not on the PATH of users.
func sshdProgram() (string, error) {
	if path, err := exec.LookPath("sshd"); err == nil {
		return filepath.Abs(path)
	}
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", ErrNoSSHD
}

func startSSH(ctx context.Context, dir, git string, noV2 bool) (*sshServer, error) {
	program, err := sshdProgram()
	if err != nil {
		return nil, err
	}
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	s := &sshServer{program: program, dir: dir, user: who.Username, open: map[net.Conn]bool{}}
	if err := s.prepare(git, noV2); err != nil {
		return nil, fmt.Errorf("prepare sshd in %s: %w", dir, err)
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go s.accept(ctx)
	return s, nil
}

// prepare writes keys, configuration and the command every session runs.
func (s *sshServer) prepare(git string, noV2 bool) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		// sshd of root refuses to start without its folder, which only a
		// service manager makes.
		if err := os.MkdirAll("/run/sshd", 0o750); err != nil {
			return err
		}
	}
	accept := "AcceptEnv GIT_PROTOCOL\n"
	if noV2 {
		accept = ""
	}
	var config strings.Builder
	config.WriteString(accept + "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n" +
		"KbdInteractiveAuthentication no\nPubkeyAuthentication yes\nPrintMotd no\nPidFile none\nLogLevel ERROR\n" +
		"AuthorizedKeysFile " + s.file("authorized_keys") + "\nForceCommand " + s.file("session") + "\n")
	for _, kind := range []string{"ed25519", "ecdsa"} {
		key, err := NewKey(kind, "")
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.file("host_"+kind), []byte(key.Private), 0o600); err != nil {
			return err
		}
		s.hostKeys = append(s.hostKeys, key.Authorised)
		config.WriteString("HostKey " + s.file("host_"+kind) + "\n")
	}
	session := "#!/bin/sh\nprintf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> '" + s.file("commands") + "'\n" +
		"export PATH='" + os.Getenv("PATH") + "' HOME='" + s.dir + "' GIT_CONFIG_NOSYSTEM=1 LC_ALL=C\n" +
		"exec '" + git + "' shell -c \"$SSH_ORIGINAL_COMMAND\"\n"
	return errors.Join(
		os.WriteFile(s.file("authorized_keys"), nil, 0o600),
		os.WriteFile(s.file("config"), []byte(config.String()), 0o600),
		os.WriteFile(s.file("session"), []byte(session), 0o700), //nolint:gosec // a script must be executable
	)
}

func (s *sshServer) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sshServer) address() string { return s.listener.Addr().String() }

func (s *sshServer) accept(ctx context.Context) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.open[c] = true
		s.connections++
		s.wg.Add(1)
		s.mu.Unlock()
		go s.connection(ctx, c)
	}
}

func (s *sshServer) connection(ctx context.Context, c net.Conn) {
	defer s.wg.Done()
	defer func() {
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
		_ = c.Close()
	}()
	if s.silent.Load() {
		_, _ = io.Copy(io.Discard, c) // until the client goes or the server closes
		return
	}
	cmd := exec.CommandContext(ctx, s.program, "-i", "-e", "-f", s.file("config"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	cmd.Stdout, cmd.WaitDelay = c, time.Second
	if err := cmd.Start(); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(stdin, c)
		_ = stdin.Close()
	}()
	_ = cmd.Wait() // its status is the client's business
}

func (s *sshServer) close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *sshServer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections = 0
	_ = os.Remove(s.file("commands"))
}

// Authorise lets the holders of a key in, with a line as in [Key].Authorised.
func (s *Server) Authorise(line string) error {
	if s.ssh == nil {
		return errors.New("this server was started without SSH")
	}
	f, err := os.OpenFile(s.ssh.file("authorized_keys"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// KnownHosts are lines for a known_hosts file. Kinds ("ssh-ed25519",
// "ecdsa-sha2-nistp256") restrict them; the server has one key of each.
func (s *Server) KnownHosts(kinds ...string) string {
	if s.ssh == nil {
		return ""
	}
	host, port, _ := net.SplitHostPort(s.ssh.address())
	var text strings.Builder
	for _, line := range s.ssh.hostKeys {
		kind, _, _ := strings.Cut(line, " ")
		if len(kinds) == 0 || strings.Contains(strings.Join(kinds, " "), kind) {
			fmt.Fprintf(&text, "[%s]:%s %s\n", host, port, line)
		}
	}
	return text.String()
}

// SSHAddress is host:port of the SSH side, or empty.
func (s *Server) SSHAddress() string {
	if s.ssh == nil {
		return ""
	}
	return s.ssh.address()
}

// SetSSHSilent makes new SSH connections be accepted and never answered.
func (s *Server) SetSSHSilent(silent bool) { s.ssh.silent.Store(silent) }

// SSHConnections is the number of connections since the start or the last Reset.
func (s *Server) SSHConnections() int {
	s.ssh.mu.Lock()
	defer s.ssh.mu.Unlock()
	return s.ssh.connections
}

// SSHCommands are the commands run over SSH since the start or the last Reset,
// for instance "git-upload-pack '/srv/a.git'".
func (s *Server) SSHCommands() []string {
	text, err := os.ReadFile(s.ssh.file("commands"))
	if err != nil {
		return nil // nothing ran yet
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
