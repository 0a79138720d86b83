package board

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
)

// Server serves the board of a repository. It reads the repository again when a ref moved, or when something on the board changes
// by time; each look costs one advertisement of refs. It is read only.
type Server struct {
	// Every is how long a look is good for.
	Every time.Duration
	// Loopback refuses requests for other hosts than this machine, so that no page of elsewhere can read the board through a
	// reader's browser.
	Loopback bool
	Logf     func(format string, args ...any)

	repository *Repository
	policy     string
	now        func() time.Time
	readers    chan struct{} // one for each request that is answered

	looking sync.Mutex // held by the one request that looks
	mu      sync.RWMutex
	shown   shown
}

// shown is a page and what it was made of.
type shown struct {
	page  []byte
	tag   string
	board *Board
	refs  deployments.Refs
	// looked is when the refs were read last, and fault what kept that from a newer page.
	looked time.Time
	fault  error
}

// NewServer serves the repository, which the server uses alone from then on.
func NewServer(r *Repository) *Server {
	const every = 5 * time.Second
	return &Server{
		Every: every, Logf: func(string, ...any) {}, repository: r, now: time.Now, readers: make(chan struct{}, maxReaders), policy: policy() + "; frame-ancestors 'none'",
	}
}

// Look reads the repository again if it moved. One look runs at a time: a request that comes meanwhile gets the page that is there.
func (s *Server) Look(ctx context.Context) {
	if s.current().page == nil {
		s.looking.Lock()
	} else if !s.looking.TryLock() {
		return
	}
	defer s.looking.Unlock()
	before := s.current()
	if !before.looked.IsZero() && s.now().Sub(before.looked) < s.Every {
		return
	}
	after, err := s.look(ctx, before)
	if ctx.Err() != nil {
		return // the reader has gone; the next one looks
	}
	if err != nil {
		s.Logf("%v", err)
		after = s.failed(before, err)
	}
	s.mu.Lock()
	s.shown = after
	s.mu.Unlock()
}

func (s *Server) current() shown {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.shown
}

// look is the page of the repository as it is now.
func (s *Server) look(ctx context.Context, before shown) (shown, error) {
	now := s.now()
	refs, err := s.repository.Refs(ctx)
	if err != nil {
		return before, err
	}
	if before.board != nil && before.fault == nil && maps.Equal(before.refs, refs) && now.Sub(before.board.At) < maxAge && (before.board.Until.IsZero() || now.Before(before.board.Until)) {
		before.looked = now
		return before, nil
	}
	b, err := s.repository.Board(ctx, refs, now)
	if err != nil {
		return before, err
	}
	return show(b, refs, now)
}

func show(b *Board, refs deployments.Refs, now time.Time) (shown, error) {
	page, err := b.Page()
	sum := sha256.Sum256(page)
	return shown{page: page, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`, board: b, refs: refs, looked: now}, err
}

// failed is the page that there is, with word of what keeps it from being newer.
func (s *Server) failed(before shown, fault error) shown {
	now := s.now()
	if before.board == nil {
		return shown{looked: now, fault: fault}
	}
	b := *before.board
	b.Fault = fault.Error()
	after, err := show(&b, before.refs, now)
	if err != nil {
		after = before
	}
	after.fault, after.looked = fault, now
	return after
}

// ServeHTTP answers with the board at / and says at /healthz whether it is the newest.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": s.policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
	} {
		h.Set(name, value)
	}
	select {
	case s.readers <- struct{}{}:
		defer func() { <-s.readers }()
	default:
		h.Set("Retry-After", "1")
		http.Error(w, "too many readers at a time", http.StatusServiceUnavailable)
		return
	}
	switch {
	case s.Loopback && !isLoopback(r.Host):
		http.Error(w, "this board is for readers on its own machine", http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the board is read only", http.StatusMethodNotAllowed)
	case r.URL.Path == "/healthz":
		s.health(w, r)
	case r.URL.Path == "/":
		s.serve(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.Look(r.Context())
	now := s.current()
	if now.page == nil {
		http.Error(w, "the deployments repository cannot be read; the program's output says why", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("ETag", now.tag)
	if r.Header.Get("If-None-Match") == now.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(now.page)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(now.page) // a reader who has gone needs no answer
	}
}

// health is for those who keep watch: the commit that is shown, when the repository was looked at, and whether that worked.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	s.Look(r.Context())
	now := s.current()
	answer := struct {
		OK     bool   `json:"ok"`
		Head   string `json:"head,omitempty"`
		Looked string `json:"looked"`
	}{OK: now.fault == nil && now.page != nil, Looked: now.looked.UTC().Format(time.RFC3339)}
	if now.board != nil {
		answer.Head = now.board.Head.Hash
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		s.Logf("%v", err)
	}
	_, _ = w.Write(append(text, '\n')) // see above
}

// isLoopback reports whether a request's host is this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Limits of the server.
const (
	headTimeout   = 10 * time.Second
	answerTimeout = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHead       = 16 << 10        // bytes
	maxReaders    = 256             // requests at a time
	maxAge        = 5 * time.Minute // windows and freezes begin and end though nothing moves
	closeTimeout  = 5 * time.Second
)

// Serve answers on the listener until the context ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headTimeout, ReadTimeout: headTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = server.Shutdown(closing) // who still reads is cut off below
		_ = server.Close()
	})
	defer stop()
	err := server.Serve(listener)
	if ctx.Err() != nil {
		return nil // it was told to end
	}
	return err
}
