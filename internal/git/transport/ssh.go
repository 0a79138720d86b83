package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/wire"
	"github.com/taxiway-ci/taxiway/internal/guard"
)

const (
	greetingLimit = 30 * time.Second // for an SSH server's handshake
	maxStderr     = 4 << 10          // bytes of the error output that are kept
	maxHeard      = 32 << 20         // bytes of it after which the session ends
	// lastWordsLimit is for what a program says after it has closed its output.
	lastWordsLimit = 3 * time.Second
)

// sshDialer speaks to one repository through one SSH connection, which all
// sessions share.
type sshDialer struct {
	endpoint *Address
	config   *ssh.ClientConfig
	trust    *trust

	client *ssh.Client
}

func newSSHDialer(a Access, e *Address, logf func(string, ...any)) (*sshDialer, error) {
	if a.PrivateKey == "" {
		return nil, fmt.Errorf("private_key: is required for %s", e)
	}
	key, err := ParseKey("private_key", a.PrivateKey, a.PrivateKeyPassphrase)
	if err != nil {
		return nil, err
	}
	user := e.user
	if user == "" {
		user = "git"
	}
	d := &sshDialer{endpoint: e}
	d.config = &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, Timeout: connectLimit,
		ClientVersion: "SSH-2.0-taxiway",
	}
	if a.InsecureIgnoreHostKey {
		logf("warning: insecure_ignore_host_key is set: the identity of %s is not verified", e.host)
		d.config.HostKeyCallback = ssh.InsecureIgnoreHostKey() //nolint:gosec // asked for, and told
		return d, nil
	}
	if d.trust, err = newTrust(a.KnownHosts, e, logf); err != nil {
		return nil, err
	}
	d.config.HostKeyCallback = d.trust.check
	d.config.HostKeyAlgorithms = d.trust.algorithms
	return d, nil
}

func (d *sshDialer) close() error {
	if d.client == nil {
		return nil
	}
	err := d.client.Close()
	d.client = nil
	if errors.Is(err, net.ErrClosed) {
		return nil // a context has ended it already
	}
	return err
}

func (d *sshDialer) dial(ctx context.Context, service string, v2 bool) (session, error) {
	if d.client != nil {
		s, err := d.start(ctx, service, v2)
		if err == nil {
			return s, nil
		}
		_ = d.close() // it may have been idle for too long
	}
	if err := d.connect(ctx); err != nil {
		return nil, err
	}
	return d.start(ctx, service, v2)
}

func (d *sshDialer) connect(ctx context.Context) error {
	address := d.endpoint.dialAddress("22")
	c, err := (&net.Dialer{Timeout: connectLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	// The handshake knows no context, so the connection ends with it.
	watched, w := watch(ctx, greetingLimit)
	undo := context.AfterFunc(watched, func() { _ = c.Close() })
	conn, channels, requests, err := ssh.NewClientConn(c, address, d.config)
	undo()
	w.stop()
	if err != nil {
		_ = c.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return d.explain(w.cause(err))
	}
	d.client = ssh.NewClient(conn, channels, requests)
	return nil
}

// explain names the three things that go wrong in a handshake.
func (d *sshDialer) explain(err error) error {
	if d.trust != nil {
		if refused := d.trust.refused(err); refused != nil {
			return refused
		}
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("%w: the server does not accept private_key for the user %s: is its public part registered there?", object.ErrAuth, d.config.User)
	}
	return fmt.Errorf("open an SSH connection: %w", err)
}

// start begins a session. Opening it waits for the server, so it ends with the
// context too.
func (d *sshDialer) start(ctx context.Context, service string, v2 bool) (session, error) {
	client := d.client
	watched, w := watch(ctx, stallLimit)
	undo := context.AfterFunc(watched, func() { _ = client.Close() })
	s, err := startSession(client, fmt.Sprintf("%s %s", service, shellQuote(d.endpoint.Path)), v2)
	undo()
	w.stop()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", service, w.cause(err))
	}
	return s, nil
}

func startSession(client *ssh.Client, command string, v2 bool) (*stream, error) {
	s, err := client.NewSession()
	if refused := (*ssh.OpenChannelError)(nil); err != nil && !errors.As(err, &refused) {
		return nil, fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err) // the server did not refuse: the connection ended
	}
	if err != nil {
		return nil, err
	}
	if v2 {
		_ = s.Setenv("GIT_PROTOCOL", "version=2") // a server that minds speaks the old version
	}
	w, err := s.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r, err := s.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	said := &lastWords{ended: make(chan struct{}), flooded: func() { _ = s.Close() }}
	s.Stderr = said
	if err := s.Start(command); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	end := func() error {
		if err := s.Close(); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	go func() { // ends with the session or its connection
		said.exit = guard.Run(s.Wait)
		close(said.ended)
	}()
	return &stream{r: r, w: w, end: end, reason: said.reason}, nil
}

// shellQuote makes one word of a path for the shell on the other side.
func shellQuote(s string) string {
	if rest, ok := strings.CutPrefix(s, "~"); ok {
		user, p, _ := strings.Cut(rest, "/")
		return "~" + user + "/" + shellQuote(p) // the shell must see the home
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// lastWords keeps the beginning of what a program writes to its error output.
type lastWords struct {
	mu    sync.Mutex
	text  []byte
	heard int           // bytes
	exit  error         // of the program
	ended chan struct{} // then exit is set and text is complete

	flooded func() // ends the session
}

// Write never fails, so that the program goes on, unless it goes on too long.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p[:min(len(p), maxStderr+1-len(l.text))]...)
	if l.heard += len(p); l.heard > maxHeard {
		l.flooded()
		return 0, l.tooMuch()
	}
	return len(p), nil
}

// tooMuch is an error once the program has written too much.
func (l *lastWords) tooMuch() error {
	if l.heard <= maxHeard {
		return nil
	}
	return fmt.Errorf("%w: the server's program writes more than %d bytes of messages", object.ErrLimit, maxHeard)
}

// reason is why the other side ended. Hosts say on the error output that there
// is no such repository, or no permission.
func (l *lastWords) reason(err error) error {
	l.mu.Lock()
	flood := l.tooMuch()
	l.mu.Unlock()
	if flood != nil {
		return flood
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	select {
	case <-l.ended:
	case <-time.After(lastWordsLimit):
		return err
	}
	l.mu.Lock()
	said := cut(l.text, maxStderr)
	l.mu.Unlock()
	var exit *ssh.ExitError
	if said == "" || !errors.As(l.exit, &exit) {
		return err
	}
	low := strings.ToLower(said)
	e := &wire.ServerError{Text: said}
	switch {
	case containsAny(low, "permission", "denied", "not allowed", "read-only", "read only", "forbidden", "protected"):
		if containsAny(low, "publickey") {
			return fmt.Errorf("%w: %w", object.ErrAuth, e)
		}
		return fmt.Errorf("%w: %w", object.ErrForbidden, e)
	case containsAny(low, "not found", "does not exist", "not appear to be a git repository", "no such", "could not be found"):
		return fmt.Errorf("%w: %w; check the uri; many servers also say this when the key may not see the repository", object.ErrNoRepository, e)
	}
	return e
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
