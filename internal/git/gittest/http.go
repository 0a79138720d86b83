package gittest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log" //nolint:depguard // the CGI handler takes nothing else, and its lines are thrown away
	"net/http"
	"net/http/cgi" //nolint:gosec // Go 1.6.3 is long ago
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The services a client can ask for.
const (
	UploadPack  = "git-upload-pack"  // fetch
	ReceivePack = "git-receive-pack" // push
)

// Fault is one way for the HTTP side of a server to misbehave.
type Fault struct {
	// Service and Method restrict the fault to UploadPack or ReceivePack, and to
	// GET (the advertisement) or POST; empty matches both.
	Service, Method string
	// Skip lets so many matching requests pass first.
	Skip int
	// Times is how often the fault strikes; 0 means until Heal.
	Times int

	// Before is called before anything else, for instance to move a branch
	// between a client's two requests.
	Before func()
	// Delay holds the answer back.
	Delay time.Duration
	// Hang never answers; the request ends with the client's patience.
	Hang bool
	// Status answers with this status and Body; RetryAfter becomes the header of
	// that name.
	Status     int
	Body       string
	RetryAfter string
	// CutAfterPush carries a push out and then breaks the connection instead of
	// sending the result.
	CutAfterPush bool
	// CutPack breaks the connection after so many bytes of a pack that is sent.
	CutPack int64
	// RefuseWants answers a fetch of anything but the tip of a ref with
	// "not our ref", as servers do which do not allow wants by hash.
	RefuseWants bool
	// Corrupt flips one bit of the pack that is sent.
	Corrupt bool
}

func (f *Fault) matches(r *http.Request, service string) bool {
	return (f.Service == "" || f.Service == service) && (f.Method == "" || f.Method == r.Method)
}

// Request is what the server saw of one HTTP request.
type Request struct {
	Method, Path string
	Service      string // UploadPack, ReceivePack or "" for anything else
	Command      string // of protocol version 2: ls-refs or fetch
	Auth         string // basic, bearer or "" for none
	Protocol     string // the Git-Protocol header
	Status       int
	In, Out      int64 // bytes of the two bodies as sent
	Wants, Haves int   // of a fetch
	Body         string
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	seen := s.observe(r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.note(func() { seen.describe(r, body) })
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.TransferEncoding = nil
	out := &answer{ResponseWriter: w, server: s, seen: seen, fault: s.take(r, seen.Service)}
	s.answer(out, r, seen)
	if out.cut {
		panic(http.ErrAbortHandler) // the only way to break a connection
	}
}

func (s *Server) observe(r *http.Request) *Request {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	seen := &Request{
		Method: r.Method, Path: r.URL.Path, Service: r.URL.Query().Get("service"),
		Auth: strings.ToLower(scheme), Protocol: r.Header.Get("Git-Protocol"),
	}
	for _, name := range []string{UploadPack, ReceivePack} {
		if strings.HasSuffix(r.URL.Path, "/"+name) {
			seen.Service = name
		}
	}
	s.note(func() { s.requests = append(s.requests, seen) })
	return seen
}

func (s *Server) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (q *Request) describe(r *http.Request, body []byte) {
	q.In = int64(len(body))
	if q.Service != UploadPack || r.Method != http.MethodPost {
		return
	}
	text := plain(r, body)
	q.Body = string(text)
	q.Wants, q.Haves = bytes.Count(text, []byte("want ")), bytes.Count(text, []byte("have "))
	if _, after, ok := bytes.Cut(text, []byte("command=")); ok {
		line, _, _ := bytes.Cut(after, []byte("\n"))
		if i := bytes.Index(line, []byte("00")); i > 0 { // the next packet, when the line has no newline
			line = line[:i]
		}
		q.Command = string(line)
	}
}

// plain is the body of a request without its compression.
func plain(r *http.Request, body []byte) []byte {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return body
	}
	return text
}

func (s *Server) answer(w *answer, r *http.Request, seen *Request) {
	f := w.fault
	if f.Before != nil {
		f.Before()
	}
	if !s.wait(r, f) {
		w.cut = true
		return
	}
	if f.Status != 0 {
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		if f.Status == http.StatusUnauthorized {
			w.Header().Set("Www-Authenticate", `Basic realm="gittest"`)
		}
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body)
		return
	}
	if !s.allowed(r, seen.Service) {
		w.Header().Set("Www-Authenticate", `Basic realm="gittest"`)
		http.Error(w, "credentials wanted", http.StatusUnauthorized)
		return
	}
	if f.RefuseWants && s.refuseWants(w, r, seen) {
		return
	}
	s.backend(w, r)
}

// wait reports whether the request is still wanted afterwards.
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

func (s *Server) allowed(r *http.Request, service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.passwords) == 0 && len(s.tokens) == 0 {
		return true
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return s.options.AnonymousRead && service != ReceivePack
	}
	if token, ok := strings.CutPrefix(header, "Bearer "); ok {
		return slices.Contains(s.tokens, token)
	}
	username, password, ok := r.BasicAuth()
	want, known := s.passwords[username]
	return ok && known && password == want
}

// backend lets git answer.
func (s *Server) backend(w *answer, r *http.Request) {
	h := &cgi.Handler{
		Path: s.git, Args: []string{"http-backend"}, Dir: s.dir,
		Env: append(environment(s.dir),
			"GIT_PROJECT_ROOT="+s.repositories(), "GIT_HTTP_EXPORT_ALL=1"),
		Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
	}
	if !s.options.NoV2 {
		h.Env = append(h.Env, "GIT_PROTOCOL="+r.Header.Get("Git-Protocol"))
	}
	r.Header.Del("Git-Protocol")
	s.completePath(r)
	if w.fault.CutAfterPush && r.Method == http.MethodPost && w.seen.Service == ReceivePack {
		h.ServeHTTP(&discard{header: http.Header{}}, r)
		w.cut = true
		return
	}
	h.ServeHTTP(w, r)
}

// completePath lets addresses without ".git" work, as the large hosts do.
func (s *Server) completePath(r *http.Request) {
	for _, tail := range []string{"/info/refs", "/" + UploadPack, "/" + ReceivePack} {
		name, ok := strings.CutSuffix(r.URL.Path, tail)
		if !ok || strings.HasSuffix(name, ".git") {
			continue
		}
		if _, err := os.Stat(s.path(strings.TrimPrefix(name, "/"))); err == nil {
			r.URL.Path = name + ".git" + tail
		}
	}
}

func (s *Server) refuseWants(w *answer, r *http.Request, seen *Request) bool {
	if seen.Wants == 0 {
		return false
	}
	s.completePath(r)
	name := strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, ".git/"+UploadPack), "/")
	refs, err := run(s.ctx, s.path(name), nil, "for-each-ref", "--format=%(objectname) %(*objectname)")
	if err != nil {
		return false
	}
	for _, m := range regexp.MustCompile(`want ([0-9a-f]{40})`).FindAllStringSubmatch(seen.Body, -1) {
		if strings.Contains(refs, m[1]) {
			continue
		}
		line := "ERR upload-pack: not our ref " + m[1]
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = fmt.Fprintf(w, "%04x%s", len(line)+4, line) //nolint:gosec // a hash, to a test
		return true
	}
	return false
}

// answer counts what is sent and applies the faults of a running answer.
type answer struct {
	http.ResponseWriter
	server *Server
	seen   *Request
	fault  *Fault
	inPack bool
	sent   int64 // bytes of the pack
	cut    bool
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.server.note(func() { a.seen.Status = status })
	a.ResponseWriter.WriteHeader(status)
}

// Write counts and, when a fault says so, stops in the middle of a pack.
func (a *answer) Write(p []byte) (int, error) {
	if a.cut {
		return 0, io.ErrClosedPipe
	}
	start := 0
	if !a.inPack && (a.fault.CutPack > 0 || a.fault.Corrupt) {
		if start = bytes.Index(p, []byte("PACK")); start >= 0 {
			a.inPack = true
		}
	}
	if a.inPack {
		p = a.spoil(p, start)
	}
	n, err := a.ResponseWriter.Write(p)
	a.server.note(func() {
		if a.seen.Status == 0 {
			a.seen.Status = http.StatusOK
		}
		a.seen.Out += int64(n)
	})
	if a.cut {
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		return n, io.ErrClosedPipe
	}
	return n, err
}

func (a *answer) spoil(p []byte, start int) []byte {
	length := int64(len(p) - start)
	if left := a.fault.CutPack - a.sent; a.fault.CutPack > 0 && left < length {
		p, a.cut = p[:start+int(max(left, 0))], true
	}
	const at = 20 // behind the pack's own header
	if i := start + int(at-a.sent); a.fault.Corrupt && a.sent <= at && i < len(p) {
		p = slices.Clone(p)
		p[i] ^= 0x10
	}
	a.sent += length
	return p
}

// Unwrap gives http.ResponseController the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// discard is a response nobody gets.
type discard struct{ header http.Header }

// Header is kept, for the CGI handler.
func (d *discard) Header() http.Header { return d.header }

// Write swallows p.
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (d *discard) WriteHeader(int) {}
