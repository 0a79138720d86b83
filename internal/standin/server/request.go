package server

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// keptBody is how much of a request's body is kept, in bytes: enough for the longest list that a client of the suite sends.
const keptBody = 1 << 20

// Request is what the server saw of one request.
type Request struct {
	Method, Path string
	Query        string // as sent
	Header       http.Header
	Body         []byte // the first MiB
	Status       int    // of the answer; 0 without an answer
	In, Out      int64  // bytes of the two bodies as sent
}

// Credentials returns the scheme of the header Authorization in lower case, and what follows it.
func (r Request) Credentials() (scheme, secret string) {
	scheme, secret, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.ToLower(scheme), secret
}

// serve reads a request, notes it, and answers or misbehaves.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	seen := &Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(),
		Body: body[:min(len(body), keptBody)], In: int64(len(body)),
	}
	s.note(func() {
		s.requests = append(s.requests, seen)
		s.busy++
		s.peakBusy = max(s.peakBusy, s.busy)
	})
	defer s.note(func() { s.busy-- })
	a := &answer{ResponseWriter: w, server: s, seen: seen}
	if f := s.take(r); f != nil {
		s.misbehave(a, r, f)
	} else {
		s.handler.ServeHTTP(a, r)
	}
	if a.broken {
		panic(http.ErrAbortHandler) // the only way to break a connection
	}
}

// answer notes what is sent.
type answer struct {
	http.ResponseWriter

	server *Server
	seen   *Request
	change Change // of the body; nil for none
	broken bool   // the connection is to break
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.server.note(func() { a.seen.Status = status })
	a.ResponseWriter.WriteHeader(status)
}

// Write notes how much is sent, after the change that a fault makes.
func (a *answer) Write(p []byte) (int, error) {
	if a.broken {
		return 0, io.ErrClosedPipe
	}
	sent := p
	if a.change != nil {
		sent, a.broken = a.change(p)
	}
	n, err := a.ResponseWriter.Write(sent)
	a.server.note(func() {
		if a.seen.Status == 0 {
			a.seen.Status = http.StatusOK
		}
		a.seen.Out += int64(n)
	})
	switch {
	case err != nil:
		return n, err
	case a.broken:
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		return n, io.ErrClosedPipe
	}
	return len(p), nil
}

// Unwrap gives http.ResponseController the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
